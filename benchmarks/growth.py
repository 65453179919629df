"""How time and memory grow with tokens, maps, records, trials, length of a recording: fitted exponents.

    python benchmarks/growth.py            # some minutes; writes results/growth.json
    python benchmarks/growth.py --quick    # small sizes; writes only where --output says so

The exponent is the slope of log cost over log size on the larger half of the sizes, where what is paid once no longer
hides the growth. Sizes are measured in turns; seconds are of the processor.
"""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from measuring.command import arguments, save
from measuring.counting import peak_bytes
from measuring.fitted import exponent
from measuring.paired import paired

from toothwise import GearPair, HealthMapBatch, Model, build_map, detectors, write_map
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention
from toothwise.diagnosis import MonitorSettings, judge, learn_baseline, summarize_records
from toothwise.diagnosis.history import CompactedHistory, compact
from toothwise.diagnosis.store import JsonStore, State
from toothwise.fleet.options import ScoreOptions
from toothwise.fleet.run import score_fleet
from toothwise.healthmap.core import Axis
from toothwise.progress import silent
from toothwise.reference.healthy_reference import HealthyReference, learn_reference
from toothwise.simulate.maps import generate
from toothwise.vibration.records import Tachometer, VibrationRecord
from toothwise_lab.studies.config import read_study
from toothwise_lab.studies.opened import open_study
from toothwise_lab.studies.run import RunOptions, run_study
from toothwise_lab.studies.statistics import comparisons, table
from vibration import DRIVEN, DRIVING, RATE, make

Make = Callable[[int], Callable[[], Any]]  # a size -> what is measured
SHAPE = (18, 35)  # of maps where records are judged
STUDY = """
title: Two statistics
base: {{n_train: 16, n_test: 32}}
overrides: {{max: {{detector: max}}, mean: {{detector: mean}}}}
domains: [C]
seeds: {seeds}
reference: max
"""


