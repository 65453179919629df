"""Evidence of several detectors on one scale, and the contrast of the tooth that they name."""

import numpy as np
import pytest

from toothwise import detectors
from toothwise.detectors.fused import line_contrast_of
from toothwise.errors import InputError
from toothwise.evaluation import auroc
from toothwise.simulate.maps import LineShape, generate
from toothwise_lab.named_teeth import name_teeth
from toothwise_lab.severity import spearman

PARTS = {"parts": ["scan", "pca"]}


@pytest.fixture(scope="module")
def fitted():
    return detectors.create("fused", **PARTS).fit(generate("C", 400, False, seed=0)[0])


@pytest.mark.parametrize("rows", [True, False])
def test_contrast_of_a_line_in_closed_form(rows):
    values = np.tile(np.linspace(1.0, 2.0, 40, dtype=np.float32), (1, 9, 1))
    values[0, 4, 8:24] *= 1.5
    evidence = np.zeros((1, 9))
    evidence[0, 4] = 2.0
    other = np.full((1, 40), 1.0)
    if rows:
        found = line_contrast_of(values, evidence, other)
    else:
        found = line_contrast_of(values.transpose(0, 2, 1), other, evidence)
    assert np.exp(found[0]) == pytest.approx(1.5, rel=1e-5)


@pytest.mark.full  # Monte Carlo
def test_false_alarms_are_what_the_p_value_says(fitted):
    found = fitted.predict(generate("C", 500, False, seed=5)[0])
    assert np.mean(found.p_value < 0.05) == pytest.approx(0.05, abs=0.035)


def test_it_names_the_tooth_and_its_contrast(fitted):
    line = LineShape(length=(40, 94), gaps=(0, 0))
    maps, truth = generate("C", 200, True, seed=6, contrast=(1.15, 2.0), line=line)
    found = fitted.predict(maps)
    named = name_teeth(found)
    right = (named.gear == "driving") & (np.abs(named.tooth - truth["tooth"].to_numpy(int)) <= 1)
    assert right.mean() > 0.9
    contrast = truth["contrast"].to_numpy(float)
    assert spearman(found.severity, contrast) > 0.85
    assert np.median(np.abs(found.severity / contrast - 1)) < 0.1
    assert np.corrcoef(np.log(found.severity), np.log(contrast))[0, 1] > 0.9


@pytest.mark.full  # Monte Carlo
def test_two_half_blind_parts_see_more_together():
    """One part sees rows only, the other columns only; lines of both kinds."""
    train = generate("D", 300, False, seed=0)[0]
    maps = [generate("D", 200, faulty, seed=3, gear="both", contrast=1.6)[0] for faulty in (False, True)]
    labels = np.repeat([0, 1], 200)
    fused = detectors.create("fused", parts=["scan", "mahalanobis"]).fit(train)
    area = auroc(np.concatenate([fused.predict(m).score for m in maps]), labels)
    alone = detectors.create("mahalanobis").fit(train)
    assert area > auroc(np.concatenate([alone.predict(m).score for m in maps]), labels)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"parts": ["scan"]}, "two or more different detectors"),
        ({"parts": ["scan", "scan"]}, "two or more different detectors"),
        ({"parts": ["scan", "nothing"]}, "detector must be one of"),
        ({**PARTS, "options": {"max": {}}}, "options are given for max"),
        ({**PARTS, "calibration_lines": 5}, "calibration_lines must be"),
    ],
)
def test_wrong_options(options, reason):
    with pytest.raises(InputError, match=reason):
        detectors.create("fused", **options)


def test_parts_must_say_where():
    maps = generate("C", 40, False, seed=0)[0]
    with pytest.raises(InputError, match="detector 'max' gives no evidence of rows and columns"):
        detectors.create("fused", parts=["scan", "max"]).fit(maps)
    with pytest.raises(InputError, match="needs 32 healthy maps or more, but got 20"):
        detectors.create("fused", **PARTS).fit(maps[:20])
