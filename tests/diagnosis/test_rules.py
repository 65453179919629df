import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toothwise.diagnosis.control_limits import FewRecords, calibrate
from toothwise.diagnosis.rules import CLIP, DRIFT, cusum, e_detector, e_process, in_a_row, line_episodes
from toothwise.errors import InputError

HEALTHY, CHANNELS = 300, 20
RATES = {"warning": 10.0, "alarm": 2.0}


def healthy(seed, n=HEALTHY, phi=0.0):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, CHANNELS))
    for k in range(1, n):
        z[k] = phi * z[k - 1] + np.sqrt(1 - phi**2) * z[k]
    return z


@given(st.lists(st.lists(st.floats(-5, 5), min_size=2, max_size=2), min_size=1, max_size=40))
def test_cusum_as_a_plain_loop_says(values):
    z = np.array(values)
    for channel in range(2):
        now = 0.0
        for t, value in enumerate(z[:, channel]):
            now = max(0.0, now + min(max(value, -CLIP), CLIP) - DRIFT)
            assert cusum(z)[t, channel] == pytest.approx(now)


def test_episodes_begin_at_the_height_and_end_at_zero():
    c = np.array([[0, 2, 3, 1, 3, 0, 3, 3], [0, 0, 3, 0, 0, 0, 0, 0]], dtype=float).T
    assert line_episodes(c, 3.0).tolist() == [2, 6]


def test_records_in_a_row_are_counted_once_and_gaps_do_not_count():
    z = np.array([0, 9, 9, np.nan, 9, 9, 0, 9, 9, 9], dtype=float)[:, None]
    assert in_a_row(z, 1.0, 3).tolist() == [4, 9]


def _measured(rule, heights, futures=150, n=500, phi=0.0, run=3):
    """False alarms per 1,000 records of data that the heights never saw, against a baseline from other data."""
    rng = np.random.default_rng(7)
    counts = []
    for _ in range(futures):
        base = healthy(int(rng.integers(1 << 30)), phi=phi).mean(axis=0)
        z = healthy(int(rng.integers(1 << 30)), n, phi) - base
        height = getattr(heights, rule)["alarm"].height
        counts.append(len(line_episodes(cusum(z), height)) if rule == "cusum" else len(in_a_row(z, height, run)))
    return 1000.0 * np.mean(counts) / n, 1000.0 * np.std(counts) / np.sqrt(futures) / n


@pytest.mark.full
@pytest.mark.parametrize("rule", ["cusum", "row"])
def test_the_stated_rate_is_that_of_the_final_rule_with_the_maximum_over_channels(rule):
    measured = []
    for seed in range(8):  # heights from one healthy set are off by chance, of the row by a factor of several
        rng = np.random.default_rng(seed)
        heights = calibrate(
            healthy(seed), np.zeros(HEALTHY, dtype=int), RATES, run=3, learned=HEALTHY, correlation=1.0, rng=rng
        )
        measured.append(_measured(rule, heights, futures=50)[0])
    assert 0.3 * RATES["alarm"] < np.mean(measured) < 2.0 * RATES["alarm"], measured


def test_correlated_records_need_a_greater_height_and_get_it():
    rng = np.random.default_rng(0)
    one = np.zeros(HEALTHY, dtype=int)
    white = calibrate(healthy(0), one, RATES, run=3, learned=HEALTHY, correlation=1.0, rng=rng)
    slow = calibrate(healthy(0, phi=0.6), one, RATES, run=3, learned=HEALTHY, correlation=4.0, rng=rng)
    assert slow.cusum["alarm"].height > 1.3 * white.cusum["alarm"].height
    assert slow.block == 12


def test_a_baseline_from_few_records_needs_a_greater_height():
    one = np.zeros(HEALTHY, dtype=int)
    heights = [
        calibrate(healthy(0), one, RATES, run=3, learned=k, correlation=1.0, rng=np.random.default_rng(0))
        for k in (HEALTHY, 20)
    ]
    assert heights[1].cusum["alarm"].height > heights[0].cusum["alarm"].height


def test_rarer_alarms_have_greater_heights_and_intervals_hold_the_stated_rate_loosely():
    found = calibrate(
        healthy(1),
        np.zeros(HEALTHY, dtype=int),
        RATES,
        run=3,
        learned=HEALTHY,
        correlation=1.0,
        rng=np.random.default_rng(1),
    )
    for rule in (found.cusum, found.row):
        assert rule["alarm"].height > rule["warning"].height
        assert rule["warning"].interval[0] <= 10.0 * 1.5
    assert found.cusum["warning"].interval[1] >= 10.0 / 2


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_the_bound_of_the_e_detector_holds(seed):
    known = healthy(seed)
    detector = e_detector(known, np.zeros(HEALTHY, dtype=int))
    alarms = sum(len(e_process(healthy(10_000 + seed + k, 400), detector, 50.0)[1]) for k in range(10))
    assert alarms <= 4000 / 50.0  # the expected number is at most this


def test_the_e_detector_names_the_channel_that_moved():
    detector = e_detector(healthy(0), np.zeros(HEALTHY, dtype=int))
    z = healthy(1, 200)
    z[100:, 7] += 2.0
    _, alarms, channel = e_process(z, detector, 1000.0)
    assert 100 < alarms[0] < 125
    assert channel[alarms[0]] == 7


def test_few_days_give_greater_heights_and_an_interval_that_says_so():
    days = healthy(3, 60, phi=0.9)
    one = np.repeat([0, 1], 30)
    teeth = np.arange(CHANNELS) < CHANNELS - 2
    options = {"run": 3, "learned": 60, "correlation": 15.0}
    plain = calibrate(days, one, RATES, rng=np.random.default_rng(0), **options)
    few = FewRecords(teeth, 15.0, float(teeth.sum()))
    wary = calibrate(days, one, RATES, rng=np.random.default_rng(0), few=few, **options)
    for tier in RATES:
        assert wary.cusum[tier].height >= plain.cusum[tier].height
    assert wary.cusum["alarm"].height > plain.cusum["alarm"].height
    assert wary.cusum["alarm"].interval[0] == 0.0
    assert wary.cusum["alarm"].interval[1] >= 3.68 * 1000 / 60


def test_what_cannot_be_calibrated():
    one = np.zeros(10, dtype=int)
    options = {"run": 3, "learned": 10, "correlation": 1.0, "rng": np.random.default_rng(0)}
    with pytest.raises(InputError, match="20 healthy records"):
        calibrate(healthy(0, 10), one, RATES, **options)
    with pytest.raises(InputError, match="0, 200"):
        calibrate(healthy(0, 30), np.zeros(30, dtype=int), {"alarm": 0.0}, **options)
