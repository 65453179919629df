"""Explanations: evidence against its threshold, the repaired map, nearest healthy maps, the file they are kept in."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from toothwise import detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.diagnosis.evidence import FILE, DiagnosisEvidence, load_evidence
from toothwise.diagnosis.explain import explain_map
from toothwise.diagnosis.single import diagnose_maps
from toothwise.errors import InputError
from toothwise.reference.healthy_file import load_healthy, save_healthy
from toothwise.reference.healthy_maps import keep_healthy
from toothwise.reference.healthy_reference import best_evidence, learn_reference

SHAPE, RATE = (9, 14), 0.01


def maps_of(n, seed, *, tooth=None, part=slice(None), height=0.6):
    x = 0.2 * np.random.default_rng(seed).standard_normal((n, *SHAPE))
    if tooth is not None:
        x[:, tooth, part] += height
    return np.exp(x).astype(np.float32)


@pytest.fixture(scope="module")
def known():
    healthy = maps_of(160, 0)
    detector, _ = fit_with_threshold(lambda: detectors.create("scan"), healthy, 0.01)
    reference = learn_reference(detector, healthy)
    kept = keep_healthy(reference.detector, healthy, np.array([f"h{k}" for k in range(160)]))
    return detector, reference, kept


def explained(known, values):
    return explain_map(values, "one", *known, rate=RATE)


def test_a_tooth_is_called_where_its_evidence_passes_the_height(known):
    detector, reference, kept = known
    maps = np.concatenate([maps_of(12, 1, tooth=4, height=h) for h in (0.0, 0.2, 0.3, 0.6)])
    called, passed = [], []
    for values, one in zip(maps, diagnose_maps(maps, detector, reference, rate=RATE), strict=True):
        why = explain_map(values, one.record, detector, reference, kept, rate=RATE)
        called.append(bool(one.lines))
        passed.append(any((why.evidence[axis] > why.height[axis]).any() for axis in why.evidence))
    assert called == passed
    assert 0 < sum(called) < len(called)


def test_the_repaired_map_is_healthy_and_untouched_outside_of_the_damage(known):
    values = maps_of(1, 2, tooth=4, part=slice(3, 11))[0]
    why = explained(known, values)
    assert why.healthy_by == "neighbours"
    changed = why.healthy != values
    assert changed[4, 4:10].all()
    assert not changed[[0, 1, 2, 6, 7, 8]].any()
    assert diagnose_maps(why.healthy[None], *known[:2], rate=RATE)[0].pattern == "nothing"
    sound = explained(known, maps_of(1, 3)[0])
    assert (sound.healthy, sound.healthy_by) == (None, "")


def test_the_cells_of_a_repaired_tooth_lie_between_those_beside(known):
    values = maps_of(1, 4, tooth=0)[0]  # its neighbour below is the last tooth: a gear is round
    why = explained(known, values)
    low, high = np.minimum(values[-1], values[1]), np.maximum(values[-1], values[1])
    inside = why.healthy[0] != values[0]
    assert inside.sum() >= 8
    assert (why.healthy[0] >= low - 1e-6)[inside].all()
    assert (why.healthy[0] <= high + 1e-6)[inside].all()


def test_a_detector_that_rebuilds_maps_shows_its_own():
    healthy = maps_of(160, 0)
    detector, _ = fit_with_threshold(lambda: detectors.create("pca"), healthy, 0.01)
    reference = learn_reference(detector, healthy)
    why = explain_map(maps_of(1, 2, tooth=4, height=1.0)[0], "one", detector, reference, None, rate=RATE)
    assert (why.healthy_by, why.kept) == ("rebuilt", (0, 0))
    assert why.healthy[4].mean() < 1.5
    assert not len(why.nearest)


def test_the_nearest_healthy_map_is_the_one_the_damage_was_put_on(known):
    kept = known[2]
    values = 3.0 * kept.values[17].copy()  # another level is no distance
    values[4] *= 2.0
    why = explained(known, values)
    assert why.nearest_names[0] == kept.names[17]
    assert why.nearest_away[0] < 1e-3 < why.nearest_away[1]
    assert why.kept == (60, 160)


def test_kept_maps_are_few_spread_over_time_and_come_back(known, tmp_path):
    detector, reference, kept = known[:3]
    assert (kept.names[0], kept.names[-1], len(kept.values)) == ("h0", "h159", 60)
    big = keep_healthy("x", np.ones((9, 1000, 1000), dtype=np.float32), np.arange(9))
    assert len(big.values) == 2
    save_healthy(tmp_path, reference, kept)
    back = load_healthy(tmp_path, kept.detector, detector.shape)[1]
    assert (back.names, back.of) == (kept.names, 160)
    np.testing.assert_array_equal(back.values, kept.values)


def test_evidence_comes_back_out_of_its_file(known, tmp_path):
    why = explained(known, maps_of(1, 2, tooth=4)[0])
    DiagnosisEvidence({"maps": 1}, (why,), None, best_evidence(known[1])).save(tmp_path)
    back = load_evidence(tmp_path)
    (one,) = back.explained
    assert json.dumps(back.about) == '{"maps": 1}'
    assert (one.record, one.healthy_by, one.height, one.kept) == ("one", "neighbours", why.height, (60, 160))
    for name, array in asdict(why).items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(getattr(one, name), array)
    np.testing.assert_array_equal(one.evidence[1], why.evidence[1])
    np.testing.assert_array_equal(back.healthy_best[2], known[1].column.max(axis=1))


def test_a_damaged_evidence_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(InputError, match="holds no evidence"):
        load_evidence(tmp_path)
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"evidence\.npz: not readable"):
        load_evidence(tmp_path)
    np.savez(tmp_path / FILE, about=np.array(json.dumps({"format": 99})))
    with pytest.raises(InputError, match="another version"):
        load_evidence(tmp_path)


def test_attention_of_directional_layers_is_that_of_the_damaged_cell(tmp_path):
    pytest.importorskip("anomalib")
    from toothwise.detectors.dinomaly.attention_view import view_attention

    options = {"encoder_name": "test_vit", "weights": "random", "image_size": [48, 96], "max_steps": 1}
    options |= {"batch_size": 4, "directional_layers": [0, 2]}
    healthy = maps_of(24, 0)
    detector, _ = fit_with_threshold(lambda: detectors.create("dinomaly_directional", **options), healthy, 0.1)
    reference = learn_reference(detector, healthy)
    values = maps_of(1, 1, tooth=4, height=4.0)[0]
    why = explain_map(values, "one", detector, reference, None, rate=0.9)
    DiagnosisEvidence({}, (why,)).save(tmp_path)
    (back,) = load_evidence(tmp_path).explained
    assert (back.grid, back.token, [layer.layer for layer in back.attention]) == (why.grid, why.token, [0, 2])
    row, column = back.token
    cell = (row * SHAPE[0] // back.grid[0], column * SHAPE[1] // back.grid[1])
    view = view_attention(detector, values[None])
    assert back.grid == view.grid
    for mine, layer in zip(back.attention, view.layers, strict=True):
        assert mine.alpha == tuple(layer.alpha)
        assert {axis: len(w) for axis, w in mine.weights.items()} == {"y": back.grid[0], "x": back.grid[1]}
        assert mine.entropy == pytest.approx(layer.entropy)
    assert 0 <= cell[0] < SHAPE[0]
    lines = peeled_lines(values, detector, reference)
    if lines:  # the token stands on the line that was found first
        axis, tooth = lines[0]
        assert abs(cell[axis - 1] - tooth) <= SHAPE[axis - 1] / back.grid[axis - 1]


def peeled_lines(values, detector, reference):
    from toothwise.diagnosis.decompose import decompose

    return [(line.axis, line.tooth) for line in decompose(values[None], detector, reference, rate=0.9).lines[0]]
