"""Workers on Ray: the same rows as in one process, and every map once whoever is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toothwise import Model
from toothwise.fleet.options import ScoreOptions
from toothwise.fleet.output import Output, folder_of
from toothwise.fleet.pool import Job, on_ray
from toothwise.fleet.reading import Reading
from toothwise.fleet.run import score_fleet
from toothwise.fleet.shards import plan_shards
from toothwise.fleet.storage import Location, locate
from toothwise.ray_cluster import Need, ray_cluster

pytest.importorskip("ray")
pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def rows_of(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out).sort_values(["file", "index"]).reset_index(drop=True)


def children(pid: int) -> Iterator[tuple[int, str]]:
    """All processes below one, with their command lines."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    todo = [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            todo.append(child)
            try:
                yield child, (Path("/proc") / str(child) / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue


@pytest.mark.full
def test_two_workers_write_what_one_process_writes(saved, tmp_path, make):
    for k in range(6):
        make.parquet(tmp_path / "in" / f"{k}.parquet", make.noise(10, seed=k))
    (tmp_path / "in" / "bad.npz").write_bytes(b"broken")
    score_fleet(str(saved), str(tmp_path / "in"), str(tmp_path / "one"), ScoreOptions(workers=0))
    found = score_fleet(str(saved), str(tmp_path / "in"), str(tmp_path / "two"), ScoreOptions(workers=2))
    assert (found.workers, len(found.done), found.failed) == (2, 7, [])
    assert {d.worker for d in found.done}.isdisjoint({os.getpid()})
    pd.testing.assert_frame_equal(rows_of(tmp_path / "one"), rows_of(tmp_path / "two"))
    assert sorted(p.name for p in (tmp_path / "two").iterdir() if p.name != ".lock") == [
        p.name for p in (tmp_path / "two").glob("detector=*")
    ]


class _Deadly(Location):
    """Reading this file ends the process, as a crash in native code would."""

    def fetched(self, path):
        if path.endswith("deadly.npz"):
            os._exit(7)
        return super().fetched(path)


@pytest.mark.full
def test_a_shard_that_kills_its_process_is_given_up_and_the_others_are_done(saved, tmp_path, make):
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        for k in range(6):
            make.parquet(tmp_path / "in" / f"{k}.parquet", make.noise(10, seed=k))
        (tmp_path / "in" / "deadly.npz").write_bytes(b"x")
        place = locate(str(tmp_path / "in"))
        deadly = _Deadly(place.uri, place.protocol, place.path, place.fs)
        detector = Model.open(saved).detector
        output = Output(folder_of(locate(str(tmp_path / "out")), "scan", place), "s", "d", "scan", None, place.uri)
        job = Job(str(saved), deadly, output, Reading(detector.shape))
        shards, _ = plan_shards(place)
        with ray_cluster(None, Need(), 2) as places:
            found = list(on_ray(job, shards, places, Need()))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    failed = {shard.names[0]: outcome for shard, outcome in found if isinstance(outcome, str)}
    assert list(failed) == ["deadly.npz"]
    assert "its process died 3 times" in failed["deadly.npz"]
    assert len(found) == 7
    assert len(rows_of(tmp_path / "out")) == 60


@pytest.fixture
def many(saved, tmp_path, make):
    """Enough maps that there is a half-way: 60 files of 400."""
    values = make.noise(400, seed=1)
    for k in range(60):
        make.parquet(tmp_path / "in" / f"{k:02d}.parquet", np.roll(values, k, axis=0))
    return tmp_path / "in"


def start(saved, source, out):
    words = [sys.executable, "-m", "toothwise", "score", saved, source, "--output", out, "--workers", 2, "--json"]
    words += ["--batch", 1]  # slowly
    return subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(out: Path, count: int, process) -> None:
    end = time.monotonic() + 180
    while len(list(out.rglob("[0-9a-f]*.parquet"))) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)


def check(saved, source: Path, out: Path) -> None:
    rows = rows_of(out)
    assert len(rows) == 24_000
    assert not rows.duplicated(["file", "index"]).any()
    assert rows["error"].isna().all()
    assert not list(out.rglob(".tmp-*"))
    score_fleet(str(saved), str(source), str(out) + "-calm", ScoreOptions(workers=0))
    calm = rows_of(Path(str(out) + "-calm"))
    pd.testing.assert_frame_equal(rows, calm)


@pytest.mark.full
@linux
def test_a_worker_that_is_killed_is_replaced(saved, many, tmp_path):
    out = tmp_path / "out"
    process = start(saved, many, out)
    try:
        for count in (10, 25):
            wait_for(out, count, process)
            workers = [pid for pid, words in children(process.pid) if "ray::" in words and "Scorer" in words]
            assert workers
            os.kill(workers[0], signal.SIGKILL)
        told, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert json.loads(told)["failed"] == []
    check(saved, many, out)


@pytest.mark.full
@linux
def test_a_run_that_is_killed_goes_on_where_it_was(saved, many, tmp_path):
    out = tmp_path / "out"
    for count in (15, 35):
        process = start(saved, many, out)
        try:
            wait_for(out, count, process)
        finally:
            process.kill()
        process.communicate()
    # at once, while workers of the killed run may still be at their last shard
    folder = Path((out / ".ray").read_text())
    process = start(saved, many, out)
    told, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert 35 <= json.loads(told)["kept"] < 60
    assert not folder.exists()
    check(saved, many, out)
    shutil.rmtree(out)
