"""Tables: CSV, plain or gzipped (pandas), and Parquet (pyarrow)."""

from __future__ import annotations

import codecs
import csv
import gzip
import itertools
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise.vibration.readers.contents import Contents, Signal, need
from toothwise.vibration.readers.names import read_name
from toothwise.vibration.readers.time_column import uniform_rate

_HEAD = 1 << 16  # bytes that tell how letters are encoded
_PEEK = 2000  # lines from which separator, header and kinds of columns are read
_MOST_HEADER = 100
_NEAR = 50  # lines that tell the decimal mark
_GAPS = ("", "nan", "na", "n/a", "null", "none", "-")
_NO_NAME = ("unknown", "rate", "time", "other", "vibration")  # what units read as names may be: s, Hz, A, g
_PROPERTY = re.compile(r"^[#%;!\"\s]*([A-Za-z][^:=]*?)\s*[:=]\s*(.+?)[\"\s]*$")


def _encoding(head: bytes) -> str:
    """UTF-16 by its mark, or by the zero byte beside every plain letter; else UTF-8, or what old loggers write.

    Examples:
        >>> [_encoding(text.encode(name)) for text, name in (("µs", "utf-8"), ("µs", "cp1252"), ("진동 [g]", "cp949"))]
        ['utf-8-sig', 'cp1252', 'euc_kr']
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(head) > 8 and 0 in head[:64]:
        return "utf-16-le" if head[1:8:2].count(0) > 2 else "utf-16-be"
    for encoding in ("utf-8-sig", "euc_kr"):
        with suppress(UnicodeDecodeError):
            codecs.getincrementaldecoder(encoding)().decode(head)  # a letter that is cut at the end is no mistake
            return encoding
    return "cp1252"


def read_csv(path: Path) -> Contents:
    """Columns of numbers, with or without a header line, separated by comma, semicolon, tab, bar or blanks.

    Lines before the table of the form ``name: value`` or ``# name = value`` are properties of the file (``fs``,
    ``unit``, ...). The file is parsed in pieces; columns become float32, time and tachometer columns float64.

    Raises:
        InputError: no table of numbers.
    """
    opened: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as raw:
        encoding = _encoding(raw.read(_HEAD))
    with opened(path, "rt", encoding=encoding, errors="replace", newline="") as file:
        lines = [line.rstrip("\r\n") for line in itertools.islice(file, _PEEK)]
    contents = Contents("CSV", lambda names: {})
    start, separator, decimal = _table(lines)
    rows = [_split(line, separator) for line in lines[start:] if line.strip()]
    if len(lines) == _PEEK:
        rows = rows[:-1]
    width = len(rows[0])
    names = [f"column_{k + 1}" for k in range(width)]
    above = [k for k in range(start) if lines[k].strip()]
    units = _units(lines, above, separator, width)
    if units:
        above.pop()
    if above:
        cells = _padded(_split(lines[above[-1]].lstrip("#% "), separator), width)
        # a column without a name is empty (a comma at the end of every line) or numbers the rows (as pandas does)
        filled = [cell for cell in cells if cell]
        if len(cells) == width and len(set(filled)) == len(filled) and filled:
            names = [cell or f"without a name {k + 1}" for k, cell in enumerate(cells)]
            above.pop()
        elif not _PROPERTY.match(lines[above[-1]]):
            raise InputError(f"its line {above[-1] + 1} names {len(cells)} columns, but the rows have {width}")
    named = names[0] != "column_1"
    labview = lines[0].startswith("LabVIEW")
    for k in above:
        if labview and "\t" in lines[k]:  # name and the value of each channel, which are the same
            name, value = lines[k].split("\t")[:2]
            contents.note(name.strip(), value.strip())
        elif match := _PROPERTY.match(lines[k]):
            contents.note(match[1].strip(), match[2].strip())
        elif len(filled := [cell for cell in _split(lines[k].lstrip("#% "), separator) if cell]) == 2:
            contents.note(*filled)  # a name and its value, in two cells
    size = len(rows)  # all columns have the same length, which is known when they are read
    dates: set[str] = set()
    for k, name in enumerate(names):
        column = [row[k] for row in rows if k < len(row)]
        if not any(column):
            contents.left_out[name] = "empty"
        elif name == f"without a name {k + 1}" and _counts(column):
            contents.left_out[name] = "the numbers of the rows"
        elif any(_number(cell, decimal) for cell in column) or all(cell.lower() in _GAPS for cell in column):
            contents.signals[name] = Signal(size, unit=units[k] or None if units else None)
        elif read_name(name).role in ("time", "start") and _can(pd.to_datetime, column[0], format="ISO8601"):
            contents.signals[name] = Signal(size)
            dates.add(name)
        else:
            contents.left_out[name] = f"a column of text ({column[0][:20]!r})"
    if not contents.signals:
        raise InputError("holds no column of numbers")

    def load(wanted: Sequence[str]) -> dict[str, np.ndarray]:
        exact = {name for name in wanted if read_name(name).role in ("time", "tacho", "start") or not named}
        with opened(path, "rt", encoding=encoding, errors="replace", newline="") as file:
            for _ in range(start):
                next(file)
            table = pd.read_csv(
                file,
                sep=r"\s+" if separator == " " else separator,
                decimal=decimal,
                header=None,
                names=names,
                usecols=list(wanted),
                dtype={n: str if n in dates else np.float64 if n in exact else np.float32 for n in wanted},
                na_values=["-"],
                skipinitialspace=True,
            )
        stamps = {name: pd.to_datetime(table.pop(name), format="ISO8601", utc=True) for name in dates & set(wanted)}
        found = {name: column.to_numpy() for name, column in table.items()}
        return found | {n: _seconds(contents, x.to_numpy("datetime64[ns]")) for n, x in stamps.items()}

    contents.load = load
    if not named and len(contents.signals) > 1 and names[0] in contents.signals:
        with suppress(ValueError):  # without a header the first of several columns is time where it is evenly spaced
            uniform_rate(np.array([float(row[0].replace(decimal, ".")) for row in rows]))
            contents.time = names[0]
    return contents


def _counts(column: list[str]) -> bool:
    """Whether cells are whole numbers, each one more than the last."""
    return all(a.isdigit() and b.isdigit() and int(b) == int(a) + 1 for a, b in itertools.pairwise(column))


def _units(lines: list[str], above: list[int], separator: str, width: int) -> list[str] | None:
    """Units of the columns, where the line above the numbers is a row of units below a row of names."""
    if len(above) < 2 or _PROPERTY.match(lines[above[-2]]):
        return None
    cells, names = (_padded(_split(lines[k].lstrip("#% "), separator), width) for k in (above[-1], above[-2]))
    bare = [cell.strip("[]() ") for cell in cells]
    named = len(set(filter(None, names))) > 1 and not any(_number(cell, ".") for cell in names)
    fits = len(cells) == len(names) == width and named and any(bare)
    return bare if fits and all(len(cell) <= 14 and read_name(cell).role in _NO_NAME for cell in bare if cell) else None


def _padded(cells: list[str], width: int) -> list[str]:
    """Cells of a line, with or without the empty cell behind a last comma and LabVIEW's empty comment."""
    if len(cells) == width + 1 and cells[-1].lower() in ("", "comment"):
        return cells[:-1]
    return [*cells, ""] if len(cells) == width - 1 else cells


