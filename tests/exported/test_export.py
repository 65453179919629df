"""An exported folder says what its detector says, and is refused once anything in it was changed."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest

from toothwise import Model, detectors
from toothwise.cli import main
from toothwise.detectors.base import Detector, Prediction
from toothwise.errors import InputError, MissingDependencyError, OutputError
from toothwise.evaluation.thresholds import threshold_from_healthy
from toothwise.exported.export import TOLERANCE, export
from toothwise.exported.manifest import read_manifest
from toothwise.gears import GearPair, GearTrain, write_gears

ROWS, COLUMNS = 9, 14
TINY = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48]}
DINOMALY = {**TINY, "max_steps": 2}
PATCHCORE = {**TINY, "image_size": [64, 96], "max_patches": 400}
DRAEM = {"base_width": 4, "image_size": [32, 64], "max_steps": 2}
PADIM = {"encoder_name": "test_resnet", "weights": "random", "image_size": [32, 48], "n_features": 8}
LINES = {"max_steps": 4, "dim": 4, "blocks": 1, "lengths": [4, 9], "teeth": 1}
NUMPY = ["scan", "scan_learned", "healthy_distance", "pca", "mahalanobis", "statistics", "row_kurtosis", "peak_to_sd"]
FUSED = {"parts": ["scan", "dinomaly"], "options": {"dinomaly": DINOMALY}}
LONG = [
    ("onnx", "dinomaly_directional", DINOMALY),
    ("onnx", "dinomaly", DINOMALY),
    ("onnx", "dinomaly", {**DINOMALY, "pooling": "top", "channels": "grey", "log": False}),
    ("onnx", "dinomaly_directional", {**DINOMALY, "mix": "adaptive", "exclude": 0, "pooling": "columns"}),
    ("onnx", "dinomaly_directional", {**DINOMALY, "prefix": "drop", "recentre": "mean", "pooling": "rows"}),
    ("onnx", "dinomaly_severity", DINOMALY),
    ("onnx", "dinomaly_severity", {**DINOMALY, "score": "severity", "head_pooling": "attention"}),
    ("onnx", "dinomaly_severity", {**DINOMALY, "score": "both"}),
    ("onnx", "patchcore", PATCHCORE),
    ("onnx", "patchcore_context", {**PATCHCORE, "position": 0.5}),
    ("onnx", "patchcore", {**PADIM, "max_patches": 120, "n_features": None}),
    ("onnx", "draem_sevnet", DRAEM),
    ("onnx", "draem_sevnet_rows", DRAEM),
    ("onnx", "fused", FUSED),
    ("onnx", "line_network", LINES),
    ("onnx", "line_network", {**LINES, "attention": "global", "lines": "rows"}),
    ("onnx", "padim", PADIM),
    ("onnx", "padim", {**PADIM, "pooling": "segments"}),
    ("torch", "dinomaly_directional", DINOMALY),
    ("torch", "dinomaly_severity", DINOMALY),
    ("torch", "patchcore_context", PATCHCORE),
    ("torch", "draem_sevnet", DRAEM),
    ("torch", "padim", {**PADIM, "pooling": "coherent"}),
    ("torch", "fused", FUSED),
    ("openvino", "dinomaly_severity", DINOMALY),
    ("openvino", "patchcore_context", PATCHCORE),
    ("openvino", "padim", PADIM),
    ("openvino", "line_network", LINES),
]
SHORT = [
    *(("onnx", name, {}) for name in NUMPY),
    ("onnx", "fused", {"parts": ["scan", "pca"]}),
    ("onnx", "pca", {"pooling": "segments"}),
    ("torch", "padim", PADIM),
    ("torch", "line_network", LINES),
    ("onnx", "line_network", {**LINES, "attention": "means"}),
]


def maps(n, seed):
    return np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS))).astype(np.float32)


def mixed(n, seed, complete=False):
    """Healthy maps and maps with bright rows, each fifth with pairs that were not measured."""
    values = maps(n, seed)
    values[::3, seed % ROWS] *= 1.5
    if complete:
        return values
    values[::5, 2, 3:6] = np.nan
    values[::5, :, 8] = np.nan
    return values


def agree(one: Prediction, other: Prediction) -> None:
    least = max(float(np.std(one.score)), 1e-12)
    assert np.max(np.abs(one.score - other.score) / np.maximum(np.abs(one.score), least)) <= TOLERANCE
    spread = float(np.nanmax(one.anomaly_map) - np.nanmin(one.anomaly_map)) or 1.0
    np.testing.assert_allclose(one.anomaly_map, other.anomaly_map, atol=1e-4 * spread + 1e-6)
    assert other.score.dtype == np.float64
    assert other.anomaly_map.dtype == np.float32
    # evidence is what lines of the anomaly map differ by: it is no finer than the rounding of that map
    rounding = 4 * np.finfo(np.float32).eps * float(np.nanmax(np.abs(one.anomaly_map)))
    for name in ("row_evidence", "column_evidence", "severity", "p_value"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            size = float(np.max(np.abs(mine[np.isfinite(mine)])))
            least = max(1e-4 * size, rounding if name.endswith("evidence") else 0.0)
            np.testing.assert_allclose(theirs, mine, rtol=1e-4, atol=least, err_msg=name)


@pytest.mark.full
def test_residual_vectors_do_not_leave_an_engine(tmp_path):
    pytest.importorskip("anomalib")
    pytest.importorskip("onnxscript")
    Model(detectors.create("padim", **PADIM, pooling="coherent").fit(maps(40, 0))).save(tmp_path / "saved")
    with pytest.raises(InputError, match="gives none once it is exported; export with format 'torch'"):
        export(tmp_path / "saved", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "name", "options"),
    [*SHORT, *(pytest.param(*case, marks=pytest.mark.full) for case in LONG)],
    ids=lambda word: word if isinstance(word, str) else "-".join(f"{v}" for v in word.values())[:40],
)
def test_an_export_says_what_the_detector_says(form, name, options, tmp_path, record_property):
    if any(
        "encoder_name" in part or "base_width" in part or "dim" in part
        for part in (options, *options.get("options", {}).values())
    ):
        pytest.importorskip("anomalib")
        for package in {"onnx": ("onnxscript", "onnxruntime"), "openvino": ("openvino",)}.get(form, ()):
            pytest.importorskip(package)
    known = {key: value for key, value in options.items() if value is not None}
    detector = detectors.create(name, **known).fit(maps(40, 0))
    detector.threshold = threshold_from_healthy(detector.predict(maps(40, 1)).score, 0.1)
    Model(detector).save(tmp_path / "saved")
    manifest = export(tmp_path / "saved", tmp_path / "out", format=form)
    exported = Model.open(tmp_path / "out").detector
    test = mixed(48, 3, complete=name == "scan_learned")
    expected, found = detector.predict(test), exported.predict(test)
    record_property("largest_relative_difference", manifest.parity["largest_relative_difference"])
    agree(expected, found)
    limit = detector.threshold.value
    assert exported.threshold == manifest.threshold == detector.threshold
    np.testing.assert_array_equal(found.score > limit, expected.score > limit)
    assert 0 < np.sum(found.score > limit) < len(test)
    alone = [exported.predict(test[k : k + 1]).score[0] for k in (0, 7)]
    np.testing.assert_allclose(alone, found.score[[0, 7]], rtol=1e-5, atol=1e-6)
    assert (exported.name, exported.shape) == (detector.name, detector.shape)
    assert exported.options == detector.options


def test_the_graph_says_what_its_detector_says_and_takes_any_number_of_maps(network):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(network.exported / "model.onnx", load_external_data=False)
    assert [(o.domain, o.version) for o in model.opset_import if o.domain in ("", "ai.onnx")] == [("", 18)]
    assert {o.domain for o in model.opset_import} <= {"", "ai.onnx"}
    test = mixed(48, 3)
    agree(network.detector.predict(test), Model.open(network.exported).detector.predict(test))
    (given,) = model.graph.input
    sizes = given.type.tensor_type.shape.dim
    assert given.name == "maps"
    assert sizes[0].dim_param
    assert [size.dim_value for size in sizes[1:]] == [ROWS, COLUMNS]
    assert [o.name for o in model.graph.output] == ["score", "anomaly_map", "row_evidence", "column_evidence"]
    assert not [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    onnx.checker.check_model(model)


def test_the_manifest_tells_what_a_user_of_the_graph_needs(network):
    data = json.loads((network.exported / "model.json").read_text())
    images = network.detector._images
    assert data["normalisation"]["image_size"] == [32, 48]
    np.testing.assert_allclose(data["normalisation"]["centre"], images.centre)
    np.testing.assert_allclose(data["normalisation"]["scale"], images.scale)
    assert data["threshold"]["value"] == network.detector.threshold.value
    assert data["threshold"]["interval"] == list(network.detector.threshold.interval)
    assert data["parity"]["largest_relative_difference"] <= 1e-4
    for name, about in data["files"].items():
        content = (network.exported / name).read_bytes()
        assert about == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert {path.name for path in network.exported.iterdir()} == {"model.json", "model.onnx", "sample.safetensors"}


def test_maps_that_cannot_be_scored_are_refused_as_the_detector_does(network):
    opened, bad = Model.open(network.exported), maps(2, 0)
    exported = opened.detector
    bad[1, 2, 2] = 0.0
    for detector in (network.detector, exported):
        with pytest.raises(InputError, match="needs positive maps, but the smallest value is 0"):
            detector.predict(bad)
        with pytest.raises(InputError, match="was fitted on maps of 9 x 14"):
            detector.predict(np.ones((1, 9, 13), np.float32))
    with pytest.raises(InputError, match="cannot be fitted"):
        exported.fit(maps(20, 0))
    with pytest.raises(InputError, match="cannot be saved again"):
        opened.save(network.exported.parent / "again")


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("dinomaly_directional", {}),
        ("dinomaly", {"channels": "grey", "pooling": "rows"}),
        ("dinomaly_severity", {}),
        ("fused", {}),
    ],
)
def test_an_export_in_bfloat16_says_nearly_what_the_detector_says(name, more, tmp_path):
    for package in ("anomalib", "onnxscript", "openvino"):
        pytest.importorskip(package)
    options = FUSED if name == "fused" else {**DINOMALY, **more}
    detector = detectors.create(name, **options).fit(maps(40, 0))
    detector.threshold = threshold_from_healthy(detector.predict(maps(40, 1)).score, 0.1)
    Model(detector).save(tmp_path / "saved")
    manifest = export(tmp_path / "saved", tmp_path / "out", format="openvino", precision="bfloat16")
    test = mixed(48, 3)
    expected, found = detector.predict(test), Model.open(tmp_path / "out").detector.predict(test)
    assert manifest.parity["allowed"] == 0.05
    choices = manifest.graph.get("choices", [{"precision": "bfloat16"}])
    assert [choice["precision"] for choice in choices] == ["bfloat16"]
    least = float(np.std(expected.score))
    assert np.max(np.abs(expected.score - found.score) / np.maximum(np.abs(expected.score), least)) < 0.05
    np.testing.assert_array_equal(np.isnan(found.anomaly_map), np.isnan(expected.anomaly_map))
    assert found.anomaly_map.shape == test.shape


@pytest.mark.full
def test_what_stands_before_and_after_the_products_stays_in_float32(network):
    """Logarithms of maps far from 1: in bfloat16 next to nothing of them would be left once the median is taken off."""
    openvino = pytest.importorskip("openvino")
    import torch

    from toothwise.exported.export import _write_onnx
    from toothwise.exported.graph import STANDARDISED, graph_of

    graph = graph_of(network.detector, standardised=True)
    path = network.exported.parent / "standardised.onnx"
    _write_onnx(graph, network.detector.shape, path)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(path)), "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
    given = 1e4 * maps(3, 5)
    with torch.inference_mode():
        expected = dict(zip(graph.outputs, graph(torch.from_numpy(given)), strict=True))[STANDARDISED].numpy()
    np.testing.assert_allclose(compiled({"maps": given})[STANDARDISED], expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("which", ["byte", "cut", "gone", "link", "threshold", "list"])
def test_a_changed_export_is_refused(network, which, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(network.exported, folder)
    model, manifest = folder / "model.onnx", folder / "model.json"
    content = bytearray(model.read_bytes())
    if which == "byte":
        content[len(content) // 2] ^= 1
        model.write_bytes(content)
    elif which == "cut":
        model.write_bytes(content[:-1])
    elif which == "gone":
        model.unlink()
    elif which == "link":
        model.rename(tmp_path / "elsewhere.onnx")
        model.symlink_to(tmp_path / "elsewhere.onnx")
    else:
        data = json.loads(manifest.read_text())
        if which == "threshold":
            data["threshold"]["value"] = 1e9
        else:
            data["files"]["../../secret"] = data["files"]["model.onnx"]
        manifest.write_text(json.dumps(data))
    named = "model.json" if which in ("threshold", "list") else "model.onnx"
    with pytest.raises(InputError, match=named.replace(".", r"\.") + ".*(changed|cannot be read|not links)"):
        Model.open(folder)


def test_a_manifest_cannot_name_a_file_outside(network, tmp_path):
    from toothwise.exported.manifest import digest

    folder = tmp_path / "folder"
    shutil.copytree(network.exported, folder)
    data = json.loads((folder / "model.json").read_text())
    (tmp_path / "secret").write_bytes(b"x")
    data["files"]["../secret"] = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    (folder / "model.json").write_text(json.dumps(data | {"sha256": digest(data)}))
    with pytest.raises(InputError, match="must be in its folder"):
        Model.open(folder)


def test_what_is_no_network_is_told(tmp_path):
    pytest.importorskip("anomalib")
    from toothwise.exported.graph import graph_of

    class Mine(Detector):
        name = "mine"

        def _fit(self, values, progress): ...

        def _predict(self, values, progress): ...

        def _state(self): ...

        def _restore(self, state): ...

    mine = Mine(image_size=[32, 32]).fit(maps(3, 0))
    with pytest.raises(InputError, match="detector 'mine' cannot be exported as a network"):
        graph_of(mine)


def test_bfloat16_is_refused_where_too_much_would_be_lost(tmp_path):
    pytest.importorskip("anomalib")
    Model(detectors.create("padim", **PADIM).fit(maps(40, 0))).save(tmp_path / "saved")
    with pytest.raises(
        InputError, match="bfloat16' is for Dinomaly whose score is pooled along lines, but got 'padim'"
    ):
        export(tmp_path / "saved", tmp_path / "out", format="openvino", precision="bfloat16")
    assert not (tmp_path / "out").exists()


def test_an_export_whose_scores_differ_is_not_written(scan, tmp_path, monkeypatch):
    from toothwise.exported import export as module

    honest = module.open_detector

    def other(folder, *more):
        detector = honest(folder, *more)
        if more:  # the fitted one
            return detector
        predict = detector.predict
        detector.predict = lambda values: Prediction(predict(values).score * 1.001, values)
        return detector

    monkeypatch.setattr(module, "open_detector", other)
    with pytest.raises(InputError, match=r"differs from the detector by 0\.001 of the score"):
        export(scan.saved, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_exported_to_or_from(scan, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="something other than a model"):
        export(scan.saved, tmp_path / "mine")
    with pytest.raises(OutputError):
        export(scan.saved, scan.saved)
    with pytest.raises(InputError, match="is exported already"):
        export(scan.exported, tmp_path / "x")
    with pytest.raises(InputError, match="format must be one of 'auto', 'onnx', 'openvino', 'torch', but got 'tflite'"):
        export(scan.saved, tmp_path / "x", format="tflite")
    with pytest.raises(InputError, match=r"precision must be one of 'auto', 'float32', 'bfloat16', .*but got 'int4'"):
        export(scan.saved, tmp_path / "x", format="openvino", precision="int4")
    with pytest.raises(InputError, match="'bfloat16' is for format 'auto' or 'openvino', but format is 'onnx'"):
        export(scan.saved, tmp_path / "x", format="onnx", precision="bfloat16")
    with pytest.raises(InputError, match="not the folder of a model"):
        Model.open(tmp_path / "mine")
    assert not (tmp_path / "x").exists()
    export(scan.saved, tmp_path / "x")
    assert read_manifest(tmp_path / "x").backend == "numpy"
    export(scan.saved, tmp_path / "x")


def test_a_missing_engine_is_named_with_its_extra(network, monkeypatch):
    for engine in ("onnxruntime", "openvino"):  # either will do
        monkeypatch.setitem(__import__("sys").modules, engine, None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[(runtime|openvino)\]'"):
        Model.open(network.exported)


def test_gears_come_from_the_maps_or_from_a_file(scan, tmp_path, capsys):
    gear = {"type": "GearPair", "driving": ROWS, "driven": COLUMNS}
    known = read_manifest(scan.exported).about
    assert known["gear"] | gear == known["gear"]
    assert (known["rows"]["name"], known["columns"]["name"], known["unit"]) == ("driving tooth", "driven tooth", "g")
    write_gears(GearTrain.single(GearPair(driving=9, driven=28)), tmp_path / "gears.yaml")
    words = ["export", scan.saved, "--gears", tmp_path / "gears.yaml", "--output", tmp_path / "out", "--json"]
    assert main([str(word) for word in words]) == 0
    assert json.loads(capsys.readouterr().out)["about"]["gear"]["driven"] == 28
    assert read_manifest(tmp_path / "out").about["gear"]["driven"] == 28
