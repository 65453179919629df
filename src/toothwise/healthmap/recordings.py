"""What maps are built from: records, files and folders of files, in order and each with a name of its own."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from toothwise.errors import InputError
from toothwise.vibration.readers import SUFFIXES
from toothwise.vibration.records import VibrationRecord

Source = str | Path | VibrationRecord

NAMELESS = "the record"  # what says of a record in memory nothing about where it is from


def _recordings(path: str | Path) -> list[str]:
    """A file, or the recordings in a folder, in natural order (r2 before r10)."""
    folder = Path(path)
    if not folder.is_dir():
        return [str(path)]
    inside = [str(p) for p in folder.iterdir() if p.name.lower().endswith(tuple(SUFFIXES)) and p.is_file()]
    if not inside:
        raise InputError(f"{path}: holds no recordings ({', '.join(SUFFIXES)})")
    return sorted(inside, key=_natural)


def _natural(text: str) -> list[tuple[int, int | str]]:
    """Sorts numbers in names by their size."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", text) if part]


def as_sources(given: Sequence[Source] | Source) -> list[Source]:
    """Records and files of recordings, each once; folders are replaced by what is in them, r2 before r10.

    Raises:
        InputError: Nothing, or a folder without recordings.
    """
    if isinstance(given, str | Path | VibrationRecord):
        given = [given]
    found: dict[str | int, Source] = {}
    for one in given:
        if isinstance(one, VibrationRecord):
            found[id(one)] = one
        else:
            found |= {path: path for path in _recordings(one)}
    if not found:
        raise InputError("expected one recording or more, but got none")
    return list(found.values())


def source_name(source: Source) -> str:
    """How messages and tables call a source: the path of its file."""
    if isinstance(source, VibrationRecord):
        return str(source.provenance.get("path") or source.provenance.get("record") or NAMELESS)
    return os.fspath(source)


def record_names(sources: Sequence[Source]) -> list[str]:
    """A short name for each source, no two alike.

    It is the file's name without its suffix; where several files share that, the suffix, then the folder, then a
    number tells them apart.

    Examples:
        >>> record_names(["a/monday.mat", "a/tuesday.mat", "a/tuesday.csv", "b/friday.mat", "c/friday.mat"])
        ['monday', 'tuesday_mat', 'tuesday_csv', 'b_friday_mat', 'c_friday_mat']
    """
    called = [source_name(source) for source in sources]
    paths = [Path("record" if name == NAMELESS else name.removesuffix(".gz")) for name in called]
    names = [path.stem for path in paths]
    for longer in (
        [path.name.replace(".", "_") for path in paths],
        [f"{path.parent.name}_{path.name.replace('.', '_')}" for path in paths],
        [f"{path.stem}_{k}" for k, path in enumerate(paths)],
    ):
        count = Counter(names)
        names = [new if count[old] > 1 else old for old, new in zip(names, longer, strict=True)]
    return names


def error_line(source: Source, error: Exception) -> str:
    """The message of an error, which names the source."""
    text, name = str(error), source_name(source)
    return text if name in text else f"{name}: {text}"
