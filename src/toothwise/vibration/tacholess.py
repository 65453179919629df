"""Shaft angle without a tachometer: the phase of a mesh harmonic that the vibration itself carries.

Source of the idea: phase demodulation of a mesh harmonic (Bonnardot et al. 2005). The phase tells how far the shaft
turned, never which tooth was where at the start: tooth zero stays unknown.
"""

from __future__ import annotations

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.angle import ShaftAngle

_HARMONICS = 12  # looked at
_WIDTHS = (1.6, 0.8, 0.4)  # of the band around the harmonic, in orders of the shaft, whose sidebands stay out
_ALIKE = 0.02  # share of a speed by which harmonics may differ on it
_TRIED = 1 << 18  # samples that tell the best harmonic
_HOLDS = 0.5  # quality below which a line cannot be told from noise
_TURNS_PER_FRAME = 8.0  # mesh periods x teeth: frames of the ridge are this many revolutions long


def tacholess_angle(x: np.ndarray, sampling_rate: float, mesh_order: float, speed: tuple[float, float]) -> ShaftAngle:
    """Follow a mesh harmonic through a record and count its cycles.

    It is the one of the first twelve that is heard best: stiff housings carry the sixth or the eleventh.
    A ridge of the short-time spectrum gives the rough speed, the record is turned back by it, and what phase is left
    in a narrow band is added.

    Args:
        x: vibration ``[n]``.
        sampling_rate: hertz.
        mesh_order: mesh events per revolution of the shaft whose angle is wanted.
        speed: lowest and highest speed of that shaft in revolutions per second; it should vary by less than a factor
            of 2, so that a neighbouring harmonic is not followed instead.

    Returns:
        The angle from revolution 0 at the first sample; of tooth zero nothing is known. ``quality`` is the share of the
        energy around the followed line that stands above the noise beside it: near 1 = a clean line, near 0 = noise.

    Raises:
        InputError: an impossible speed, a harmonic above the Nyquist frequency, or none that holds: a line that can
            hardly be told from noise gives a map at a wrong speed.
    """
    x = np.asarray(x, dtype=np.float64)
    low, high = (float(s) for s in speed)
    if x.ndim != 1 or not np.isfinite(x).all() or np.ptp(x) == 0:
        raise InputError("a vibration signal must be finite [n] and not constant to be followed without a tachometer")
    if not 0 < low < high:
        raise InputError(f"speed must be (lowest, highest) in revolutions per second, above 0, but got {speed!r}")
    harmonic = _best_harmonic(x, sampling_rate, mesh_order, low, high)
    order = mesh_order * harmonic
    if order * high >= 0.5 * sampling_rate:
        raise InputError(
            f"mesh harmonic {harmonic} reaches {order * high:g} Hz, beyond half the sampling rate of "
            f"{sampling_rate:g} Hz"
        )
    turned, mean_speed, base = _followed(x, sampling_rate, order, low, high)
    # turned back by the angle so far, the harmonic stands near 0 Hz; its phase there is what the angle lacks. From a
    # wide band to the narrow one, because the rough speed misses fast changes
    quality = _quality(base, sampling_rate, mean_speed)
    for width in _WIDTHS:
        narrow = _lowpass(base, sampling_rate, 0.5 * width * mean_speed)
        turned = turned + np.unwrap(np.angle(narrow)) / (2.0 * np.pi * order)
        base = x * np.exp(-2j * np.pi * order * turned)
    step = max(1, int(sampling_rate / (8.0 * high)))
    kept = np.unique(np.append(np.arange(0, len(x), step), len(x) - 1))
    r = turned[kept] - turned[0]
    if (np.diff(r) <= 0).any():
        raise InputError(
            f"mesh harmonic {harmonic} was lost between {low:g} and {high:g} revolutions per second: the followed "
            "angle runs backwards; try a narrower range of speed"
        )
    if quality < _HOLDS:
        raise InputError(
            f"no mesh harmonic can be followed between {low:g} and {high:g} revolutions per second: the best, harmonic "
            f"{harmonic}, has a quality of {quality:.2f} ({_HOLDS:g} is needed); check the speed and the teeth"
        )
    return ShaftAngle(kept / sampling_rate, r, quality=min(max(quality, 0.0), 1.0))


