"""Verdicts and the pooled model, on differences whose truth is known."""

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise_lab.pooled_pairs import PairDifference, pool_pairs
from toothwise_lab.seeds import compare_values
from toothwise_lab.verdicts import judge_difference


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.01, 0.2, "supported"),
        (-0.2, -0.01, "contradicted"),
        (-0.04, 0.03, "equivalent"),
        (0.01, 0.04, "equivalent"),  # an effect, but too small to matter
        (-0.2, 0.01, "undecided"),
        (-0.05, 0.01, "undecided"),  # just reaches the margin
        (np.nan, np.nan, "undecided"),
    ],
)
def test_verdicts(low, high, wanted):
    assert judge_difference(low, high, margin=0.05) == wanted
    assert judge_difference(low, high, margin=0.05, seeds=2) == "undecided"
    corrected = judge_difference(low, high, margin=0.05, p_value=0.2)
    assert corrected == (wanted if wanted == "equivalent" else "undecided")


def test_a_margin_must_be_one():
    with pytest.raises(InputError, match="margin"):
        judge_difference(0.0, 1.0, margin=0.0)


@pytest.mark.parametrize(
    ("truth", "wrong"),
    [(0.0, "supported"), *(pytest.param(edge, "equivalent", marks=pytest.mark.full) for edge in (0.05, -0.05))],
)
def test_verdicts_are_wrong_as_rarely_as_stated(truth, wrong):
    """No effect is called one in 2.5 % of experiments, an effect of the margin is called none in 2.5 %."""
    rng = np.random.default_rng(0)
    said = []
    for _ in range(800):
        found = compare_values(truth + 0.02 * rng.standard_normal(5), np.zeros(5))
        said.append(judge_difference(found.low, found.high, margin=0.05))
    assert said.count(wrong) / 800 < 0.025 + 2 * np.sqrt(0.025 / 800)
    assert said.count("undecided") < 800


def drawn(rng, mean, *, between=0.01, maps=0.01, noise=0.01, seeds=5, partners=8):
    """Pairs that all have the same partner, as in a study with one plain arm."""
    own, of_seed = between * rng.standard_normal(partners), maps * rng.standard_normal(seeds)
    trial = noise * rng.standard_normal((partners + 1, seeds))
    return [
        PairDifference(mean + own[k] + of_seed[s] + trial[k, s] - trial[-1, s], k, s, (k, s), ("plain", s))
        for k in range(partners)
        for s in range(seeds)
    ]


@pytest.mark.full
@pytest.mark.parametrize("maps", [0.0, 0.01])
def test_the_interval_of_the_pooled_mean_holds_the_truth_as_often_as_stated(maps):
    rng = np.random.default_rng(1)
    held = naive = 0
    for _ in range(200):
        pairs = drawn(rng, 0.02, maps=maps)
        found = pool_pairs(pairs)
        held += found.low < 0.02 < found.high
        y = np.array([p.difference for p in pairs])
        naive += abs(y.mean() - 0.02) < 2.02 * y.std(ddof=1) / np.sqrt(len(y))
    assert held / 200 > 0.91
    assert naive < held - 20  # pairs are not independent


def test_a_gain_is_found_and_its_parts_are_told_apart():
    found = pool_pairs(drawn(np.random.default_rng(2), 0.1, between=0.03, maps=0.0, partners=30))
    assert found.low < 0.1 < found.high
    assert found.low > 0
    assert found.p_value < 0.001
    assert 0.02 < found.between_pairs < 0.045
    assert (found.pairs, found.differences) == (30, 150)


def test_what_cannot_be_pooled():
    pairs = drawn(np.random.default_rng(3), 0.0)
    with pytest.raises(InputError, match="2 pairs or more"):
        pool_pairs(pairs[:8])
    with pytest.raises(InputError, match="agree to rounding"):
        pool_pairs(drawn(np.random.default_rng(3), 0.1, between=0, maps=0, noise=0))
