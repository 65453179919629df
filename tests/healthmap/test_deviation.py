import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.healthmap.deviation import DeviationConfig, HealthyBaseline, trailing_mean
from toothwise.simulate.runs import DRIFTS, RunConfig, simulate_run
from toothwise.vibration.alignment import align_spectra
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.spectrum import order_spectrum


def prepared(config, seed, **options):
    """Run, aligned spectra, and the baseline of its healthy days."""
    records = simulate_run(config, seed=seed)
    teeth = records.teeth
    spectra = order_spectrum(split_revolutions(records.vibration, teeth).residual)[:, : 4 * teeth]
    aligned = align_spectra(spectra, teeth)[0]
    n = int(records.healthy.sum())
    planet = "planet" in records.gear
    return records, aligned, HealthyBaseline(aligned[:n], teeth, records.day[:n], planet=planet, **options)


def away(tooth, actual, teeth=35):
    return min((tooth - actual) % teeth, (actual - tooth) % teeth)


def test_trailing_mean_is_causal_and_of_so_many_records():
    x = np.random.default_rng(0).standard_normal((2000, 1))
    y = trailing_mean(x, 16)
    np.testing.assert_allclose(trailing_mean(x[:50], 16), y[:50])
    np.testing.assert_allclose(y[99], x[84:100].mean(axis=0))
    assert y[20:].var() == pytest.approx(1 / 16, rel=0.2)
    np.testing.assert_allclose(trailing_mean(x, 1), x)


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_cracked_tooth_stands_out_at_the_end_under_any_drift(drift):
    records, aligned, baseline = prepared(RunConfig(tooth=8, growth=1.5, drift=drift, second_contact=0.0), 0)
    contrast = baseline.contrast(aligned)
    assert contrast.shape == (35, len(records))
    last = contrast[:, -20:].mean(axis=1)
    assert away(int(np.argmax(last)), 8) <= 1
    assert last.max() > 0.8


def test_a_tooth_that_only_grows_quieter_stands_out_too():
    _, aligned, baseline = prepared(RunConfig(tooth=20, growth=0.06, quieter=0.9, second_contact=0.0, day=0.01), 1)
    assert away(int(np.argmax(baseline.contrast(aligned)[:, -20:].mean(axis=1))), 20) <= 1


def test_both_contacts_of_a_planet_tooth_count_together():
    _, aligned, planet = prepared(RunConfig(teeth=20, tooth=3, growth=1.5, second_contact=0.8), 2)
    gear = HealthyBaseline(aligned[:80], 20, np.arange(80) // 40)
    both = HealthyBaseline(aligned[:80], 20, np.arange(80) // 40, planet=True)
    alone, together = (np.exp(2 * one.level(aligned)) * one.expected[:, None] for one in (gear, both))
    np.testing.assert_allclose(together, alone + 0.5 * np.roll(alone, 10, axis=0))
    assert min(away(int(np.argmax(planet.contrast(aligned)[:, -1])), t, 20) for t in (3, 13)) <= 1


def test_a_step_of_the_whole_gain_changes_nothing():
    _, aligned, baseline = prepared(RunConfig(faulty=False), 2)
    stepped = aligned.copy()
    stepped[300:] *= 1.8
    np.testing.assert_allclose(baseline.level(stepped), baseline.level(aligned), rtol=1e-9)


def test_the_past_does_not_depend_on_the_future():
    _, aligned, baseline = prepared(RunConfig(), 3)
    np.testing.assert_allclose(baseline.contrast(aligned[:300]), baseline.contrast(aligned)[:, :300])


def test_an_order_that_days_move_counts_less_than_one_that_scatters_as_much_within_them():
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(6), 30)
    signature = rng.standard_normal(60) + 1j * rng.standard_normal(60)
    noise = 0.2 * (rng.standard_normal((180, 60)) + 1j * rng.standard_normal((180, 60)))
    moved = noise.copy()
    moved[:, 20:40] = 0.2 * (rng.standard_normal((6, 20)) + 1j * rng.standard_normal((6, 20)))[day]
    moved[:, 20:40] += 0.02 * noise[:, 20:40]
    weight = HealthyBaseline(signature + moved, 15, day).weight
    assert np.median(weight[22:38]) < 0.5 * np.median(np.r_[weight[5:18], weight[42:55]])


@pytest.mark.full
def test_later_healthy_days_seldom_show_more_than_drawn_drift_does():
    shares = []
    for seed, drift in enumerate((*DRIFTS, *DRIFTS)):
        records, aligned, baseline = prepared(RunConfig(faulty=False, drift=drift), 40 + seed)
        height = np.quantile(baseline.drift_contrast(500, np.random.default_rng(seed)).max(axis=0), 0.99)
        shares.append(float(np.mean(baseline.contrast(aligned).max(axis=0)[int(records.healthy.sum()) :] > height)))
    assert np.mean(shares) < 0.06


@pytest.mark.parametrize("options", [{"records": 0}, {"nuisance": -1}, {"window": 0.5}, {"window": 9}, {"mate": 2.0}])
def test_impossible_parameters_are_refused(options):
    with pytest.raises(InputError):
        DeviationConfig(**options)


def test_too_few_healthy_records_are_refused():
    with pytest.raises(InputError, match="needs 14 records"):
        HealthyBaseline(np.ones((13, 140), complex), 35, np.arange(13) // 7)
    with pytest.raises(InputError, match="two days"):
        HealthyBaseline(np.ones((20, 140), complex), 35, np.zeros(20, int))
