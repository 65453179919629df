"""ROC of faint damage on simulated gearboxes, and how many healthy recordings it takes.

    python benchmarks/faint_simulated.py     # about half an hour of one core

Pairs and planetary stages of different teeth, grades, housings, noise, loads and temperatures, one seed each. Every
recording becomes the difference signal of its hunting period, turned onto the healthy waveform, and all methods look
at that. The indicators are taken of either gear's average, on the scale of the learned recordings, the larger counts.
"some mates" is a pit that a quarter of the mates meet. At an unlearned speed nothing but healthy recordings are made.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from measuring.command import arguments, save
from measuring.gearboxes import drawn_config, recording

from toothwise import GearPair
from toothwise.detectors import create
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.detectors.coherent import Coherent
from toothwise.diagnosis.summary import tooth_among_others
from toothwise.gears import PlanetaryStage
from toothwise.healthmap.conditions import gear_level, heard, less_by_order
from toothwise.healthmap.core import Axis, HealthMapBatch
from toothwise.healthmap.residual import residual_of
from toothwise.healthmap.turning import turned
from toothwise.healthmap.waveform import HealthyWaveform
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig
from toothwise.vibration.indicators import fm4
from toothwise.vibration.periods import Periods, cut_periods
from toothwise.vibration.windows import EventWindow, event_statistic
from toothwise_lab.studies.measures import area

GEARS = (
    GearPair(17, 30),
    GearPair(14, 25),
    PlanetaryStage(17, 13, 43),
    GearPair(19, 24),
    GearPair(13, 29),
    PlanetaryStage(19, 17, 53),
)
SAMPLES, LEARNED, HELD, DAMAGED, RATE, SEED = 16, 40, 80, 4, 0.01, 27
NUMBERS, PASSED = (*range(2, 9), 16, 40), 0.8
SPEEDS = ((0.625, 0.02), (0.8, 0.02), (1.25, 0.02), (1.5, 0.02), (1.0, 0.2))  # of the learned one; how far it varies
ELSEWHERE = ("crack, 10 %", "crack, 20 %", "crack, 40 %", "pit")
INDICATORS = ("textbook", "FM4", "NA4", "kurtosis", "incoherent", "gear level", "swing")
Signal = tuple[np.ndarray, float | None, np.ndarray, Periods]  # difference, step of its begin, what it is without, grid
DETECTORS = ("coherent", "scan", "healthy_distance")
CONDITIONS: dict[str, tuple[str, float]] = {
    "crack, 2 % stiffness": ("crack", 0.1),
    "crack, 6 %": ("crack", 0.2),
    "crack, 10 %": ("crack", 0.3),
    "crack, 20 %": ("crack", 0.5),
    "crack, 40 %": ("crack", 0.72),
    "pit": ("pit", 0.02),
    "pit, some mates": ("pit", 0.05),
    "wear": ("wear", 0.3),
    "eccentricity": ("eccentricity", 0.5),
    "misalignment": ("misalignment", 0.3),
    "healthy, 6 dB more noise": ("crack", 0.0),
}


def period(config: GearboxConfig, seed: int, faults: list[Fault], at: tuple[float, float] = (1.0, 0.02)) -> Signal:
    """The difference signal of a recording's hunting period, where it may begin, and what it was made of."""
    cut = cut_periods(recording(config, seed, faults, at), config.gears, samples_per_tooth=SAMPLES)
    whole = cut.whole_mean()
    x = cut.components(whole).difference
    return x, cut.event_step, whole - x, replace(cut, values=cut.values[:1])


