"""The mesh line in a spectrum of orders: whether it is heard, and whether it lies where teeth and tachometer put it.

A tachometer that gives two pulses per revolution where one was said, or teeth entered at twice their number, put the
mesh at half the expected order; pulses that are lost put it at twice that. No gear has a line of its own at a half or a
third of its mesh order, so the vibration decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

HARMONICS = 16  # stiff housings carry the sixth, eleventh or twelfth rather than the first
_FEW, _MANY = 3.0, 4.5  # a harmonic is heard that stands so many times above its surroundings: the first three, others
_ALONE = 2.0  # a mesh line is so many times its own sidebands
_STRONG, _STRONG_PHASE = 0.25, 0.7  # share of the strongest harmonic; of pairs whose teeth have the divisor in common
_FOREIGN = 4.0  # a line so many times as strong as the mesh is no part of it
_PARTS = 12  # pulses per revolution that are looked for where one was said
_MAINS, _HUM = (50.0, 60.0), 6  # Hz, and how many of their harmonics are heard beside a motor or a bad cable
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


class Spectrum(NamedTuple):
    """Amplitudes over equal steps of order, float64 ``[bins]`` each."""

    frequency: np.ndarray
    amplitude: np.ndarray

    @property
    def step(self) -> float:
        """Orders from bin to bin."""
        return self.frequency[1] - self.frequency[0]

    def line(self, order: float, near: float = 0.0) -> float:
        """Amplitude of the line nearest to an order, or of the strongest one near it; 0 beyond the spectrum."""
        centre, reach = round(order / self.step), max(round(near / self.step), 1)
        there = self.amplitude[max(centre - reach, 0) : centre + reach + 1]
        return float(there.max()) if centre + 2 < len(self.amplitude) else 0.0

    def strongest(self, order: float) -> float:
        """Amplitude of the strongest harmonic of an order."""
        return max(self.line(k * order) for k in range(1, HARMONICS + 1))

    def stands_out(self, order: float, reach: float, near: float = 0.0) -> tuple[float, float]:
        """Amplitude of a line, and how many times it is the median level within ``reach`` orders."""
        centre, width = round(order / self.step), max(round(reach / self.step), 4)
        line = self.line(order, near)
        if line == 0.0:
            return 0.0, 0.0
        around = float(np.median(self.amplitude[max(centre - width, 0) : centre + width]))
        return line, line / around if around > 0 else float("inf")

    def is_alone(self, at: float) -> bool:
        """Whether a line is well above all lines beside it."""
        away = np.abs(self.frequency - at)
        beside = (away < _SIDE) & (away > 2.5 * self.step)
        return bool(beside.any()) and self.line(at) > _ALONE * float(self.amplitude[beside].max())


def order_amplitudes(x: np.ndarray, size: int, rate: float) -> Spectrum:
    """RMS amplitude spectrum over half-overlapping Hann windows; blocks with NaN are left out.

    Args:
        x: ``[n]`` at equal steps of angle (or of time).
        size: Samples per window.
        rate: Samples per revolution (or per second).

    Returns:
        Amplitudes over orders (or Hz), ``size // 2 + 1`` of them.
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
    return Spectrum(np.fft.rfftfreq(size, 1.0 / rate), np.sqrt(power / max(blocks, 1)))


def mesh_line(spectrum: Spectrum, order: float, *, near: float = 0.0) -> MeshLine:
    """The harmonic of a mesh order that stands out most.

    Args:
        spectrum: Over orders.
        order: Of the mesh.
        near: Orders around a harmonic that belong to it: planets that mesh out of step cancel the mesh line itself and
            leave the lines at planet passes beside it.

    Examples:
        >>> orders = np.arange(0, 100, 0.1)
        >>> spectrum = np.where(np.isclose(orders, 66.0), 5.0, 1.0)
        >>> mesh_line(Spectrum(orders, spectrum), 11.0).harmonic
        6
    """
    best = MeshLine(order)
    for k in range(1, HARMONICS + 1):
        amplitude, above = spectrum.stands_out(k * order, 0.5 * order, near)
        heard = above >= (_FEW if k <= 3 else _MANY)
        if above > best.above and (heard or not best.heard):
            best = MeshLine(order, k, amplitude, above, bool(heard))
    return best


