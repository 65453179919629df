"""What was learned of speed and load: of records that nothing places too, where they are near."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from toothwise.healthmap.conditions import learned_conditions, not_learned


class Angle:
    """A shaft that turns evenly."""

    def __init__(self, speed: float) -> None:
        self.turns, self.span = speed, (0.0, 30.0)

    def speed(self) -> np.ndarray:
        return np.full(30, self.turns)

    def time_of(self, revolutions: np.ndarray) -> np.ndarray:
        return np.asarray(revolutions) / self.turns


def record(speed: float, **condition: float) -> SimpleNamespace:
    return SimpleNamespace(angle=Angle(speed), condition=condition)


def test_a_near_record_counts_and_one_at_another_speed_does_not():
    learned = learned_conditions([record(20.0)], unplaced=[record(s) for s in (20.3, 19.6, 21.9)])
    assert learned["speed"] == pytest.approx((19.6, 20.3))
    assert not_learned(learned, record(20.2)) == ""
    assert "was not learned (19.6 to 20.3)" in not_learned(learned, record(21.9))


def test_a_record_at_another_load_does_not_count():
    learned = learned_conditions(
        [record(20.0, load=100.0)], unplaced=[record(20.2, load=60.0), record(20.1, load=105.0)]
    )
    assert learned["load"] == (100.0, 105.0)
    assert learned["speed"] == pytest.approx((20.0, 20.1))


def test_how_the_waveform_is_heard_is_known_of_placed_records_alone():
    sound = {"level": 1.0, "noise": 0.5, "correlation": 0.8}
    learned = learned_conditions([record(20.0), record(20.1)], [sound, sound], [record(20.2)])
    assert learned["correlation"] == (0.8, 0.8)
    assert learned["speed"][1] == pytest.approx(20.2)
