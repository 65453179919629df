"""Recordings that ask for much work are error rows of ``toothwise score``, and never its end."""

from __future__ import annotations

import gzip
import json

import pytest

from toothwise import GearPair, MapBuilder, Model
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.vibration.readers.write import write_record

pq = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.full)])
def test_a_hostile_recording_is_an_error_row(toothwise, tmp_path, workers):
    pair = GearPair(9, 14)
    records = [simulate_record(GearboxConfig(gears=pair, periods=2), seed=k)[0] for k in range(17)]
    builder = MapBuilder(pair)
    model = Model.fit(records[:16], detector="scan", builder=builder).save(tmp_path / "model")
    here = tmp_path / "records"
    here.mkdir()
    write_record(records[16], here / "good.npz")
    (here / "long.csv.gz").write_bytes(gzip.compress(b"12;" * 9_000_000))
    (here / "empty.csv").write_bytes(b"")
    words = ("--workers", str(workers), "--worker-cpu-seconds", "2", "--json")
    run = toothwise("score", str(model), str(here), "--output", str(tmp_path / "scores"), *words)
    assert run.code in (0, 3), run.err
    assert json.loads(run.out)["maps"] == 3
    rows = [row for part in (tmp_path / "scores").rglob("*.parquet") for row in pq.read_table(part).to_pylist()]
    told = {row["file"]: row["error"] for row in rows}
    assert told["good.npz"] is None
    assert told["empty.csv"]
    assert told["long.csv.gz"]
