"""Whether growth and predictions hold: coverage of their intervals in each law of growth, with the truth known.

    python benchmarks/prediction.py            # some minutes; writes results/prediction.json
    python benchmarks/prediction.py --quick    # 20 runs of each law; nothing is written

A run is the log contrast of one tooth over the records of a life: healthy, then a law of growth, in noise that is
correlated from record to record, with steps between days and single outliers. It is cut at random, given to the onset
and the growth of the diagnosis as an alarm would, and compared with the law. The laws here are drawn over ranges and
share no code with those that ``toothwise.diagnosis.growth_laws`` weighs; two are of no family that it knows.

Options:

    --seed: 1 to 3 and 100 to 103 were used for development
    --runs: of each law
    --quick: 20 runs of each law; nothing is written
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measuring.command import arguments, data_set, save

from toothwise import Model, Monitor
from toothwise.diagnosis.growth import fit_growth
from toothwise.diagnosis.judged_records import find_onset
from toothwise.diagnosis.teeth import correlation_time
from toothwise.healthmap.hums2023 import read_hums2023
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise_lab.run_protocol import RUN_DETECTORS

PREFIXES = (50, 150, 250, 350, 450, 500)  # test records of HUMS2023
LEVELS = (2.0, 3.0)

Law = Callable[[np.ndarray], np.ndarray]  # log contrast at records since onset, which may lie beyond the life


def _steady(rng: np.random.Generator, life: float) -> Law:
    end = rng.uniform(0.4, 2.5)
    return lambda t: end * t / life


def _quadratic(rng: np.random.Generator, life: float) -> Law:
    end, straight = rng.uniform(0.4, 2.5), rng.uniform(0.0, 0.3)
    return lambda t: end * (straight * t / life + (1.0 - straight) * (t / life) ** 2)


def _exponential(rng: np.random.Generator, life: float) -> Law:
    """Contrast over background grows by the same factor in the same time."""
    start, end = rng.uniform(0.02, 0.1), rng.uniform(0.6, 8.0)
    return lambda t: np.logaddexp(0.0, np.log(start) + np.log(end / start) * t / life) - np.log1p(start)


def _paris(rng: np.random.Generator, life: float) -> Law:
    """A crack by da/dN = C (a^1/2)^m, integrated step by step, also beyond its life; contrast follows its length."""
    m, first, power, gain = rng.uniform(2.4, 4.0), rng.uniform(0.05, 0.3), rng.uniform(0.7, 1.5), rng.uniform(0.8, 10.0)
    length = np.geomspace(first, 1e4, 8000)
    middle = np.sqrt(length[1:] * length[:-1])
    cycles = np.concatenate([[0.0], np.cumsum(np.diff(length) / middle ** (m / 2.0))])
    cycles *= life / np.interp(1.0, length, cycles)
    return lambda t: np.log1p(gain * (np.interp(t, cycles, length) ** power - first**power))


def _plateau(rng: np.random.Generator, life: float) -> Law:
    end, over = rng.uniform(0.2, 1.5), rng.uniform(1.0, 6.0)
    return lambda t: end * np.clip(t / over, 0.0, 1.0)


def _stopping(rng: np.random.Generator, life: float) -> Law:
    end, stop = rng.uniform(0.4, 2.5), rng.uniform(0.2, 0.9) * life
    return lambda t: end * np.minimum(t, stop) / life


def _waves(rng: np.random.Generator, life: float) -> Law:
    """Of no family: growth at rates that change five times by up to a factor of four; steady beyond the life."""
    rate = np.exp(rng.uniform(-0.7, 0.7, 6))
    end = rng.uniform(0.4, 2.5) / rate.sum()
    knots, heights = np.linspace(0.0, life, 7), np.concatenate([[0.0], np.cumsum(rate)]) * end
    return lambda t: np.interp(t, knots, heights) + np.maximum(t - life, 0.0) * rate[-1] * end * 6.0 / life


def _sigmoid(rng: np.random.Generator, life: float) -> Law:
    """Of no family: slow, fast, slow."""
    end, middle, width = rng.uniform(0.5, 2.5), rng.uniform(0.4, 0.8) * life, rng.uniform(0.06, 0.2) * life
    return lambda t: end * (1.0 / (1.0 + np.exp((middle - t) / width)) - 1.0 / (1.0 + np.exp(middle / width)))


LAWS: dict[str, Callable[[np.random.Generator, float], Law]] = {
    "steady": _steady,
    "quadratic": _quadratic,
    "exponential": _exponential,
    "Paris": _paris,
    "step and plateau": _plateau,
    "stopping": _stopping,
    "changing rates": _waves,
    "sigmoid": _sigmoid,
}


@dataclass(frozen=True, eq=False)
class Life:
    """One run, as far as it was seen.

    Attributes:
        series: log contrast of each record up to the cut ``[n]``.
        onset: first record of the growth.
        sd: standard deviation of healthy records.
        correlation: healthy records that count as one.
        law: log contrast at records since onset.
        level: that is asked for, as log contrast.
    """

    series: np.ndarray
    onset: int
    sd: float
    correlation: float
    law: Law
    level: float


def _noise(rng: np.random.Generator, n: int, sd: float) -> np.ndarray:
    """Correlated noise with steps between days and single outliers."""
    memory, share = rng.choice([2.0, 5.0, 15.0]), rng.uniform(0.0, 0.8)
    slow = np.zeros(n)
    keep = np.exp(-1.0 / memory)
    slow[0] = rng.standard_normal()
    push = np.sqrt(1.0 - keep**2) * rng.standard_normal(n)
    for t in range(1, n):
        slow[t] = keep * slow[t - 1] + push[t]
    fast = rng.standard_t(4.0, n) / np.sqrt(2.0)
    day = int(rng.integers(20, 120))
    steps = rng.choice([0.0, 0.5, 1.0]) * rng.standard_normal(n // day + 2)
    days = steps[(np.arange(n) + int(rng.integers(day))) // day]
    return sd * (np.sqrt(share) * slow + np.sqrt(1.0 - share) * fast + days)


def draw(law: str, rng: np.random.Generator) -> Life:
    """A run of a law that an alarm would look at: the last ten records stand off the healthy level."""
    while True:
        life = float(np.exp(rng.uniform(np.log(60.0), np.log(700.0))))
        onset = int(rng.integers(10, 400))
        curve = LAWS[law](rng, life)
        seen = int(rng.uniform(0.2, 0.98) * life)
        sd = float(np.exp(rng.uniform(np.log(0.02), np.log(0.2))))
        noise = _noise(rng, 300 + onset + seen, sd)
        healthy, noise = noise[:300], noise[300:] - noise[:300].mean()
        since = np.arange(onset + seen) - onset + 1.0
        series = noise + np.where(since > 0, curve(np.maximum(since, 0.0)), 0.0)
        scale = float(healthy.std())
        if series[-10:].mean() < 2.0 * scale:
            continue
        together = correlation_time(healthy[:, None], np.zeros(300, dtype=int))
        level = float(np.log(rng.choice([1.5, 2.0, 3.0, 5.0, 10.0])))
        return Life(series, onset, scale, together, curve, level)


def truth(life: Life, recent: int) -> tuple[float, float]:
    """The law's growth per record over the last ``recent`` records, and records until it reaches the level."""
    now = float(len(life.series) - life.onset)
    at = life.law(np.array([max(now - recent, 0.0), now]))
    ahead = np.concatenate([[0.0], np.geomspace(0.1, 1e5, 4000)])
    above = life.law(now + ahead) >= life.level
    return float(at[1] - at[0]) / recent, float(ahead[above.argmax()]) if above.any() else float("inf")


