"""What is wrong inside the samples of a record: gaps, clipping, a dead channel, a flat tachometer.

All of it goes through a channel in pieces, so that a memory-mapped record of any length takes little memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from toothwise.vibration.records import Tachometer, VibrationRecord

_CHUNK = 1 << 20
_RUN = 3  # equal samples in a row at an extreme value that count as clipped
_BAND = 0.01  # of the range: samples this near below an extreme show how many should lie on it
_CROWDED = 3.0  # clipped: so many times more samples on the extreme than in the band beside it
_TACHO = "tacho"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: gaps, infinite, clipped, constant, flat_tacho, tacho_order.
        channel: name of the channel; "tacho" for the tachometer.
        message: a sentence for people.
        values: the numbers behind it, by name.
    """

    kind: str
    channel: str
    message: str
    values: dict[str, float] = field(default_factory=dict)


def check_record(record: VibrationRecord) -> list[Finding]:
    """Look at all samples of a record and say what is wrong with them.

    - ``gaps``: samples that are NaN; ``samples``, ``gaps`` (runs of them) and ``longest`` (samples).
    - ``infinite``: samples that are infinite; ``samples``.
    - ``constant``: all finite samples are equal; ``value``.
    - ``clipped``: ``share`` of the samples in runs of 3 and more at the largest or smallest value (``high``, ``low``),
      where those runs hold over 3 times as many samples as the next hundredth of the range (at least one step of
      whole numbers) beside that value. So the rounded top of a coarsely sampled sine is not taken for clipping.
    - ``flat_tacho``: a waveform that rises through the middle of its range less than twice, an angle that stands still,
      a single pulse time; ``pulses`` or ``revolutions``.
    - ``tacho_order``: pulse times that do not increase; ``index`` of the first such.

    Returns:
        What was found, channels in their order, the tachometer last; empty for a sound record.
    """
    found = [one for name, values in record.channels.items() for one in _check_channel(name, values)]
    return found if record.tacho is None else [*found, *_check_tacho(record.tacho)]


def sensor_health(record: VibrationRecord, channel: str | None, found: Sequence[Finding]) -> dict[str, float]:
    """What a channel's samples say of its sensor, as numbers that can be followed from record to record.

    Args:
        record: The record.
        channel: Name of the channel; None = the first one.
        found: What ``check_record`` found in it.

    Returns:
        ``signal_rms``, the level of the finite samples in the record's unit; ``clipped`` and ``gaps``, shares of the
        samples.

    Examples:
        >>> import numpy as np
        >>> record = VibrationRecord({"acc": np.array([3.0, -3.0, np.nan, 3.0])}, 1000.0)
        >>> sensor_health(record, None, check_record(record))
        {'signal_rms': 3.0, 'clipped': 0.0, 'gaps': 0.25}
    """
    name, values = channel or next(iter(record.channels)), record.channel(channel)
    energy, count = 0.0, 0
    for piece in _pieces(values):
        finite = piece[np.isfinite(piece)].astype(np.float64)
        energy, count = energy + float(finite @ finite), count + len(finite)
    own = {one.kind: one.values for one in found if one.channel == name}
    return {
        "signal_rms": float(f"{(energy / max(count, 1)) ** 0.5:.5g}"),
        "clipped": round(own.get("clipped", {}).get("share", 0.0), 6),
        "gaps": round(own.get("gaps", {}).get("samples", 0.0) / len(values), 6),
    }


def _pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    return (np.asarray(values[begin : begin + _CHUNK]) for begin in range(0, len(values), _CHUNK))


def _runs(masks: Iterable[np.ndarray]) -> np.ndarray:
    """Lengths of the runs of True in a long mask that comes in pieces; a run may go on from piece to piece."""
    edges, size, inside = [], 0, False
    for mask in masks:
        edges.append(np.flatnonzero(np.diff(mask, prepend=inside)) + size)
        size, inside = size + len(mask), bool(mask[-1])
    ends = np.concatenate([*edges, np.full(int(inside), size)])
    return ends[1::2] - ends[::2]


def _check_channel(name: str, values: np.ndarray) -> Iterator[Finding]:
    found, low, high = _gaps(name, values)
    yield from found
    if low == high:
        yield Finding("constant", name, f"{name} is constant at {low:g}", {"value": low})
    elif low < high:
        yield from _clipping(name, values, low, high)


def _gaps(name: str, values: np.ndarray) -> tuple[list[Finding], float, float]:
    """Gaps and infinite samples, and the smallest and largest finite value."""
    gaps = _runs(np.isnan(piece) for piece in _pieces(values))
    samples, longest = int(gaps.sum()), int(gaps.max(initial=0))
    infinite, low, high = len(values) - samples, np.inf, -np.inf
    for piece in _pieces(values):
        known = piece[np.isfinite(piece)]
        infinite -= len(known)
        if len(known):
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    found = []
    if samples:
        text = f"{name} lacks {samples} of {len(values)} samples (NaN) in {len(gaps)} gaps, the longest {longest}"
        found.append(Finding("gaps", name, text, {"samples": samples, "gaps": len(gaps), "longest": longest}))
    if infinite:
        found.append(Finding("infinite", name, f"{name} has {infinite} infinite samples", {"samples": infinite}))
    return found, low, high


def _clipping(name: str, values: np.ndarray, low: float, high: float) -> Iterator[Finding]:
    band = _BAND * (high - low)
    if values.dtype.kind != "f":
        band = max(band, 1.0)
    top = sum(np.count_nonzero(piece >= high - band) for piece in _pieces(values))
    bottom = sum(np.count_nonzero(piece <= low + band) for piece in _pieces(values))
    ends, clipped = [], 0
    for value, near in ((high, top), (low, bottom)):
        lengths = _runs(piece == value for piece in _pieces(values))
        runs = lengths[lengths >= _RUN]
        if runs.sum() > _CROWDED * (near - lengths.sum()) and len(runs) > 1:
            clipped += int(runs.sum())
            ends.append(f"{value:g}")
    if ends:
        share = clipped / len(values)
        text = f"{name} looks clipped at {' and '.join(ends)}: {100 * share:.3g} % of its samples"
        yield Finding("clipped", name, text, {"share": share, "low": low, "high": high})


def _check_tacho(tacho: Tachometer) -> Iterator[Finding]:
    found, low, high = _gaps(_TACHO, tacho.values)
    yield from found
    if tacho.kind == "times":
        yield from _check_times(tacho.values)
    if tacho.kind == "angle" and not high > low:
        yield Finding("flat_tacho", _TACHO, "the encoder's angle does not change", {"revolutions": 0.0})
    if tacho.kind != "waveform":
        return
    above = tacho.values > low + (high - low) / 2 if high > low else np.zeros(1, dtype=bool)
    pulses = int((above[1:] & ~above[:-1]).sum())
    if pulses < 2:
        text = f"the tachometer is flat: {pulses} pulses in {len(tacho.values)} samples between {low:g} and {high:g}"
        yield Finding("flat_tacho", _TACHO, text, {"pulses": pulses})


def _check_times(times: np.ndarray) -> Iterator[Finding]:
    if len(times) < 2:
        yield Finding("flat_tacho", _TACHO, "the tachometer gave a single pulse", {"pulses": len(times)})
    back = np.flatnonzero(~(np.diff(times) > 0))
    if len(back):
        index = int(back[0]) + 1
        text = f"the pulse times do not increase: {times[index]:g} s follows {times[index - 1]:g} s"
        yield Finding("tacho_order", _TACHO, text, {"index": index})
