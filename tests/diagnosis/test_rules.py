"""Channels, their ladder and memory, and limits that hold the stated rates."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.diagnosis.control_limits import SHARES, FewRecords, calibrate
from toothwise.diagnosis.rules import SUMS, AlarmState, MonitorSettings, ladder, run_channels
from toothwise.errors import InputError
from toothwise.fields import from_mapping
from toothwise.files import finite

HEALTHY, THINGS = 300, 20
RATES = {"warning": 10.0, "alarm": 2.0}
LIMITS = {
    "single": {"warning": 2.3, "alarm": 3.3},
    "several": {"warning": 4.0, "alarm": 6.0},
    "growth": {"warning": 10.0, "alarm": 15.0},
}
TEETH = np.arange(3) < 2


def cusum(z, how):
    """C_t = max(0, C_(t-1) + min(z_t, clip) - drift) of every column (Page, Biometrika 41, 1954)."""
    out, now = np.zeros(z.shape), np.zeros(z.shape[1])
    for t, row in enumerate(z):
        now = out[t] = np.maximum(now + np.clip(row, -how.clip, how.clip) - how.drift, 0.0)
    return out


def healthy(seed, n=HEALTHY, phi=0.0):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, THINGS))
    for k in range(1, n):
        z[k] = phi * z[k - 1] + np.sqrt(1 - phi**2) * z[k]
    return z


def limits_of(z, blocks=None, *, learned=None, correlation=1.0, seed=0, **options):
    blocks = np.zeros(len(z), dtype=int) if blocks is None else blocks
    rng, learned = np.random.default_rng(seed), learned or len(z)
    return calibrate(z, blocks, RATES, learned=learned, correlation=correlation, rng=rng, **options)


def run(z, single=None, before=None, at=0):
    single = np.zeros(z.shape) if single is None else single
    before = before or AlarmState.begin(3)
    return run_channels(z, single, LIMITS, before, teeth=TEETH, whole=~TEETH, at=at)


def test_what_one_record_shows_at_the_next_tooth_is_about_the_one_that_all_speak_for():
    z, single = np.zeros((6, 3)), np.zeros((6, 3))
    z[1:, 0], z[4, 1] = 1.5, 3.0  # too little for an alarm of its own, again and again
    single[2, 0], single[4, 1] = 2.5, 3.5  # AMBER, and RED in one record
    near = np.array([[False, True, False], [True, False, False], [False] * 3])
    course = run_channels(z, single, LIMITS, AlarmState.begin(3), teeth=TEETH, whole=~TEETH, loud=z, near=near)
    assert course.level.tolist() == [[0, 0, 0]] * 2 + [[1, 0, 0]] * 2 + [[2, 2, 0]] * 2
    assert (course.state.lead.thing, course.state.lead.before) == (0, -1)
    apart = run_channels(z, single, LIMITS, AlarmState.begin(3), teeth=TEETH, whole=~TEETH, loud=z, near=near & False)
    assert apart.level[-1].tolist() == [1, 2, 0]
    assert apart.state.lead.thing == 1


@given(st.lists(st.lists(st.floats(-5, 9), min_size=2, max_size=2), min_size=1, max_size=40))
def test_cusum_as_a_plain_loop_says(values):
    z = np.array(values)
    for how in SUMS.values():
        for thing in range(2):
            now = 0.0
            for t, value in enumerate(z[:, thing]):
                now = max(0.0, now + min(max(value, -how.clip), how.clip) - how.drift)
                assert cusum(z, how)[t, thing] == pytest.approx(now)


@given(st.floats(0, 50), st.floats(0, 50))
def test_the_ladder_rises_and_its_steps_are_the_limits(a, b):
    low, high = ladder(np.sort([a, b]), 4.0, 9.0)
    assert low <= high
    assert ladder(np.array([4.0, 9.0]), 4.0, 9.0).tolist() == [1.0, 2.0]


def test_a_state_goes_on_where_it_stood_and_through_json():
    rng = np.random.default_rng(1)
    z, single = rng.normal(0.4, 1.5, (60, 3)), rng.exponential(0.8, (60, 3))
    whole, state, steps = run(z, single), None, []
    for k in range(0, 60, 7):
        part = run(z[k : k + 7], single[k : k + 7], state, at=k)
        state = from_mapping(AlarmState, json.loads(json.dumps(finite(part.state))))
        steps.append(part.step)
    np.testing.assert_allclose(np.concatenate(steps), whole.step)
    for name in ("level", "quiet", "since", "beyond", "evidence"):
        np.testing.assert_allclose(getattr(state, name), getattr(whole.state, name))


def test_one_record_cannot_alarm_by_the_sums_alone_and_quiet_records_end_what_it_began():
    z = np.zeros((40, 3))
    z[3, 0] = 99.0
    found = run(z)
    assert not found.level[:, 0].max() > 1
    assert found.state.level.tolist() == [0, 0, 0]
    single = np.zeros((40, 3))
    single[3, 0] = 4.0
    found = run(z * 0.0, single)
    assert found.level[3:23, 0].tolist() == [2] * 20  # a RED is held for 20 quiet records
    assert found.level[-1, 0] == 0
    assert found.begins("alarm", AlarmState.begin(3)).tolist() == [3]


def test_what_rises_with_all_teeth_is_not_contradicted():
    z = np.zeros((60, 3))
    z[3:6, 0] = 9.0
    alone = run(z)
    z[10:, 2] = 3.0  # the whole gear rises, so that teeth seem quiet against one another
    with_all = run(z)
    assert alone.state.level[0] == 0
    assert with_all.state.level[0] == 2
    assert with_all.state.since[0] < with_all.state.since[2]


def test_two_records_beyond_doubt_are_never_green_again():
    single = np.zeros((80, 3))
    single[[3, 9], 1] = 7.0
    assert run(np.zeros((80, 3)), single).state.level[1] == 1
    single[9] = 0.0
    assert run(np.zeros((80, 3)), single).state.level[1] == 0


def test_the_shares_are_the_whole_budget_whatever_is_off():
    assert sum(SHARES.values()) == pytest.approx(1.0)
    for z, off in ((healthy(0), ()), (healthy(0, 24), ("growth",))):
        found = limits_of(z)
        assert found.off == off
        for tier, rate in RATES.items():
            assert sum(own[tier].stated for own in found.channels.values()) == pytest.approx(rate)
        assert all(own["alarm"].height > own["warning"].height for own in found.channels.values())
    assert limits_of(healthy(0), single=False).off == ("single",)


@pytest.mark.full
@pytest.mark.parametrize("name", list(SUMS))
def test_the_stated_rate_is_that_of_the_sum_with_the_maximum_over_things(name):
    measured = []
    for seed in range(6):  # limits from one healthy set are off by chance
        found, stated = limits_of(healthy(seed), seed=seed), RATES["alarm"] * SHARES[name]
        height, count, rng = found.channels[name]["alarm"].height, 0, np.random.default_rng(seed)
        for _ in range(40):
            base = healthy(int(rng.integers(1 << 30))).mean(axis=0)
            over = (cusum(healthy(int(rng.integers(1 << 30)), 500) - base, SUMS[name]) >= height).any(axis=1)
            count += int((over[1:] & ~over[:-1]).sum())
        measured.append(1000.0 * count / (40 * 500) / stated)
    assert 0.2 < np.mean(measured) < 2.5, measured


def test_correlated_records_and_short_baselines_need_greater_limits():
    white, slow = limits_of(healthy(0)), limits_of(healthy(0, phi=0.6), correlation=4.0)
    short = limits_of(healthy(0), learned=30)
    assert slow.block == 12
    for other in (slow, short):
        grown = other.channels.get("growth")
        assert grown is None or grown["alarm"].height > white.channels["growth"]["alarm"].height


def test_few_days_give_greater_limits():
    days, one = healthy(3, 60, phi=0.9), np.repeat([0, 1], 30)
    teeth = np.arange(THINGS) < THINGS - 2
    plain = limits_of(days, one, correlation=15.0)
    wary = limits_of(days, one, correlation=15.0, few=FewRecords(teeth, 15.0, float(teeth.sum())))
    assert set(plain.off) <= set(wary.off)
    for name in ("several", "growth"):
        if name in wary.channels:
            assert wary.channels[name]["alarm"].height >= plain.channels[name]["alarm"].height


def test_few_healthy_records_bear_limits_of_single_records_only():
    found = limits_of(healthy(0, 7))
    assert (set(found.channels), found.off) == ({"single"}, ("several", "growth"))
    assert found.channels["single"]["warning"].stated == 10.0


def test_what_cannot_be_calibrated():
    for rate in (0.0, 200.5):
        with pytest.raises(InputError, match=r"rate must be a number in \(0, 200\]"):
            MonitorSettings(rate=rate)
