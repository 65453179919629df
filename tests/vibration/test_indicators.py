import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.vibration import indicators as ci

N = 100_000
SINE = np.sin(2 * np.pi * 50 * np.arange(N) / N)


def test_closed_forms():
    assert ci.rms(3 * SINE) == pytest.approx(3 / np.sqrt(2))
    assert ci.kurtosis(SINE) == pytest.approx(1.5)
    assert ci.fm4(5 * SINE + 3) == pytest.approx(1.5)
    assert ci.kurtosis(np.where(np.arange(N) % 2, 1.0, -1.0)) == pytest.approx(1.0)
    np.testing.assert_allclose(ci.fm4(np.random.default_rng(0).standard_normal((4, 400_000))), 3, rtol=0.02)
    with pytest.raises(InputError, match="constant"):
        ci.kurtosis(np.ones(10))
