"""How a record becomes a map, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toothwise.checks import check_choice, check_whole
from toothwise.vibration.periods import BANDWIDTH, MAX_SAMPLES
from toothwise.vibration.windows import EventWindow

_SIGNALS = ("average", "residual", "difference")
UNITS = {"rms": "{}", "peak": "{}", "energy": "{}^2", "kurtosis": "1"}


@dataclass(frozen=True)
class MapConfig:
    """How a record becomes a map.

    Attributes:
        signal: "difference" (without mesh and shaft harmonics and first sidebands), "residual" (sidebands kept) or
            "average" (everything).
        quantity: "rms", "energy" (mean square), "kurtosis" or "peak" in each event's window.
        average: "coherent" averages the hunting periods first, so that noise falls with the root of their number;
            "incoherent" averages the periods' values (noise keeps its level, its spread falls).
        window: around a mesh event: "rectangular", "hann" or "tukey".
        overlap: of a Tukey window, in teeth.
        periods: hunting periods used; None = all.
        samples_per_tooth: None = what the sampling rate gives, 8 to 64.
        num_harmonics: mesh harmonics taken out; None = all, because they are the same at every tooth.
        num_sidebands: sidebands of each mesh harmonic taken out of the difference, at the orders of both shafts.
        shaft_harmonics: harmonics of both shafts taken out.
        bandwidth: orders of the reference shaft around each line that are taken out with it, full width: a changing
            speed smears lines. 0 = the line alone.
        planet: of a planetary stage: which planet, from 0.
        sensor_reach: of a planetary stage: ring teeth to either side of the sensor (ring tooth 0) within which the
            planet is heard; beyond it pixels are NaN. None = everywhere.
        gear: The gear whose teeth are the rows of a tooth-by-revolution map, "driving" or "driven"; None = a map of
            tooth pairs, or of the driving gear where fewer than half of the pairs meet.
        revolutions: Columns of a tooth-by-revolution map; None = one per revolution of the record.
        max_samples: of a record at equal steps of angle; a record that asks for more is refused.

    Raises:
        InputError: a value that is not allowed.
    """

    signal: Literal["average", "residual", "difference"] = "difference"
    quantity: Literal["rms", "energy", "kurtosis", "peak"] = "rms"
    average: Literal["coherent", "incoherent"] = "coherent"
    window: Literal["rectangular", "hann", "tukey"] = "hann"
    overlap: float = 0.5
    periods: int | None = None
    samples_per_tooth: int | None = None
    num_harmonics: int | None = None
    num_sidebands: int = 1
    shaft_harmonics: int = 2
    bandwidth: float = BANDWIDTH
    planet: int = 0
    sensor_reach: int | None = None
    gear: str | None = None
    revolutions: int | None = 8
    max_samples: int = MAX_SAMPLES

    def __post_init__(self) -> None:
        check_choice(_SIGNALS, signal=self.signal)
        check_choice(UNITS, quantity=self.quantity)
        check_choice(("coherent", "incoherent"), average=self.average)
        check_whole(0, planet=self.planet, sensor_reach=self.sensor_reach or 0)
        _ = self.event_window

    @property
    def event_window(self) -> EventWindow:
        """The window around a mesh event."""
        return EventWindow(self.window, self.overlap)
