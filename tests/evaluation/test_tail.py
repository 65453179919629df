import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.evaluation.tail import healthy_tail, tail_evidence


def test_a_chance_is_kept_on_healthy_maps_that_are_exchangeable():
    rng = np.random.default_rng(0)
    stated = (0.3, 0.1, 0.01)
    hits = np.zeros(3)
    for _ in range(400):
        healthy = rng.standard_normal((60, 20)).max(axis=1)
        new = rng.standard_normal((50, 20)).max(axis=1)
        p = healthy_tail(new, healthy)
        hits += [(p <= level).mean() for level in stated]
    measured = hits / 400
    assert (measured <= np.array(stated) * 1.3).all(), measured
    assert (measured >= np.array(stated) * 0.4).all(), measured


def test_chances_fall_with_the_value_and_stay_positive():
    healthy = np.random.default_rng(1).standard_normal(100)
    p = healthy_tail(np.array([-9.0, 0.0, 2.0, 5.0, 50.0, 1e9, np.nan]), healthy)
    assert (np.diff(p[:6]) <= 0).all()
    assert p[0] == 1.0
    assert p[-1] == 1.0
    assert p[5] > 0
    with pytest.raises(InputError, match="2"):
        healthy_tail(1.0, healthy[:1])


@pytest.mark.parametrize("n", [2, 4, 7])
def test_chances_among_few_healthy_values_hold(n):
    values = np.random.default_rng(2).standard_normal((4000, n + 1))
    chances = np.array([float(healthy_tail(one[n], one[:n])) for one in values])
    for rate in (0.2, 0.05, 0.01):
        assert 0.6 * rate < np.mean(chances <= rate) < 1.4 * rate


def test_tail_evidence_is_minus_log10_of_the_share_of_healthy_maps():
    healthy = np.sort(np.random.default_rng(0).exponential(size=4000))
    given = np.array([-np.inf, 0.1, 1.0, 5.0, 12.0])
    found = tail_evidence(given, healthy)
    np.testing.assert_allclose(found[1:], given[1:] / np.log(10), rtol=0.06, atol=0.01)  # an exponential's own tail
    assert found[0] == pytest.approx(0.0, abs=1e-9)
    assert (np.diff(tail_evidence(np.linspace(-1, 9, 300), healthy)) >= -1e-12).all()


def test_where_the_largest_healthy_values_tie_the_rank_counts():
    healthy = np.concatenate([np.arange(30.0), np.full(15, 40.0)])
    assert healthy_tail(np.array([40.0, 40.1, 1e6]), healthy) == pytest.approx([16 / 46, 1 / 46, 1 / 46])
    np.testing.assert_allclose(tail_evidence(np.array([1e6]), healthy), np.log10(46))
