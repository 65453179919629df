import numpy as np
import pytest

from toothwise.detectors.pooling import POOLINGS, line_contrasts, pool
from toothwise.errors import InputError


def test_line_contrasts_and_pools_in_closed_form():
    anomaly_map = np.zeros((2, 5, 7), dtype=np.float32)
    anomaly_map[0, 3] = 1.0
    anomaly_map[1, :, 2] = 2.0
    anomaly_map[1] += 10.0  # what moves the whole map does not count
    rows, columns = line_contrasts(anomaly_map)
    np.testing.assert_allclose(rows, [[0, 0, 0, 1, 0], [0] * 5], atol=1e-12)
    np.testing.assert_allclose(columns, [[0] * 7, [0, 0, 2, 0, 0, 0, 0]], atol=1e-12)
    top = np.array([5.0, 6.0])
    expected = {"top": [5, 6], "rows": [1, 0], "columns": [0, 2], "lines": [1, 2]}
    for pooling in POOLINGS:
        np.testing.assert_allclose(pool(pooling, top, rows, columns), expected[pooling], atol=1e-12)
    with pytest.raises(InputError, match="pooling must be one of top, rows, columns, lines, but got 'mean'"):
        pool("mean", top, rows, columns)


def test_pixels_without_a_pair_count_for_nothing():
    anomaly_map = np.ones((1, 4, 6), dtype=np.float32)
    anomaly_map[0, 1] = np.nan
    anomaly_map[0, 2, ::2] = np.nan
    anomaly_map[0, 2, 1::2] = 3.0
    rows, columns = line_contrasts(anomaly_map)
    np.testing.assert_array_equal(rows, [[0, np.nan, 2, 0]])
    assert np.isfinite(columns).all()
    assert pool("rows", np.zeros(1), rows, columns) == 2
