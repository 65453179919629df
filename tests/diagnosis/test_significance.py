import numpy as np
import pytest

from toothwise.diagnosis.significance import autocorrelation, correlation_time, healthy_tail, lag_of_independence
from toothwise.errors import InputError


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
    with pytest.raises(InputError, match="8"):
        healthy_tail(1.0, healthy[:7])


def test_correlation_of_a_first_order_process():
    rng = np.random.default_rng(2)
    x = np.zeros(6000)
    for k in range(1, len(x)):
        x[k] = 0.6 * x[k - 1] + rng.standard_normal()
    one = np.zeros(len(x), dtype=int)
    np.testing.assert_allclose(autocorrelation(x[:, None], one, 3), [1.0, 0.6, 0.36, 0.216], atol=0.05)
    assert correlation_time(x[:, None], one) == pytest.approx(1.6 / 0.4, rel=0.25)
    assert 3 <= lag_of_independence(x[:, None], one) <= 8
    white = rng.standard_normal((2000, 5))
    assert correlation_time(white, np.zeros(2000, dtype=int)) == 1.0
    assert lag_of_independence(white, np.zeros(2000, dtype=int)) == 1
