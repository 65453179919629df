"""32 clients that ask ``toothwise serve`` for two minutes: latency, maps per second, memory; results/serve_load.json.

    python benchmarks/serve_load.py                                       # two minutes for each of two detectors
    python benchmarks/serve_load.py --seconds 5 --output try.json

The service is a process of its own, as it is for users. Clients and service share this machine's cores. Each client
keeps one connection and asks for one map after the other; after 429 it waits 50 ms. Maps are simulated (domain C,
31 x 95); the scan is fitted on 400 healthy ones, PatchCore with a small random encoder on 60: its weights do not matter
to its cost. Latency is from a request's first byte to the last one of its answer. Every answer is counted, on both
sides; one other than 200 and 429 fails the benchmark.

Options:

    --note: on the state of the machine, kept in the result
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from measuring.clients import ask_all
from measuring.command import arguments, save
from measuring.memory import memory
from measuring.service import served

from toothwise import Model, detectors
from toothwise.cli import main as toothwise
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.exported.export import export
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map
from toothwise.simulate.maps import generate

CLIENTS = 32
GROWTH = 1.05  # memory at the end over memory after the first fifth: above it is not flat
SMALL = {"encoder_name": "test_vit", "weights": "random", "image_size": [64, 96], "max_patches": 400}


def fitted(folder: Path) -> dict[str, Path]:
    """Exported folders of a detector without and one with a network."""
    healthy, _ = generate("C", 400, faulty=False, seed=0)
    teeth = Axis.teeth("driving tooth", healthy.shape[1]), Axis.teeth("driven tooth", healthy.shape[2])
    write_map(HealthMapBatch(healthy, *teeth), folder / "healthy.npz")
    if toothwise(["fit", str(folder / "healthy.npz"), "--output", str(folder / "scan")]) != 0:
        raise SystemExit("the scan could not be fitted")
    detector, _ = fit_with_threshold(lambda: detectors.create("patchcore_context", **SMALL), healthy[:60], 0.05)
    Model(detector).save(folder / "patchcore_context")
    for name in ("scan", "patchcore_context"):
        export(folder / name, folder / f"exported-{name}")
    return {name: folder / f"exported-{name}" for name in ("scan", "patchcore_context")}


def bodies(n: int = 64) -> list[bytes]:
    """Maps as JSON, every second one with damage."""
    sets = [generate("C", n // 2, faulty=faulty, split="test", seed=3)[0] for faulty in (False, True)]
    return [json.dumps({"values": values.astype(float).round(6).tolist()}).encode() for values in np.concatenate(sets)]


def processor(pid: int) -> float:
    """Seconds of processor time so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def counted(address: str) -> dict[str, float]:
    """What the service says it did: maps, and batches that it scored them in."""
    text = httpx.get(f"{address}/metrics", timeout=30).text
    names = {"maps": "toothwise_maps_total", "batches": "toothwise_batch_maps_count"}
    return {key: float(re.findall(rf"^{name} (\S+)", text, re.MULTILINE)[0]) for key, name in names.items()}


def measure(run: Path, name: str, seconds: float, asked_for: list[bytes]) -> dict[str, Any]:
    """One service under load."""
    with served(run) as (process, address):
        httpx.get(f"{address}/readyz", timeout=60).raise_for_status()
        grown: list[tuple[float, float]] = []
        began, before, load = time.monotonic(), processor(process.pid), os.getloadavg()[0]

        def watch(_: int) -> None:
            now = time.monotonic() - began
            if not grown or now - grown[-1][0] > min(1.0, seconds / 50):
                grown.append((now, memory("VmRSS", process.pid) / 2**20))

        until = began + seconds
        asked, refused = asyncio.run(
            ask_all(address, asked_for, clients=CLIENTS, stop=lambda: time.monotonic() > until, watch=watch)
        )
        took, used = time.monotonic() - began, processor(process.pid) - before
        said = counted(address)
        process.send_signal(signal.SIGTERM)
        process.wait(90)
    statuses = Counter(one.status for one in asked)
    scored = [one.seconds for one in asked if one.status == 200]
    if refused or not set(statuses) <= {200, 429} or said["maps"] != len(scored) or process.returncode != 0:
        raise SystemExit(f"{name}: answers {statuses}, refused {refused}, the service says {said}")
    slow = {k: float(np.quantile(scored, k / 100, method="inverted_cdf")) for k in (50, 95, 99)}
    start = statistics.median(mib for at, mib in grown if took / 5 <= at <= took / 3)
    end = statistics.median(mib for _, mib in grown[-10:])
    return {
        "detector": name,
        "seconds": round(took, 1),
        "answers": len(scored),
        "busy": statuses[429],
        "maps_per_second": round(len(scored) / took, 1),
        **{f"p{k}_ms": round(1e3 * late, 1) for k, late in slow.items()},
        "maps_per_batch": round(said["maps"] / said["batches"], 2),
        "processor_seconds": round(used, 1),
        "memory_start_mib": round(start, 1),
        "memory_end_mib": round(end, 1),
        "flat": end <= GROWTH * start,
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Fit, export, measure, write."""
    options = arguments(__doc__, seconds=120.0, note="")
    with tempfile.TemporaryDirectory(prefix="toothwise-load-") as name:
        asked_for = bodies()
        runs = []
        for detector, run in fitted(Path(name)).items():
            runs.append(measure(run, detector, options.seconds, asked_for))
            print(json.dumps(runs[-1]), flush=True)
    result = {"runs": runs, "note": options.note, "growth_allowed": GROWTH}
    save(options, result, clients=CLIENTS, domain="C", bytes=len(asked_for[0]))


if __name__ == "__main__":
    main()
