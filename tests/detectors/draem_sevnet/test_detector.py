"""The contract of a detector, and what is special to DRAEM-SevNet."""

import json
import socket

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch
from safetensors.numpy import load_file
from scipy.stats import spearmanr

from toothwise import Model, detectors
from toothwise.detectors.draem_sevnet.images import MapImages
from toothwise.detectors.draem_sevnet.torch_model import DraemSevNetModel
from toothwise.errors import InputError, TrainingError
from toothwise.evaluation import auroc
from toothwise.exported.manifest import digest

SMALL = {"base_width": 2, "image_size": [32, 64], "batch_size": 4, "max_steps": 2, "device": "cpu"}
TRAINED = {"base_width": 4, "image_size": [32, 64], "batch_size": 6, "max_steps": 160, "learning_rate": 2e-3}
ROW = 7


def _maps(n, seed=0, *, contrast=None, column=None, shape=(20, 40)):
    values = 0.25 * np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, *shape)))
    if contrast is not None:
        values[:, ROW, 4:30] *= np.reshape(contrast, (-1, 1))
    if column is not None:
        values[:, 4:18, column] *= 2.0
    return values.astype("f4")


@pytest.fixture(scope="module")
def trained():
    """Trained on rows for some seconds, without a network; at larger rates the end depends on the processor."""

    def refuse(*args, **kwargs):
        raise OSError("no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return detectors.create("draem_sevnet_rows", **TRAINED).fit(_maps(64))


@pytest.fixture(scope="module")
def brief():
    """As ``trained``, for a moment only: where it does not matter how well."""
    return detectors.create("draem_sevnet_rows", **{**TRAINED, "max_steps": 6}).fit(_maps(24))


@pytest.fixture(scope="module")
def hardly():
    """Two steps: weights that are somewhere."""
    return detectors.create("draem_sevnet", **SMALL).fit(_maps(12))


@pytest.mark.full
def test_a_row_is_found_and_named_and_severity_rises_with_contrast(trained):
    healthy = trained.predict(_maps(60, 1))
    contrast = np.linspace(1.1, 2.0, 60)
    faulty = trained.predict(_maps(60, 2, contrast=contrast))
    labels = np.repeat([0, 1], 30)
    assert auroc(np.concatenate([healthy.score[:30], faulty.score[30:]]), labels) > 0.95
    assert auroc(np.concatenate([healthy.severity[:30], faulty.severity[30:]]), labels) > 0.9
    assert np.mean(faulty.row[30:] == ROW) > 0.9
    assert spearmanr(contrast, faulty.severity).statistic > 0.7
    strong = trained.predict(_maps(60, 3, contrast=1.9)).severity
    assert 0.4 < strong.mean() < 1.8  # units: contrast - 1


@pytest.mark.full
def test_prediction(trained):
    maps = _maps(5, 1, contrast=1.5)
    p = trained.predict(maps)
    assert p.score.dtype == p.severity.dtype == np.float64
    assert p.score.shape == p.severity.shape == (5,)
    assert p.anomaly_map.shape == maps.shape
    assert p.anomaly_map.dtype == np.float32
    means = p.anomaly_map.mean(axis=2)
    np.testing.assert_allclose(p.row_evidence, means - np.median(means, axis=1, keepdims=True), atol=1e-6)
    mask = np.maximum(p.row_evidence.max(1), p.column_evidence.max(1))
    np.testing.assert_allclose(p.score, (mask + np.clip(p.severity / 1.0, 0, 1)) / 2)


@pytest.mark.parametrize(
    ("pooling", "combination"), [("top", "mean"), ("rows", "mean"), ("columns", "weighted"), ("lines", "max")]
)
def test_poolings_and_combinations_can_be_changed_in_a_saved_detector(brief, tmp_path, pooling, combination):
    folder = Model(brief).save(tmp_path / "saved")
    meta = json.loads((folder / "model.json").read_text())
    maps = _maps(6, 4, contrast=1.6)
    meta["options"] |= {"pooling": pooling, "combination": combination, "mask_weight": 0.9}
    (folder / "model.json").write_text(json.dumps(meta | {"sha256": digest(meta)}))
    p = Model.open(folder).detector.predict(maps)
    assert (p.row_evidence is None) == (pooling == "columns")
    assert (p.column_evidence is None) == (pooling == "rows")
    if pooling == "top":
        return
    term = np.clip(p.severity, 0, 1)
    best = {"rows": [p.row_evidence], "columns": [p.column_evidence], "lines": [p.row_evidence, p.column_evidence]}
    mask = np.max([lines.max(axis=1) for lines in best[pooling]], axis=0)
    expected = {"mean": (mask + term) / 2, "weighted": 0.9 * mask + 0.1 * term, "max": np.maximum(mask, term)}
    np.testing.assert_allclose(p.score, expected[combination], atol=1e-6)


def test_saved_and_loaded(tmp_path):
    maps = _maps(10, 5)
    detector = detectors.create("draem_sevnet_rows", **SMALL, features="multi", head_pooling="grid").fit(maps)
    loaded = Model.open(Model(detector).save(tmp_path / "saved")).detector
    assert loaded.options == detector.options
    assert loaded.info == detector.info
    a, b = detector.predict(maps), loaded.predict(maps)
    for field in ("score", "severity", "anomaly_map", "row_evidence"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    state = load_file(tmp_path / "saved" / "state.safetensors")
    assert any("running_mean" in key for key in state)


def test_fitting_leaves_no_file_and_the_global_random_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    detectors.create("draem_sevnet", **SMALL).fit(_maps(8))
    assert torch.equal(torch.rand(1), before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
def test_unmeshed_pairs(trained):
    maps = _maps(6, 6, contrast=1.9)
    maps[:, ::2, ::2] = np.nan
    p = trained.predict(maps)
    assert np.isnan(p.anomaly_map[:, ::2, ::2]).all()
    assert np.isfinite(p.anomaly_map[:, 1]).all()
    assert np.isfinite(p.score).all()
    assert np.isfinite(p.severity).all()
    assert np.mean(p.row == ROW) > 0.5
    maps[:, 3] = np.nan
    assert (trained.predict(maps).row_evidence[:, 3] == -np.inf).all()


def test_images_are_the_maps_at_one_scale_with_the_healthy_median_where_no_pair_meets():
    maps = _maps(20, 7, shape=(32, 64))
    images = MapImages((32, 64))
    images.fit(maps)
    assert images.scale == pytest.approx(np.quantile(maps, 0.999), rel=1e-5)
    maps[0, 5, 6] = np.nan
    made = images(maps)
    expected = np.where(np.isnan(maps), images.fill, maps) / images.scale
    assert made.shape == (20, 3, 32, 64)
    np.testing.assert_allclose(made[:, 2], expected, rtol=1e-5)
    assert made.max() > 1  # nothing is clipped
    torch.testing.assert_close(images(2.0 * maps)[1:], 2.0 * made[1:])


def test_one_map_and_constant_maps(hardly):
    one = detectors.create("draem_sevnet", **SMALL).fit(_maps(1))
    assert np.isfinite(one.predict(_maps(2, 6)).score).all()
    assert np.isfinite(hardly.predict(np.ones((1, 20, 40), "f4")).score).all()
    flat = _maps(8, 8, shape=(2, 40))
    assert np.isfinite(detectors.create("draem_sevnet", **SMALL).fit(flat).predict(flat).score).all()
    with pytest.raises(InputError, match="3 teeth or more"):
        detectors.create("draem_sevnet_rows", **SMALL).fit(flat)
    for wrong, message in ((np.ones((4, 20, 40)), "constant"), (-_maps(4), "positive level")):
        with pytest.raises(InputError, match=message):
            detectors.create("draem_sevnet", **SMALL).fit(wrong)


def test_progress_is_told_of_both():
    detector, heard = detectors.create("draem_sevnet", **SMALL), []
    detector.fit(_maps(8), lambda text, share: heard.append(share))
    assert heard == [0.5, 1.0]
    detector.predict(_maps(8), lambda text, share: heard.append(share))
    assert heard[2:] == [0.5, 1.0]


def test_exploding_training_stops_with_step_and_remedy(monkeypatch):
    honest = DraemSevNetModel.parts

    def spoiled(self, images):
        found = honest(self, images)
        return found._replace(severity=found.severity * float("inf"))

    monkeypatch.setattr(DraemSevNetModel, "parts", spoiled)
    with pytest.raises(TrainingError, match=r"the severity loss is (inf|nan) at step 0.*learning_rate"):
        detectors.create("draem_sevnet", **SMALL).fit(_maps(8))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("pooling", "max"),
        ("batch_size", 1),
        ("device", "tpu"),
        ("image_size", [32, 65]),
        ("image_size", [32]),
        ("base_width", 0),
        ("features", "both"),
        ("head_pooling", "max"),
        ("faults", "dots"),
        ("lines", "diagonals"),
        ("range_handling", "none"),
        ("combination", "product"),
        ("severity_loss", "huber"),
        ("severity_weight", -1.0),
        ("severity_max", 0.0),
        ("fault_probability", 2.0),
        ("mask_weight", -0.5),
        ("max_steps", 0),
        ("learning_rate", 0.0),
        ("gradient_clip", -1.0),
        ("unknown", 1),
    ],
)
def test_wrong_options_are_refused_before_anything_is_fitted(option, value):
    with pytest.raises(InputError, match=f"{option}|batch"):
        detectors.create("draem_sevnet", **{**SMALL, option: value})


@pytest.mark.full
def test_the_rebuilt_map_is_in_map_units_without_the_damaged_row(trained):
    maps = _maps(3, 5, contrast=3.0)
    maps[:, 2, 3] = np.nan
    rebuilt = trained.rebuild(maps)
    assert (rebuilt.shape, rebuilt.dtype) == (maps.shape, np.float32)
    assert (np.isnan(rebuilt) == np.isnan(maps)).all()
    away = [ROW - 4, ROW + 4]
    assert np.nanmean(rebuilt[:, away]) == pytest.approx(np.nanmean(maps[:, away]), rel=0.3)
    assert rebuilt[:, ROW, 4:30].mean() < 0.8 * maps[:, ROW, 4:30].mean()
