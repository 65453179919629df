"""Windows around mesh events, shifted by one tooth each, and what the signal holds in them.

Every window's shifted copies sum to a constant, so that no sample counts more than another: a rectangle of one tooth,
a Hann window of two teeth, and Tukey windows in between, which are flat in the middle and overlap at their flanks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from toothwise.checks import check_choice, check_range

WINDOWS = ("rectangular", "hann", "tukey")
QUANTITIES = ("rms", "energy", "kurtosis", "peak")
Quantity = Literal["rms", "energy", "kurtosis", "peak"]


@dataclass(frozen=True)
class EventWindow:
    """A window around a mesh event.

    Attributes:
        kind: "rectangular" (1 tooth), "hann" (2 teeth) or "tukey" (1 + ``overlap`` teeth).
        overlap: of Tukey windows, 0 (rectangle) to 1 (Hann): the share of a tooth at each flank that neighbours share.

    Raises:
        InputError: unknown kind, or an overlap beyond 0 to 1.
    """

    kind: Literal["rectangular", "hann", "tukey"] = "hann"
    overlap: float = 0.5

    def __post_init__(self) -> None:
        check_choice(WINDOWS, window=self.kind)
        check_range("[0, 1]", overlap=self.overlap)

    def weights(self, samples: int) -> np.ndarray:
        """Weights of one event's window over the tooth before, its own and the one after, float64 ``[3, samples]``.

        Shifted by one tooth each and added up they are 1 everywhere.

        Args:
            samples: per tooth.
        """
        at = (np.arange(3 * samples) + 0.5) / samples - 1.5  # teeth from the middle of the event
        flank = {"rectangular": 0.0, "hann": 1.0, "tukey": self.overlap}[self.kind]  # teeth over which it rises
        if flank < 1e-6:
            out = (np.abs(at) < 0.5).astype(np.float64)
        else:
            edge = np.clip((0.5 + 0.5 * flank - np.abs(at)) / flank, 0.0, 1.0)
            out = np.sin(0.5 * np.pi * edge) ** 2
        return out.reshape(3, samples)


def event_powers(x: np.ndarray, samples: int, window: EventWindow, power: int = 2) -> np.ndarray:
    """Windowed mean of a power of the signal at every mesh event, over one closed period.

    Args:
        x: ``[events * samples]``, or ``[..., events * samples]``; the last event's neighbour is the first.
        samples: per tooth.
        window: around each event.
        power: 1, 2 or 4.

    Returns:
        float64 ``[..., events]``; a constant signal c gives c ** power.
    """
    x = np.asarray(x)
    teeth = np.asarray(x, dtype=np.float64).reshape(*x.shape[:-1], x.shape[-1] // samples, samples)
    parts = teeth**power @ (window.weights(samples) / samples).T
    return parts[..., 1] + np.roll(parts[..., 0], 1, axis=-1) + np.roll(parts[..., 2], -1, axis=-1)


def event_statistic(x: np.ndarray, samples: int, window: EventWindow, quantity: Quantity) -> np.ndarray:
    """RMS, energy (mean square), kurtosis or peak in each event's window.

    Args:
        x: ``[..., events * samples]``, a closed period.
        samples: per tooth.
        window: around each event.
        quantity: which of them.

    Returns:
        float64 ``[..., events]``.

    Raises:
        InputError: unknown quantity.
    """
    check_choice(QUANTITIES, quantity=quantity)
    if quantity == "peak":
        x = np.asarray(x)
        teeth = np.abs(np.asarray(x, dtype=np.float64)).reshape(*x.shape[:-1], -1, samples)
        weights = window.weights(samples)
        before = np.roll((teeth * weights[0]).max(axis=-1), 1, axis=-1)
        after = np.roll((teeth * weights[2]).max(axis=-1), -1, axis=-1)
        return np.maximum(np.maximum(before, after), (teeth * weights[1]).max(axis=-1))
    energy = event_powers(x, samples, window)
    if quantity == "energy":
        return energy
    if quantity == "rms":
        return np.sqrt(np.maximum(energy, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return event_powers(x, samples, window, 4) / energy**2
