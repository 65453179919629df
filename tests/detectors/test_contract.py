"""What every detector of the registry promises, and what the simple ones are in closed form."""

import json
import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

from toothwise import HealthMap, Model, detectors
from toothwise.detectors.statistics import STATISTICS
from toothwise.detectors.subspace import ledoit_wolf_shrinkage as ours
from toothwise.errors import InputError
from toothwise.evaluation import auroc
from toothwise.exported.manifest import digest
from toothwise.healthmap import Axis
from toothwise.simulate.maps import LineShape, generate
from toothwise_lab.named_teeth import name_teeth

ROWS, COLUMNS = 9, 14
NEURAL = ("dinomaly", "draem", "padim", "patchcore", "fused", "line_network")
TINY = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48]}
QUICK = {
    "dinomaly_severity": {**TINY, "max_steps": 2, "head_steps": 2, "calibration_lines": 10},
    "dinomaly": {**TINY, "max_steps": 2},
    "patchcore": {**TINY, "max_patches": 120},
    "draem": {"base_width": 4, "image_size": [32, 64], "max_steps": 2},
    "padim": {"encoder_name": "test_resnet", "weights": "random", "image_size": [32, 48], "n_features": 8},
}
QUICK["line_network"] = {"max_steps": 2, "dim": 4, "blocks": 1, "lengths": [4, 9], "teeth": 1}
QUICK["fused"] = {"parts": ["scan", "dinomaly"], "options": {"dinomaly": QUICK["dinomaly"]}}


def _quick(name):
    """Options with which a detector is fitted in a second."""
    return next((options for start, options in QUICK.items() if name.startswith(start)), {})


def _new(name, **options):
    if name.startswith(NEURAL):
        pytest.importorskip("anomalib")
    return detectors.create(name, **{**_quick(name), **options})


def _maps(n, seed, row=None, factor=1.8):
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS))).astype(np.float32)
    if row is not None:
        values[:, row] *= factor
    return values


# detectors that look at mesh waveforms have tests of their own (test_coherent.py): these maps have none
NAMES = [name for name in detectors.names() if name not in ("coherent", "line_waveforms")]


