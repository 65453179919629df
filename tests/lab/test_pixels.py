from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics as sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from toothwise.errors import InputError
from toothwise_lab.pixels import aupro, pixel_auroc


@st.composite
def mapped(draw):
    """Anomaly maps with many ties and masks of both classes."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(2, 6)), draw(st.integers(2, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    masks = rng.random(shape) < 0.3
    masks[0, 0, 0], masks[-1, -1, -1] = True, False
    return rng.integers(0, draw(st.integers(1, 12)), shape).astype(float), masks


def _regions(masks):
    found = []
    for k, mask in enumerate(masks):
        numbers, count = label(mask, structure=np.ones((3, 3)))
        found += [(k, numbers == i) for i in range(1, count + 1)]
    return found


def _aupro_by_hand(maps, masks, limit, regions):
    """Every threshold, every region, then the area on a fine grid of exact linear pieces."""
    curve = [(0.0, 0.0)]
    for threshold in np.unique(maps)[::-1]:
        flagged = maps >= threshold
        overlap = np.mean([flagged[k][cells].mean() for k, cells in regions])
        curve.append((flagged[~masks].mean(), overlap))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(curve):
        right = min(x1, limit)
        if right > x0:
            y_right = y0 + (y1 - y0) * (right - x0) / (x1 - x0)
            area += (right - x0) * (y0 + y_right) / 2
    return area / limit


@settings(max_examples=150, deadline=None)
@given(mapped(), st.sampled_from([0.05, 0.25, 0.3, 0.5, 1.0]))
def test_equal_to_the_definition(case, limit):
    maps, masks = case
    connected, whole = _regions(masks), [(k, m) for k, m in enumerate(masks) if m.any()]
    assert aupro(maps, masks, fpr_limit=limit) == pytest.approx(_aupro_by_hand(maps, masks, limit, connected), abs=1e-9)
    by_map = aupro(maps, masks, fpr_limit=limit, regions="map")
    assert by_map == pytest.approx(_aupro_by_hand(maps, masks, limit, whole), abs=1e-9)
    expected = sklearn.roc_auc_score(masks.ravel(), maps.ravel())
    assert pixel_auroc(maps, masks) == pytest.approx(expected, abs=1e-9)


def test_one_region_in_one_map_is_the_pixel_auroc():
    maps = np.random.default_rng(0).integers(0, 20, (1, 9, 9)).astype(float)
    masks = np.zeros((1, 9, 9), bool)
    masks[0, 4, 1:8] = True
    assert aupro(maps, masks, fpr_limit=1.0) == pytest.approx(pixel_auroc(maps, masks), abs=1e-12)


def test_short_lines_count_as_much_as_long_ones():
    masks = np.zeros((2, 10, 50), bool)
    masks[0, 3, :40], masks[1, 6, :2] = True, True
    maps = np.zeros(masks.shape)
    maps[0][masks[0]] = 1.0  # the long line is found, the short one is not
    assert aupro(maps, masks, fpr_limit=0.01) == pytest.approx(0.5, abs=0.01)
    assert pixel_auroc(maps, masks) > 0.95


def test_cells_without_a_pair_are_left_out():
    rng = np.random.default_rng(1)
    maps, masks = rng.random((3, 6, 8)), rng.random((3, 6, 8)) < 0.2
    valid = np.ones((6, 8), bool)
    valid[::2, 1::2] = False
    broken = np.where(valid, maps, np.nan)
    keep = np.broadcast_to(valid, maps.shape)
    expected = sklearn.roc_auc_score(masks[keep], maps[keep])
    assert pixel_auroc(broken, masks, valid=valid) == pytest.approx(expected, abs=1e-9)
    assert 0 < aupro(broken, masks, valid=valid) < 1
    for metric in (pixel_auroc, aupro):
        with pytest.raises(InputError, match="finite"):
            metric(broken, masks)
        with pytest.raises(InputError, match="valid must be bool"):
            metric(maps, masks, valid=np.ones((2, 2), bool))


@pytest.mark.parametrize("metric", [pixel_auroc, aupro])
@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.ones((1, 2, 2)), np.zeros((1, 2, 2)), "needed"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), "needed"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), 0.5), "masks must be"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 3)), "alike"),
        (np.ones((2, 2)), np.ones((2, 2)), "alike"),
        (np.ones((0, 2, 2)), np.ones((0, 2, 2)), "needed"),
    ],
)
def test_input_without_an_answer(metric, maps, masks, message):
    with pytest.raises(InputError, match=message):
        metric(maps, masks)


def test_options_of_aupro():
    maps, masks = np.arange(4.0).reshape(1, 2, 2), np.array([[[0, 0], [0, 1]]])
    for bad in ({"fpr_limit": 0}, {"fpr_limit": 1.5}, {"regions": "row"}):
        with pytest.raises(InputError, match=next(iter(bad))):
            aupro(maps, masks, **bad)
