"""Periods in which the channel was off are left out, and it is said when."""

import numpy as np
import pytest

from toothwise import GearPair
from toothwise.errors import InputError, SignalWarning
from toothwise.vibration.periods import cut_periods
from toothwise.vibration.records import Tachometer, VibrationRecord
from toothwise.vibration.silence import silent_meshes

PAIR, RATE, SPEED = GearPair(9, 14), 4500.0, 20.0
PERIOD = 14 / SPEED  # seconds


def _record(periods, off, share=0.0, offset=0.0):
    """A recording that is at ``share`` of its level between two shares of its length."""
    t = np.arange(int((periods * PERIOD + 0.1) * RATE)) / RATE
    x = np.sin(2 * np.pi * 9 * SPEED * t) + 0.1 * np.random.default_rng(0).standard_normal(len(t))
    first, stop = (int(part * len(t)) for part in off)
    x[first:stop] *= share
    times = np.arange(int(t[-1] * SPEED) + 1) / SPEED
    return VibrationRecord({"acc": x + offset}, RATE, Tachometer("times", times))


@pytest.mark.parametrize("share", [0.0, 0.01])
@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize(
    ("periods", "off", "left", "when"),
    [
        (4, (0.0, 0.5), 2, "from 0 to 1.4"),
        (4, (0.5, 1.0), 2, "from 1.4[0-9]* to 2.8"),
        (6, (0.34, 0.66), 4, "from 1.4[0-9]* to 2.8"),
        (3, (0.8, 1.0), 2, "from 1.7[0-9]* to 2.1"),
    ],
)
def test_silent_periods_are_left_out(share, offset, periods, off, left, when):
    with pytest.warns(SignalWarning, match=f"silent {when}.* hunting periods are left out"):
        cut = cut_periods(_record(periods, off, share, offset), PAIR)
    assert (len(cut.values), cut.left_out) == (left, periods - left)
    assert np.ptp(cut.values, axis=1).min() > 1.5


def test_where_no_period_is_heard_throughout_it_is_said_when():
    with pytest.raises(InputError, match=r"silent from 0 to 1.0.* s: none of its 2 whole hunting periods"):
        cut_periods(_record(2, (0.0, 0.7)), PAIR)
    with pytest.raises(InputError, match=r"silent from 0.1.* to 1.4.* s: none of its 2 whole hunting periods"):
        cut_periods(_record(2, (0.1, 1.0)), PAIR)
    with pytest.raises(InputError, match="constant"):
        cut_periods(_record(2, (0.0, 1.0), offset=1.0), PAIR)


@pytest.mark.filterwarnings("error")
def test_quiet_meshes_of_every_period_and_run_ups_are_heard():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 60, 16))
    x.reshape(3, 3, 20, 16)[:, :, 5:15] *= 0.01  # where no planet is near the sensor
    assert not any(part.any() for part in silent_meshes(x.reshape(3, -1), x[0, :40].ravel(), 16, 20))
    up = rng.standard_normal((3, 60, 16)) * np.linspace(0.2, 1.0, 180).reshape(3, 60, 1) ** 2
    assert not silent_meshes(up.reshape(3, -1), up[0, 0, :0], 16, 20)[0].any()


def test_a_short_gap_is_filled_from_the_other_periods():
    record = _record(3, (0.5, 0.51))
    with pytest.warns(SignalWarning, match="bursts or gaps in"):
        cut = cut_periods(record, PAIR)
    assert len(cut.values) == 3
    assert np.abs(np.diff(cut.values, axis=0)).max() < 1.0