class Bench:
    """One gearbox, what was learned of it, and what the methods say of more recordings of it."""

    def __init__(self, k: int) -> None:
        self.config = drawn_config(GEARS[k], np.random.default_rng([SEED, k]), 100 * SEED + k)
        (_, rows), (_, columns) = self.config.gears.axes
        self.shape, self.events = (rows, columns), rows * columns // np.gcd(rows, columns)
        self.learned = [period(self.config, s, []) for s in range(LEARNED)]
        self.held = [period(self.config, 1000 + s, []) for s in range(HELD)]
        self.learn(LEARNED)

    def learn(self, n: int) -> None:
        """The healthy waveform of the first n recordings."""
        some = self.learned[:n]
        self.waveform = HealthyWaveform.learn([one[0] for one in some], SAMPLES, [one[1] for one in some], self.shape)
        self.reference = self.maps(some, learned=True)

    def turn(self, x: np.ndarray, step: float | None) -> np.ndarray:
        """A signal turned onto the healthy waveform."""
        return turned(x, self.waveform.turn(x, step, self.shape).events * SAMPLES)

    def rest(self, seen: HealthyWaveform, one: Signal) -> tuple[np.ndarray, tuple[float, float]]:
        """What a signal holds beyond a healthy waveform, and how far each gear swings."""
        x, step, regular, cut = one
        own = turned(regular, self.waveform.turn(x, step, self.shape).events * SAMPLES)
        about = {"regular": own, "wanted": lambda y: cut.components(y).difference}
        return residual_of(seen, self.turn(x, step), self.shape, **about)  # type: ignore[arg-type]

    def maps(self, signals: list[Signal], *, learned: bool = False) -> HealthMapBatch:
        """Maps with waveforms, as ``build_map`` makes them; learned recordings against the others."""
        values = np.full((len(signals), *self.shape), np.nan, dtype=np.float32)
        waves = np.full((*values.shape, SAMPLES), np.nan, dtype=np.float32)
        number = np.arange(self.events)
        i, j = number % self.shape[0], number % self.shape[1]
        for k, one in enumerate(signals):
            y = self.turn(*one[:2])
            seen = self.waveform.without(y) if learned else self.waveform
            values[k, i, j] = event_statistic(seen.deviation(y), SAMPLES, EventWindow("hann"), "rms")
            waves[k, i, j] = self.rest(seen, one)[0].reshape(self.events, -1)
        axes = [Axis.teeth(name, n) for name, n in self.config.gears.axes]
        return HealthMapBatch(values, *axes, waveforms=waves)

    def indicators(self, signals: list[Signal]) -> dict[str, np.ndarray]:
        """Of every signal and gear ``[n, 2]``; the level of the diagnosis (``MapBuilder``'s) is that of both."""
        out: dict[str, list[list[float]]] = {name: [] for name in INDICATORS}
        for one in signals:
            y, each = self.turn(*one[:2]), {name: [] for name in out}
            left, swings = self.rest(self.waveform, one)
            each["swing"] = [1.0 + swing for swing in swings]
            each["gear level"] = [gear_level(heard(self.waveform, y, self.shape))] * 2
            for teeth in self.shape:
                average = y.reshape(-1, teeth * SAMPLES).mean(axis=0)
                known = self.waveform.values.reshape(-1, teeth * SAMPLES).mean(axis=0)
                rest = average - known * (average @ known) / max(known @ known, 1e-300)
                rms = np.sqrt(np.square(rest).reshape(teeth, -1).mean(axis=1))
                each["textbook"].append(float(rms.max() / np.median(rms)))
                each["FM4"].append(float(fm4(average)))
                each["NA4"].append(float(np.mean(average**4)))
                each["kurtosis"].append(float(fm4(rest)))
                line = np.log(np.square(left.reshape(-1, teeth, SAMPLES)).mean(axis=(0, 2)))
                each["incoherent"].append(float(line.max() - np.median(line)))
            for name, values in each.items():
                out[name].append(values)
        return {name: np.array(values) for name, values in out.items()}


