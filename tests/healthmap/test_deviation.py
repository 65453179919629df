import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.healthmap.deviation import DeviationConfig, HealthyBaseline, trailing_mean
from toothwise.simulate.runs import RunConfig, simulate_run
from toothwise.vibration.alignment import align_spectra
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.spectrum import order_spectrum

HEALTHY = 133


def _aligned(config, seed):
    records = simulate_run(config, seed=seed)
    spectra = order_spectrum(split_revolutions(records.vibration, 35).residual)[:, :140]
    return align_spectra(spectra, 35)[0]


def _contrast(deviation):
    level = np.log(deviation)
    return level - np.median(level, axis=0)


def test_trailing_mean_is_causal_normalised_and_reduces_variance_as_stated():
    x = np.random.default_rng(0).standard_normal((20000, 1))
    y = trailing_mean(x, 16.0)
    np.testing.assert_allclose(trailing_mean(x[:50], 16.0), y[:50])
    np.testing.assert_allclose(trailing_mean(np.ones((5, 2)), 16.0), 1.0)
    assert y[200:].var() == pytest.approx(1 / 16, rel=0.1)
    assert trailing_mean(x, 1.0) is x


def test_the_cracked_tooth_stands_out_at_the_end():
    config = RunConfig(tooth=8, onset=300)
    aligned = _aligned(config, 0)
    deviation = HealthyBaseline(aligned[:HEALTHY], 35).tooth_deviation(aligned)
    assert deviation.shape == (35, 808)
    contrast = _contrast(deviation)[:, -100:].mean(axis=1)
    assert np.argmax(contrast) in (7, 8, 9)
    assert contrast.max() > 0.8


def test_a_tooth_that_only_grows_quieter_stands_out_too():
    aligned = _aligned(RunConfig(tooth=20, onset=200, growth=0.06, start=0.05, quieter=0.9), 1)
    level = np.abs(aligned)
    assert np.linalg.norm(level[-1]) < 1.3 * np.linalg.norm(level[0])
    contrast = _contrast(HealthyBaseline(aligned[:HEALTHY], 35).tooth_deviation(aligned))
    assert np.argmax(contrast[:, -100:].mean(axis=1)) in (19, 20, 21)


def test_a_step_of_the_whole_gain_changes_nothing():
    aligned = _aligned(RunConfig(faulty=False), 2)
    stepped = aligned.copy()
    stepped[400:] *= 1.8
    baseline = HealthyBaseline(aligned[:HEALTHY], 35)
    np.testing.assert_allclose(baseline.tooth_deviation(stepped), baseline.tooth_deviation(aligned), rtol=1e-9)


def test_the_past_does_not_depend_on_the_future():
    aligned = _aligned(RunConfig(), 3)
    baseline = HealthyBaseline(aligned[:HEALTHY], 35)
    np.testing.assert_allclose(baseline.tooth_deviation(aligned[:300]), baseline.tooth_deviation(aligned)[:, :300])


def test_healthy_records_deviate_by_about_their_chance_size():
    aligned = _aligned(RunConfig(faulty=False), 4)[:HEALTHY]
    one = HealthyBaseline(aligned, 35, DeviationConfig(smoothing=1.0)).tooth_deviation(aligned)
    assert np.median(one) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("options", [{"smoothing": 0.5}, {"nuisance": -1}, {"window": 0.5}, {"window": 9}])
def test_impossible_parameters_are_refused(options):
    with pytest.raises(InputError):
        DeviationConfig(**options)


def test_too_few_healthy_records_are_refused():
    with pytest.raises(InputError, match="needs 14 records"):
        HealthyBaseline(np.ones((13, 140), complex), 35)
