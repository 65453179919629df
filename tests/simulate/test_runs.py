import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.simulate.runs import RunConfig, simulate_run


def test_same_seed_same_records_other_seed_others():
    one, again, other = (simulate_run(seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.vibration, again.vibration)
    assert one.truth == again.truth
    assert not np.allclose(one.vibration, other.vibration)


def test_layout_is_that_of_the_real_run():
    records = simulate_run(seed=0)
    assert records.vibration.shape == (808, 4095)
    assert int((records.day <= 18).sum()) == 133
    assert records.number.max() == 526


def test_truth():
    records = simulate_run(RunConfig(tooth=5, onset=400), seed=2)
    assert (records.truth["tooth"], records.truth["onset"]) == (5, 400)
    assert records.truth["onset_number"] == records.number[400]
    healthy = simulate_run(RunConfig(faulty=False), seed=2)
    assert healthy.truth["tooth"] is None
    # the crack is all that differs: before onset the records are the same
    same = simulate_run(RunConfig(tooth=5, onset=400), seed=2)
    np.testing.assert_allclose(same.vibration[:400], healthy.vibration[:400], atol=1e-12)
    assert not np.allclose(same.vibration[-1], healthy.vibration[-1])


def test_shares_of_energy_are_as_configured():
    quiet = RunConfig(faulty=False, tone=0, load=0, day=0, gain=0, outlier_share=0)
    spectra = np.abs(np.fft.rfft(simulate_run(quiet, seed=3).vibration, axis=1)) ** 2
    energy = spectra.sum(axis=1)
    assert energy.std() / energy.mean() < 0.1  # only noise differs, and the start turns phases, not magnitudes
    signature = np.abs(np.fft.rfft(simulate_run(RunConfig(**{**vars(quiet), "noise": 0.0}), seed=3).vibration[0])) ** 2
    assert energy.mean() / signature.sum() == pytest.approx(1.07, abs=0.02)


def test_gain_steps():
    plain = simulate_run(RunConfig(faulty=False), seed=4).vibration
    stepped = simulate_run(RunConfig(faulty=False, gain_steps=(500,), gain_step=2.0), seed=4).vibration
    np.testing.assert_allclose(stepped[:500], plain[:500])
    np.testing.assert_allclose(stepped[500:], 2 * plain[500:])


@pytest.mark.parametrize("wrong", [{"tooth": 35}, {"tooth": -1}, {"onset": 807}])
def test_impossible_truth_is_refused(wrong):
    with pytest.raises(InputError):
        simulate_run(RunConfig(**wrong), seed=0)
