import numpy as np
import pytest

pytest.importorskip("anomalib")
from toothwise import detectors
from toothwise.detectors.pooling import POOLINGS, line_contrast, pool_lines
from toothwise.errors import InputError


def test_line_contrasts_and_pools_in_closed_form():
    anomaly_map = np.zeros((2, 5, 7), dtype=np.float32)
    anomaly_map[0, 3] = 1.0
    anomaly_map[1, :, 2] = 2.0
    anomaly_map[1] += 10.0  # what moves the whole map does not count
    np.testing.assert_allclose(line_contrast(anomaly_map, 1), [[0, 0, 0, 1, 0], [0] * 5], atol=1e-12)
    np.testing.assert_allclose(line_contrast(anomaly_map, 2), [[0] * 7, [0, 0, 2, 0, 0, 0, 0]], atol=1e-12)
    top = np.array([5.0, 6.0])
    for pooling, expected in {"top": [5, 6], "rows": [1, 0], "columns": [0, 2], "lines": [1, 2]}.items():
        assert pooling in POOLINGS
        found = pool_lines(anomaly_map, pooling, top)
        np.testing.assert_allclose(found.score, expected, atol=1e-12)
        assert (found.row_evidence is None) == (pooling == "columns")
        assert (found.column_evidence is None) == (pooling == "rows")
    with pytest.raises(InputError, match="pooling must be one of 'top', 'rows', 'columns', 'lines', but got 'mean'"):
        detectors.create("dinomaly", pooling="mean")


def test_pixels_without_a_pair_count_for_nothing():
    anomaly_map = np.ones((1, 4, 6), dtype=np.float32)
    anomaly_map[0, 1] = np.nan
    anomaly_map[0, 2, ::2] = np.nan
    anomaly_map[0, 2, 1::2] = 3.0
    np.testing.assert_array_equal(line_contrast(anomaly_map, 1), [[0, -np.inf, 2, 0]])
    assert np.isfinite(line_contrast(anomaly_map, 2)).all()
    assert pool_lines(anomaly_map, "rows").score == 2
