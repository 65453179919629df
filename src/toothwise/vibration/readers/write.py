"""``write_record``: MAT 5, Parquet and NPZ that ``read_record`` gives back as they were.

Beside the arrays, under names that MATLAB and pandas show as they are, one text (``toothwise_record``, JSON) keeps what
arrays cannot say: order and names of the channels, units, start time, condition and the tachometer's meaning.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from toothwise.errors import InputError
from toothwise.files import atomic_file
from toothwise.reading import of_file
from toothwise.vibration.readers.contents import HEADER, need
from toothwise.vibration.records import VibrationRecord

_LONGEST_NAME = 63  # of a MATLAB variable
_MAT_LIMIT = 2**31  # bytes of a variable of MAT 5


def write_record(record: VibrationRecord, path: str | Path) -> Path:
    """Write a record, whole or not at all.

    Samples keep their type. Names become letters, digits and underscores in ``.mat`` and ``.npz``; the header keeps the
    true ones. In Parquet a tachometer of another length than the channels is filled up with gaps, or they are.

    Args:
        record: what to write; condition and provenance must be JSON (no NaN).
        path: ends in ``.mat`` (MAT 5), ``.parquet`` or ``.npz``.

    Returns:
        The path.

    Raises:
        InputError: another suffix, a condition that is not JSON, or an array that the format cannot hold.
        OutputError: the place cannot be written.
        MissingDependencyError: Parquet without pyarrow.
    """
    path = Path(path)
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"{path}: the suffix must be one of {', '.join(_WRITERS)}, but is {path.suffix!r}")
    plain = path.suffix.lower() != ".parquet"
    taken: set[str] = {"fs", "pulses_per_revolution", HEADER}
    names = {name: _free(name, taken, plain) for name in record.channels}
    arrays = {names[name]: _native(values) for name, values in record.channels.items()}
    numbers = {"fs": float(record.sampling_rate)}
    tacho: dict[str, Any] | None = None
    if record.tacho is not None:
        key = _free("tacho", taken, plain)
        arrays[key] = _native(record.tacho.values)
        numbers["pulses_per_revolution"] = float(record.tacho.pulses_per_revolution)
        tacho = {"name": key, **{k: v for k, v in vars(record.tacho).items() if k != "values"}}
    header = {"version": 1, "channels": names, "sampling_rate": float(record.sampling_rate), "tacho": tacho}
    header |= {name: getattr(record, name) for name in ("unit", "units", "start_time", "condition", "provenance")}
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: condition and provenance must be JSON without NaN ({error})") from None
    with atomic_file(path) as temporary, of_file(path, "cannot be written"):
        writer(temporary, arrays, numbers, text)
    return path


def _free(name: str, taken: set[str], plain: bool) -> str:
    """A name that is not taken yet; ``plain`` = letters, digits and underscores, a letter first."""
    key = name
    if plain:
        key = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "channel"
        key = (key if key[0].isalpha() else f"channel_{key}")[: _LONGEST_NAME - 4]
    whole, k = key, 1
    while whole.lower() in taken or not whole:
        k += 1
        whole = f"{key}_{k}"
    taken.add(whole.lower())
    return whole


def _native(values: np.ndarray) -> np.ndarray:
    """The same numbers in this machine's byte order; a copy only where it differs."""
    return np.asarray(values).astype(values.dtype.newbyteorder("="), copy=False)


def _write_mat(path: Path, arrays: dict[str, np.ndarray], numbers: dict[str, float], text: str) -> None:
    for name, values in arrays.items():
        if values.nbytes >= _MAT_LIMIT:
            raise InputError(f"{name} takes {values.nbytes} bytes, MAT 5 holds less than {_MAT_LIMIT}: write .npz")
        if values.dtype == np.float16:
            raise InputError(f"{name} is float16, which MAT 5 cannot hold: write .npz")
    everything = {**arrays, **numbers, HEADER: text}
    savemat(str(path), everything, oned_as="column", long_field_names=True, appendmat=False)


def _write_npz(path: Path, arrays: dict[str, np.ndarray], numbers: dict[str, float], text: str) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays, **{k: np.float64(v) for k, v in numbers.items()}, **{HEADER: text})


def _write_parquet(path: Path, arrays: dict[str, np.ndarray], numbers: dict[str, float], text: str) -> None:
    arrow = need("pyarrow", "parquet")
    parquet = need("pyarrow.parquet", "parquet")
    rows = max(len(values) for values in arrays.values())
    columns, sizes = {}, {}
    for name, values in arrays.items():
        column = arrow.array(values)
        if len(values) < rows:
            sizes[name] = len(values)
            column = arrow.concat_arrays([column, arrow.nulls(rows - len(values), column.type)])
        columns[name] = column
    header = json.dumps({**json.loads(text), "sizes": sizes})
    table = arrow.table(columns).replace_schema_metadata({**{k: repr(v) for k, v in numbers.items()}, HEADER: header})
    parquet.write_table(table, path)


_WRITERS = {".mat": _write_mat, ".parquet": _write_parquet, ".npz": _write_npz}
WRITABLE: tuple[str, ...] = tuple(_WRITERS)
