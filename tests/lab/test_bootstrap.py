import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.evaluation import auroc, tpr_at_fpr
from toothwise_lab.bootstrap import bootstrap_difference, bootstrap_interval
from toothwise_lab.comparison import delong_test


def _case(n=200, shift=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [n, n // 2])
    return rng.standard_normal(len(labels)) + shift * labels, labels


def test_mean_of_one_class_has_the_standard_error_of_the_textbook():
    scores, labels = _case(400)
    found = bootstrap_interval(lambda s, y: float(s[y == 0].mean()), scores, labels, resamples=3000)
    healthy = scores[labels == 0]
    assert found.value == healthy.mean()
    assert found.standard_error == pytest.approx(healthy.std(ddof=1) / np.sqrt(len(healthy)), rel=0.06)
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.standard_error, rel=0.06)


def test_agrees_with_delong_for_independent_maps():
    a, labels = _case(300, 1.2)
    b = a + np.random.default_rng(5).standard_normal(len(a))
    found, exact = bootstrap_difference(auroc, a, b, labels, resamples=1000), delong_test(a, b, labels)
    assert found.value == pytest.approx(exact.difference, abs=1e-12)
    assert found.standard_error == pytest.approx(exact.standard_error, rel=0.12)
    np.testing.assert_allclose((found.low, found.high), exact.interval, atol=0.4 * exact.standard_error)


@pytest.mark.full
def test_covers_the_truth_about_as_often_as_it_says():
    truth = 0.7602  # Phi(1 / sqrt 2), AUROC of two normal distributions one apart
    hits = 0
    for seed in range(100):
        scores, labels = _case(60, 1.0, seed)
        found = bootstrap_interval(auroc, scores, labels, level=0.9, resamples=200, seed=seed)
        hits += found.low <= truth <= found.high
    assert 80 <= hits <= 98


def test_classes_keep_their_numbers_and_maps_of_a_group_stay_together():
    labels, groups = np.array([0] * 6 + [1] * 4), np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    seen = []

    def metric(scores, y):
        seen.append((np.sort(scores).tolist(), y.tolist()))
        return auroc(scores, y)

    bootstrap_interval(metric, groups.astype(float), labels, groups=groups, resamples=100)
    for scores, y in seen:
        assert (y.count(0), y.count(1)) == (6, 4)
        assert all(scores.count(g) % 2 == 0 for g in set(scores))
    assert len({tuple(s) for s, _ in seen}) > 10


def test_maps_of_one_recording_are_worth_less_than_their_number():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), 30)
    labels = (groups >= 10).astype(int)
    scores = labels + rng.standard_normal(20)[groups] + 0.1 * rng.standard_normal(len(groups))
    alone, together = (bootstrap_interval(auroc, scores, labels, groups=g, resamples=300) for g in (None, groups))
    assert together.standard_error > 3 * alone.standard_error


def test_seed():
    scores, labels = _case(50)
    one, again, other = (bootstrap_interval(tpr_at_fpr, scores, labels, resamples=200, seed=s) for s in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 1.0}, "level"),
        ({"resamples": 5}, "resamples"),
        ({"groups": np.zeros(3)}, "alike"),
        ({"groups": np.repeat([0, 1], [50, 25])}, "2 groups"),
    ],
)
def test_bad_options(options, message):
    scores, labels = _case(50)
    with pytest.raises(InputError, match=message):
        bootstrap_interval(auroc, scores, labels, **options)


def test_what_the_metric_refuses():
    with pytest.raises(InputError, match="both classes"):
        bootstrap_interval(auroc, np.ones(4), np.ones(4))
    with pytest.raises(InputError, match=r"alike|one length"):
        bootstrap_interval(auroc, np.ones(5), np.array([0, 1, 0, 1]))