def _best_harmonic(x: np.ndarray, sampling_rate: float, mesh_order: float, low: float, high: float) -> int:
    """The harmonic whose line stands highest above the noise beside it, in the middle of the record."""
    middle = x[max(len(x) // 2 - _TRIED // 2, 0) :][:_TRIED]
    held: list[tuple[float, int, float]] = []  # how loud and clean a line is, harmonic, speed
    for harmonic in range(1, _HARMONICS + 1):
        order = mesh_order * harmonic
        if order * high >= 0.5 * sampling_rate:
            break
        _, speed, base = _followed(middle, sampling_rate, order, low, high)
        loud = float(np.linalg.norm(_lowpass(base, sampling_rate, 0.8 * speed)))
        quality = _quality(base, sampling_rate, speed)
        held += [(quality * loud, harmonic, speed)] if quality >= _HOLDS else []
    # the sixth harmonic at one speed is the seventh at another: what several lines agree on counts
    if not held:
        return 1
    agreed = [[one for one in held if abs(one[2] - seed[2]) < _ALIKE * seed[2]] for seed in held]
    lines = max(agreed, key=lambda some: sum(one[0] for one in some))
    best, most = max(lines), sum(one[0] for one in lines)
    rivals = [
        f"{max(some)[2]:.4g}"
        for some in agreed
        if abs(max(some)[2] - best[2]) > 2 * _ALIKE * best[2] and sum(one[0] for one in some) > 0.8 * most
    ]
    if rivals:
        raise InputError(
            f"the vibration fits several speeds between {low:g} and {high:g} revolutions per second: {best[2]:.4g} as "
            f"well as {', '.join(sorted(set(rivals)))}; give a narrower range"
        )
    return best[1]


def _followed(
    x: np.ndarray, sampling_rate: float, order: float, low: float, high: float
) -> tuple[np.ndarray, float, np.ndarray]:
    """Rough angle at every sample, the mean speed, and the record turned back by that angle."""
    rough = _ridge(x, sampling_rate, order, low, high)
    turned = np.concatenate([[0.0], np.cumsum(0.5 * (rough[1:] + rough[:-1]))]) / sampling_rate
    return turned, float(np.mean(rough)), x * np.exp(-2j * np.pi * order * turned)


def _quality(base: np.ndarray, sampling_rate: float, speed: float) -> float:
    """Share of the energy within 0.8 shaft orders of the line that stands above the noise 1.2 to 1.8 orders away."""

    def energy(orders: float) -> float:
        return float(np.sum(np.abs(_lowpass(base, sampling_rate, orders * speed)) ** 2))

    inside, floor = energy(0.8), (energy(1.8) - energy(1.2)) / 0.6
    return max(1.0 - 0.8 * floor / inside, 0.0) if inside > 0 else 0.0


def _ridge(x: np.ndarray, sampling_rate: float, order: float, low: float, high: float) -> np.ndarray:
    """Rough speed at every sample: the strongest path through the spectrogram that changes slowly."""
    frame = int(2 ** np.ceil(np.log2(_TURNS_PER_FRAME * sampling_rate / low)))
    frame = min(frame, 1 << int(np.log2(len(x))))
    hop = max(1, frame // 4)
    starts = np.arange(0, len(x) - frame + 1, hop)
    size = 2 * frame  # zero-padded: a finer grid of frequencies
    frequency = np.fft.rfftfreq(size, 1.0 / sampling_rate)
    band = np.flatnonzero((frequency >= order * low) & (frequency <= order * high))
    if len(band) < 3:
        raise InputError(
            f"the record is too short ({len(x) / sampling_rate:g} s) to follow a speed of {low:g} to {high:g} rev/s"
        )
    window = np.hanning(frame)
    level = np.empty((len(starts), len(band)))
    for k, start in enumerate(starts):
        spectrum = np.abs(np.fft.rfft(x[start : start + frame] * window, size)[band])
        level[k] = np.log(spectrum / (np.median(spectrum) + 1e-300) + 1e-12)
    # dynamic programming: the speed moves a few bins per hop at most
    reach = max(2, len(band) // 40)
    best = level.copy()
    origin = np.zeros(level.shape, dtype=np.int64)
    offsets = np.arange(-reach, reach + 1)
    for k in range(1, len(starts)):
        padded = np.pad(best[k - 1], reach, constant_values=-np.inf)
        candidates = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1) - 0.05 * np.abs(offsets)
        choice = np.argmax(candidates, axis=1)
        best[k] = level[k] + candidates[np.arange(len(band)), choice]
        origin[k] = np.clip(np.arange(len(band)) + offsets[choice], 0, len(band) - 1)
    path = np.empty(len(starts), dtype=np.int64)
    path[-1] = int(np.argmax(best[-1]))
    for k in range(len(starts) - 1, 0, -1):
        path[k - 1] = origin[k, path[k]]
    centre = (starts + frame / 2) / sampling_rate
    return np.interp(np.arange(len(x)) / sampling_rate, centre, frequency[band][path] / order)


def _lowpass(x: np.ndarray, sampling_rate: float, cutoff: float) -> np.ndarray:
    """Zero-phase low-pass of a complex signal by its spectrum, with a raised-cosine edge."""
    from scipy.fft import fft, fftfreq, ifft, next_fast_len

    size = next_fast_len(len(x))
    frequency = np.abs(fftfreq(size, 1.0 / sampling_rate))
    edge = np.clip((1.25 * cutoff - frequency) / (0.5 * cutoff), 0.0, 1.0)
    return ifft(fft(x, size) * (0.5 - 0.5 * np.cos(np.pi * edge)))[: len(x)]
