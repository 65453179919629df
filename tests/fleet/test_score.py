"""``toothwise score``: one row per map, and what is finished is kept."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest

from toothwise import Model, Monitor, detectors
from toothwise.errors import InputError, OutputError
from toothwise.fleet import run as fleet_run
from toothwise.fleet.options import ScoreOptions
from toothwise.fleet.reading import Block
from toothwise.fleet.run import score_fleet
from toothwise.fleet.scoring import SCHEMA, score_block
from toothwise.fleet.storage import locate
from toothwise.healthmap.io import write_map

pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")

HERE = ScoreOptions(workers=0, batch=16)


def rows_of(out) -> pd.DataFrame:
    return pd.read_parquet(out).sort_values(["file", "index"]).reset_index(drop=True)


def files_of(out) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in sorted(out.rglob("*.parquet"))}


def assert_each_once(rows, counts):
    assert not rows.duplicated(["file", "index"]).any()
    assert rows.groupby("file").size().to_dict() == counts


@pytest.fixture
def maps(tmp_path, make):
    """Three Parquet files, the second one of maps with a damaged row."""
    folder = tmp_path / "in"
    for k in range(3):
        values = make.noise(20, seed=10 + k, damaged_row=4 if k == 1 else None)
        make.parquet(folder / f"{k}.parquet", values, id=[f"{k}-{i}" for i in range(20)], gearbox=["g1"] * 20)
    return folder


def test_scores_are_those_of_the_detector(maps, saved, tmp_path, make, toothwise):
    run = toothwise("score", saved, maps, "--output", tmp_path / "out", "--workers", 0, "--keep", "gearbox", "--json")
    assert run.code == 0, run.err
    told = json.loads(run.out)
    assert (told["maps"], told["shards"], told["errors"], told["workers"]) == (60, 3, 0, 0)
    rows = rows_of(tmp_path / "out")
    assert_each_once(rows, {f"{k}.parquet": 20 for k in range(3)})
    detector = Model.open(saved).detector
    found = detector.predict(make.noise(20, seed=11, damaged_row=4))
    own = rows[rows["file"] == "1.parquet"]
    np.testing.assert_allclose(own["score"], found.score)
    np.testing.assert_array_equal(own["row"], found.row)
    np.testing.assert_array_equal(own["column"], found.column)
    np.testing.assert_allclose(own["p_value"], found.p_value)
    assert own["alarm"].all()
    assert (own["row"] == 4).all()
    assert own["id"].tolist() == [f"1-{i}" for i in range(20)]
    assert set(rows["gearbox"]) == {"g1"}
    assert told["alarms"] == rows["alarm"].sum()
    assert rows["severity"].isna().all()


def test_a_file_of_scores_says_what_it_is(maps, saved, tmp_path):
    found = score_fleet(str(saved), str(maps), str(tmp_path / "out"), HERE)
    (folder,) = (tmp_path / "out").glob("detector=*/input=*")
    assert folder.parent.name == f"detector=scan-{found.detector[:16]}"
    about = pq.read_schema(next(folder.glob("*.parquet"))).metadata
    assert json.loads(about[b"toothwise.schema"]) == SCHEMA
    assert json.loads(about[b"toothwise.detector"]) == found.detector
    assert json.loads(about[b"toothwise.threshold"]) == Monitor(Model.open(saved)).threshold()
    assert set(rows_of(tmp_path / "out")["detector"]) == {f"scan-{found.detector[:16]}"}


def test_nothing_alarms_at_a_condition_that_was_not_learned(saved):
    detector = Model.open(saved).detector
    known = {"id": [None] * 2, "not_learned": ["speed 40 rev/s was not learned (20 to 25)", None]}
    block = Block("a.npz", np.arange(2), np.ones((2, *detector.shape), np.float32), [None] * 2, known)
    assert score_block(detector, block, -1e9, ())["alarm"].to_pylist() == [None, True]


def test_what_is_finished_is_never_scored_again_and_what_has_changed_is(maps, saved, tmp_path, make):
    out = tmp_path / "out"
    assert score_fleet(str(saved), str(maps), str(out), HERE).kept == 0
    first = files_of(out)
    again = score_fleet(str(saved), str(maps), str(out), HERE)
    assert (again.kept, len(again.done)) == (3, 0)
    assert files_of(out) == first
    make.parquet(maps / "0.parquet", make.noise(25, seed=50))
    make.parquet(maps / "3.parquet", make.noise(5, seed=51))
    changed = score_fleet(str(saved), str(maps), str(out), HERE)
    assert (changed.kept, len(changed.done), changed.removed) == (2, 2, 1)
    assert len(set(first.items()) & set(files_of(out).items())) == 2
    assert_each_once(rows_of(out), {"0.parquet": 25, "1.parquet": 20, "2.parquet": 20, "3.parquet": 5})
    (maps / "2.parquet").unlink()  # cleared away after it was scored: its scores stay
    assert score_fleet(str(saved), str(maps), str(out), HERE).removed == 0
    assert len(rows_of(out)) == 70
    anew = score_fleet(str(saved), str(maps), str(out), ScoreOptions(workers=0, force=True))
    assert len(anew.done) == 3
    assert len(rows_of(out)) == 70


def test_another_threshold_replaces_the_scores_and_another_detector_stands_beside_them(maps, saved, tmp_path, make):
    out = tmp_path / "out"
    score_fleet(str(saved), str(maps), str(out), HERE)
    found = score_fleet(str(saved), str(maps), str(out), ScoreOptions(workers=0, threshold=-100.0))
    assert (found.kept, found.removed) == (0, 3)
    rows = rows_of(out)
    assert len(rows) == 60
    assert rows["alarm"].all()
    other = Model(detectors.create("row_mean").fit(make.noise(20, seed=0))).save(tmp_path / "other")
    score_fleet(str(other), str(maps), str(out), HERE)
    rows = rows_of(out)
    assert rows.groupby("detector").size().tolist() == [60, 60]
    without = rows[rows["detector"].str.startswith("row_mean") | rows["detector"].str.startswith("statistics")]
    assert without["alarm"].isna().all()  # it has no threshold


def test_a_bad_map_carries_its_error_and_the_others_are_scored(saved, tmp_path, make, toothwise):
    values = make.noise(40, seed=3)
    values[5] = np.nan
    values[17, 2, 2] = -1.0  # the scan works on logarithms
    values[39, 0, 0] = np.inf
    make.parquet(tmp_path / "in" / "a.parquet", values)
    (tmp_path / "in" / "b.npz").write_bytes(b"broken")
    run = toothwise("score", saved, tmp_path / "in", "--output", tmp_path / "out", "--workers", 0)
    assert run.code == 0, run.err
    assert "41 maps scored" in run.out
    assert "4 without a score" in run.out
    assert "a.parquet map 5: holds NaN only" in run.out
    rows = rows_of(tmp_path / "out")
    bad = rows[rows["error"].notna()]
    assert bad[["file", "index"]].to_numpy().tolist() == [
        ["a.parquet", 5], ["a.parquet", 17], ["a.parquet", 39], ["b.npz", 0],
    ]  # fmt: skip
    assert "positive maps" in bad["error"].iloc[1]
    assert bad[["score", "row", "column", "alarm", "p_value"]].isna().all().all()
    good = np.setdiff1d(np.arange(40), [5, 17, 39])
    expected = Model.open(saved).detector.predict(values[good]).score
    np.testing.assert_allclose(rows[rows["error"].isna()]["score"], expected)


def test_links_pipes_devices_and_what_unpacks_to_too_much_are_error_rows(saved, tmp_path, make):
    inside = tmp_path / "in"
    make.parquet(inside / "a.parquet", make.noise(4, seed=3))
    for suffix in ("npz", "parquet", "mat", "tif"):
        os.mkfifo(inside / f"pipe.{suffix}")
        (inside / f"endless.{suffix}").symlink_to("/dev/zero")
        (inside / f"dangling.{suffix}").symlink_to(inside / "nothing")
        (inside / f"circle.{suffix}").symlink_to(inside / f"circle.{suffix}")
    (inside / "up").symlink_to(inside)
    np.savez_compressed(inside / "bomb.npz", values=np.zeros((9000, 9, 14)))
    found = score_fleet(str(saved), str(inside), str(tmp_path / "out"), ScoreOptions(workers=0, max_bytes=2**20))
    assert (found.as_json()["maps"], found.as_json()["errors"], found.failed) == (4 + 17, 17, [])
    rows = rows_of(tmp_path / "out")
    reasons = dict(zip(rows["file"], rows["error"], strict=True))
    assert "more than 1048576" in reasons["bomb.npz"]
    assert {reasons[f"{kind}.{s}"] for kind in ("pipe", "endless") for s in ("npz", "parquet", "mat", "tif")} == {
        "is not a regular file"
    }


def test_folders_of_small_files_and_domains(saved, tmp_path, make, toothwise, write_folder):
    values = make.noise(30, seed=4)
    table = {"split": ["train"] * 10 + ["test"] * 20, "label": [0] * 20 + [1] * 10}
    write_folder(make.batch(values, **table), tmp_path / "in" / "domain_X")
    mask = tmp_path / "in" / "domain_X" / "masks" / "fault"
    mask.mkdir(parents=True)
    write_map(make.batch(values)[0], mask / "000000.tiff")
    write_map(make.batch(values, record=[f"r{k}" for k in range(30)]), tmp_path / "in" / "batch.npz")
    (tmp_path / "in" / "notes.txt").write_text("no map")
    run = toothwise("score", saved, tmp_path / "in", "--output", tmp_path / "out", "--workers", 0, "--json")
    told = json.loads(run.out)
    assert (told["maps"], told["ignored"], told["errors"]) == (60, 1, 0)
    rows = rows_of(tmp_path / "out")
    inside = rows["file"].str.startswith("domain_X/")
    assert inside.sum() == 30
    np.testing.assert_allclose(np.sort(rows[inside]["score"]), np.sort(rows[~inside]["score"]))
    assert rows[~inside]["id"].tolist() == [f"r{k}" for k in range(30)]


def test_groups_of_small_files_change_without_a_map_twice(saved, tmp_path, make, monkeypatch):
    from toothwise.fleet import shards

    monkeypatch.setattr(shards, "_FILES", 4)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"{k:03d}" for k in rng.permutation(60)]
    expected: set[str] = set()
    for step in range(4):
        for name in names[15 * step : 15 * (step + 1)]:
            np.savez(folder / f"{name}.npz", values=make.noise(1, seed=int(name))[0])
            expected.add(f"{name}.npz")
        if step == 2:  # two go, and one of them had begun a group
            for name in ("000.npz", min(expected)):
                (folder / name).unlink(missing_ok=True)
        found = score_fleet(str(saved), str(folder), str(out), HERE)
        assert found.shards > 3
        rows = rows_of(out)
        assert not rows.duplicated(["file", "index"]).any()
        assert {p.name for p in folder.iterdir()} <= set(rows["file"])
    again = score_fleet(str(saved), str(folder), str(out), HERE)
    assert (len(again.done), again.removed) == (0, 0)


def test_object_storage_by_its_uri(maps, saved, tmp_path, make):
    score_fleet(str(saved), str(maps), str(tmp_path / "out"), HERE)
    place = locate("memory://fleet-test/in")
    for path in maps.iterdir():
        place.fs.pipe_file(place.join(path.name), path.read_bytes())
    np.savez(tmp_path / "one.npz", values=make.noise(2, seed=3))
    place.fs.pipe_file(place.join("more/one.npz"), (tmp_path / "one.npz").read_bytes())
    found = score_fleet(str(saved), "memory://fleet-test/in", "memory://fleet-test/out", ScoreOptions())
    assert found.workers == 0  # nobody else could see it
    assert found.as_json()["maps"] == 62
    out = locate("memory://fleet-test/out")
    read = [pq.read_table(place.fs.open(file.path)).to_pandas() for file in out.files()]
    rows = pd.concat(read).sort_values(["file", "index"])
    assert_each_once(rows, {"0.parquet": 20, "1.parquet": 20, "2.parquet": 20, "more/one.npz": 2})
    local = rows_of(tmp_path / "out")
    np.testing.assert_array_equal(local["score"], rows[rows["file"] != "more/one.npz"]["score"])
    assert score_fleet(str(saved), "memory://fleet-test/in", "memory://fleet-test/out", ScoreOptions()).kept == 4
    with pytest.raises(InputError, match=r"memory://fleet-test/in: other processes cannot see it: use --workers 0"):
        score_fleet(str(saved), "memory://fleet-test/in", "memory://fleet-test/out", ScoreOptions(workers=2))
    by_uri = score_fleet(str(saved), f"file://{maps}", f"file://{tmp_path}/out", HERE)
    assert by_uri.kept == 3
    place.fs.rm("/fleet-test", recursive=True)


def test_places_that_cannot_be(maps, saved, tmp_path):
    def score(source, out):
        return score_fleet(str(saved), str(source), str(out), HERE)

    with pytest.raises(InputError, match="is inside the input"):
        score(maps, maps / "scores")
    with pytest.raises(InputError, match="no such file or folder"):
        score(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files of maps"):
        score(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(InputError, match="object storage"):
        score(maps, "sftp://somewhere/scores")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        score(maps, tmp_path / "file")
    with locate(str(tmp_path / "out")).alone(), pytest.raises(OutputError, match="another run is writing here"):
        score(maps, tmp_path / "out")
    with pytest.raises(InputError, match="has a column of that name"):
        ScoreOptions(keep=["score"])


def test_a_shard_that_cannot_be_written_is_told_and_the_others_are_done(maps, saved, tmp_path, monkeypatch, toothwise):
    from toothwise.fleet import pool

    real = pool.write_shard

    def full(shard, *rest):
        if shard.names == ("1.parquet",):
            raise OutputError("out: cannot be written (No space left on device)")
        return real(shard, *rest)

    monkeypatch.setattr(pool, "write_shard", full)
    run = toothwise("score", saved, maps, "--output", tmp_path / "out", "--workers", 0)
    assert run.code == 3
    assert "failed: 1.parquet: out: cannot be written (No space left on device)" in run.out
    assert_each_once(rows_of(tmp_path / "out"), {"0.parquet": 20, "2.parquet": 20})
    monkeypatch.setattr(pool, "write_shard", real)
    assert toothwise("score", saved, maps, "--output", tmp_path / "out", "--workers", 0).code == 0
    assert len(rows_of(tmp_path / "out")) == 60


def test_a_run_that_stops_half_way_leaves_whole_files_only(maps, saved, tmp_path, monkeypatch):
    from toothwise.fleet import output

    real, calls = output.score_block, []

    def stops(*words):
        calls.append(1)
        if len(calls) == 4:  # in the middle of the second file
            raise KeyboardInterrupt
        return real(*words)

    monkeypatch.setattr(output, "score_block", stops)
    with pytest.raises(KeyboardInterrupt):
        score_fleet(str(saved), str(maps), str(tmp_path / "out"), HERE)
    assert len(rows_of(tmp_path / "out")) == 20
    left = next((tmp_path / "out").glob("detector=*/input=*")) / ".tmp-killed.parquet"
    left.write_bytes(b"half of it")  # what a kill would leave
    found = score_fleet(str(saved), str(maps), str(tmp_path / "out"), HERE)
    assert (found.kept, len(found.done)) == (1, 2)
    assert not left.exists()
    assert len(rows_of(tmp_path / "out")) == 60


def test_without_ray_it_runs_in_this_process(maps, saved, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert score_fleet(str(saved), str(maps), str(tmp_path / "out")).workers == 0
    monkeypatch.undo()
    many = fleet_run._workers(ScoreOptions(), 50, locate(str(maps)))
    assert many == (len(os.sched_getaffinity(0)) if len(os.sched_getaffinity(0)) > 1 else 0)
    assert fleet_run._workers(ScoreOptions(), 1, locate(str(maps))) == 0
