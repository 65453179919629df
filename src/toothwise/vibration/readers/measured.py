"""Files of measuring systems, which say their own sampling rate: TDMS, UFF 58 and MF4."""

from __future__ import annotations

import datetime
import gc
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.reading import DEFLATE
from toothwise.vibration.readers.contents import Contents, Signal, need
from toothwise.vibration.readers.time_column import uniform_rate

_TIME_RESPONSE = (0, 1)  # function types of UFF 58: general or unknown, time response
_SINGLE, _DOUBLE = 2, 4  # ordinate types of UFF 58
_ACCELERATION = 12


def read_tdms(path: Path) -> Contents:
    """Channels of a TDMS file (npTDMS), read channel by channel; the rate of each is 1 / ``wf_increment``.

    Channels begin at their ``wf_start_time`` and ``wf_start_offset``, which need not be the same.
    """
    nptdms = need("nptdms", "tdms")
    logging.getLogger("nptdms").setLevel(logging.CRITICAL)  # it logs what it raises as well
    places: dict[str, tuple[str, str]] = {}
    begins: dict[str, tuple[Any, float]] = {}

    def load(names: Sequence[str]) -> dict[str, np.ndarray]:
        with nptdms.TdmsFile.open(path) as file:
            return {name: np.asarray(file[places[name][0]][places[name][1]][:]) for name in names}

    contents = Contents("TDMS", load)
    with nptdms.TdmsFile.open(path) as file:
        channels = [channel for group in file.groups() for channel in group.channels()]
        for name, value in file.properties.items():
            contents.note(name, value)
        for group in file.groups():
            for name, value in group.properties.items():
                contents.note(f"{group.name}.{name}", value)
        names = _unique([(channel.group_name, channel.name) for channel in channels])
        for channel, name in zip(channels, names, strict=True):
            said = channel.properties
            if channel.dtype is None or np.dtype(channel.dtype).kind not in "iuf":
                contents.left_out[name] = "not real numbers"
            elif len(channel) == 1:
                contents.note(name, channel[:][0])
            elif len(channel):
                step = said.get("wf_increment", 0.0)
                unit = next((str(said[key]) for key in ("unit_string", "NI_UnitDescription") if said.get(key)), None)
                begins[name] = said.get("wf_start_time"), float(said.get("wf_start_offset", 0.0))
                contents.signals[name] = Signal(len(channel), 1 / step if step > 0 else None, unit)
                places[name] = channel.group_name, channel.name
    first: Any = min((begin for begin, _ in begins.values() if isinstance(begin, np.datetime64)), default=None)
    contents.start_time = _iso(first)
    for name, (begin, offset) in begins.items():
        later = float((begin - first) / np.timedelta64(1, "ns")) * 1e-9 if isinstance(begin, np.datetime64) else 0.0
        contents.signals[name] = replace(contents.signals[name], start=later + offset)
    return contents


def read_uff(path: Path) -> Contents:
    """Functions of type 58 and 58b that are time responses over an even abscissa (pyuff), read whole.

    The text form writes the abscissa's step with 6 digits: where that step is the rounding of 1 / a whole number of
    Hz, the whole number is taken.

    Raises:
        InputError: no such function in the file.
    """
    pyuff = need("pyuff", "uff")
    with path.open("rb") as file:
        if b"    -1" not in file.read(4096):
            raise InputError("not a UFF file (no line with -1)")
    found = pyuff.UFF(str(path)).read_sets()
    sets = [one for one in (found if isinstance(found, list) else [found]) if one.get("type") == 58]
    if not sets:
        raise InputError("holds no function of type 58")
    arrays: dict[str, np.ndarray] = {}
    contents = Contents("UFF 58", lambda names: {name: arrays[name] for name in names})
    places = [f"node {one.get('rsp_node')} direction {one.get('rsp_dir')}" for one in sets]
    names = _unique([(place, _word(one, "id1") or "vibration") for place, one in zip(places, sets, strict=True)])
    for one, name in zip(sets, names, strict=True):
        if one.get("func_type") not in _TIME_RESPONSE:
            contents.left_out[name] = f"function type {one.get('func_type')}, not a time response"
        elif one.get("ord_data_type") not in (_SINGLE, _DOUBLE):
            contents.left_out[name] = "complex"
        else:
            values = np.asarray(one["data"])
            arrays[name] = values.astype(np.float32) if one["ord_data_type"] == _SINGLE else values
            step = float(one.get("abscissa_inc") or 0.0) if one.get("abscissa_spacing") == 1 else 0.0
            contents.signals[name] = Signal(
                values.size,
                _rate(step) if step > 0 else None,
                _word(one, "ordinate_axis_units_lab"),
                is_vibration=one.get("ordinate_spec_data_type") == _ACCELERATION,
                start=float(one.get("abscissa_min") or 0.0),
            )
    return contents


