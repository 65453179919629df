"""Stretches of a recording in which nothing is heard: a cable that broke, a channel that was off."""

from __future__ import annotations

import warnings

import numpy as np

from toothwise.errors import InputError, SignalWarning

_SILENT = 1.0 / 30.0  # of the level elsewhere: a run-up of 1 to 5 changes it by less
_LOUD = 0.95  # of the revolutions lie below the record's level
_MOST = 0.1  # of a period that may be silent: so little is filled from the others (``without_bursts``)


def without_silence(
    values: np.ndarray, rest: np.ndarray, samples: int, per_turn: int, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """The hunting periods, and the begun one, of which no more than a tenth is silent.

    Args:
        values: ``[periods, events * samples]``.
        rest: ``[n]``, the begun period behind them.
        samples: Per mesh event.
        per_turn: Mesh events per revolution of the reference shaft, in which every planet passes the sensor.
        times: Seconds at which the mesh events begin, ``[periods * events + n // samples]``.

    Returns:
        Both without silence, and how many periods were left out, with a warning where something was.

    Raises:
        InputError: No period is left.
    """
    silent, last = silent_meshes(values, rest, samples, per_turn)
    sound = silent.mean(axis=1) <= _MOST
    ends = bool(len(last)) and last.mean() > _MOST
    if sound.all() and not ends:
        return values, rest, 0
    edges = np.flatnonzero(np.diff(np.concatenate([silent.ravel(), last]), prepend=False, append=False)).reshape(-1, 2)
    first, stop = edges[np.diff(edges).argmax()]
    lost = int((~sound).sum())
    more = " and elsewhere" if len(edges) > 1 else ""
    text = f"the recording is silent from {times[first]:.3g} to {times[min(stop, len(times) - 1)]:.3g} s{more}"
    if lost == len(sound):
        raise InputError(f"{text}: none of its {lost} whole hunting periods is heard throughout")
    part = f"{lost} of {len(sound)} hunting periods are" if lost else "this begun hunting period is"
    warnings.warn(f"{text}: {part} left out", SignalWarning, stacklevel=3)
    return values[sound], rest[:0] if ends else rest, lost


def silent_meshes(values: np.ndarray, rest: np.ndarray, samples: int, per_turn: int) -> tuple[np.ndarray, np.ndarray]:
    """Which mesh events are 30 dB below the same mesh where it is loudest, or of a revolution so far below the others.

    Args:
        values: ``[periods, events * samples]``.
        rest: ``[n]``, whole revolutions of the begun period behind them.
        samples: Per mesh event.
        per_turn: Mesh events per revolution of the reference shaft.

    Returns:
        bool ``[periods, events]``, and of the begun period.

    Examples:
        >>> x = np.tile([1.0, -1.0], (3, 4))
        >>> x[1] = 0.0
        >>> silent_meshes(x, x[0, :4], 2, 2)[0].all(axis=1).tolist()
        [False, True, False]
    """
    n, events = len(values), values.shape[1] // samples
    levels = np.append(_levels(values, samples), _levels(rest, samples))
    same = levels[: n * events].reshape(n, events).max(axis=0)
    begun = levels[n * events :]
    same[: len(begun)] = np.maximum(same[: len(begun)], begun)
    turns = np.sqrt((levels.reshape(-1, per_turn) ** 2).mean(axis=1))
    silent = levels < _SILENT * np.resize(same, levels.shape)
    silent |= np.repeat(turns < _SILENT * np.quantile(turns, _LOUD), per_turn)
    return silent[: n * events].reshape(n, events), silent[n * events :]


def _levels(x: np.ndarray, samples: int) -> np.ndarray:
    """Standard deviation in each mesh event."""
    meshes = x.reshape(-1, samples)
    mean = meshes.mean(axis=1, dtype=np.float64)
    power = np.einsum("ij,ij->i", meshes, meshes, dtype=np.float64) / samples
    return np.asarray(np.sqrt(np.maximum(power - mean**2, 0.0)))
