"""Options by which recordings are read and become maps, shared by the verbs that take recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import key_values
from toothwise.errors import InputError

if TYPE_CHECKING:
    from toothwise.vibration.readers import RecordMapping
    from toothwise.vibration.records import VibrationRecord

__all__ = ["Building", "add_building", "add_reading", "find_recordings", "mapping_of", "read"]


def add_reading(parser: ArgumentParser) -> None:
    """--read NAME=VALUE."""
    parser.add_argument(
        "--read",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="how recordings are read: channels=, tacho=, sampling_rate=, pulses_per_revolution=, ... (repeatable)",
    )


@dataclass(frozen=True, kw_only=True)
class Building:
    """How recordings become maps: part of the options of every command that ``add_building`` serves.

    Attributes:
        gears: YAML of the gears; what makes the inputs recordings.
        stage: of a gear train with several.
        channel: of the recordings; None = the first one.
        waveform: .npz file of a healthy waveform that is taken off; or None.
        set: NAME=VALUE, fields of MapConfig.
        read: NAME=VALUE, how recordings are read.
    """

    gears: str | None = None
    stage: str | None = None
    channel: str | None = None
    waveform: Path | None = None
    set: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    def building(self) -> dict[str, Any]:
        """These options alone, by name."""
        return {one.name: getattr(self, one.name) for one in fields(Building)}

    def check_gears(self) -> None:
        """Refuse options about recordings where there are none.

        Raises:
            InputError: one was given without --gears.
        """
        given = [name for name, value in self.building().items() if value]
        if given and self.gears is None:
            raise InputError(f"--{given[0]} is about recordings, which need --gears FILE")


def add_building(parser: ArgumentParser, what: str = "MAPS") -> None:
    """Options by which recordings, named as ``what``, become maps: --gears and what belongs to it."""
    add = parser.add_argument
    add("--gears", type=str | None, metavar="FILE", help=f"YAML of the gears: {what} are recordings of them")
    add("--stage", type=str | None, metavar="NAME", help="of a gear train with several stages")
    add("--channel", type=str | None, metavar="NAME", help="of the recordings (default: the first one)")
    add("--waveform", type=Path | None, metavar="FILE.npz", help="healthy waveform to take off before the maps")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of MapConfig; may be repeated")
    add_reading(parser)


def read(path: str, words: Sequence[str]) -> VibrationRecord:
    """A recording as the words say.

    Raises:
        InputError: unknown words, or a recording that cannot be read.
    """
    from toothwise.vibration.readers import read_record

    return read_record(path, mapping=mapping_of(words))


def mapping_of(words: Sequence[str]) -> RecordMapping:
    """What the words of --read say.

    Raises:
        InputError: unknown words.
    """
    from toothwise.vibration.readers import RecordMapping

    options: dict[str, Any] = key_values(words, "--read")
    allowed = RecordMapping.__dataclass_fields__
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise InputError(f"--read takes {', '.join(allowed)}, but got {', '.join(unknown)}")
    return RecordMapping(**options)


def find_recordings(paths: Sequence[str]) -> list[str]:
    """Files, and the recordings in folders, each once, folders in order of their names.

    Raises:
        InputError: a folder without recordings.
    """
    from toothwise.vibration.readers import SUFFIXES

    found: dict[str, None] = {}
    for path in paths:
        folder = Path(path)
        if not folder.is_dir():
            found[path] = None
            continue
        inside = sorted(str(p) for p in folder.iterdir() if p.name.lower().endswith(tuple(SUFFIXES)) and p.is_file())
        if not inside:
            raise InputError(f"{path}: holds no recordings ({', '.join(SUFFIXES)})")
        found |= dict.fromkeys(inside)
    return list(found)
