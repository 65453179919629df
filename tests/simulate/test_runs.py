import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.simulate.runs import DRIFTS, RunConfig, simulate_run


def test_same_seed_same_records_other_seed_others():
    one, again, other = (simulate_run(seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.vibration, again.vibration)
    assert one.truth == again.truth
    assert one.vibration.shape != other.vibration.shape  # days are drawn too


def test_days_are_those_asked_for_and_count_from_one():
    records = simulate_run(RunConfig(days=(20, 30, 25), healthy_days=1, teeth=23, samples_per_tooth=16), seed=0)
    assert records.vibration.shape == (75, 23 * 16)
    assert [int((records.day == d).sum()) for d in (1, 2, 3)] == [20, 30, 25]
    assert records.number.tolist() == list(range(1, 76))
    assert int(records.healthy.sum()) == 20
    assert records.truth["onset"] >= 20


def test_what_is_drawn_differs_from_run_to_run():
    truths = [simulate_run(seed=s).truth for s in range(12)]
    assert len({t["tooth"] for t in truths}) > 6
    assert {t["second_contact"] == 0 for t in truths} == {True, False}


def test_truth_and_a_setting_that_is_given_moves_no_other():
    records = simulate_run(RunConfig(tooth=5, onset=200), seed=2)
    assert (records.truth["tooth"], records.truth["onset"], records.truth["onset_number"]) == (5, 200, 201)
    healthy = simulate_run(RunConfig(faulty=False), seed=2)
    assert healthy.truth["tooth"] is None
    # the crack is all that differs: before onset the records are the same
    np.testing.assert_allclose(records.vibration[:200], healthy.vibration[:200], atol=1e-12)
    assert not np.allclose(records.vibration[-1], healthy.vibration[-1])


def test_shares_of_energy_are_as_configured():
    quiet = RunConfig(faulty=False, tone=0, load=0, day=0, gain=0, outlier_share=0, noise=0.0)
    loud = RunConfig(**{**vars(quiet), "noise": 0.07})
    still, noisy = (np.square(simulate_run(c, seed=3).vibration).sum(axis=1) for c in (quiet, loud))
    assert still.std() / still.mean() < 1e-9  # the start turns phases, not magnitudes
    assert noisy.mean() / still.mean() == pytest.approx(1.07, abs=0.02)


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_moves_days_and_not_records_of_one_day_alone(drift):
    quiet = RunConfig(faulty=False, tone=0, load=0, gain=0, noise=0, day=0.05, drift=drift, days=(20, 20, 20, 20))
    records = simulate_run(quiet, seed=5)
    still = simulate_run(RunConfig(**{**vars(quiet), "day": 0.0}), seed=5)
    away = np.sum(np.square(records.vibration - still.vibration), axis=1) / np.sum(np.square(still.vibration), axis=1)
    assert 0.005 < away.mean() < 0.5
    within = np.mean([away[records.day == d].std() for d in range(1, 5)])
    moves = drift in ("path", "warming")
    assert within > 1e-3 if moves else within < 1e-9


def test_gain_steps():
    plain = simulate_run(RunConfig(faulty=False), seed=4).vibration
    stepped = simulate_run(RunConfig(faulty=False, gain_steps=(300,), gain_step=2.0), seed=4).vibration
    np.testing.assert_allclose(stepped[:300], plain[:300])
    np.testing.assert_allclose(stepped[300:], 2 * plain[300:])


@pytest.mark.parametrize(("wrong", "says"), [({"tooth": 35}, "tooth"), ({"onset": -1}, "onset"), ({"drift": "x"}, "x")])
def test_impossible_settings_are_refused(wrong, says):
    with pytest.raises(InputError, match=says):
        simulate_run(RunConfig(**wrong), seed=0)
