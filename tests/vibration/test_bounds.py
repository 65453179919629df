"""What asks for work that no gearbox is worth is refused before the work is done."""

from __future__ import annotations

import numpy as np
import pytest

from toothwise import GearPair, MapBuilder
from toothwise.errors import InputError, LimitError
from toothwise.vibration.periods import cut_periods
from toothwise.vibration.records import Tachometer, VibrationRecord


def test_a_record_that_asks_for_too_many_samples_is_refused():
    tacho = Tachometer(kind="times", values=np.arange(0, 20, 1 / 12), ratio=9_000.0)
    vibration = np.sin(np.arange(20_000)).astype(np.float32)
    record = VibrationRecord(channels={"acc": vibration}, sampling_rate=1000.0, tacho=tacho)
    with pytest.raises(LimitError, match="max_samples"):
        cut_periods(record, GearPair(31, 95), max_samples=10**7)
    with pytest.raises(LimitError, match=r"more than 10000000 \(max_samples\)"):
        MapBuilder(GearPair(31, 95), options={"max_samples": 10**7}).build(record)


@pytest.mark.parametrize("more", [{"ratio": 1e5}, {"pulses_per_revolution": 1e9}])
def test_a_tachometer_beyond_any_gearbox_is_refused(more):
    with pytest.raises(InputError, match=r"must be a number in \(0, 1"):
        Tachometer(kind="times", values=np.arange(9.0), **more)


@pytest.mark.parametrize("teeth", [10_001, 100_003, 10**300])
def test_a_gear_beyond_any_gearbox_is_refused(teeth):
    with pytest.raises(InputError, match="or fewer"):
        GearPair(18, teeth)