@cache
def _known(name):
    """A detector fitted once, for all tests that leave it as it is."""
    return _new(name).fit(_maps(40, 0))


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    return _known(request.param)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folders of all detectors, and what each says of five maps."""
    folder, said = tmp_path_factory.mktemp("saved"), {}
    for name in NAMES:
        detector = _known(name)
        Model(detector).save(folder / name)
        said[name] = detector.predict(_maps(5, 1)).score
    np.save(folder / "maps.npy", _maps(5, 1))
    return folder, said


def test_options_are_taken_back(fitted):
    assert detectors.create(fitted.name, **fitted.options).options == fitted.options


def test_shapes_and_types(fitted):
    maps = _maps(5, 1)
    found = fitted.predict(maps)
    assert found.score.shape == (5,)
    assert found.score.dtype == np.float64
    assert np.isfinite(found.score).all()
    assert found.anomaly_map.shape == maps.shape
    assert found.anomaly_map.dtype == np.float32
    for evidence, lines in ((found.row_evidence, ROWS), (found.column_evidence, COLUMNS)):
        assert evidence is None or evidence.shape == (5, lines)


def test_same_maps_same_numbers_whatever_stands_beside_them(fitted):
    maps = _maps(6, 2)
    whole = fitted.predict(maps)
    np.testing.assert_array_equal(fitted.predict(maps).score, whole.score)
    # float32 products of matrices depend on how many maps are multiplied at once
    near = (
        {"atol": 1e-5} if fitted.name.startswith(NEURAL) or fitted.options.get("noise") == "learned" else {"rtol": 1e-9}
    )
    alone = [fitted.predict(maps[k : k + 1]) for k in range(6)]
    np.testing.assert_allclose([one.score[0] for one in alone], whole.score, **near)
    if whole.severity is not None:
        np.testing.assert_allclose([one.severity[0] for one in alone], whole.severity, rtol=1e-5, atol=1e-5)


def test_same_seed_same_numbers(fitted):
    again = detectors.create(fitted.name, **fitted.options).fit(_maps(40, 0))
    once, twice = (detector.predict(_maps(5, 1)) for detector in (fitted, again))
    np.testing.assert_array_equal(once.score, twice.score)
    np.testing.assert_array_equal(once.anomaly_map, twice.anomaly_map)


@pytest.mark.parametrize("name", ["dinomaly", "draem_sevnet", "patchcore", "padim"])
def test_another_seed_gives_other_numbers(name):
    one, two = (
        detector.predict(_maps(5, 1)).score for detector in (_known(name), _new(name, seed=1).fit(_maps(40, 0)))
    )
    assert not np.allclose(one, two)


def test_a_map_that_is_the_same_everywhere_is_scored(fitted):
    assert np.isfinite(fitted.predict(np.ones((1, ROWS, COLUMNS), dtype=np.float32)).score).all()


@pytest.mark.full
def test_a_fresh_process_without_network_says_the_same(saved):
    folder, said = saved
    code = (
        "import pathlib, socket, sys, numpy as np\n"
        "def refuse(*a, **k): raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
        "from toothwise import Model\n"
        "folder = pathlib.Path(sys.argv[1]); maps = np.load(folder / 'maps.npy')\n"
        "names = sys.argv[2:]\n"
        "np.savez(folder / 'said.npz', **{n: Model.open(folder / n).detector.predict(maps).score for n in names})\n"
    )
    words = [sys.executable, "-W", "ignore", "-c", code, str(folder), *said]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "said.npz") as again:
        for name, scores in said.items():
            np.testing.assert_allclose(again[name], scores, rtol=1e-5, err_msg=name)  # threads may differ


@pytest.mark.parametrize("name", [n for n in detectors.names() if n.startswith(NEURAL) and n != "fused"])
def test_a_gpu_says_the_same_up_to_rounding(name, saved, tmp_path):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    folder, said = saved
    text = (folder / name / "model.json").read_text()
    assert '"device": "auto"' in text
    shutil.copytree(folder / name, tmp_path / "on")
    for device in ("cuda", "cpu"):
        data = json.loads(text.replace('"device": "auto"', f'"device": "{device}"'))
        (tmp_path / "on" / "model.json").write_text(json.dumps(data | {"sha256": digest(data)}))
        np.testing.assert_allclose(
            Model.open(tmp_path / "on").detector.predict(_maps(5, 1)).score, said[name], rtol=1e-2
        )
    fitted = Model(_new(name, device="cuda").fit(_maps(32, 0))).save(tmp_path / "fitted")
    assert np.isfinite(Model.open(fitted).detector.predict(_maps(5, 1)).score).all()


def test_no_encoder_is_saved(saved):
    """A small ViT's encoder takes 88 MB; what was learned beside it must fit in 80."""
    from safetensors import safe_open

    for path in saved[0].glob("*/state.safetensors"):
        assert path.stat().st_size < 80e6
        with safe_open(path, "np") as file:
            assert not [key for key in file.keys() if key.startswith(("encoder.", "feature_extractor."))]  # noqa: SIM118


def test_saved_and_loaded_without_network(fitted, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    maps = _maps(4, 3)
    loaded = Model.open(Model(fitted).save(tmp_path / "d")).detector
    a, b = fitted.predict(maps), loaded.predict(maps)
    np.testing.assert_array_equal(a.score, b.score)
    np.testing.assert_array_equal(a.anomaly_map, b.anomaly_map)
    assert loaded.options == fitted.options


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": {"nothing": 1}}, "not the options of scan"),
        ({"options": []}, "options must be"),
        ({"shape": [9]}, "shape must be"),
        ({"shape": [9, -1]}, "shape must be"),
        ({"threshold": {"valu": 1}}, "unknown option .valu."),
        ({"threshold": True}, "must be a mapping"),
        ({"about": {"rows": []}}, "misstates"),
        ({"detector": ["scan"]}, "detector must be text"),
        ({"format": [1]}, "unsupported format"),
    ],
)
def test_a_description_that_says_something_else_is_refused(tmp_path, change, says):
    folder = Model(detectors.create("scan").fit(_maps(40, 0))).save(tmp_path / "d")
    data = json.loads((folder / "model.json").read_text()) | change
    (folder / "model.json").write_text(json.dumps(data | {"sha256": digest(data)}))
    with pytest.raises(InputError, match=rf"model\.json.*{says}"):
        Model.open(folder)


def test_health_maps_and_arrays_give_the_same(fitted):
    maps = _maps(3, 4)
    wrapped = [HealthMap(m, Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)) for m in maps]
    np.testing.assert_array_equal(fitted.predict(wrapped).score, fitted.predict(maps).score)


def test_other_shapes_are_refused(fitted):
    with pytest.raises(InputError, match="was fitted on maps of 9 x 14"):
        fitted.predict(np.ones((2, 9, 13), dtype=np.float32))
    with pytest.raises(InputError, match="has not been fitted"):
        _new(fitted.name).predict(_maps(1, 0))


