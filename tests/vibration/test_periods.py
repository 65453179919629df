"""Whole hunting periods of a record, and their mean."""

import numpy as np
import pytest

from toothwise import GearPair
from toothwise.vibration.periods import Periods


@pytest.mark.parametrize("extra", [0, 5])
def test_what_drifts_over_a_record_leaves_no_step_where_its_mean_period_closes(extra):
    gears, samples = GearPair(9, 14), 16
    period, turn = gears.hunting_period * samples, 9 * samples
    size = 3 * period + extra * turn
    x = np.linspace(-1.0, 1.0, size) * np.cos(2 * np.pi * np.arange(size) / samples)
    cut = Periods(x[: 3 * period].reshape(3, -1), samples, gears, None, rest=x[3 * period :])
    mean = cut.whole_mean()
    steps = np.abs(np.diff(np.append(mean, mean[:2]), n=2))
    assert steps[-2:].max() < 1.5 * np.abs(mean).max() * (2 * np.pi / samples) ** 2
    closed = np.abs(np.diff(np.append(cut.mean(), cut.mean()[:2]), n=2))
    assert closed[-2:].max() > 2 * closed[:-2].max()  # the plain mean has one
    middle = slice(8 * turn, -2 * turn)
    np.testing.assert_allclose(mean[middle], cut.mean()[middle], atol=1e-12)
