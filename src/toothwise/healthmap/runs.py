"""A run: records of one gear in time order, from healthy to wherever they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.errors import InputError
from toothwise.vibration.spectrum import check_revolutions

DRAWN = "drawn_day_"  # begins the names of records that were drawn from a model of drift, not recorded
WITHIN = f"{DRAWN}within_"  # where that model was learned from one day

_PIECES = 4


@dataclass(frozen=True, eq=False)
class RunRecords:
    """Averaged revolutions of one gear, in time order.

    Attributes:
        vibration: float64 ``[n, samples]``, one revolution per record, ``samples`` a multiple of ``teeth``.
        teeth: teeth of the gear.
        name: str ``[n]``, one name per record.
        day: int ``[n]``, day number, not falling.
        number: int ``[n]``, the number by which a record is reported; counts from 1 where counting starts, 0 before.
        source: where the records come from, in words.
        unit: unit of the vibration.
        gear: gears of the stage, in words or numbers, free keys.
        truth: what a simulation knows (tooth, onset), empty for measurements.
        healthy: bool ``[n]``, the first records, which the source gives as known to be healthy; None = it gives none.
    """

    vibration: np.ndarray
    teeth: int
    name: np.ndarray
    day: np.ndarray
    number: np.ndarray
    source: str
    unit: str = "g"
    gear: dict[str, Any] = field(default_factory=dict)
    truth: dict[str, Any] = field(default_factory=dict)
    healthy: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "vibration", check_revolutions(self.vibration, self.teeth))
        n = len(self.vibration)
        for key in ("name", "day", "number", *(["healthy"] if self.healthy is not None else [])):
            value = np.asarray(getattr(self, key))
            if value.shape != (n,):
                raise InputError(f"{key} must have one entry per record ({n}), but has the shape {value.shape}")
            object.__setattr__(self, key, value)
        if (np.diff(self.day) < 0).any():
            at = int(np.argmax(np.diff(self.day) < 0)) + 1
            raise InputError(
                f"records must be in time order, but record {at} is of day {self.day[at]}, the one before "
                f"of day {self.day[at - 1]}"
            )

    def __len__(self) -> int:
        return len(self.vibration)


def time_blocks(n: int, labels: np.ndarray | None = None) -> np.ndarray:
    """Blocks for cross-validation, int ``[n]``: those of the labels (days), or four equal pieces where there is one.

    Records that stand close in time are alike; a random split would let a fold see its held-out records' neighbours.
    """
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (n,):
            raise InputError(f"blocks must have one entry per map ({n}), but the shape is {labels.shape}")
        blocks = np.unique(labels, return_inverse=True)[1]
        if blocks.max() > 0:
            return blocks
    return np.arange(n) * _PIECES // max(n, 1)