def mesh_contradiction(
    spectrum: Spectrum,
    order: float,
    *,
    mate: float | None = None,
    divisor: int = 1,
    others: Iterable[float] = (),
    speed: float = 0.0,
) -> str:
    """Why no map can be right: where the vibration meshes instead, and what mends it; "" where nothing is said.

    Args:
        spectrum: Over orders.
        order: Of the mesh, by the teeth and the tachometer.
        mate: Teeth of the driven gear over those of the driving one, of a pair.
        divisor: The teeth's greatest common divisor: pairs that do not hunt repeat at that part of the mesh order.
        others: Mesh orders of other stages, whose lines are their own.
        speed: Revolutions per second, by which a line is known to be the mains' or a motor's; 0 = unknown.

    Examples:
        >>> orders = np.arange(0, 100, 0.1)
        >>> spectrum = np.where(np.isclose(orders % 11.5, 0, atol=0.01), 5.0, 1.0)
        >>> mesh_contradiction(Spectrum(orders, spectrum), 23.0).split(":")[0]
        'the vibration meshes at order 11.5, half of the order 23 that teeth and tachometer give'
    """
    strongest, foreign = spectrum.strongest(order), _harmonics_of(others)
    if speed > 0:
        foreign += [k * mains / speed for mains in _MAINS for k in range(1, _HUM + 1)]
    if part := _part(spectrum, order, divisor, foreign):
        fraction = {2: "half", 3: "a third"}.get(part, f"1/{part}")
        return (
            f"the vibration meshes at order {order / part:g}, {fraction} of the order {order:g} that teeth and "
            f"tachometer give: the tachometer gives {part} times the pulses (pulses_per_revolution=), or the teeth are "
            f"entered at {part} times their number"
        )
    for ratio, shaft in ((mate, "driven"), (1.0 / mate if mate else None, "driving")):
        if ratio is None or _whole(ratio) or _whole(1.0 / ratio):
            continue
        line, above = spectrum.stands_out(ratio * order, 0.5 * order)
        if above >= _MANY and line >= _FOREIGN * strongest and spectrum.is_alone(ratio * order):
            return (
                f"the vibration meshes at order {ratio * order:g}, not at the order {order:g} that teeth and "
                f"tachometer give: the tachometer sits on the {shaft} shaft (tacho_shaft={shaft}), or the teeth of the "
                "two gears are exchanged"
            )
    return ""


def mesh_doubt(spectrum: Spectrum, order: float, *, others: Iterable[float] = (), near: float = 0.0) -> str:
    """What is odd about the mesh where it does not forbid a map; "" where nothing is.

    Args:
        spectrum, order, others: As ``mesh_contradiction``.
        near: Orders around a harmonic that belong to it, of planets that mesh out of step.
    """
    heard = [k for k in range(1, HARMONICS + 1) if spectrum.stands_out(k * order, 0.5 * order)[1] > _FEW]
    for times in (2, 3, 4):
        if {times, 2 * times} <= set(heard) and not any(k % times for k in heard):
            return (
                f"only harmonics {times}, {2 * times}, ... of the mesh order {order:g} are heard, as if it were "
                f"{times * order:g}: the tachometer gives 1/{times} of the pulses (pulses_per_revolution=) or lost the "
                f"others (tacho_threshold=), or the teeth are entered at 1/{times} of their number"
            )
    line = mesh_line(spectrum, order, near=near)
    if not line.heard:
        return (
            f"the mesh order {order:g} is not heard ({line.above:.1f} times its surroundings, {_FEW:g} expected): "
            "wrong teeth, sampling_rate= or pulses_per_revolution=, or the sensor is elsewhere"
        )
    loud = np.where(spectrum.frequency >= _SIDE, spectrum.amplitude, 0.0)
    at = float(spectrum.frequency[int(np.argmax(loud))])
    known = [*(k * order for k in range(1, HARMONICS + 1)), *_harmonics_of(others)]
    stranger = not any(abs(at - own) <= max(near, 3 * spectrum.step) for own in known)
    louder = float(loud.max()) / max(spectrum.strongest(order), 1e-300)
    if stranger and louder > _FOREIGN and spectrum.is_alone(at):
        return (
            f"a line at order {at:.4g} is {louder:.0f} times as strong as the mesh order {order:g} and its harmonics: "
            "check the teeth, tacho_shaft= and pulses_per_revolution="
        )
    return ""


def _part(spectrum: Spectrum, order: float, divisor: int, foreign: list[float]) -> int:
    """The part of its order at which the mesh is: 2 = half of it, 3 = a third, ...; 0 = none."""
    strongest = spectrum.strongest(order)

    def found(at: float, enough: float) -> bool:
        line, above = spectrum.stands_out(at, 0.25 * order)
        # a harmonic of a shaft that happens to lie there has neighbours of its own size
        own = not any(abs(at - f) < 3 * spectrum.step for f in foreign)
        return own and above >= _MANY and line >= enough and spectrum.is_alone(at)

    for part in (2, 3):
        enough = (_STRONG_PHASE if divisor % part == 0 else _STRONG) * strongest
        if any(k % part and found(k * order / part, enough) for k in range(1, 2 * part)):
            finer = [n for n in range(2 * part, _PARTS + 1, part) if found(order / n, enough)]
            return max(finer, default=part)
    loudest = float(spectrum.amplitude[spectrum.frequency >= _SIDE].max(initial=0.0))
    if mesh_line(spectrum, order).heard and loudest < _FOREIGN * strongest:
        return 0
    parts = (n for n in range(4, _PARTS + 1) if order / n >= _SIDE)
    return next((n for n in parts if found(order / n, _STRONG_PHASE * loudest)), 0)


def _harmonics_of(others: Iterable[float]) -> list[float]:
    return [k * other for other in others for k in range(1, 4)]


def _whole(ratio: float) -> bool:
    return abs(ratio - round(ratio)) < 1e-9
