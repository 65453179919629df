"""Recordings as toothwise writes them: MAT 5, Parquet or NPZ that others can read, with the rest as one JSON text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.files import atomic_file
from toothwise.vibration.readers.raw import Raw, needed
from toothwise.vibration.records import Tachometer, VibrationRecord

__all__ = ["META", "restore", "write_record"]

META = "toothwise_record"  # name of the JSON text
_FORMAT = 1
_TACHO = "tacho"


def write_record(record: VibrationRecord, path: str | Path) -> Path:
    """Write a recording, whole or not at all; ``read_record`` gives it back.

    Args:
        record: channels and tachometer are written under their own names, so that other programs find them.
        path: .mat (version 5), .parquet or .npz.

    Raises:
        InputError: another suffix, or names that the format cannot hold.
        OutputError: the place cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".mat", ".parquet", ".npz"):
        raise InputError(f"{path}: recordings are written as .mat, .parquet or .npz")
    names = list(record.channels)
    if _TACHO in names or META in names or "fs" in names:
        raise InputError(f"{path}: a channel cannot be called 'tacho', 'fs' or {META!r}, but got {names}")
    meta: dict[str, Any] = {
        "format": _FORMAT,
        "channels": names,
        "sampling_rate": record.sampling_rate,
        "unit": record.unit,
        "start_time": record.start_time,
        "condition": record.condition,
        "provenance": record.provenance,
        "tacho": None,
    }
    arrays = {name: np.asarray(x) for name, x in record.channels.items()}
    if record.tacho is not None:
        tacho = record.tacho
        meta["tacho"] = {
            "kind": tacho.kind,
            "pulses_per_revolution": tacho.pulses_per_revolution,
            "shaft": tacho.shaft,
            "ratio": tacho.ratio,
            "sampling_rate": tacho.sampling_rate,
        }
        arrays[_TACHO] = np.asarray(tacho.values)
    try:
        text = json.dumps(meta, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: condition and provenance must be JSON types ({error})") from None
    {".mat": _write_mat, ".parquet": _write_parquet, ".npz": _write_npz}[suffix](
        path, arrays, text, record.sampling_rate
    )
    return path


def _write_mat(path: Path, arrays: dict[str, np.ndarray], text: str, rate: float) -> None:
    from scipy.io import savemat

    for name in arrays:
        if not name.isidentifier() or name.startswith("_") or len(name) > 31:
            raise InputError(f"{path}: MATLAB takes no variable of the name {name!r}")
    with atomic_file(path) as temporary:
        savemat(temporary, {**arrays, "fs": rate, META: text}, oned_as="column")


def _write_npz(path: Path, arrays: dict[str, np.ndarray], text: str, rate: float) -> None:
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays, fs=np.array(rate), **{META: np.array(text)})


def _write_parquet(path: Path, arrays: dict[str, np.ndarray], text: str, rate: float) -> None:
    pyarrow = needed("pyarrow", "parquet", f"{path}: Parquet")
    parquet = needed("pyarrow.parquet", "parquet", f"{path}: Parquet")
    longest = max(map(len, arrays.values()))
    columns = {}
    for name, x in arrays.items():  # pulse times are fewer than samples: the column is filled up with nulls
        column = pyarrow.array(x)
        if len(x) < longest:
            column = pyarrow.concat_arrays([column, pyarrow.nulls(longest - len(x), column.type)])
        columns[name] = column
    table = pyarrow.table(columns).replace_schema_metadata({"fs": repr(rate), META: text})
    with atomic_file(path) as temporary:
        parquet.write_table(table, temporary)


def restore(raw: Raw) -> VibrationRecord:
    """A record that toothwise wrote.

    Raises:
        InputError: its text does not fit its arrays.
    """
    try:
        meta = json.loads(str(raw.scalars[META]))
        if meta["format"] != _FORMAT:
            raise InputError(f"format {meta['format']} of a recording is not {_FORMAT}, the one this version reads")
        tacho = None
        if meta["tacho"] is not None:
            tacho = Tachometer(values=_named(raw, _TACHO), **meta["tacho"])
        return VibrationRecord(
            {name: _named(raw, name) for name in meta["channels"]},
            meta["sampling_rate"],
            tacho,
            meta["unit"],
            meta["start_time"],
            meta["condition"],
            meta["provenance"],
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the text {META!r} is damaged ({type(error).__name__}: {error})") from None


def _named(raw: Raw, name: str) -> np.ndarray:
    if name in raw.arrays:
        return raw.arrays[name]
    return np.atleast_1d(np.asarray(raw.scalars[name]))  # an array of one sample