def test_pairs_that_never_mesh_count_for_nothing(fitted):
    empty = np.zeros((ROWS, COLUMNS), dtype=bool)
    empty[::2, 1::3] = True
    train, test = (np.where(empty, np.nan, _maps(n, seed)) for n, seed in ((40, 0), (4, 5)))
    if fitted.options.get("noise") == "learned":
        with pytest.raises(InputError, match="needs maps without NaN"):
            detectors.create(fitted.name, **fitted.options).fit(train)
        return
    found = detectors.create(fitted.name, **fitted.options).fit(train).predict(test)
    assert np.isfinite(found.score).all()
    np.testing.assert_array_equal(np.isnan(found.anomaly_map), np.isnan(test))


@pytest.mark.parametrize("name", ["scan", "healthy_distance", "row_mean", "pca", "mahalanobis", "fisher"])
def test_a_bright_row_is_found_and_named(name):
    detector = detectors.create(name).fit(_maps(60, 0))
    healthy, faulty = detector.predict(_maps(50, 6)), detector.predict(_maps(50, 7, row=5))
    scores = np.concatenate([healthy.score, faulty.score])
    assert auroc(scores, np.repeat([0, 1], 50)) > 0.95
    named = name_teeth(faulty)
    assert np.mean((named.gear == "driving") & (named.tooth == 5)) > 0.9


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        *(("pca", pooling) for pooling in ("rows", "columns", "lines", "segments")),
        ("padim", "lines"),
        ("dinomaly", "segments"),
    ],
)
def test_any_anomaly_map_is_pooled_along_lines(name, pooling, tmp_path):
    detector = _new(name, pooling=pooling).fit(_maps(40, 0))
    maps = _maps(6, 7, row=5, factor=3)
    found, again = detector.predict(maps), Model.open(Model(detector).save(tmp_path / "d")).detector.predict(maps)
    np.testing.assert_array_equal(found.score, again.score)
    np.testing.assert_array_equal(found.anomaly_map, again.anomaly_map)
    evidence = [e for e in (found.row_evidence, found.column_evidence) if e is not None]
    np.testing.assert_allclose(found.score, np.max([e.max(axis=1) for e in evidence], axis=0))
    if name == "pca" and pooling != "columns":
        assert (name_teeth(found).tooth == 5).all()


@pytest.mark.parametrize("name", ["padim", "patchcore", "dinomaly"])
def test_residual_vectors_are_added_along_lines(name, tmp_path):
    detector = _new(name, pooling="coherent").fit(_maps(40, 0))
    maps = _maps(6, 7, row=5, factor=3)
    found, again = detector.predict(maps), Model.open(Model(detector).save(tmp_path / "d")).detector.predict(maps)
    np.testing.assert_allclose(found.score, again.score, rtol=1e-12)  # vectors lie in memory as they like
    assert (found.row_evidence.shape, found.column_evidence.shape) == ((6, ROWS), (6, COLUMNS))
    assert ((found.p_value > 0) & (found.p_value <= 1)).all()
    with pytest.raises(InputError, match="needs 32 healthy maps or more, but got 31"):
        _new(name, pooling="coherent").fit(_maps(31, 0))


def test_coherent_pooling_needs_residual_vectors():
    with pytest.raises(InputError, match=r"needs residual vectors .*but 'pca' gives none"):
        detectors.create("pca", pooling="coherent")


def test_pooling_finds_what_single_pixels_do_not_show():
    healthy, faulty = _maps(200, 6), _maps(200, 7, row=5, factor=1.25)
    area = {}
    for pooling in (None, "rows", "segments"):
        options = {} if pooling is None else {"pooling": pooling}
        detector = detectors.create("max", **options).fit(_maps(60, 0))
        scores = np.concatenate([detector.predict(m).score for m in (healthy, faulty)])
        area[pooling] = auroc(scores, np.repeat([0, 1], 200))
    assert min(area["rows"], area["segments"]) > area[None] + 0.2
    with pytest.raises(InputError, match="pooling of detector 'max' must be one of 'rows'"):
        detectors.create("max", pooling="diagonals")
    with pytest.raises(InputError, match="needs 32 healthy maps or more, but got 20"):
        detectors.create("max", pooling="segments").fit(_maps(20, 0))


def test_damage_that_rings_on_is_named_by_its_first_tooth():
    train, maps = _maps(60, 0), _maps(40, 7)
    maps[:, 5:7] *= 1.15
    one, two = (detectors.create("healthy_distance", teeth=t).fit(train).predict(maps) for t in (1, 2))
    assert np.median(two.score) > 1.15 * np.median(one.score)
    assert np.mean(name_teeth(two).tooth == 5) > np.mean(name_teeth(one).tooth == 5) + 0.2
    with pytest.raises(InputError, match="teeth must be a whole number"):
        detectors.create("healthy_distance", teeth=0)


