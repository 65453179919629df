"""Speed of the chain from a recording to a map and to a verdict: seconds, and memory.

    python benchmarks/vibration.py            # a 10-minute recording at 50 kHz; some minutes
    python benchmarks/vibration.py --quick    # one minute of recording

One pulse per revolution, 31 x 95 teeth, float32 in MAT files, one core (threads are limited to 1). Each figure comes
from a process of its own, so that peak memory is that of one run. Beside it the same chain in plain NumPy and SciPy, as
one would write it in a script: cubic interpolation of the whole record (no anti-aliasing), a reshape, an FFT, windows
by a loop over teeth. The watch opens a model with waveforms, learned from 4 recordings of that length, and judges the
longest recording; and it adds record after record of a run to a monitor that knows a number of them already.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import measuring.one_thread  # noqa: F401  (before NumPy)
import numpy as np
from measuring.command import arguments, save
from measuring.memory import memory

from toothwise import GearPair, MapBuilder, Model, Monitor
from toothwise.vibration.readers.write import write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

DRIVING, DRIVEN = 31, 95
RATE, SPEED = 50_000.0, 25.0
FEW, MANY, SHORT = 4, 20, 12.0
KNOWN, ADDED = (50, 200, 800, 1600, 2400), 20


def make(path: Path, seconds: float, seed: int = 0) -> str:
    """A recording whose speed fluctuates by 2 %: mesh, every tooth at a level of its own, and noise."""
    rng, own = np.random.default_rng(seed), np.random.default_rng(21)
    driving, driven = own.normal(1.0, 0.1, DRIVING), own.normal(0.0, 0.1, DRIVEN)
    x, pulses = np.empty(int(seconds * RATE), dtype=np.float32), []
    for start in range(0, len(x), 1 << 20):
        t = np.arange(start, min(start + (1 << 20), len(x))) / RATE
        turned = SPEED * t + 0.02 * SPEED / (2 * np.pi * 0.2) * np.sin(2 * np.pi * 0.2 * t)
        event, angle = (turned * DRIVING).astype(int), 2 * np.pi * DRIVING * turned
        wave = np.cos(angle) + 0.5 * np.cos(2 * angle + 1) + 0.3 * np.cos(5 * angle + 2)
        x[start : start + len(t)] = (driving[event % DRIVING] + driven[event % DRIVEN]) * wave
        x[start : start + len(t)] += 0.2 * rng.standard_normal(len(t), dtype=np.float32)
        whole = np.arange(np.ceil(turned[0]), np.floor(turned[-1]) + 1)
        pulses.append(np.interp(whole, turned, t))
    tacho = Tachometer("times", np.unique(np.concatenate(pulses)))
    return str(write_record(VibrationRecord({"x": x}, RATE, tacho, unit="g"), path))


def loaded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vibration and pulse times, without the package."""
    from scipy.io import loadmat

    found = loadmat(path / "x.mat", variable_names=["x", "tacho"])
    return found["x"].ravel(), found["tacho"].ravel()


def ours(path: Path) -> np.ndarray:
    """The chain as users call it."""
    return MapBuilder(GearPair(DRIVING, DRIVEN)).build(path / "x.mat").values


def watch(path: Path) -> np.ndarray:
    """From a cold start: the model is opened, the file read, its waveforms are judged."""
    found = Monitor(Model.open(path / "model")).add([path / "x.mat"])
    return np.array([found.colour == "GREEN"], dtype=float)


