import numpy as np
import pytest
import sklearn.metrics as sklearn
from hypothesis import given, settings
from hypothesis import strategies as st

from toothwise import evaluation as ev
from toothwise.errors import InputError


@st.composite
def scored(draw):
    """Scores with ties and labels of both classes."""
    n = draw(st.integers(2, 60))
    scores = draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    labels[0], labels[1] = 0, 1
    return np.array(scores) * 1e6 + 0.5, np.array(labels)


@settings(max_examples=60, deadline=None)
@given(scored())
def test_equal_to_scikit_learn(case):
    scores, labels = case
    assert ev.auroc(scores, labels) == pytest.approx(sklearn.roc_auc_score(labels, scores), abs=1e-9)
    assert ev.aupr(scores, labels) == pytest.approx(sklearn.average_precision_score(labels, scores), abs=1e-9)
    precision, recall, _ = sklearn.precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert ev.f1_max(scores, labels) == pytest.approx(f1.max(), abs=1e-9)
    for level in (0.3, 0.9, 1.0):
        expected = precision[:-1][recall[:-1] >= level].max()
        assert ev.precision_at_recall(scores, labels, recall=level) == pytest.approx(expected, abs=1e-9)
    fpr, tpr, _ = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    for level in (0.0, 0.01, 0.2):
        assert ev.tpr_at_fpr(scores, labels, fpr=level) == pytest.approx(tpr[fpr <= level].max(), abs=1e-9)


def test_raw_scores_of_any_range_keep_their_ranking():
    labels = np.repeat([0, 1], 50)
    for scores in (np.arange(100) * 1e30, np.arange(100) * 1e-30, -1e9 + np.arange(100.0)):
        assert ev.auroc(scores, labels) == 1.0
        assert ev.auroc(-scores, labels) == 0.0


@pytest.mark.parametrize("metric", [ev.auroc, ev.aupr, ev.f1_max, ev.precision_at_recall, ev.tpr_at_fpr])
@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.0, 2.0], [1, 1], "both classes"),
        ([1.0, 2.0], [0, 0], "both classes"),
        ([1.0, np.nan], [0, 1], "finite"),
        ([1.0, 2.0], [0, 2], "must be 0"),
        ([1.0], [0, 1], "one length"),
        ([], [], "both classes"),
    ],
)
def test_input_without_an_answer_is_an_error(metric, scores, labels, message):
    with pytest.raises(InputError, match=message):
        metric(np.array(scores), np.array(labels))
