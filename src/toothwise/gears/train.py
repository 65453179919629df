"""A gear train: stages that share shafts, and the speed of each shaft against the one with the tachometer.

As YAML:

    tacho_shaft: input            # the shaft whose revolutions the tachometer counts; default: the first one
    stages:
      - name: high speed
        gears: {driving: 18, driven: 35}
        shafts: [input, middle]   # driving, driven
      - name: planetary
        gears: {sun: 31, planet: 31, ring: 95, planets: 3}
        shafts: [middle, output]  # sun, carrier

A file with the gears alone (``driving: 18`` and ``driven: 35``) is a train of one stage.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from toothwise.checks import check_choice
from toothwise.errors import InputError
from toothwise.fields import field_types, from_mapping
from toothwise.files import atomic_file
from toothwise.gears.pair import GearPair, speed_of
from toothwise.gears.planetary import PlanetaryStage
from toothwise.reading import as_input_error, read_yaml

_SHAFTS: dict[type[GearPair] | type[PlanetaryStage], tuple[str, str]] = {
    GearPair: ("driving", "driven"),
    PlanetaryStage: ("sun", "carrier"),
}


@dataclass(frozen=True)
class TrainStage:
    """One stage of a train.

    Attributes:
        name: how people call it.
        gears: the teeth.
        shafts: names of its two shafts: driving and driven, or sun and carrier.
    """

    name: str
    gears: GearPair | PlanetaryStage
    shafts: tuple[str, str]

    @property
    def ends(self) -> tuple[str, str]:
        """What the gears themselves call the two shafts."""
        return _SHAFTS[type(self.gears)]


@dataclass(frozen=True)
class GearTrain:
    """Stages that share shafts.

    Attributes:
        stages: at least one; each after the first shares a shaft with one before it.
        tacho_shaft: the shaft whose revolutions the tachometer counts; "" = the first stage's driving shaft or sun.

    Raises:
        InputError: no stage, two of one name, a stage that hangs on nothing, shafts in a circle, an unknown shaft.
    """

    stages: tuple[TrainStage, ...]
    tacho_shaft: str = ""

    def __post_init__(self) -> None:
        if not self.stages:
            raise InputError("a gear train needs at least one stage")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise InputError(f"stages of a gear train need different names, but got {', '.join(map(repr, names))}")
        if not self.tacho_shaft:
            object.__setattr__(self, "tacho_shaft", self.stages[0].shafts[0])
        check_choice(self.speeds, tacho_shaft=self.tacho_shaft)

    @classmethod
    def single(cls, gears: GearPair | PlanetaryStage) -> GearTrain:
        """A train of one stage whose shafts are called what the gears call them."""
        return cls((TrainStage("stage", gears, _SHAFTS[type(gears)]),))

    @property
    def speeds(self) -> dict[str, float]:
        """Revolutions of each shaft per revolution of the first stage's first shaft."""
        speeds = {self.stages[0].shafts[0]: 1.0}
        for stage in self.stages:
            first, second = stage.shafts
            if first == second:
                raise InputError(f"stage {stage.name!r}: its two shafts must differ, but both are {first!r}")
            if first in speeds and second in speeds:
                raise InputError(f"stage {stage.name!r}: its shafts {first!r} and {second!r} are joined already")
            if first in speeds:
                speeds[second] = speeds[first] / stage.gears.ratio
            elif second in speeds:
                speeds[first] = speeds[second] * stage.gears.ratio
            else:
                known = ", ".join(map(repr, speeds))
                raise InputError(
                    f"stage {stage.name!r}: neither of its shafts {first!r} and {second!r} is one of {known}"
                )
        return speeds

    def ratio(self, shaft: str) -> float:
        """Revolutions of a shaft per revolution of the tachometer's shaft.

        Raises:
            InputError: unknown shaft.
        """
        speeds = self.speeds
        return speed_of(speeds, shaft) / speeds[self.tacho_shaft]

    def stage(self, name: str | None = None) -> TrainStage:
        """A stage by name; None = the only one.

        Raises:
            InputError: unknown name, or None where there are several.
        """
        if name is None and len(self.stages) == 1:
            return self.stages[0]
        stages = {stage.name: stage for stage in self.stages}
        check_choice(stages, stage=name)
        return stages[str(name)]

    def turning_with(self, stage: str | None = None) -> dict[str, tuple[tuple[str, str, str], ...]]:
        """The gears of other stages that turn with a gear of one stage, whose damage comes once per its revolution.

        A ring is met by each planet once per revolution of the carrier: what turns with the carrier counts for it.

        Args:
            stage: Its name; None = the only one.

        Returns:
            By gear of the stage: the shaft, the other stage, and its gear.

        Raises:
            InputError: As of ``stage``.

        Examples:
            >>> from toothwise import GearPair
            >>> from toothwise.gears.train import GearTrain, TrainStage
            >>> first = TrainStage("first", GearPair(18, 35), ("in", "middle"))
            >>> second = TrainStage("second", GearPair(17, 31), ("middle", "out"))
            >>> GearTrain((first, second)).turning_with("first")
            {'driven': (('middle', 'second', 'driving'),)}
        """
        own, found = self.stage(stage), {}
        for end, shaft in zip(own.ends, own.shafts, strict=True):
            others = tuple(
                (shaft, other.name, gear)
                for other in self.stages
                for gear, its in zip(other.ends, other.shafts, strict=True)
                if other is not own and its == shaft and gear != "carrier"
            )
            if others:
                found["ring" if end == "carrier" else end] = others
        return found

    def mesh_orders(self) -> dict[str, float]:
        """Mesh order of each stage, in cycles per revolution of the tachometer's shaft."""
        return {
            stage.name: stage.gears.events_per_revolution(stage.ends[0]) * self.ratio(stage.shafts[0])
            for stage in self.stages
        }