def allocated(work: Callable[[], Any]) -> int:
    """Peak bytes that Python and NumPy took while ``work`` ran."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def attention(side: int) -> Callable[[], Any]:
    """A training step of directional attention over a square grid."""
    layer = DirectionalLinearAttention(384, 6, axis="both", qkv_bias=True)
    tokens = torch.randn(1, side * side, 384, requires_grad=True)

    def step() -> None:
        layer(tokens, (side, side)).sum().backward()
        layer.zero_grad(set_to_none=True)
        tokens.grad = None

    return step


def scan(name: str) -> Make:
    """Prediction of a fitted detector without a network."""
    fitted = detectors.create(name).fit(generate("C", 400, False, seed=0)[0])
    return lambda n: partial(fitted.predict, generate("C", n, True, seed=1)[0])


def network() -> Make:
    """Prediction of Directional Dinomaly with the encoder of the package."""
    fitted = detectors.create("dinomaly_directional", max_steps=1)
    fitted.fit(generate("C", 8, False, seed=0)[0])
    return lambda n: partial(fitted.predict, generate("C", n, True, seed=1)[0])


def learned() -> tuple[Callable[[np.ndarray], Any], Any, HealthyReference]:
    """How maps of records are summarized, and the baseline and the reference that they are judged by."""
    healthy = generate("C", 200, False, shape=SHAPE, seed=0)[0]
    detector, _ = fit_with_threshold(lambda: detectors.create("scan"), healthy, 0.01)
    reference = learn_reference(detector, healthy)
    baseline = learn_baseline(reference)

    def summarized(values: np.ndarray) -> Any:
        table = pd.DataFrame({"record": [f"{k:06d}" for k in range(len(values))]})
        return summarize_records(values, table, detector, reference, baseline)[0]

    return summarized, baseline, reference


def records() -> Make:
    """Diagnosis of a sequence: every record looked at, then judged."""
    summarized, baseline, _ = learned()

    def sized(n: int) -> Callable[[], Any]:
        values = generate("C", n, False, shape=SHAPE, seed=1)[0]
        return lambda: judge(summarized(values), baseline)

    return sized


def appended(folder: Path) -> Make:
    """A watch that has seen so many records takes 10 more, one by one: each is judged and the state is written."""
    summarized, baseline, reference = learned()
    settings, new = MonitorSettings(), 10

    def sized(n: int) -> Callable[[], Any]:
        seen = summarized(generate("C", n + new, False, shape=SHAPE, seed=1)[0])
        known = judge(seen[:50], baseline, settings).limits
        begun = compact(seen[:n], baseline, settings.learn, known, past=CompactedHistory())

        def work() -> None:
            (folder / f"state_{n}.json").unlink(missing_ok=True)
            store = JsonStore(folder / f"state_{n}.json")
            state = State(reference.detector, settings, begun[0].copy(), begun[1])
            for one in seen[n:]:
                state.append([one])
                found = judge(state.records, baseline, settings, past=state.past, limits=lambda learned: known)
                state.records, state.past = compact(state.records, baseline, settings.learn, known, past=state.past)
                store.save(state, found)

        return work

    return sized


def scored(folder: Path) -> Make:
    """``toothwise score`` over files of 250 maps each, in this process."""
    run = Model(detectors.create("scan").fit(generate("C", 400, False, seed=0)[0])).save(folder / "scan")
    axes = Axis.teeth("driving tooth", 31), Axis.teeth("driven tooth", 95)

    def sized(n: int) -> Callable[[], Any]:
        place = folder / f"maps_{n}"
        place.mkdir()
        for k in range(n // 250):
            write_map(HealthMapBatch(generate("C", 250, False, seed=k)[0], *axes), place / f"{k}.npz")
        options = ScoreOptions(workers=0, force=True)
        return lambda: score_fleet(str(run), str(place), str(folder / f"scores_{n}"), options)

    return sized


def recording(folder: Path) -> Make:
    """From a recording of so many seconds to a map."""

    def sized(seconds: int) -> Callable[[], Any]:
        place = folder / str(seconds)
        place.mkdir()
        make(place, float(seconds))
        pulses = Tachometer("times", np.load(place / "pulses.npy"))
        x = np.load(place / "x.npy")
        return lambda: build_map(VibrationRecord({"x": x}, RATE, pulses, unit="g"), GearPair(DRIVING, DRIVEN))

    return sized


def studied(folder: Path) -> Make:
    """A finished study of so many trials is opened, tabled and compared; nothing is run again."""

    def sized(n: int) -> Callable[[], Any]:
        plan = folder / f"study_{n}.yaml"
        plan.write_text(STUDY.format(seeds=n // 2), encoding="utf-8")
        place = folder / f"study_{n}"
        run_study(read_study(plan), place, RunOptions(workers=1, tracking="none"), silent)

        def work() -> None:
            opened = open_study(place)
            table(opened)
            comparisons(opened)

        return work

    return sized


def cases(quick: bool, folder: Path) -> dict[str, tuple[Make, list[int], str, int]]:
    """name: (how, sizes, unit, rounds); tokens count as side squared."""
    small = slice(0, 4) if quick else slice(None)
    maps = [125, 250, 500, 1000, 2000, 4000][small]
    found: dict[str, tuple[Make, list[int], str, int]] = {
        "directional attention, a training step": (attention, [16, 24, 32, 48, 64][small], "tokens", 5),
        "scan, prediction": (scan("scan"), maps, "maps", 5),
        "scan_learned, prediction": (scan("scan_learned"), maps, "maps", 5),
        "map generator": (lambda n: partial(generate, "C", n, True, seed=1), maps, "maps", 5),
        "diagnosis of a sequence": (records(), [50, 100, 200, 400, 800][small], "records", 3),
        "watch that takes 10 more records": (appended(folder), [400, 1000, 2000, 4000][small], "records before", 3),
        "`toothwise score`, file by file": (scored(folder), [500, 1000, 2000, 4000][small], "maps", 3),
        "table and comparisons of a study": (studied(folder), [20, 40, 80, 160][small], "trials", 3),
        "recording to map": (recording(folder), [15, 30, 60, 120][: 3 if quick else None], "seconds of recording", 3),
    }
    if not quick:
        found["dinomaly_directional, prediction"] = (network(), [4, 8, 16, 32], "maps", 3)
    return found


def measure(how: Make, sizes: list[int], unit: str, rounds: int, *, of_network: bool) -> dict[str, Any]:
    """Cost of each size and the exponents."""
    works = {str(size): how(size) for size in sizes}
    times = paired(works, rounds=rounds, warm_up=1)
    seconds = [float(np.median(times[str(size)].cpu)) for size in sizes]
    of_torch = unit == "tokens" or of_network
    memory = [(peak_bytes if of_torch else allocated)(works[str(size)]) for size in sizes]
    counted = [size * size for size in sizes] if unit == "tokens" else sizes
    return {
        "unit": unit,
        "sizes": counted,
        "seconds": [round(s, 5) for s in seconds],
        "peak_mib": [round(m / 2**20, 3) for m in memory],
        "exponent_of_time": round(exponent(counted, seconds), 3),
        "exponent_of_memory": round(exponent(counted, memory), 3),
    }


def main() -> None:
    """Measure and write."""
    args = arguments(__doc__, quick=False)
    torch.set_num_threads(1)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (how, sizes, unit, rounds) in cases(args.quick, Path(folder)).items():
            found[name] = measure(how, sizes, unit, rounds, of_network="dinomaly" in name)
            row = found[name]
            print(f"{name:<40} time {row['exponent_of_time']:.2f}, memory {row['exponent_of_memory']:.2f}", flush=True)
    ratios = {f"{name}, exponent of time": row["exponent_of_time"] for name, row in found.items()}
    save(args, {"growth": found, "ratios": ratios}, threads=1)


if __name__ == "__main__":
    main()