def test_closed_forms_of_statistics():
    x = np.arange(1.0, 13.0).reshape(1, 3, 4)

    def score(name):
        return float(detectors.create(name).fit(x).predict(x).score[0])

    assert score("mean") == 6.5
    assert score("max") == 12
    assert score("peak_to_sd") == pytest.approx(5.5 / np.std(np.arange(12)))
    assert score("row_mean") == 10.5
    assert score("column_mean") == 8.0
    assert score("row_rms") == pytest.approx(np.sqrt(np.mean([81, 100, 121, 144])))
    assert score("row_kurtosis") == pytest.approx(1.64)
    assert score("row_crest") == pytest.approx(4 / np.sqrt(7.5))
    line, rest = np.arange(9.0, 13.0), np.arange(1.0, 9.0)
    first, others = np.arange(1.0, 5.0), np.arange(5.0, 13.0)
    ratio = [(a.mean() - b.mean()) ** 2 / (a.var() + b.var()) for a, b in ((line, rest), (first, others))]
    assert score("fisher") == pytest.approx(max(ratio))


def test_names_of_statistics_are_detectors():
    assert set(STATISTICS) < set(detectors.names())
    with pytest.raises(InputError, match="statistic must be one of 'mean'"):
        detectors.create("statistics", statistic="median")


def test_shrinkage_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    for n, p in ((30, 12), (20, 80)):
        x = rng.standard_normal((n, p)) @ rng.standard_normal((p, p))
        x -= x.mean(axis=0)
        assert ours(x) == pytest.approx(ledoit_wolf_shrinkage(x, assume_centered=True), rel=1e-10)


def test_mahalanobis_is_that_of_scikit_learn():
    train, test = _maps(30, 8), _maps(5, 9)
    detector = detectors.create("mahalanobis").fit(train)
    x, y = (np.log(m.astype(float)).reshape(len(m), -1) for m in (train, test))
    reference = LedoitWolf().fit(x).mahalanobis(y)
    np.testing.assert_allclose(detector.predict(test).score ** 2 * x.shape[1], reference, rtol=1e-6)


def test_principal_components_leave_what_is_new():
    rng = np.random.default_rng(1)
    pattern = rng.standard_normal((2, ROWS, COLUMNS))
    healthy = np.exp(
        np.tensordot(rng.standard_normal((50, 2)), pattern, 1) + 0.01 * rng.standard_normal((50, ROWS, COLUMNS))
    )
    detector = detectors.create("pca", components=2).fit(healthy)
    same = np.exp(np.tensordot(rng.standard_normal((5, 2)), pattern, 1))
    other = same.copy()
    other[:, 3] *= 1.5
    assert detector.predict(other).score.min() > 20 * detector.predict(same).score.max()
    assert name_teeth(detector.predict(other)).tooth.tolist() == [3] * 5


def test_published_statistics_of_domain_c_are_reproduced():
    """Published AUROC of the image mean in C: .869 cold, .953 warm; cold faults against warm healthy maps .014."""
    maps = {}
    for condition in ("cold", "warm"):
        for faulty in (False, True):
            options = {"condition": condition, "split": "test", "mode": "realistic"}
            maps[condition, faulty] = generate("C", 400, faulty, seed=int(faulty), **options)[0]
    detector = detectors.create("mean").fit(maps["cold", False])

    def area(healthy, faulty):
        scores = np.concatenate([detector.predict(maps[key]).score for key in (healthy, faulty)])
        return auroc(scores, np.repeat([0, 1], 400))

    assert area(("cold", False), ("cold", True)) == pytest.approx(0.869, abs=0.05)
    assert area(("warm", False), ("warm", True)) == pytest.approx(0.953, abs=0.03)
    assert area(("warm", False), ("cold", True)) == pytest.approx(0.014, abs=0.02)


def test_knowing_that_damage_is_a_line_is_worth_something():
    """On the map generator the scan is ahead of models of whole maps."""
    line = LineShape(length=(40, 94))
    train = generate("C", 300, False, seed=0)[0]
    test = [generate("C", 100, faulty, seed=5 + faulty, contrast=1.25, line=line)[0] for faulty in (False, True)]
    area = {}
    for name in ("scan", "pca", "mahalanobis", "mean", "max"):
        detector = detectors.create(name).fit(train)
        area[name] = auroc(np.concatenate([detector.predict(t).score for t in test]), np.repeat([0, 1], 100))
    assert area["scan"] > 0.95
    assert area["scan"] > max(area[name] for name in area if name != "scan")
