"""Options by which recordings are read and become maps, declared once for all verbs that take recordings."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toothwise.cli.parser import key_values
from toothwise.errors import InputError
from toothwise.fields import from_mapping

if TYPE_CHECKING:
    from toothwise.healthmap.map_builder import MapBuilder
    from toothwise.model import Model
    from toothwise.vibration.readers import RecordMapping


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How recordings are read.

    Attributes:
        read (NAME=VALUE): How recordings are read where their own names do not say it: channels=, tacho=,
            sampling_rate=, pulses_per_revolution=, tacho_shaft=, ...
    """

    read: list[str] = field(default_factory=list)

    def mapping(self) -> RecordMapping:
        """What --read says.

        Raises:
            InputError: A word that is not NAME=VALUE, an unknown name, or a value of another type.
        """
        from toothwise.vibration.readers import RecordMapping

        return from_mapping(RecordMapping, key_values(self.read, "--read"))


@dataclass(frozen=True, kw_only=True)
class Building(Reading):
    """How recordings become maps.

    Attributes:
        gears (FILE): YAML file of the gears, which makes the inputs recordings of them.
        stage (NAME): Stage of a gear train that has several.
        channel (NAME): Channel of the recordings, where it is not the first one.
        waveform (FILE.npz): Healthy waveform that is subtracted before the maps are made.
        tacholess (LOW HIGH): Lowest and highest speed (rev/s of the driving shaft, or the carrier) between which the
            mesh itself is followed, for recordings without a tachometer.
        map (NAME=VALUE): How a recording becomes a map, a field of MapConfig: signal=, quantity=, average=, window=,
            samples_per_tooth=, ...
    """

    gears: str | None = None
    stage: str | None = None
    channel: str | None = None
    waveform: Path | None = None
    tacholess: tuple[float, float] | None = None
    map: list[str] = field(default_factory=list)

    def builder(self) -> MapBuilder | None:
        """What these options say, or None where no gears are given.

        Raises:
            InputError: An option that cannot be used, or one that is about recordings where no gears are given.
        """
        if self.gears is None:
            given = [one.name for one in fields(Building) if getattr(self, one.name)]
            if given:
                raise InputError(f"--{given[0]} is about recordings, which need --gears FILE")
            return None
        from toothwise.healthmap.map_builder import MapBuilder

        return MapBuilder(
            self.gears,
            reading=self.mapping(),
            waveform=self.waveform,
            options=key_values(self.map, "--map"),
            stage=self.stage,
            channel=self.channel,
            tacholess=self.tacholess,
        )


def with_builder(model: Model, options: Building) -> Model:
    """The model, which builds maps of recordings as these options say where it does not keep how it was done.

    Raises:
        InputError: Gears are given, and the model keeps how its maps are built; or as ``Building.builder``.
    """
    given = [one.name for one in fields(Building) if getattr(options, one.name)]
    if given and model.builder is not None:
        raise InputError(f"the model keeps how recordings are read and its maps are built: leave out --{given[0]}")
    return replace(model, builder=options.builder()) if given else model
