"""A million maps through ``toothwise score``: maps per second, speed-up, memory; writes results/fleet.json.

    python benchmarks/fleet.py                                    # 1,000,000 maps, 1 and 2 workers
    python benchmarks/fleet.py --maps 100000 --output /tmp/try.json

Maps are simulated (domain C, 31 x 95, some of them with a damaged line): 5,000 different ones, written again and
again to Parquet shards of 5,000 in a temporary folder (12 GB for a million), each map under a name of its own. The
detector is the scan. *Seconds* run from the first shard that is asked for to the last one written, with the start of
Ray's actors and without that of Ray itself; *speed-up* is the time on one worker over that on two. Memory is the
largest resident set of each worker process. Every run is checked: as many rows as maps, none twice, none without a
score, and equal scores. Ray's workers run at the priority of this process (Ray's own habit is a lower one).

Options:

    --note: on the state of the machine, kept in the result
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from measuring.command import arguments, save

from toothwise import Model, detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.fleet.options import ScoreOptions
from toothwise.fleet.run import score_fleet
from toothwise.simulate.maps import generate

PROMISED = {"memory_mib": 2048.0, "speed_up": 1.7}
DIFFERENT = 5000
SHARD = 5000


def write_maps(folder: Path, maps: int) -> int:
    """Shards of maps; the bytes on the disk."""
    half = DIFFERENT // 2
    healthy, _ = generate("C", half, faulty=False, split="test", seed=1)
    faulty, _ = generate("C", DIFFERENT - half, faulty=True, split="test", seed=2)
    values = np.concatenate([healthy, faulty]).astype(np.float32)
    folder.mkdir()
    for k, start in enumerate(range(0, maps, SHARD)):
        n = min(SHARD, maps - start)
        part = np.roll(values, k, axis=0)[:n]  # no two shards alike
        flat = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), part.shape[1] * part.shape[2])
        table = pa.table({"id": [f"m{start + i:07d}" for i in range(n)], "values": flat})
        pq.write_table(table, folder / f"{k:05d}.parquet", compression="none", use_dictionary=False)
    return sum(path.stat().st_size for path in folder.iterdir())


def measure(run: Path, source: Path, out: Path, workers: int, maps: int) -> tuple[dict[str, Any], float]:
    """One run, checked; and the sum of its scores."""
    before = os.getloadavg()[0]
    found = score_fleet(str(run), str(source), str(out), ScoreOptions(workers=workers))
    told = found.as_json()
    rows = ds.dataset(out, partitioning="hive").to_table(columns=["id", "score", "error"])
    ids = pc.count_distinct(rows["id"]).as_py()
    if (len(rows), ids, rows["score"].null_count, told["failed"]) != (maps, maps, 0, []):
        raise SystemExit(f"{len(rows)} rows, {ids} different maps, {rows['score'].null_count} without a score")
    total = float(np.sort(rows["score"].to_numpy()).sum())
    shutil.rmtree(out)
    kept = ("workers", "maps", "alarms", "seconds", "maps_per_second", "peak_memory_mib")
    measured: dict[str, Any] = {key: told[key] for key in kept}
    busy = sum(done.seconds for done in found.done)
    # what a worker does while it is at a shard: without the start of actors and without waiting
    measured |= {
        "busy_seconds": round(busy, 1),
        "cpu_seconds": round(sum(done.cpu_seconds for done in found.done), 1),  # the cores that others left
        "load_before": round(before, 1),
        "load_after": round(os.getloadavg()[0], 1),
    }
    print(measured, flush=True)
    return measured, total


def main() -> None:
    """Generate, fit, measure, write."""
    options = arguments(__doc__, maps=1_000_000, workers=[1, 2], note="")
    os.environ.setdefault("RAY_worker_niceness", "0")
    with tempfile.TemporaryDirectory(prefix="toothwise-fleet-") as name:
        folder = Path(name)
        need = options.maps * 31 * 95 * 4 * 1.1
        if shutil.disk_usage(folder).free < need:
            raise SystemExit(f"{folder}: {options.maps:,} maps take {need / 2**30:.1f} GiB, more than is free")
        size = write_maps(folder / "in", options.maps)
        print(f"{options.maps:,} maps, {size / 2**30:.2f} GiB", flush=True)
        healthy, _ = generate("C", 400, faulty=False, seed=0)
        detector, _ = fit_with_threshold(lambda: detectors.create("scan"), healthy, 0.01)
        run = Model(detector).save(folder / "scan")
        found = [measure(run, folder / "in", folder / "out", n, options.maps) for n in options.workers]
    runs = [each for each, _ in found]
    if len({total for _, total in found}) > 1:
        raise SystemExit("runs differ in their scores")
    by = {each["workers"]: each for each in runs}
    result: dict[str, Any] = {"runs": runs, "bytes": size, "promised": PROMISED, "note": options.note}
    result["peak_memory_mib"] = max(max(each["peak_memory_mib"]) for each in runs)
    if {1, 2} <= set(by):
        result["speed_up"] = round(by[1]["seconds"] / by[2]["seconds"], 3)
        print(f"speed-up {result['speed_up']}, peak memory {result['peak_memory_mib']:.0f} MiB")
    save(options, result, different=DIFFERENT, shard=SHARD, detector="scan", domain="C")


if __name__ == "__main__":
    main()