def make_gears(data: Any, where: str = "gears") -> GearPair | PlanetaryStage:
    """A pair or a planetary stage from its numbers of teeth.

    Args:
        data: ``{driving, driven}`` or ``{sun, planet, ring, planets}``.
        where: named in errors.

    Raises:
        InputError: neither of the two, or impossible teeth.
    """
    for kind in _SHAFTS:
        if isinstance(data, dict) and data and set(data) <= set(field_types(kind)):  # type: ignore[arg-type]  # a class is hashable
            return from_mapping(kind, data, where)
    raise InputError(
        f"{where}: gears must be {{driving, driven}} or {{sun, planet, ring, planets}}, but got {data!r:.200}"
    )


def make_train(data: Any, where: str = "gears") -> GearTrain:
    """A train from what its YAML holds.

    Raises:
        InputError: not a train.
    """
    with as_input_error(where, "not gears"):
        if not isinstance(data, dict):
            raise InputError(f"{where}: must be a mapping with 'stages', or the gears alone, but got {data!r:.200}")
        if "stages" not in data:
            return GearTrain.single(make_gears(data, where))
        stages = []
        for k, item in enumerate(data["stages"] or []):
            here = f"{where}: stage {k}"
            gears = make_gears(item.get("gears"), here)
            said = {"name": f"stage {k}", "shafts": _SHAFTS[type(gears)]} | item | {"gears": gears}
            stages.append(from_mapping(TrainStage, said, here))
        return from_mapping(GearTrain, data | {"stages": stages}, where)


def train_as_json(train: GearTrain) -> dict[str, Any]:
    """A gear train as JSON types, which ``make_train`` takes."""
    stages = [{"name": s.name, "gears": asdict(s.gears), "shafts": list(s.shafts)} for s in train.stages]
    return {"tacho_shaft": train.tacho_shaft, "stages": stages}


def write_gears(train: GearTrain, path: str | Path) -> None:
    """A gear train as YAML that ``read_gears`` takes, whole or not at all."""
    data = train_as_json(train)
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def read_gears(path: str | Path) -> GearTrain:
    """A gear train from a YAML file.

    Raises:
        InputError: no such file, no YAML, or not a train; the message names the file.
    """
    return make_train(read_yaml(Path(path)), str(path))
