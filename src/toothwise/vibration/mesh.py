"""The mesh line in a spectrum of orders: whether it is heard, and whether it lies where teeth and tachometer put it.

A tachometer that gives two pulses per revolution where one was said, or teeth entered at twice their number, put the
mesh at half the expected order; pulses that are lost put it at twice that. No gear has a line of its own at a half or a
third of its mesh order, so the vibration decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["MeshLine", "mesh_contradiction", "mesh_line", "order_amplitudes"]

_HARMONICS = 16  # stiff housings carry the sixth, eleventh or twelfth rather than the first
_FEW, _MANY = 3.0, 4.5  # a harmonic is heard that stands so many times above its surroundings: the first three, others
_ALONE = 2.0  # a mesh line is so many times its own sidebands
_STRONG, _STRONG_PHASE = 0.25, 0.7  # share of the strongest harmonic; of pairs whose teeth have the divisor in common
_SIDE = 2.6  # orders to either side in which sidebands are looked at


@dataclass(frozen=True)
class MeshLine:
    """The strongest harmonic of a mesh order.

    Attributes:
        order: The mesh order itself.
        harmonic: Which harmonic of it is the strongest.
        amplitude: Of that harmonic, in the record's unit.
        above: How many times it stands above the level around it.
        heard: Whether that is enough to say so.
    """

    order: float
    harmonic: int = 1
    amplitude: float = 0.0
    above: float = 0.0
    heard: bool = False


def order_amplitudes(x: np.ndarray, size: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """RMS amplitude spectrum over half-overlapping Hann windows; blocks with NaN are left out.

    Args:
        x: ``[n]`` at equal steps of angle (or of time).
        size: Samples per window.
        rate: Samples per revolution (or per second).

    Returns:
        Orders (or Hz) and amplitudes, float64 ``[size // 2 + 1]``.
    """
    window = np.hanning(size)
    scale = np.sqrt(2.0) / window.sum()
    power, blocks = np.zeros(size // 2 + 1), 0
    for start in range(0, len(x) - size + 1, max(size // 2, 1)):
        block = np.asarray(x[start : start + size], dtype=np.float64)
        if not np.isfinite(block).all():
            continue
        power += np.abs(np.fft.rfft((block - block.mean()) * window) * scale) ** 2
        blocks += 1
    return np.fft.rfftfreq(size, 1.0 / rate), np.sqrt(power / max(blocks, 1))


def mesh_line(frequency: np.ndarray, amplitude: np.ndarray, order: float) -> MeshLine:
    """The harmonic of a mesh order that stands out most.

    Args:
        frequency, amplitude: A spectrum of orders, float64 ``[bins]``.
        order: Of the mesh.

    Examples:
        >>> orders = np.arange(0, 100, 0.1)
        >>> spectrum = np.where(np.isclose(orders, 66.0), 5.0, 1.0)
        >>> mesh_line(orders, spectrum, 11.0).harmonic
        6
    """
    best = MeshLine(order)
    for k in range(1, _HARMONICS + 1):
        amplitude_there, above = _stands_out(frequency, amplitude, k * order, 0.5 * order)
        heard = above >= (_FEW if k <= 3 else _MANY)
        if above > best.above and (heard or not best.heard):
            best = MeshLine(order, k, amplitude_there, above, bool(heard))
    return best


def mesh_contradiction(
    frequency: np.ndarray, amplitude: np.ndarray, order: float, *, divisor: int = 1, others: Iterable[float] = ()
) -> str:
    """What the spectrum says against a mesh order: the part of it at which the mesh is; "" where nothing is said.

    Args:
        frequency, amplitude: A spectrum of orders, float64 ``[bins]``.
        order: Of the mesh, by the teeth and the tachometer.
        divisor: The teeth's greatest common divisor: pairs that do not hunt repeat at that part of the mesh order.
        others: Mesh orders of other stages, whose lines are their own.

    Examples:
        >>> orders = np.arange(0, 100, 0.1)
        >>> spectrum = np.where(np.isclose(orders % 11.5, 0, atol=0.01), 5.0, 1.0)
        >>> mesh_contradiction(orders, spectrum, 23.0)
        'half'
    """
    step = frequency[1] - frequency[0]
    strongest = max(_line(frequency, amplitude, k * order) for k in range(1, _HARMONICS + 1))
    foreign = [k * other for other in others for k in range(1, 4)]
    for part, name in ((2, "half"), (3, "a third")):
        enough = (_STRONG_PHASE if divisor % part == 0 else _STRONG) * strongest
        for k in range(1, 2 * part):
            at = k * order / part
            if k % part == 0 or any(abs(at - f) < 3 * step for f in foreign):
                continue
            line, above = _stands_out(frequency, amplitude, at, 0.25 * order)
            # a harmonic of a shaft that happens to lie there has neighbours of its own size
            beside = (np.abs(frequency - at) < _SIDE) & (np.abs(frequency - at) > 2.5 * step)
            alone = bool(beside.any()) and line > _ALONE * float(amplitude[beside].max())
            if above >= _MANY and alone and line >= enough:
                return name
    return ""


def _line(frequency: np.ndarray, amplitude: np.ndarray, order: float) -> float:
    """Amplitude of the line nearest to an order; 0 beyond the spectrum."""
    centre = round(order / (frequency[1] - frequency[0]))
    return float(amplitude[max(centre - 1, 0) : centre + 2].max()) if centre + 2 < len(amplitude) else 0.0


def _stands_out(frequency: np.ndarray, amplitude: np.ndarray, order: float, reach: float) -> tuple[float, float]:
    """Amplitude of a line, and how many times it is the median level within ``reach`` orders."""
    step = frequency[1] - frequency[0]
    centre, width = round(order / step), max(round(reach / step), 4)
    line = _line(frequency, amplitude, order)
    if line == 0.0:
        return 0.0, 0.0
    around = float(np.median(amplitude[max(centre - width, 0) : centre + width]))
    return line, line / around if around > 0 else float("inf")
