"""Speed of the chain from a recording to a map: seconds, memory, and how both grow with the recording.

    python benchmarks/vibration.py            # a 10-minute recording at 50 kHz; some minutes
    python benchmarks/vibration.py --quick    # one minute of recording

One pulse per revolution, 31 x 95 teeth, one core (threads are limited to 1). Each figure comes from a process of its
own, so that peak memory is that of one run. Beside it the same chain in plain NumPy and SciPy, as one would write it in
a script: cubic interpolation of the whole record (no anti-aliasing), a reshape, an FFT, windows by a loop over teeth.
"""

from __future__ import annotations

import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import measuring.one_thread  # noqa: F401  (before NumPy)
import numpy as np
from measuring.command import arguments, save

DRIVING, DRIVEN = 31, 95
RATE, SPEED = 50_000.0, 25.0


def make(path: Path, seconds: float) -> None:
    """A recording whose speed fluctuates by 2 %: mesh, sidebands of both shafts, noise; float32, npy."""
    rng = np.random.default_rng(0)
    n = int(seconds * RATE)
    mapped = np.lib.format.open_memmap(path / "x.npy", mode="w+", dtype=np.float32, shape=(n,))
    chunk = 1 << 22
    pulses = []
    for start in range(0, n, chunk):
        t = np.arange(start, min(start + chunk, n)) / RATE
        turned = SPEED * t + 0.02 * SPEED / (2 * np.pi * 0.2) * np.sin(2 * np.pi * 0.2 * t)
        angle = 2 * np.pi * turned
        x = (1 + 0.2 * np.cos(angle)) * np.cos(DRIVING * angle) + 0.3 * np.cos(2 * DRIVING * angle + 1)
        mapped[start : start + len(t)] = x + 0.2 * rng.standard_normal(len(t))
        whole = np.arange(np.ceil(turned[0]), np.floor(turned[-1]) + 1)
        pulses.append(np.interp(whole, turned, t))
    mapped.flush()
    np.save(path / "pulses.npy", np.unique(np.concatenate(pulses)))


def ours(path: Path) -> np.ndarray:
    """The chain as users call it."""
    from toothwise import GearPair, build_map
    from toothwise.vibration.records import Tachometer, VibrationRecord

    x = np.load(path / "x.npy")
    record = VibrationRecord({"x": x}, RATE, Tachometer("times", np.load(path / "pulses.npy")), unit="g")
    return build_map(record, GearPair(DRIVING, DRIVEN)).values


def plain(path: Path) -> np.ndarray:
    """The same by hand: SciPy's splines, one FFT, a loop over tooth pairs."""
    from scipy.interpolate import CubicSpline

    x, pulses = np.load(path / "x.npy").astype(np.float64), np.load(path / "pulses.npy")
    per_tooth = 64
    periods = (len(pulses) - 1) // DRIVEN
    angle = np.arange(periods * DRIVEN * DRIVING * per_tooth) / (DRIVING * per_tooth)
    times = CubicSpline(np.arange(len(pulses)), pulses)(angle)
    turned = CubicSpline(np.arange(len(x)) / RATE, x)(times)
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


def read_only(path: Path) -> np.ndarray:
    """Reading the file alone."""
    return np.array([float(np.load(path / "x.npy").sum(dtype=np.float64))])


WAYS = {"toothwise": ours, "plain NumPy/SciPy": plain, "reading": read_only}


def measure(path: Path, way: str) -> dict[str, float]:
    """In a process of its own: seconds and peak memory; the map is left in a file, to compare."""
    import toothwise.healthmap.build  # noqa: F401  (imports are not part of the time)

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    empty = pages * resource.getpagesize()
    begin = time.perf_counter()
    values = WAYS[way](path)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - empty
    np.save(path / f"{way.split()[0]}.npy", values)
    return {"seconds": seconds, "peak_bytes": peak}


def main() -> None:
    """Measure and write benchmarks/results/vibration.json."""
    given = arguments(__doc__, quick=False, repeats=3)
    lengths = [15.0, 60.0] if given.quick else [75.0, 150.0, 300.0, 600.0]
    rows: list[dict[str, Any]] = []
    alone = ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with tempfile.TemporaryDirectory() as name, alone as pool:
        for seconds in lengths:
            folder = Path(name) / f"{seconds:g}"
            folder.mkdir()
            make(folder, seconds)
            size = (folder / "x.npy").stat().st_size
            row: dict[str, Any] = {"recording_seconds": seconds, "recording_bytes": size}
            for way in WAYS:
                count = given.repeats if way == "toothwise" else 1 + (way == "reading")
                runs = [pool.submit(measure, folder, way).result() for _ in range(count)]
                best = min(runs, key=lambda r: r["seconds"])
                row[way] = best | {
                    "runs": [r["seconds"] for r in runs],
                    "peak_over_recording": best["peak_bytes"] / size,
                }
            mine, theirs = np.load(folder / "toothwise.npy"), np.load(folder / "plain.npy")
            row["correlation_with_plain"] = float(np.corrcoef(mine.ravel(), theirs.ravel())[0, 1])
            row["seconds_over_plain"] = row["toothwise"]["seconds"] / row["plain NumPy/SciPy"]["seconds"]
            row["seconds_over_reading"] = row["toothwise"]["seconds"] / row["reading"]["seconds"]
            rows.append(row)
            print({k: v for k, v in row.items() if not isinstance(v, dict)}, row["toothwise"], flush=True)
    t = np.array([r["toothwise"]["seconds"] for r in rows])
    slope = float(np.polyfit(np.log(lengths), np.log(t), 1)[0])
    result = {"lengths": rows, "exponent_of_time_in_length": slope}
    save(given, result, teeth=[DRIVING, DRIVEN], sampling_rate=RATE, speed=SPEED, threads=1)


if __name__ == "__main__":
    main()
