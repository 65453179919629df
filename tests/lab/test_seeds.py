import numpy as np
import pytest
import scipy.stats

from toothwise.errors import InputError
from toothwise.evaluation import auroc, tpr_at_fpr
from toothwise_lab.comparison import delong_test
from toothwise_lab.seeds import bootstrap_over_seeds, compare_over_seeds, compare_values

LABELS = np.repeat([0, 1], [40, 40])


def drawn(rng, shift, noise=1.0):
    return noise * rng.standard_normal(80) + shift * LABELS


@pytest.mark.full
def test_an_interval_over_seeds_holds_what_is_true_and_grows_with_what_seeds_do():
    rng = np.random.default_rng(0)
    alike = [(drawn(rng, 1.0), LABELS) for _ in range(5)]
    apart = [(drawn(rng, 1.0 + d), LABELS) for d in (-0.9, -0.5, 0.0, 0.5, 0.9)]
    true = scipy.stats.norm.cdf(1.0 / np.sqrt(2.0))
    narrow, wide = bootstrap_over_seeds(auroc, alike), bootstrap_over_seeds(auroc, apart)
    assert narrow.low < true < narrow.high
    assert narrow.value == pytest.approx(np.mean([auroc(*s) for s in alike]))
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    assert bootstrap_over_seeds(auroc, alike, seed=0) == narrow


def test_with_one_seed_the_comparison_is_delongs():
    rng = np.random.default_rng(1)
    a, b = drawn(rng, 1.2), drawn(rng, 0.7)
    found, wanted = compare_over_seeds(auroc, [(a, LABELS)], [(b, LABELS)]), delong_test(a, b, LABELS)
    assert found.difference == pytest.approx(wanted.difference)
    assert found.p_value == pytest.approx(wanted.p_value)
    assert (found.low, found.high) == pytest.approx(wanted.interval)
    assert "one seed" in found.method


def test_a_clear_difference_is_found_with_three_seeds():
    rng = np.random.default_rng(2)
    a, b = ([(drawn(rng, shift), LABELS) for _ in range(3)] for shift in (2.0, 0.3))
    for metric in (auroc, lambda s, y: tpr_at_fpr(s, y, fpr=0.05)):
        found = compare_over_seeds(metric, a, b)
        assert found.difference > 0.2
        assert found.p_value < 0.01
        assert found.low > 0


def test_equal_scores_differ_by_nothing():
    rng = np.random.default_rng(3)
    a = [(drawn(rng, 1.0), LABELS) for _ in range(3)]
    found = compare_over_seeds(auroc, a, a)
    assert (found.difference, found.p_value, found.low, found.high) == (0.0, 1.0, 0.0, 0.0)


def test_no_variation_at_all_has_no_test():
    perfect, wrong = np.where(LABELS == 1, 1.0, 0.0), np.where(LABELS == 1, 0.0, 1.0)
    found = compare_over_seeds(auroc, [(perfect, LABELS)] * 2, [(wrong, LABELS)] * 2)
    assert found.difference == 1.0
    assert np.isnan(found.p_value)
    a, b = [0.3, 0.4, 0.5], [0.1, 0.2, 0.3]
    assert len({x - y for x, y in zip(a, b, strict=True)}) > 1  # equal but for rounding
    assert np.isnan(compare_values(a, b).p_value)


@pytest.mark.full
@pytest.mark.parametrize("between", [0.0, 0.6])
def test_false_alarms_of_the_test_are_as_stated(between):
    """Two detectors that are equal on average, whether chance lies in the maps or in the training of each seed."""
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(400):
        shifts = 1.0 + between * rng.standard_normal((2, 3))
        a, b = ([(drawn(rng, shift), LABELS) for shift in each] for each in shifts)
        wrong += compare_over_seeds(auroc, a, b).p_value < 0.05
    assert wrong / 400 < 0.075  # 0.05 and two standard errors of 400 trials


def test_values_are_compared_by_the_paired_t_test():
    a, b = [0.9, 0.8, 0.85, 0.95], [0.7, 0.75, 0.8, 0.7]
    found = compare_values(a, b)
    assert found.p_value == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue)
    assert np.isnan(compare_values([1.0], [0.5]).p_value)


def test_what_cannot_be_compared():
    rng = np.random.default_rng(5)
    one = [(drawn(rng, 1.0), LABELS)]
    with pytest.raises(InputError, match="same seeds"):
        compare_over_seeds(auroc, one, one * 2)
    with pytest.raises(InputError, match="same maps"):
        compare_over_seeds(auroc, one, [(one[0][0], LABELS[::-1])])
    with pytest.raises(InputError, match="one seed or more"):
        bootstrap_over_seeds(auroc, [])
