"""Vectors that are added before they are squared find a common shift that squared lengths do not show."""

import numpy as np
import pytest

from toothwise.detectors.coherent_pooling import CoherentScan, segment_sums
from toothwise.errors import InputError
from toothwise.evaluation import auroc


def vectors(n, seed, shift=0.0, shuffled=False):
    """White noise ``[n, 8, 16, 12]``; row 3 is moved by ``shift`` along one direction, or along one for each token."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, 8, 16, 12))
    direction = rng.standard_normal((n, 16 if shuffled else 1, 12))
    values[:, 3] += shift * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    return values


def distance(found, healthy):
    """Standard deviations between healthy and damaged lines."""
    return (found.mean() - healthy.mean()) / healthy.std()


@pytest.mark.parametrize("length", [4, 16])
def test_the_gain_is_the_fourth_root_of_the_length_and_gone_with_shuffled_directions(length):
    healthy = vectors(3000, 0)[:, 3, :length]
    gains = []
    for shuffled in (False, True):
        damaged = vectors(3000, 1, shift=0.7, shuffled=shuffled)[:, 3, :length]
        apart = [
            distance(segment_sums(damaged, length, coherent=c), segment_sums(healthy, length, coherent=c))
            for c in (True, False)
        ]
        gains.append(np.sqrt(max(apart[0], 0) / apart[1]))
    assert gains[0] == pytest.approx(length**0.25, rel=0.1)
    assert gains[1] < 0.8


def test_a_common_shift_is_found_and_named():
    scan = CoherentScan().fit(vectors(60, 0))
    healthy, faulty = (scan.evidence(vectors(80, s, shift), (16, 30)) for s, shift in ((1, 0.0), (2, 1.8)))
    scores = np.concatenate([np.maximum(r.max(axis=1), c.max(axis=1)) for r, c in (healthy, faulty)])
    assert auroc(scores, np.repeat([0, 1], 80)) > 0.95
    assert np.mean(np.isin(faulty[0].argmax(axis=1), (6, 7))) > 0.9
    again = CoherentScan()
    again.restore(scan.state())
    np.testing.assert_array_equal(again.evidence(vectors(3, 4), (16, 30))[0], scan.evidence(vectors(3, 4), (16, 30))[0])


def test_constant_vectors_are_refused():
    with pytest.raises(InputError, match="residuals of healthy maps are constant"):
        CoherentScan().fit(np.ones((10, 4, 4, 3)))
