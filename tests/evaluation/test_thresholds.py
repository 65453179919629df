import numpy as np
import pytest
from scipy.stats import binomtest

from toothwise.errors import InputError
from toothwise.evaluation.thresholds import (
    effective_number,
    rate_interval,
    threshold_from_healthy,
    threshold_from_lines,
)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_the_rate_holds_for_exponential_scores(rate):
    rng = np.random.default_rng(0)
    actual = [np.exp(-threshold_from_healthy(rng.exponential(size=500), rate).value) for _ in range(200)]
    assert np.median(actual) == pytest.approx(rate, rel=0.25)


def test_a_large_rate_is_the_empirical_quantile():
    scores = np.arange(100.0)
    assert threshold_from_healthy(scores, 0.25).value == np.quantile(scores, 0.75, method="higher")


def test_lines_hold_their_rate_with_confidence_although_blocks_move_them():
    """Every block (day) moves each line; the threshold from two blocks must hold in later ones."""
    rng = np.random.default_rng(1)
    over = {None: [], 0.95: []}
    for _ in range(60):

        def maps(days):
            return np.concatenate([rng.standard_normal(35) + 0.2 * rng.standard_normal((50, 35)) for _ in range(days)])

        blocks = np.repeat([0, 1], 50)
        evidence, later = maps(2), maps(40).max(axis=1)
        for confidence in over:
            value = threshold_from_lines(evidence, 0.01, blocks=blocks, confidence=confidence).value
            over[confidence].append(np.mean(later > value))
    assert np.mean(np.array(over[0.95]) <= 0.01) > 0.8  # few blocks: most thresholds hold
    assert np.mean(over[0.95]) < np.mean(over[None])


def test_effective_number_lies_between_blocks_and_scores():
    rng = np.random.default_rng(2)
    blocks = np.repeat(np.arange(10), 60)
    independent = rng.standard_normal(600)
    assert effective_number(independent, blocks) > 300
    level = np.repeat(rng.standard_normal(10), 60) + 0.01 * rng.standard_normal(600)
    assert effective_number(level, blocks) == pytest.approx(10, rel=0.1)
    assert effective_number(np.ones(600), blocks) == 10
    smooth = np.convolve(rng.standard_normal(700), np.ones(20), "valid")[:600]
    assert effective_number(smooth, blocks) < 150


def test_interval_is_clopper_pearson_for_whole_numbers():
    for hits, n in ((0, 30), (3, 50), (50, 50)):
        exact = binomtest(hits, n).proportion_ci(0.95, "exact")
        assert rate_interval(hits / n, n) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_dependent_scores_have_a_wider_interval():
    rng = np.random.default_rng(3)
    scores = np.repeat(rng.standard_normal(4), 40) + 0.1 * rng.standard_normal(160)
    alone = threshold_from_healthy(scores, 0.01)
    blocked = threshold_from_healthy(scores, 0.01, blocks=np.repeat(np.arange(4), 40))
    assert blocked.value == alone.value
    assert blocked.interval[1] > 3 * alone.interval[1]


@pytest.mark.parametrize(
    ("scores", "rate", "message"),
    [
        (np.arange(5.0), 0.01, "8 healthy scores"),
        (np.r_[np.arange(20.0), np.nan], 0.01, "finite"),
        (np.arange(20.0), 0.0, "false_alarm_rate must be"),
        (np.arange(20.0), 1.0, "false_alarm_rate must be"),
    ],
)
def test_bad_input(scores, rate, message):
    with pytest.raises(InputError, match=message):
        threshold_from_healthy(scores, rate)


def test_constant_scores_give_their_value():
    assert threshold_from_healthy(np.ones(20), 0.01).value == 1.0
