import numpy as np
import pytest

from toothwise.diagnosis.teeth import autocorrelation, correlation_time


def test_correlation_of_a_first_order_process():
    rng = np.random.default_rng(2)
    x = np.zeros(6000)
    for k in range(1, len(x)):
        x[k] = 0.6 * x[k - 1] + rng.standard_normal()
    one = np.zeros(len(x), dtype=int)
    np.testing.assert_allclose(autocorrelation(x[:, None], one, 3), [1.0, 0.6, 0.36, 0.216], atol=0.05)
    assert correlation_time(x[:, None], one) == pytest.approx(1.6 / 0.4, rel=0.25)
    white = rng.standard_normal((2000, 5))
    assert correlation_time(white, np.zeros(2000, dtype=int)) == 1.0