def judge(law: str, seed: int, number: int) -> dict[str, Any]:
    """What is said of one run, and what is true."""
    life = draw(law, np.random.default_rng([seed, number, list(LAWS).index(law)]))
    onset = find_onset(life.series / life.sd, correlation=life.correlation)
    level = float(np.exp(life.level))
    begin = time.process_time()
    g = fit_growth(life.series, level=level, since=onset.record)
    out: dict[str, Any] = {"law": law, "seconds": time.process_time() - begin, "said": g is not None}
    first, last = onset.interval
    out |= {"onset_held": first <= life.onset <= last, "onset_earlier": life.onset < first, "onset_width": last - first}
    out |= {"onset_open": first == 0}
    if g is None:
        return out
    slope, until = truth(life, g.recent)
    grown = float(np.exp(np.clip(100.0 * slope, -20.0, 20.0)))
    out |= {"clear": g.clear, "held": g.interval[0] <= grown <= g.interval[1], "above": grown > g.interval[1]}
    out |= {"flat": slope == 0.0, "until": until, "asked": until > 0.0, "records": g.records}
    out |= {"reached": g.reached, "interval": g.reached_interval, "not_before": g.not_before}
    return out


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A line of the table: coverage and how often something is printed."""

    def share(values: list[bool]) -> float | None:
        return float(np.mean(values)) if values else None

    said = [r for r in rows if r["said"]]
    asked = [r for r in said if r["asked"]]  # the level lies ahead
    two = [r for r in asked if r["interval"] is not None]
    fair = [r for r in two if np.isfinite(r["until"])]  # growth did go on
    missed = [r for r in fair if not r["interval"][0] <= r["until"] <= r["interval"][1]]
    bounded = [r for r in asked if r["not_before"] is not None]
    return {
        "runs": len(rows),
        "said": len(said),
        "onset_held": share([r["onset_held"] for r in rows]),
        "onset_earlier": share([r["onset_earlier"] for r in rows]),
        "onset_open": share([r["onset_open"] for r in rows]),
        "onset_width": float(np.median([r["onset_width"] for r in rows])),
        "growth_held": share([r["held"] for r in said]),
        "growth_true_above": share([r["above"] for r in said]),
        "growth_clear": share([r["clear"] for r in said]),
        "clear_though_flat": share([r["clear"] for r in said if r["flat"]]),
        "asked": len(asked),
        "printed": share([r["not_before"] is not None for r in asked]),
        "with_latest": share([r["interval"] is not None for r in asked]),
        "judged": len(fair),
        "held": share([r not in missed for r in fair]),
        "missed": len(missed),
        "missed_too_late": sum(r["until"] < r["interval"][0] for r in missed),
        "median_too_late": share([r["until"] < r["reached"] for r in fair]),
        "not_before_held": share([r["not_before"] <= r["until"] for r in bounded]),
        "stopped_later": len(two) - len(fair),
        "milliseconds": float(1000.0 * np.mean([r["seconds"] for r in rows])),
    }


def recordings(folder: Path) -> dict[str, Any]:
    """HUMS2023 as far as some of its test records, of the tooth that is named at the end, and what came then."""
    maps = build_run_maps(read_hums2023(folder), RunMapConfig(healthy_days=(17, 18)))
    model = Model.fit(maps.healthy_windows, detector="scan", options=RUN_DETECTORS["scan"])
    monitor = Monitor(model)
    d = monitor.add(maps.windows)
    course = monitor.evidence().sequence
    if not d.teeth or d.teeth[0].tooth is None or course is None:
        return {"tooth": None}
    series = course.line(d.teeth[0].axis, d.teeth[0].tooth)
    number = dict(zip(maps.records.name.astype(str), maps.records.number, strict=True))
    day = dict(zip(maps.records.name.astype(str), maps.records.day, strict=True))
    test = np.array([number[name] if day[name] >= 21 else 0 for name in course.names])
    healthy = series[test == 0]
    together = correlation_time(healthy[:, None], np.zeros(len(healthy), dtype=int))
    smooth = np.array([np.median(series[max(k - 9, 0) : k + 1]) for k in range(len(series))])
    rows = []
    for prefix in PREFIXES:
        seen = series[: int(np.flatnonzero(test == prefix)[0]) + 1]
        onset = find_onset(seen / healthy.std(), correlation=together)
        for level in LEVELS:
            g = fit_growth(seen, level=level, since=onset.record)
            after = np.flatnonzero(smooth[len(seen) :] >= np.log(level))
            row = {"test_record": prefix, "onset": int(test[onset.record]), "level": level, "said": g is not None}
            if g is not None:
                back = smooth[len(seen) - 1] - smooth[len(seen) - 1 - g.recent]
                row |= {"says": g.says, "outlook": g.outlook, "measured": float(np.exp(100.0 * back / g.recent))}
                row |= {"interval": g.reached_interval, "not_before": g.not_before}
            rows.append(row | {"reached": int(after[0]) + 1 if len(after) else None})
    return {"tooth": d.teeth[0].tooth, "colour": d.colour, "end": float(np.exp(smooth[-1])), "rows": rows}


def main() -> None:
    """Run every law and write the table."""
    args = arguments(__doc__, seed=11, runs=250, quick=False)
    args.runs = 20 if args.quick else args.runs
    laws = {}
    for law in LAWS:
        laws[law] = summary([judge(law, args.seed, number) for number in range(args.runs)])
        print(law, laws[law], flush=True)
    found: dict[str, Any] = {"laws": laws}
    if not args.quick and (folder := data_set("hums2023")):
        found["hums2023"] = recordings(folder)
    save(args, found)


if __name__ == "__main__":
    main()