def read_mf4(path: Path) -> Contents:
    """Channels of a measurement data file (asammdf), read channel by channel; the rate comes from the time stamps.

    A group whose time stamps are not uniform gives signals without a rate, and the provenance says so.

    Raises:
        InputError: not such a file.
    """
    asammdf = need("asammdf", "mf4")
    with path.open("rb") as file:
        if not file.read(8).startswith((b"MDF ", b"UnFinMF")):  # asammdf complains of such a file on its way out, too
            raise InputError("not a measurement data file (it does not begin with MDF)")
    logging.getLogger("asammdf").setLevel(logging.CRITICAL)  # it logs what it raises as well
    places: dict[str, tuple[int, int]] = {}

    def load(names: Sequence[str]) -> dict[str, np.ndarray]:
        with _opened(asammdf, path) as file:
            found = {name: file.get(group=places[name][0], index=places[name][1]) for name in names}
        return {name: np.asarray(signal.samples) for name, signal in found.items()}

    contents = Contents("MF4", load)
    with _opened(asammdf, path) as file:
        contents.start_time = _iso(file.header.start_time)
        found = [
            (g, i, channel)
            for g, group in enumerate(file.groups)
            for i, channel in enumerate(group.channels)
            if i != file.masters_db.get(g)
        ]
        names = _unique([(f"group {g}", channel.name) for g, _, channel in found])
        rates = {g: _group_rate(file, g, contents) for g in {g for g, _, _ in found}}
        starts = {g: float(first[0]) if len(first := file.get_master(g, record_count=1)) else 0.0 for g in rates}
        for (g, i, channel), name in zip(found, names, strict=True):
            size = int(file.groups[g].channel_group.cycles_nr)
            sample = np.asarray(file.get(group=g, index=i, record_offset=0, record_count=1).samples)
            if sample.dtype.kind not in "iuf" or sample.ndim != 1 or size == 0:
                contents.left_out[name] = "not real numbers" if size else "empty"
            elif size == 1:
                contents.note(name, sample[0])
            else:
                places[name] = g, i
                contents.signals[name] = Signal(size, rates[g], channel.unit or None, start=starts[g])
    return contents


@contextmanager
def _opened(asammdf: Any, path: Path) -> Iterator[Any]:
    """The file, once no group claims more than it can hold; what asammdf writes meanwhile is removed."""
    most = DEFLATE * path.stat().st_size
    with tempfile.TemporaryDirectory(prefix="toothwise-") as folder:
        try:
            opened = asammdf.MDF(path, temporary_folder=folder)
        except Exception as error:
            opened = InputError(f"cannot be read ({error})")
        if isinstance(opened, InputError):
            gc.collect()  # what failed holds a temporary file in a cycle: it must be closed before the folder goes
            raise opened
        with opened as file:
            for g, group in enumerate(file.groups):
                about = group.channel_group
                claimed = about.cycles_nr * (about.samples_byte_nr + about.invalidation_bytes_nr)
                if claimed > most:
                    raise InputError(f"damaged: group {g} claims {claimed} bytes, more than the file can hold")
            yield file


def _group_rate(file: Any, group: int, contents: Contents) -> float | None:
    try:
        return uniform_rate(np.asarray(file.get_master(group), np.float64))
    except InputError as error:
        contents.facts[f"group {group}"] = str(error)
        return None


def _word(function: dict[str, Any], key: str) -> str | None:
    """A text of UFF 58, which writes NONE where there is none."""
    text = str(function.get(key, "")).strip()
    return None if text in ("", "NONE") else text


def _rate(step: float) -> float:
    whole = round(1 / step)
    return float(whole) if whole and f"{1 / whole:.5e}" == f"{step:.5e}" else 1 / step


def _iso(value: Any) -> str | None:
    """ISO 8601 of a date in any of the forms that the libraries give."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    return value.isoformat() if isinstance(value, datetime.datetime) else None


def _unique(names: list[tuple[str, str]]) -> list[str]:
    """The short name where it is the only one of its kind, else "group/name", else with a number."""
    short = Counter(name for _, name in names)
    whole = [name if short[name] == 1 else f"{group}/{name}" for group, name in names]
    again = Counter(whole)
    seen: Counter[str] = Counter()
    for k, name in enumerate(whole):
        if again[name] > 1:
            seen[name] += 1
            whole[k] = f"{name}_{seen[name]}"
    return whole
