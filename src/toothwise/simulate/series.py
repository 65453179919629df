"""Records of a simulated gearbox in time order, healthy or up to failure, from one YAML file.

gears: {driving: 18, driven: 35}      # or sun, planet, ring, planets
periods: 10                           # further fields of GearboxConfig
speed: {mean: 25.0, kind: fluctuation, variation: 0.03}
faults:
  - {kind: crack, gear: driving, tooth: 7, severity: 0.6}
series: {records: 20, onset: 10, growth: 1.5}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from toothwise.errors import InputError
from toothwise.gears.train import make_gears
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile
from toothwise.simulate.tacho import TachoConfig
from toothwise.vibration.records import VibrationRecord

__all__ = ["SeriesConfig", "Simulation", "read_simulation", "simulate_series"]


@dataclass(frozen=True)
class SeriesConfig:
    """How many records, and when faults begin.

    Attributes:
        records: number of them.
        onset: first record with faults, from 0; all before are healthy.
        growth: exponent of the severity from 0 before onset to its full value at the last record; 0 = full at once.
        hours: between records.
        start_time: of the first record, ISO 8601.
        seed: of the first record; the others follow on.
    """

    records: int = 1
    onset: int = 0
    growth: float = 0.0
    hours: float = 24.0
    start_time: str = "2024-01-01T00:00:00"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.records < 1 or self.onset < 0 or self.growth < 0:
            raise InputError(
                "a series needs 1 record or more, onset and growth of 0 or more, but got "
                f"{self.records}, {self.onset}, {self.growth}"
            )
        try:
            datetime.fromisoformat(self.start_time)
        except ValueError:
            raise InputError(f"start_time must be like 2024-01-01T00:00:00, but got {self.start_time!r}") from None

    def share(self, record: int) -> float:
        """Share of the full severity at a record, 0 to 1."""
        if record < self.onset:
            return 0.0
        return float(((record - self.onset + 1) / (self.records - self.onset)) ** self.growth)


@dataclass(frozen=True)
class Simulation:
    """A gearbox, what is wrong with it, and when.

    Attributes:
        gearbox: how it is built and measured.
        faults: at their full severity.
        series: records in time.
    """

    gearbox: GearboxConfig
    faults: tuple[Fault, ...] = ()
    series: SeriesConfig = SeriesConfig()


def simulate_series(simulation: Simulation) -> Iterator[tuple[str, VibrationRecord, dict[str, Any]]]:
    """The records in time order, each with its name and the truth about it.

    Raises:
        InputError: see ``simulate_record``.
    """
    series = simulation.series
    begin = datetime.fromisoformat(series.start_time)
    for k in range(series.records):
        share = series.share(k)
        faults = [replace(f, severity=f.severity * share) for f in simulation.faults] if share > 0 else []
        record, truth = simulate_record(simulation.gearbox, faults, seed=series.seed + k)
        when = (begin + timedelta(hours=k * series.hours)).isoformat()
        name = f"record_{k:04d}"
        truth = {"record": name, "start_time": when, "onset": series.onset if simulation.faults else None} | truth
        provenance = record.provenance | {"truth": truth}
        yield name, replace(record, start_time=when, provenance=provenance), truth


def read_simulation(path: str | Path) -> Simulation:
    """A simulation from YAML.

    Raises:
        InputError: no such file, no YAML, an unknown field or an unsuitable value; the message names the file.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(data, dict) or "gears" not in data:
        raise InputError(f"{path}: must be a mapping with 'gears', but got {data!r:.60}")
    data = dict(data)
    faults = data.pop("faults", None) or []
    series = data.pop("series", None) or {}
    try:
        if not isinstance(faults, list):
            raise InputError(f"faults must be a list, but got {faults!r}")
        data["gears"] = make_gears(data["gears"])
        for name, kind in (("speed", SpeedProfile), ("tacho", TachoConfig)):
            if name in data:
                data[name] = _make(kind, data[name], name)
        return Simulation(
            _make(GearboxConfig, data, "the gearbox"),
            tuple(_make(Fault, fault, f"fault {k}") for k, fault in enumerate(faults)),
            _make(SeriesConfig, series, "series"),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _make(kind: type[Any], data: Any, where: str) -> Any:
    """A dataclass from a mapping; lists become tuples."""
    allowed = [f.name for f in fields(kind)]
    if not isinstance(data, dict) or set(data) - set(allowed):
        wrong = sorted(set(data) - set(allowed)) if isinstance(data, dict) else data
        raise InputError(f"{where} takes {', '.join(allowed)}, but got {wrong!r}")

    def frozen(value: Any) -> Any:
        return tuple(map(frozen, value)) if isinstance(value, list) else value

    try:
        return kind(**{name: frozen(value) for name, value in data.items()})
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: {error}") from None
