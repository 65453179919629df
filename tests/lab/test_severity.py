import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sklearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from toothwise.errors import InputError
from toothwise_lab.severity import kendall, mae, spearman

pairs = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=40)


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_equal_to_scikit_learn_and_scipy(cases):
    predicted, actual = np.array(cases, dtype=float).T
    assert mae(predicted, actual) == pytest.approx(sklearn.mean_absolute_error(actual, predicted), abs=1e-9)
    assume(np.ptp(predicted) > 0 and np.ptp(actual) > 0)
    assert spearman(predicted, actual) == pytest.approx(scipy.stats.spearmanr(predicted, actual).statistic, abs=1e-9)
    assert kendall(predicted, actual) == pytest.approx(_tau_b(predicted, actual), abs=1e-9)


def _tau_b(x, y):
    """All pairs, one by one."""
    dx, dy = (np.sign(v[:, None] - v[None])[np.triu_indices(len(v), 1)] for v in (x, y))
    return np.sum(dx * dy) / np.sqrt(np.sum(dx != 0) * np.sum(dy != 0))


def test_order_is_all_that_rank_correlation_sees():
    x = np.random.default_rng(0).random(30)
    for metric in (spearman, kendall):
        assert metric(np.exp(9 * x), x) == pytest.approx(1.0)
        assert metric(-(x**3), x) == pytest.approx(-1.0)


@pytest.mark.parametrize("metric", [mae, spearman, kendall])
@pytest.mark.parametrize(
    ("predicted", "actual", "message"),
    [([], [], "or more"), ([1.0, np.nan], [1, 2], "finite"), ([1.0, 2.0], [1, 2, 3], "one length")],
)
def test_input_without_an_answer(metric, predicted, actual, message):
    with pytest.raises(InputError, match=message):
        metric(predicted, actual)


@pytest.mark.parametrize("metric", [spearman, kendall])
def test_equal_severities_have_no_order(metric):
    with pytest.raises(InputError, match="predicted severities are all 2"):
        metric([2, 2, 2], [1, 2, 3])
    with pytest.raises(InputError, match="actual"):
        metric([1, 2, 3], [0, 0, 0])
    with pytest.raises(InputError, match="2 maps"):
        metric([1], [1])