def on_scale(healthy: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The larger gear of an indicator's logarithm, in standard deviations of the learned recordings."""
    middle, spread = np.log(healthy).mean(axis=0), np.log(healthy).std(axis=0, ddof=1)
    return np.asarray(((np.log(given) - middle) / np.maximum(spread, 1e-9)).max(axis=1))


def damaged(bench: Bench, name: str, seed: int, at: tuple[float, float] = (1.0, 0.02)) -> Signal:
    """A recording of a condition; damage is on either gear of a pair and on the planet of a stage."""
    kind, severity = CONDITIONS[name]
    pair = isinstance(bench.config.gears, GearPair)
    axis = seed % 2 if pair else 0
    gear = (("driving", "driven") if pair else ("planet", "ring"))[axis]
    faults = [Fault(kind, gear, seed % bench.shape[axis], severity)]  # type: ignore[arg-type]
    if "noise" in name:
        return period(replace(bench.config, snr=(bench.config.snr or 0.0) - 6.0), seed, [])
    x, *more = period(bench.config, seed, faults, at)
    if "some" in name:
        mate = np.arange(bench.events) % bench.shape[1 - axis]
        whole = period(bench.config, seed, [])[0]
        met = np.repeat(mate < bench.shape[1 - axis] // 4, SAMPLES)
        change = np.fft.rfft(np.where(met, x - whole, 0.0))
        # cut after resampling: what its filter would not have let through goes
        x = whole + np.fft.irfft(change * (np.arange(len(change)) < PASSED * len(change)), len(x))
    return x, *more  # type: ignore[return-value]


def share(above: np.ndarray) -> list[int]:
    """How many of how many."""
    return [int(np.sum(above)), int(np.size(above))]


def of_gearbox(k: int) -> dict[str, Any]:
    """Everything that is measured on one gearbox."""
    bench = Bench(k)
    given = {
        name: [damaged(bench, name, 2000 + 10 * m + s) for s in range(DAMAGED)] for m, name in enumerate(CONDITIONS)
    }
    scores: dict[str, tuple[float, np.ndarray, dict[str, np.ndarray]]] = {}
    options = {"contacts": "rows"} if isinstance(bench.config.gears, PlanetaryStage) else {}
    held = bench.maps(bench.held)
    made = {name: bench.maps(signals) for name, signals in given.items()}
    for name in DETECTORS:
        own = options if name == "coherent" else {}
        one, _ = fit_with_threshold(lambda n=name, o=own: create(n, **o), bench.reference, RATE)  # type: ignore[misc]
        each = {condition: np.asarray(one.predict(maps).score) for condition, maps in made.items()}
        scores[name] = one.threshold.value, np.asarray(one.predict(held).score), each
    learned, later = bench.indicators(bench.learned), bench.indicators(bench.held)
    shown = {condition: bench.indicators(signals) for condition, signals in given.items()}
    for name, healthy in learned.items():
        each = {condition: on_scale(healthy, found[name]) for condition, found in shown.items()}
        scores[name] = 3.0, on_scale(healthy, later[name]), each
    out: dict[str, Any] = {"methods": {}, "numbers": {}}
    for name, (height, healthy, each) in scores.items():
        out["methods"][name] = {
            "false": share(healthy > height),
            "conditions": {
                condition: {"auroc": area(healthy, s), "above": share(s > height)} for condition, s in each.items()
            },
        }
    cracks = [name for name in given if name.startswith(("crack", "pit"))]
    for n in NUMBERS:
        bench.learn(n)
        one, _ = fit_with_threshold(lambda: create("coherent", **options), bench.reference, RATE)
        found = np.concatenate([one.predict(bench.maps(given[name])).score for name in cracks])
        false = one.predict(bench.maps(bench.held + bench.learned[n:])).score
        out["numbers"][str(n)] = {k: share(s > one.threshold.value) for k, s in (("false", false), ("found", found))}
    return out


def elsewhere(k: int) -> dict[str, Any]:
    """By speed: whether healthy and damaged recordings have a tooth that stands out."""
    bench = Bench(k)
    contacts = "rows" if isinstance(bench.config.gears, PlanetaryStage) else None
    detector = Coherent(contacts=contacts)
    detector.fit(bench.reference)
    out: dict[str, Any] = {}
    for at in SPEEDS:
        given = {"healthy": [period(bench.config, 3000 + s, [], at) for s in range(2 * DAMAGED)]}
        given |= {name: [damaged(bench, name, 4000 + s, at) for s in range(2)] for name in ELSEWHERE}
        own = out["{:g}, varies by {:g}".format(*at)] = {}
        for name, signals in given.items():
            rests = [less_by_order(bench.turn(x, step), bench.waveform.values, bench.events) for x, step, *_ in signals]
            number = np.arange(bench.events)
            waves = np.full((len(rests), *bench.shape, SAMPLES), np.nan, dtype=np.float32)
            waves[:, number % bench.shape[0], number % bench.shape[1]] = np.reshape(rests, (len(rests), -1, SAMPLES))
            rows, columns = detector.among_teeth(waves)
            axes = [s % 2 if contacts is None else 0 for s in range(4000, 4000 + len(rests))]
            named = [
                tooth_among_others((rows[n : n + 1], columns[n : n + 1]), ("given",) * 2) for n in range(len(rests))
            ]
            own[name] = {
                "height": np.maximum(rows.max(axis=1), columns.max(axis=1)).tolist(),
                "named": [bool(one) for one in named],
                "right_gear": [bool(one) and one[0][1] == a + 1 for one, a in zip(named, axes, strict=True)],
            }
    return out


def together(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """All gearboxes: AUROC with its standard error over them, and counts."""
    of, away = [p["of_gearbox"] for p in parts], [p["elsewhere"] for p in parts]

    def total(each: list[list[int]]) -> list[int]:
        return np.sum(each, axis=0).tolist()

    methods: dict[str, Any] = {}
    for name, first in of[0]["methods"].items():
        methods[name] = {"false": total([g["methods"][name]["false"] for g in of]), "conditions": {}}
        for condition in first["conditions"]:
            own = [g["methods"][name]["conditions"][condition] for g in of]
            values = [one["auroc"] for one in own]
            methods[name]["conditions"][condition] = {
                "auroc": float(np.mean(values)),
                "error": float(np.std(values, ddof=1) / np.sqrt(len(values))),
                "above": total([one["above"] for one in own]),
            }
    numbers = {
        n: {what: total([g["numbers"][n][what] for g in of]) for what in ("false", "found")} for n in of[0]["numbers"]
    }
    elsewhere, first = {}, next(iter(away[0].values()))
    for name in first:
        each = {k: np.concatenate([at[name][k] for g in away for at in g.values()]) for k in first[name]}
        right, largest = int(np.sum(each["right_gear"])), float(each["height"].max())
        elsewhere[name] = {"above": share(each["named"]), "right_gear": right, "largest": largest}
    return {"methods": methods, "numbers": numbers, "elsewhere": elsewhere}


def main() -> None:
    """One gearbox after the other."""
    given, each = arguments(__doc__), []
    for k in range(len(GEARS)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            each.append({part.__name__: part(k) for part in (of_gearbox, elsewhere)})
    config = {"gears": [str(g) for g in GEARS], "learned": LEARNED, "held_out": HELD, "rate": RATE, "damaged": DAMAGED}
    save(given, together(each), seed=SEED, **config)


if __name__ == "__main__":
    main()
