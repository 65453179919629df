"""What a recording holds beyond its healthy waveform, and how far its gears swing.

A louder record is no damage, and neither is a pulse edge that comes a little earlier, nor are both where they swing
once or twice per revolution of a gear, as eccentricity and misalignment make them do: that lifts the errors that half
of the sound teeth have anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from toothwise.healthmap.conditions import TRIMMED, less_by_order

if TYPE_CHECKING:
    from toothwise.healthmap.waveform import HealthyWaveform

_REFITS = 4
_HEARD = 0.01  # least share of a signal's energy that its average mesh holds, for the mesh to be heard
_TEETH = 16  # of a gear from which on a second cycle is told from a damaged tooth
_STILL = 0.05  # part of its height by which the waveform of a sound record seems to swing, and nothing is taken off


def residual_of(
    waveform: HealthyWaveform,
    signal: np.ndarray,
    teeth: tuple[int, int],
    *,
    regular: np.ndarray | float = 0.0,
    wanted: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[np.ndarray, tuple[float, float]]:
    """A signal less the healthy waveform at its best gain, small turn and swings of both, and gains of its bands.

    Turns are taken off by the derivative, all by least squares without the loudest lines of the gears; of small swings,
    which may be noise or a tooth, less or nothing. What is left has a gain and phase of its own in each band.

    Args:
        waveform: The healthy one.
        signal: Turned onto it, ``[n]``.
        teeth: Of the gear of the rows and of that of the columns.
        regular: The mesh and what else was taken off the signal before, turned ``[n]``: what swings of it lies beside
            its lines. The record's own, because no healthy waveform holds it.
        wanted: Takes the regular part off a signal.

    Returns:
        the rest ``[n]``; and of each gear how much of the waveform's height comes and goes with its revolution.

    Raises:
        InputError: A signal of another length than the waveform.
    """
    waveform.check(signal)
    whole = waveform.values + regular
    turns = 2j * np.pi * np.arange(len(signal)) / waveform.samples_per_tooth
    turning = [np.exp(k * turns / n) for n in teeth for k in (1, 2)]
    waves = [part for wave in turning for part in (wave.real, wave.imag)]
    swings = [wanted(one * wave) for one in (whole, _slope(whole)) for wave in waves]
    known = np.stack([waveform.values, _slope(waveform.values), *swings], axis=1)
    size = np.maximum(np.linalg.norm(known, axis=0), 1e-300)
    height, sound = _trimmed_fit(known / size, signal, teeth, waveform.samples_per_tooth)
    own = (height / size)[2 : 2 + len(waves)] / max(abs(height[0] / size[0]), 1e-300)
    first, second = np.linalg.norm(own.reshape(2, -1), axis=1)
    taken = [max(0.0, 1.0 - (_STILL / max(one, 1e-300)) ** 2) for one in (first, second)]
    height[2:] *= np.tile(np.repeat(taken, len(waves) // 2), 2)
    rest = signal - (known / size) @ height
    # a resonance stays where it is when the speed changes a little: the orders near it change, and no others
    heard = np.fft.irfft(np.fft.rfft(waveform.values) * waveform.gain, len(signal))
    rest = less_by_order(rest, heard, len(sound), sound=sound)
    return rest, (float(first), float(second))


def mesh_swings(signal: np.ndarray, teeth: tuple[int, int], samples_per_tooth: int) -> tuple[float, ...]:
    """How much of the mesh's height comes and goes once or twice per revolution of each gear; () = no mesh is heard.

    Each tooth's height is that of the average mesh in its own meshes, so noise hardly counts; a quarter of the teeth
    may be damage. What healthy gears have of it (runout) is in it.

    Args:
        signal: ``[n]``, of a whole hunting period, the mesh in it.
        teeth: Of the gear of the rows and of that of the columns.
        samples_per_tooth: Samples per mesh event.

    Examples:
        >>> event = np.repeat(np.arange(13 * 17), 8)
        >>> mesh = np.cos(2 * np.pi * np.arange(event.size) / 8)
        >>> [round(s, 3) for s in mesh_swings((1 + 0.2 * np.cos(2 * np.pi * event / 13)) * mesh, (13, 17), 8)]
        [0.2, 0.0]
    """
    by_event = signal.reshape(-1, samples_per_tooth)
    mesh = by_event.mean(axis=0)
    if float(mesh @ mesh) * len(by_event) < _HEARD * float(signal @ signal):
        return ()
    heights = by_event @ mesh / float(mesh @ mesh)
    return tuple(_swing(heights.reshape(-1, n).mean(axis=0)) for n in teeth)


def _swing(heights: np.ndarray) -> float:
    """Height of the first two cycles (of one, of few teeth) in those of a gear's teeth, by least trimmed squares."""
    n = len(heights)
    angle = 2.0 * np.pi * np.arange(n) / n
    cycles = range(1, 3 if n >= _TEETH else 2)
    known = np.stack([np.ones(n), *(f(k * angle) for k in cycles for f in (np.cos, np.sin))], axis=1)
    use = np.ones(n, dtype=bool)
    for _ in range(_REFITS):
        height = np.linalg.lstsq(known[use], heights[use], rcond=None)[0]
        left = np.abs(heights - known @ height)
        use = left <= np.quantile(left, 1.0 - TRIMMED)
    return float(np.linalg.norm(height[1:]) / max(abs(height[0]), 1e-300))


def _slope(signal: np.ndarray) -> np.ndarray:
    """The derivative of a closed signal, in its own unit."""
    return np.fft.irfft(1j * np.arange(len(signal) // 2 + 1) * np.fft.rfft(signal), len(signal))


def _trimmed_fit(
    known: np.ndarray, signal: np.ndarray, teeth: Sequence[int], samples_per_tooth: int
) -> tuple[np.ndarray, np.ndarray]:
    """Heights of known signals in another by least trimmed squares: a quarter of the lines of each gear may be damage.

    Returns the heights, and which events they are of.

    Args:
        known: ``[n, k]``, of heights that are alike.
        signal: ``[n]``.
        teeth: Of the gears.
        samples_per_tooth: Of both.
    """
    by_event, there = known.reshape(-1, samples_per_tooth, known.shape[1]), signal.reshape(-1, samples_per_tooth)
    own, shared = np.einsum("esk,esl->ekl", by_event, by_event), np.einsum("esk,es->ek", by_event, there)
    whole, number = np.einsum("es,es->e", there, there), np.arange(len(by_event))
    use, height = np.ones(len(own), dtype=bool), np.zeros(known.shape[1])
    for _ in range(_REFITS):
        height = np.linalg.lstsq(own[use].sum(axis=0), shared[use].sum(axis=0), rcond=1e-9)[0]
        left = whole - 2.0 * shared @ height + np.einsum("ekl,k,l->e", own, height, height)
        lines = [np.bincount(number % n, left, n) for n in teeth]
        use = np.all([(x <= np.quantile(x, 1.0 - TRIMMED))[number % len(x)] for x in lines], axis=0)
    return height, use
