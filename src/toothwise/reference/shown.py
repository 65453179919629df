"""Numbers that are shown beside a judgement and never judged: indicators of teeth, speed, load, health of the sensor.

Of a record only numbers are kept, a few per tooth; of waveforms only what healthy ones are like at each tooth.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from toothwise.healthmap.core import HealthMapBatch
from toothwise.vibration.indicators import fm4, kurtosis, rms

# columns of a map's table, as MapBuilder fills them; the share of samples and of pulses is of 1
CONDITIONS_SHOWN = ("shaft_speed", "speed", "load", "temperature", "signal_rms", "clipped", "gaps", "pulses_repaired")
_OF_GEAR = ("rms", "kurtosis", "fm4")  # columns that tell an indicator of the whole gear (tooth-by-record maps)


def numbers_shown(maps: HealthMapBatch, *, by_record: bool = False) -> dict[str, np.ndarray]:
    """By name, what is shown of each map, float32 ``[n, k]``, NaN where it is not known.

    Args:
        maps: Maps of one kind.
        by_record: Their columns are records, so only rows are teeth.

    Returns:
        Of maps with waveforms ``tooth_rms`` and ``tooth_kurtosis`` ``[n, rows + columns]`` of each tooth's waveform
        over its mates, and ``gear_fm4`` ``[n, 2]`` of all of them one after the other, which is the average over a
        revolution of the gear. Of maps of tooth pairs without waveforms ``tooth_value`` ``[n, rows + columns]``, the
        root mean square of a tooth's values. ``gear_rms``, ``gear_kurtosis`` and ``gear_fm4`` ``[n, 1]`` where the
        table tells them, and each of ``CONDITIONS_SHOWN`` ``[n, 1]`` that it tells.

    Examples:
        >>> import numpy as np
        >>> from toothwise.healthmap import Axis, HealthMapBatch
        >>> axes = Axis.teeth("driving tooth", 9), Axis.teeth("driven tooth", 14)
        >>> waves = np.random.default_rng(0).normal(size=(5, 9, 14, 16))
        >>> shown = numbers_shown(HealthMapBatch(np.ones((5, 9, 14)), *axes, waveforms=waves))
        >>> {name: values.shape for name, values in shown.items()}
        {'tooth_rms': (5, 23), 'tooth_kurtosis': (5, 23), 'gear_fm4': (5, 2)}
    """
    found: dict[str, np.ndarray] = {}
    for name in (*CONDITIONS_SHOWN, *_OF_GEAR):
        if name in maps.table:
            numbers = pd.to_numeric(maps.table[name], errors="coerce").to_numpy(dtype=np.float32)
            found[f"gear_{name}" if name in _OF_GEAR else name] = numbers[:, None]
    if maps.waveforms is not None and not by_record:
        both = [_waveform_numbers(waves) for waves in maps.waveforms]
        for k, name in enumerate(("tooth_rms", "tooth_kurtosis", "gear_fm4")):
            found[name] = np.stack([numbers[k] for numbers in both]).astype(np.float32)
    elif not by_record:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a tooth that no pair meets stays NaN
            square = np.square(maps.values, dtype=np.float64)
            lines = [np.sqrt(np.nanmean(square, axis=axis)) for axis in (2, 1)]
        found["tooth_value"] = np.concatenate(lines, axis=1).astype(np.float32)
    return found


def _waveform_numbers(waveforms: np.ndarray) -> list[np.ndarray]:
    """RMS and kurtosis of every tooth, and FM4 of both gears, of one map's waveforms ``[rows, columns, samples]``."""
    lines = [line_waveforms(waveforms, axis) for axis in (1, 2)]
    of_gear = [_where_heard(fm4, one[np.isfinite(one).all(axis=1)].reshape(1, -1)) for one in lines]
    every = np.concatenate(lines)
    return [_where_heard(rms, every), _where_heard(kurtosis, every), np.concatenate(of_gear)]


def _where_heard(indicator: Callable[[np.ndarray], np.ndarray], waveforms: np.ndarray) -> np.ndarray:
    """The indicator of each waveform ``[n, samples]``, NaN of one that is constant or was not measured."""
    found = np.full(len(waveforms), np.nan)
    heard = np.ptp(waveforms, axis=1) > 0 if waveforms.shape[1] else np.zeros(len(waveforms), dtype=bool)
    if heard.any():
        found[heard] = indicator(waveforms[heard])
    return found


def line_waveforms(waveforms: np.ndarray, axis: int) -> np.ndarray:
    """The waveform of every tooth of a gear, averaged over its mates, float64 ``[teeth, samples]``.

    Args:
        waveforms: Of one map, ``[rows, columns, samples]``.
        axis: 1 = rows, 2 = columns.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a tooth that is never heard stays NaN
        return np.asarray(np.nanmean(waveforms, axis=2 - axis, dtype=np.float64))


def healthy_waveforms(waveforms: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and standard deviation over healthy maps of every tooth's waveform, float32 ``[rows + columns, samples]``.

    Args:
        waveforms: Of the healthy maps, ``[n, rows, columns, samples]``.
    """
    count = len(waveforms)
    total = np.zeros((sum(waveforms.shape[1:3]), waveforms.shape[3]))
    square = total.copy()
    for one in waveforms:  # one after the other: all of them at once may not fit into memory twice
        lines = np.concatenate([line_waveforms(one, axis) for axis in (1, 2)])
        total += lines
        square += lines**2
    mean = total / count
    spread = np.sqrt(np.maximum(square / count - mean**2, 0.0) * count / max(count - 1, 1))
    return {"waveform_mean": mean.astype(np.float32), "waveform_sd": spread.astype(np.float32)}
