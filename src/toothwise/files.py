"""Writing that leaves a whole result or none."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from toothwise.errors import OutputError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` (same suffix) that is renamed to it when the block ends well.

    Raises:
        OutputError: the place cannot be written.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".tmp-{uuid4().hex}{path.suffix}"
        temporary.touch(exist_ok=False)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``folder`` when the block ends well.

    Raises:
        OutputError: the place cannot be written, or holds something that is not a folder.
    """
    with _writing(folder):
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: exists and is not a folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".tmp-"))
        try:
            yield temporary
            temporary.chmod(0o755)
            old = None
            if folder.exists():
                old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".old-")) / "folder"
                folder.rename(old)
            temporary.rename(folder)
            if old is not None:
                shutil.rmtree(old.parent, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def check_writable(folder: Path) -> None:
    """Fail before long work, not after it, where a folder could not be made or written to.

    Raises:
        OutputError: the folder is a file, or no folder above it can be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: exists and is not a folder")
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written ({place} is not a folder that can be written to)")


def check_replaceable(folder: Path, marker: str, what: str) -> None:
    """Fail before long work where ``folder`` cannot be written, or holds files but not ``marker``, so is not ours.

    Args:
        folder: the place to be written or replaced.
        marker: file that every folder of this kind holds.
        what: the kind in words, for the message.

    Raises:
        OutputError: the folder cannot be written, or holds something else.
    """
    check_writable(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise OutputError(f"{folder}: holds something other than {what} and would be replaced: name another folder")


def finite(data: Any) -> Any:
    """JSON types with every NaN and infinity replaced by None, because JSON has no word for them.

    Numbers of NumPy become Python's, tuples and arrays lists, keys text, and dataclasses mappings of their fields.

    Examples:
        >>> finite({"score": float("nan"), "rows": (1, 2.5)})
        {'score': None, 'rows': [1, 2.5]}
    """
    if isinstance(data, float):
        return float(data) if data - data == 0.0 else None
    if hasattr(data, "dtype"):
        return finite(data.tolist())
    if isinstance(data, dict):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    if is_dataclass(data):
        return {field.name: finite(getattr(data, field.name)) for field in fields(data) if field.init}
    return data


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a table whose columns are all names of its rows, in the order in which they first come.

    Raises:
        OutputError: the file cannot be written.
    """
    import pandas as pd

    with atomic_file(path) as temporary:
        pd.DataFrame(rows, dtype=object).to_csv(temporary, index=False, lineterminator="\n")


def write_json(path: Path, data: Any) -> None:
    """Write JSON, whole or not at all; NaN is refused because JSON has none."""
    text = json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
