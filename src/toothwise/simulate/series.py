"""Records of a simulated gearbox in time order, healthy or up to failure, from one YAML file.

gears: {driving: 18, driven: 35}      # or sun, planet, ring, planets
periods: 10                           # further fields of GearboxConfig
speed: {mean: 25.0, kind: fluctuation, variation: 0.03}
faults:
  - {kind: crack, gear: driving, tooth: 7, severity: 0.6}
series: {records: 20, onset: 10, law: paris, start: 0.05, load: [0.7, 1.0]}

A fault grows as a power of time, or by Paris's law: with a crack of depth a, da/dN = C K^m and K proportional to the
root of a,

    a(s)^(1 - m/2) = a0^(1 - m/2) + s (a1^(1 - m/2) - a0^(1 - m/2)),      s = 0 at onset to 1 at the last record

(m = 2: exponential; m = 0: linear). Steel has m of about 3. Other faults may take the same law.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from toothwise.checks import check_choice, check_range, check_whole
from toothwise.errors import InputError
from toothwise.fields import from_mapping
from toothwise.gears.train import make_gears
from toothwise.reading import read_yaml
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, check_faults, simulate_record
from toothwise.vibration.records import VibrationRecord, check_time

_CONDITIONS = 7  # substream of a record's seed for load, speed and temperature


def grown(share: float, start: float, end: float, exponent: float) -> float:
    """Severity at a share of the way from onset to the last record, by Paris's law (the module's text).

    Args:
        share: 0 to 1.
        start, end: severity there, ``0 < start <= end``.
        exponent: m.
    """
    power = 1.0 - exponent / 2.0
    if abs(power) < 1e-9:
        return float(start * (end / start) ** share)
    return float((start**power + share * (end**power - start**power)) ** (1.0 / power))


@dataclass(frozen=True)
class SeriesConfig:
    """How many records, when faults begin and how they grow, and what differs from record to record.

    Attributes:
        records: number of them.
        onset: first record with faults, from 0; all before are healthy.
        law: "power" (severity x share of the time since onset ^ growth) or "paris" (from ``start``, see the module).
        growth: exponent of the power law; 0 = full severity at once.
        start: severity at onset under Paris's law; a fault that ends below it has its full size at once.
        exponent: m of Paris's law.
        hours: between records.
        start_time: of the first record, ISO 8601.
        load, speed, temperature: (lowest, highest), drawn evenly for each record; None = as the gearbox says.
        seed: of the first record; the others follow on.

    Raises:
        InputError: a value out of range.
    """

    records: int = 1
    onset: int = 0
    law: Literal["power", "paris"] = "power"
    growth: float = 0.0
    start: float = 0.05
    exponent: float = 3.0
    hours: float = 24.0
    start_time: str = "2024-01-01T00:00:00"
    load: tuple[float, float] | None = None
    speed: tuple[float, float] | None = None
    temperature: tuple[float, float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(1, records=self.records)
        check_whole(0, onset=self.onset, seed=self.seed)
        check_choice(("power", "paris"), law=self.law)
        check_range("[0, inf)", growth=self.growth)
        check_range("(0, 1]", start=self.start)
        check_range("[0, 10]", exponent=self.exponent)
        check_range("(0, inf)", hours=self.hours)
        check_time(self.start_time)
        for name, given in self.ranges.items():
            if given[0] > given[1]:
                raise InputError(f"{name} of a series must be [lowest, highest], but got {list(given)}")

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest of what differs from record to record."""
        given = {"load": self.load, "speed": self.speed, "temperature": self.temperature}
        return {name: value for name, value in given.items() if value is not None}

    def severity(self, full: float, record: int) -> float:
        """Severity at a record of a fault that ends at ``full``; 0 before onset."""
        if record < self.onset or full <= 0:
            return 0.0
        if self.law == "power":
            return float(full * ((record - self.onset + 1) / (self.records - self.onset)) ** self.growth)
        length = self.records - 1 - self.onset
        if length < 1 or full <= self.start:
            return full
        return grown((record - self.onset) / length, self.start, full, self.exponent)


@dataclass(frozen=True)
class Simulation:
    """A gearbox, what is wrong with it, and when.

    Attributes:
        gearbox: how it is built and measured.
        faults: at their full severity.
        series: records in time.

    Raises:
        InputError: a fault of a gear or tooth that is not there, or a condition that the gearbox cannot run at.
    """

    gearbox: GearboxConfig
    faults: tuple[Fault, ...] = ()
    series: SeriesConfig = field(default_factory=SeriesConfig)

    def __post_init__(self) -> None:
        check_faults(self.gearbox.gears, self.faults)
        for name, ends in self.series.ranges.items():
            for value in ends:  # the gearbox refuses what it cannot run at
                under(self.gearbox, {name: value})


@dataclass(frozen=True)
class _Plan(GearboxConfig):
    """What the YAML file of a simulation holds."""

    faults: tuple[Fault, ...] = ()
    series: SeriesConfig = field(default_factory=SeriesConfig)


def under(gearbox: GearboxConfig, conditions: dict[str, float]) -> GearboxConfig:
    """The gearbox at another load, speed (mean, revolutions per second) or temperature.

    Raises:
        InputError: a value that it cannot run at.
    """
    changes: dict[str, Any] = dict(conditions)
    if "speed" in changes:
        changes["speed"] = replace(gearbox.speed, mean=changes["speed"])
    return replace(gearbox, **changes)


def simulate_series(simulation: Simulation) -> Iterator[tuple[str, VibrationRecord, dict[str, Any]]]:
    """The records in time order, each with its name and the truth about it.

    A record is what ``simulate_record`` gives for its seed, its faults and its conditions, which the truth holds.
    """
    series = simulation.series
    begin = datetime.fromisoformat(series.start_time)
    for k in range(series.records):
        severities = [series.severity(fault.severity, k) for fault in simulation.faults]
        faults = [replace(f, severity=s) for f, s in zip(simulation.faults, severities, strict=True) if s > 0]
        seed = series.seed + k
        rng = np.random.default_rng([seed, _CONDITIONS])
        drawn = dict(zip(("load", "speed", "temperature"), rng.random(3).tolist(), strict=True))
        conditions = {name: low + drawn[name] * (high - low) for name, (low, high) in series.ranges.items()}
        record, truth = simulate_record(under(simulation.gearbox, conditions), faults, seed=seed)
        when = (begin + timedelta(hours=k * series.hours)).isoformat()
        name = f"record_{k:04d}"
        known = {"record": name, "start_time": when, "onset": series.onset if simulation.faults else None}
        truth = known | record.condition | truth
        provenance = record.provenance | {"truth": truth}
        yield name, replace(record, start_time=when, provenance=provenance), truth


def read_simulation(path: str | Path) -> Simulation:
    """A simulation from YAML.

    Args:
        path: The file, or the name of a configuration that comes with toothwise ("gearbox_crack").

    Raises:
        InputError: no such file, no YAML, an unknown field or an unsuitable value; the message names the file.
    """
    data = read_yaml(Path(path))
    if not isinstance(data, dict) or "gears" not in data:
        raise InputError(f"{path}: must be a mapping with 'gears', but got {data!r:.60}")
    given = {name: value for name, value in data.items() if value is not None or name not in ("faults", "series")}
    plan = from_mapping(_Plan, given | {"gears": make_gears(data["gears"], f"{path}: gears")}, str(path))
    gearbox = GearboxConfig(**{f.name: getattr(plan, f.name) for f in fields(GearboxConfig)})
    try:
        return Simulation(gearbox, plan.faults, plan.series)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
