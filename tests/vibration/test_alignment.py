import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.simulate.runs import RunConfig, simulate_run
from toothwise.vibration.alignment import align_spectra
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.spectrum import order_spectrum, shift_spectrum


def _spectra(records):
    return order_spectrum(split_revolutions(records.vibration, records.teeth).residual)[:, : 4 * records.teeth]


def _signature(rng, orders=140):
    s = rng.standard_normal(orders) + 1j * rng.standard_normal(orders)
    s[::35] = 0
    return s


def test_known_shifts_are_found_and_undone():
    rng = np.random.default_rng(1)
    signature = _signature(rng)
    shift = rng.uniform(0, 35, 40)
    shift[0] = 0
    spectra = shift_spectrum(np.tile(signature, (40, 1)), -shift / 35)
    aligned, alignment = align_spectra(spectra, 35)
    error = (alignment.shift - shift + 17.5) % 35 - 17.5
    assert np.abs(error).max() < 0.01
    assert np.abs(aligned - signature).max() < 0.03 * np.abs(signature).max()
    assert alignment.correlation.min() > 0.99  # read off a grid of an eighth of an order


def test_a_strong_free_tone_does_not_mislead():
    rng = np.random.default_rng(2)
    signature = _signature(rng)
    shift = rng.uniform(0, 35, 60)
    shift[0] = 0
    spectra = np.tile(signature, (60, 1))
    spectra[:, 52] += 1.0 * np.linalg.norm(signature) * np.exp(2j * np.pi * rng.uniform(size=60))
    _, alignment = align_spectra(shift_spectrum(spectra, -shift / 35), 35)
    error = np.abs((alignment.shift - shift + 17.5) % 35 - 17.5)
    assert np.mean(error[10:] < 0.2) > 0.95  # the first records cannot know yet which order is free


def test_records_see_only_those_before_them():
    spectra = _spectra(simulate_run(seed=3))[:60]
    whole = align_spectra(spectra, 35)[1]
    part = align_spectra(spectra[:30], 35)[1]
    np.testing.assert_array_equal(whole.shift[:30], part.shift)
    np.testing.assert_array_equal(whole.correlation[:30], part.correlation)


def test_every_record_of_a_simulated_healthy_run_is_turned_rightly():
    _, alignment = align_spectra(_spectra(simulate_run(RunConfig(faulty=False), seed=4)), 35)
    assert alignment.confidence[1:].min() > 0.15
    assert np.median(alignment.correlation) > 0.85


def test_noise_has_no_confidence():
    rng = np.random.default_rng(5)
    noise = np.array([_signature(rng) for _ in range(30)])
    _, alignment = align_spectra(noise, 35)
    assert np.median(alignment.confidence[1:]) < 0.1


def test_one_record_is_its_own_reference():
    aligned, alignment = align_spectra(_signature(np.random.default_rng(0))[None], 35)
    assert alignment.shift.tolist() == [0.0]
    assert aligned.shape == (1, 140)


def test_a_record_of_mesh_harmonics_alone_is_refused():
    spectra = np.zeros((2, 140), complex)
    spectra[0, 3] = 1
    with pytest.raises(InputError, match="record 1 has no residual"):
        align_spectra(spectra, 35)