def plain(path: Path) -> np.ndarray:
    """The same by hand: SciPy's splines, one FFT, a loop over tooth pairs."""
    from scipy.interpolate import CubicSpline

    x, pulses = loaded(path)
    per_tooth = 64
    periods = (len(pulses) - 1) // DRIVEN
    angle = np.arange(periods * DRIVEN * DRIVING * per_tooth) / (DRIVING * per_tooth)
    times = CubicSpline(np.arange(len(pulses)), pulses)(angle)
    turned = CubicSpline(np.arange(len(x)) / RATE, x.astype(np.float64))(times)
    mean = turned.reshape(periods, -1).mean(axis=0)
    spectrum = np.fft.rfft(mean)
    events = DRIVING * DRIVEN
    mesh = np.arange(events, len(spectrum), events)
    for away in (0, DRIVEN, DRIVING):
        for bins in (mesh - away, mesh + away):
            spectrum[bins[(bins >= 0) & (bins < len(spectrum))]] = 0
    for shaft in (DRIVEN, DRIVING):
        spectrum[[shaft, 2 * shaft]] = 0
    spectrum[0] = 0
    difference = np.fft.irfft(spectrum, len(mean))
    window = np.hanning(2 * per_tooth + 1)[:-1]
    wrapped = np.concatenate([difference[-per_tooth:], difference, difference[:per_tooth]])
    out = np.full((DRIVING, DRIVEN), np.nan)
    for m in range(events):
        piece = wrapped[m * per_tooth + per_tooth // 2 : m * per_tooth + per_tooth // 2 + 2 * per_tooth]
        out[m % DRIVING, m % DRIVEN] = np.sqrt(np.sum(window * piece**2) / window.sum())
    return out


WAYS = {"toothwise": ours, "plain": plain, "watch": watch}


def learned(folder: Path, count: int, seconds: float) -> Model:
    """A model of healthy recordings of a length; its file is the folder's ``model``."""
    files = [make(folder / f"healthy_{k}.mat", seconds, 1 + k) for k in range(count)]
    model = Model.fit(files, builder=MapBuilder.learn(GearPair(DRIVING, DRIVEN), files))
    model.save(folder / "model")
    for file in files:
        Path(file).unlink()
    return model


def run_cost(folder: Path, known: tuple[int, ...]) -> dict[str, float]:
    """By number of known records: seconds that one more record takes from its map on (median)."""
    model = learned(folder, MANY, SHORT)
    maps, _ = model.maps_of([make(folder / f"r{k}.mat", SHORT, 1000 + k) for k in range(ADDED)])
    monitor, out = Monitor(model), {}

    def add(picked: list[int]) -> float:
        some = maps[picked]
        names = [f"{monitor.records + k}" for k in range(len(some))]
        begin = time.perf_counter()
        monitor.add(replace(some, table=some.table.assign(name=names)))
        return time.perf_counter() - begin

    for count in known:
        while missing := count - monitor.records:
            add(list(range(min(missing, ADDED))))
        out[str(count)] = float(np.median([add([k]) for k in range(ADDED)]))
    return out


def measure(path: Path, way: str) -> dict[str, float]:
    """In a process of its own: seconds and peak memory; what came out is left in a file, to compare."""
    # the resource module's peak would be that of the parent, where it is larger
    empty, begin = memory("VmRSS"), time.perf_counter()
    values = WAYS[way](path)
    seconds = time.perf_counter() - begin
    np.save(path / f"{way}.npy", values)
    return {"seconds": seconds, "peak_bytes": memory("VmHWM") - empty}


def main() -> None:
    """Measure and write benchmarks/results/vibration.json."""
    given = arguments(__doc__, quick=False, repeats=3)
    lengths, known = ([15.0, 60.0], KNOWN[:2]) if given.quick else ([75.0, 150.0, 300.0, 600.0], KNOWN)
    rows: list[dict[str, Any]] = []
    alone = ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with tempfile.TemporaryDirectory() as name, alone as pool:
        for seconds in lengths:
            folder = Path(name) / f"{seconds:g}"
            folder.mkdir()
            size = Path(make(folder / "x.mat", seconds)).stat().st_size
            row: dict[str, Any] = {"recording_seconds": seconds, "samples": int(seconds * RATE)}
            if seconds == lengths[-1]:
                learned(folder, FEW, seconds)
            for way in WAYS if seconds == lengths[-1] else list(WAYS)[:2]:
                runs = [pool.submit(measure, folder, way).result() for _ in range(given.repeats)]
                best = min(runs, key=lambda r: r["seconds"])
                row[way] = best | {"runs": [r["seconds"] for r in runs], "memory": best["peak_bytes"] / size}
            both = [np.load(folder / f"{way}.npy").ravel() for way in ("toothwise", "plain")]
            row["correlation_with_plain"] = float(np.corrcoef(both)[0, 1])
            rows.append(row)
        result = {"lengths": rows, "green": bool(np.load(folder / "watch.npy")), "more": run_cost(Path(name), known)}
    save(given, result, teeth=[DRIVING, DRIVEN], sampling_rate=RATE, speed=SPEED, learned=FEW)


if __name__ == "__main__":
    main()
