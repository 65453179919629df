"""One function per file format, by well-kept libraries. Each gives what the file holds, by name.

NPY files and contiguous HDF5 and MAT 7.3 datasets are memory-mapped; the other formats are read into memory.
"""

from __future__ import annotations

import csv
import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.readers.raw import Raw, add, needed

__all__ = ["FORMATS", "format_of"]


def read_npz(path: Path) -> Raw:
    """NPZ and NPY; nothing is unpickled."""
    raw = Raw()
    if path.suffix.lower() == ".npy":
        add(raw, "x", np.load(path, mmap_mode="r", allow_pickle=False))
        return raw
    with np.load(path, allow_pickle=False) as data:
        for name in data.files:
            add(raw, name, data[name])
    return raw


def read_mat(path: Path) -> Raw:
    """MAT 4 to 7.2 by SciPy, 7.3 as the HDF5 file that it is; structs are flattened, names joined by dots."""
    with path.open("rb") as file:
        head = file.read(128)
    if head[:20].startswith(b"MATLAB 7.3") or head[:8] == b"\x89HDF\r\n\x1a\n":
        return read_hdf5(path)
    from scipy.io import loadmat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about MATLAB objects, which are left out
        content = loadmat(path, simplify_cells=True)
    raw = Raw()

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else key, inner)
        elif isinstance(value, list):
            for k, inner in enumerate(value):
                walk(f"{name}.{k}", inner)
        else:
            add(raw, name, value)

    walk("", {key: value for key, value in content.items() if not key.startswith("__")})
    return raw


def read_hdf5(path: Path) -> Raw:
    """HDF5 and MAT 7.3: datasets by their paths, attributes as scalars; contiguous datasets are memory-mapped."""
    h5py = needed("h5py", "hdf5", f"{path}: HDF5 (and MATLAB 7.3)")
    raw = Raw()

    def attributes(name: str, thing: Any) -> None:
        for key, value in thing.attrs.items():
            if not str(key).startswith("MATLAB"):
                if isinstance(value, bytes):
                    value = value.decode(errors="replace")
                add(raw, f"{name}.{key}" if name else str(key), value)

    def visit(name: str, thing: Any) -> None:
        attributes(name.replace("/", "."), thing)
        if not isinstance(thing, h5py.Dataset) or name.startswith("#refs#"):
            return
        label = name.replace("/", ".")
        text = thing.attrs.get("MATLAB_class") in (b"char", "char")
        if text and thing.dtype.kind == "u":
            raw.scalars[label] = "".join(map(chr, np.asarray(thing).reshape(-1)))
        elif thing.dtype.kind in "fiu":
            offset = thing.id.get_offset()
            plain = thing.chunks is None and offset is not None and thing.dtype.isnative
            if plain and thing.size > 1:
                add(raw, label, np.memmap(path, thing.dtype, "r", offset, thing.shape))
            else:
                add(raw, label, thing[()])
        elif thing.size == 1 and thing.dtype.kind in "OS":
            value = thing[()]
            value = value.reshape(-1)[0] if isinstance(value, np.ndarray) else value
            raw.scalars[label] = value.decode(errors="replace") if isinstance(value, bytes) else str(value)

    with h5py.File(path, "r") as file:
        attributes("", file)
        file.visititems(visit)
    return raw


def read_csv(path: Path) -> Raw:
    """CSV, plain or gzipped: any of , ; tab or spaces between the columns, a header or none."""
    import pandas as pd

    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        lines = [line for line, _ in zip(file, range(5), strict=False)]
    if not lines or not lines[0].strip():
        raise InputError("the file is empty")
    try:
        separator = csv.Sniffer().sniff("".join(lines), delimiters=",;\t ").delimiter
    except csv.Error:
        separator = ","
    first = [cell.strip().strip('"') for cell in lines[0].strip().split(separator)]
    header = None if all(_is_number(cell, separator) for cell in first) else 0
    frame = pd.read_csv(
        path,
        sep=separator,
        header=header,
        decimal="," if separator == ";" and any("," in line for line in lines[1:]) else ".",
        skipinitialspace=True,
        encoding="utf-8-sig",
    )
    raw = Raw()
    for k, name in enumerate(frame.columns):
        label = f"column{k}" if header is None else str(name).strip()
        column = frame[name]
        if column.dtype.kind not in "fiu":
            continue  # text: names, dates, remarks
        known = column.notna().to_numpy()
        length = int(np.flatnonzero(known)[-1]) + 1 if known.any() else 0
        values = column.to_numpy()[:length]  # columns of different length are filled up with blanks
        if length == 1 or (length and np.ptp(values) == 0 and label.lower() in RATE_NAMES):
            raw.scalars[label] = values[0].item()
        elif length:
            raw.arrays[label] = values
    if not raw.arrays:
        raise InputError(f"no column holds numbers; the columns are {', '.join(map(str, frame.columns))}")
    return raw


RATE_NAMES = {"fs", "sample_rate", "sampling_rate", "samplerate", "sr", "sampling_frequency", "fsamp"}


def _is_number(cell: str, separator: str) -> bool:
    try:
        float(cell.replace(",", ".") if separator == ";" else cell)
    except ValueError:
        return False
    return True