def _table(lines: list[str]) -> tuple[int, str, str]:
    """First line of the numbers, the separator and the decimal mark."""
    ends = [k for k, line in enumerate(lines[:_MOST_HEADER]) if line.startswith("***End_of_Header***")]  # LabVIEW's
    for k, line in enumerate(lines[:_MOST_HEADER]):
        if ends and k <= ends[-1]:
            continue
        bare = line.strip()
        if not bare or bare[0] in "#%":
            continue
        for separator in (";", "\t", ",", "|", " "):
            near = [_split(other, separator) for other in lines[k : k + _NEAR] if other.strip()]
            comma = separator != "," and any("," in cell and _number(cell, ",") for row in near for cell in row)
            decimal = "," if comma else "."
            single = len(near[0]) == 1 and separator != " "
            alike = all(len(row) == len(near[0]) for row in near[:4])
            # words where the next line has numbers are names, or a name and its value
            words = alike and any(
                cell and not _number(cell, decimal) and cell.lower() not in _GAPS and _number(below, decimal)
                for cell, below in zip(near[0], near[min(2, len(near) - 1)], strict=True)
            )
            if not single and alike and not words and any(_number(cell, decimal) for cell in near[0]):
                return k, separator, decimal
        if _number(bare, "."):
            return k, ",", "."
    raise InputError("holds no table of numbers")


def _split(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]


def _number(cell: str, decimal: str) -> bool:
    return _can(float, cell.replace(decimal, "."))


def _can(parse: Callable[..., Any], cell: str, **options: Any) -> bool:
    with suppress(ValueError):
        parse(cell, **options)
        return True
    return False


def _seconds(contents: Contents, stamps: np.ndarray) -> np.ndarray:
    """Instants in seconds from the first, which becomes the record's start."""
    if contents.start_time is None and not np.isnat(stamps[0]):
        contents.start_time = str(np.datetime_as_string(stamps[0], unit="us"))
    seconds = (stamps - stamps[0]) / np.timedelta64(1, "s")
    return np.asarray(seconds, np.float64)


def read_parquet(path: Path) -> Contents:
    """Columns of a Parquet file, read column by column; metadata of the file and of each column are properties."""
    parquet = need("pyarrow.parquet", "parquet")
    types = need("pyarrow.types", "parquet")

    def load(names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: _column(parquet, path, contents, name) for name in names}

    contents = Contents("Parquet", load)
    with parquet.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    for key, value in (schema.metadata or {}).items():
        if key not in (b"pandas", b"ARROW:schema"):
            contents.note(key.decode("utf-8", "replace"), value)
    for field in schema:
        for key, value in (field.metadata or {}).items():
            if read_name(name := key.decode("utf-8", "replace")).role in ("rate", "interval", "unit"):
                contents.note(f"{field.name}.{name}", value)
        kind = field.type
        if types.is_integer(kind) or types.is_floating(kind) or types.is_timestamp(kind):
            contents.signals[field.name] = Signal(rows)
        else:
            contents.left_out[field.name] = f"a column of {kind}"
    for name, size in contents.header().get("sizes", {}).items():
        if name in contents.signals and isinstance(size, int) and 0 < size <= rows:
            contents.signals[name] = Signal(size)
    return contents


def _column(parquet: Any, path: Path, contents: Contents, name: str) -> np.ndarray:
    column = parquet.read_table(path, columns=[name], memory_map=True).column(name)
    values = column.slice(0, contents.signals[name].size).to_numpy()
    if values.dtype.kind == "M":
        return _seconds(contents, values.astype("datetime64[ns]"))
    return values.astype(np.float32) if values.dtype == np.float16 else values
