import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toothwise.errors import InputError
from toothwise_lab.comparison import delong_test, holm, paired_effect


def _kernel_covariance(a, b, labels):
    """DeLong's estimator by its definition: all pairs of a faulty and a healthy map."""
    kernels = []
    for s in (a, b):
        gap = s[labels == 1][:, None] - s[labels == 0][None]
        kernels.append((gap > 0) + 0.5 * (gap == 0))
    m, n = kernels[0].shape
    faulty, healthy = np.array([k.mean(axis=1) for k in kernels]), np.array([k.mean(axis=0) for k in kernels])
    return [k.mean() for k in kernels], np.cov(faulty) / m + np.cov(healthy) / n


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 30), st.integers(2, 9))
def test_delong_is_its_definition(seed, n, levels):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [n, n + 3])
    a, b = (rng.integers(0, levels, len(labels)) + labels * k for k in (0, 1))
    values, s = _kernel_covariance(a, b, labels)
    error = np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
    if error < 1e-9:
        return
    found = delong_test(a, b, labels)
    np.testing.assert_allclose((found.auroc_a, found.auroc_b), values, atol=1e-12)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.p_value == pytest.approx(2 * scipy.stats.norm.sf(abs(values[0] - values[1]) / error), rel=1e-6)
    swapped = delong_test(b, a, labels)
    assert (swapped.difference, swapped.p_value) == (-found.difference, pytest.approx(found.p_value))


def test_delong_rejects_equal_detectors_as_often_as_it_says():
    labels = np.repeat([0, 1], 80)
    p = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        common = rng.standard_normal(160) + labels
        p.append(delong_test(common + rng.standard_normal(160), common + rng.standard_normal(160), labels).p_value)
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.085
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.001


def test_delong_where_there_is_no_variance():
    labels = np.repeat([0, 1], 5)
    perfect = labels.astype(float)
    same = delong_test(perfect, 3 * perfect, labels)
    assert (same.difference, same.p_value, same.interval) == (0.0, 1.0, (0.0, 0.0))
    with pytest.raises(InputError, match="without any variance"):
        delong_test(perfect, -perfect, labels)
    with pytest.raises(InputError, match="2 healthy and 2 faulty"):
        delong_test([1.0, 2, 3], [1.0, 2, 3], [0, 0, 1])


def test_holm_of_a_worked_example():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])


@given(arrays("f8", st.integers(1, 20), elements=st.floats(0, 1)), st.sampled_from([0.01, 0.05, 0.3]))
def test_holm_rejects_as_the_step_down_procedure(p, alpha):
    adjusted = holm(p)
    rejected = np.zeros(len(p), bool)
    for step, k in enumerate(np.argsort(p, kind="stable")):
        if p[k] * (len(p) - step) > alpha:
            break
        rejected[k] = True
    np.testing.assert_array_equal(adjusted <= alpha, rejected)
    assert (adjusted >= p).all()


@pytest.mark.parametrize("bad", [[], [0.1, np.nan], [1.2], [-0.1], [[0.1]]])
def test_holm_needs_probabilities(bad):
    with pytest.raises(InputError, match="p-values"):
        holm(bad)


def test_effect_of_pairs():
    assert paired_effect([1.0, 2.0, 3.0]) == pytest.approx(2.0)
    assert paired_effect([-1.0, -2.0, -3.0]) == pytest.approx(-2.0)
    assert np.isnan(paired_effect(np.array([0.2, 0.3, 0.4]) - [0.1, 0.2, 0.3]))