def read_parquet(path: Path) -> Raw:
    """Parquet: columns of numbers, the schema's own metadata as scalars."""
    parquet = needed("pyarrow.parquet", "parquet", f"{path}: Parquet")
    content = parquet.read_table(path)
    raw = Raw()
    for name in content.column_names:
        column = content.column(name)
        values = column.drop_null().to_numpy() if column.null_count else column.to_numpy()
        add(raw, name, values)
    for key, value in (content.schema.metadata or {}).items():
        if not key.startswith(b"pandas") and not key.startswith(b"ARROW"):
            text = value.decode(errors="replace")
            raw.scalars[key.decode(errors="replace")] = float(text) if _is_number(text, ",") else text
    return raw


def read_tdms(path: Path) -> Raw:
    """TDMS: channels by name (group.name where names repeat), rate from wf_increment."""
    nptdms = needed("nptdms", "tdms", f"{path}: TDMS")
    raw = Raw()
    with nptdms.TdmsFile.open(path) as file:
        for key, value in file.properties.items():
            add(raw, str(key), value if isinstance(value, int | float | str) else str(value))
        channels = [channel for group in file.groups() for channel in group.channels()]
        names = [channel.name for channel in channels]
        for channel in channels:
            name = channel.name if names.count(channel.name) == 1 else f"{channel.group_name}.{channel.name}"
            if len(channel):
                add(raw, name, channel[:])
            step = channel.properties.get("wf_increment")
            if step:
                raw.rates[name] = 1.0 / float(step)
            if channel.properties.get("unit_string"):
                raw.units[name] = str(channel.properties["unit_string"])
            start = channel.properties.get("wf_start_time")
            if start is not None and raw.start_time is None:
                raw.start_time = str(np.datetime64(start, "us"))
    return raw


def read_uff(path: Path) -> Raw:
    """UFF (universal file format), data sets 58 of even abscissa."""
    pyuff = needed("pyuff", "uff", f"{path}: UFF")
    file = pyuff.UFF(str(path))
    raw = Raw()
    for k, kind in enumerate(file.get_set_types()):
        if int(kind) != 58:
            continue
        data = file.read_sets(k)
        name = str(data.get("id1") or "").strip()
        name = name if name and name.upper() != "NONE" else f"set{k}"
        name = name if name not in raw.arrays else f"{name}_{k}"
        values = np.asarray(data["data"])
        if values.dtype.kind not in "fiu":
            continue
        add(raw, name, values)
        step = float(data.get("abscissa_inc") or 0.0)
        if step > 0:
            raw.rates[name] = 1.0 / step
        unit = str(data.get("ordinate_axis_units_lab") or "").strip()
        if unit and unit.upper() != "NONE":
            raw.units[name] = unit
    return raw


def read_mf4(path: Path) -> Raw:
    """MDF 4 (.mf4): channels of numbers, rate from their time stamps."""
    asammdf = needed("asammdf", "mf4", f"{path}: MF4")
    raw = Raw()
    with asammdf.MDF(path) as file:
        raw.start_time = file.header.start_time.isoformat()
        for signal in file.iter_channels():
            if signal.samples.dtype.kind not in "fiu" or signal.samples.ndim != 1 or not len(signal.samples):
                continue
            name = signal.name if signal.name not in raw.arrays else f"{signal.name}_{len(raw.arrays)}"
            add(raw, name, np.asarray(signal.samples))
            if len(signal.timestamps) > 1:
                raw.rates[name] = even_rate(np.asarray(signal.timestamps), f"time stamps of {name!r}")
            if signal.unit:
                raw.units[name] = str(signal.unit)
    return raw


def read_audio(path: Path) -> Raw:
    """WAV and FLAC: channels as shares of full scale (+-1), which no file says how to turn into g."""
    soundfile = needed("soundfile", "audio", f"{path}: WAV and FLAC")
    values, rate = soundfile.read(path, dtype="float32", always_2d=True)
    raw = Raw()
    for k in range(values.shape[1]):
        name = "signal" if values.shape[1] == 1 else f"channel{k}"
        raw.arrays[name] = np.ascontiguousarray(values[:, k])
        raw.rates[name] = float(rate)
        raw.units[name] = "full scale"
    return raw


def even_rate(times: np.ndarray, what: str) -> float:
    """Sampling rate of evenly spaced instants.

    Raises:
        InputError: they are not even.
    """
    steps = np.diff(np.asarray(times, dtype=np.float64))
    usual = float(np.median(steps))
    if not usual > 0 or not np.isfinite(steps).all() or float(np.abs(steps - usual).max()) > 0.01 * usual:
        raise InputError(
            f"{what} are not evenly spaced: steps go from {steps.min():g} to {steps.max():g} s (median {usual:g}); "
            "resample the recording first"
        )
    return float((len(times) - 1) / (float(times[-1]) - float(times[0])))


FORMATS: dict[str, Callable[[Path], Raw]] = {
    ".npz": read_npz,
    ".npy": read_npz,
    ".mat": read_mat,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".hdf": read_hdf5,
    ".csv": read_csv,
    ".txt": read_csv,
    ".csv.gz": read_csv,
    ".parquet": read_parquet,
    ".tdms": read_tdms,
    ".uff": read_uff,
    ".unv": read_uff,
    ".mf4": read_mf4,
    ".wav": read_audio,
    ".flac": read_audio,
}


def format_of(path: Path) -> str | None:
    """The suffix of a format that is known, or None."""
    name = path.name.lower()
    return next((suffix for suffix in sorted(FORMATS, key=len, reverse=True) if name.endswith(suffix)), None)
