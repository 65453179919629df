"""What every detector that needs no network promises, and what the simple ones are in closed form."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

from toothwise import HealthMap, detectors
from toothwise.detectors.statistics import STATISTICS
from toothwise.detectors.subspace import ledoit_wolf_shrinkage as ours
from toothwise.diagnosis.tooth import name_teeth
from toothwise.errors import InputError
from toothwise.evaluation import auroc
from toothwise.healthmap import Axis
from toothwise.simulate.maps import LineShape, generate

NAMES = [name for name in detectors.names() if not name.startswith(("dinomaly", "draem"))]
ROWS, COLUMNS = 9, 14


def _maps(n, seed, row=None, factor=1.8):
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS))).astype(np.float32)
    if row is not None:
        values[:, row] *= factor
    return values


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    return detectors.create(request.param).fit(_maps(40, 0))


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
    whole = fitted.predict(maps).score
    np.testing.assert_array_equal(fitted.predict(maps).score, whole)
    np.testing.assert_allclose([fitted.predict(maps[k : k + 1]).score[0] for k in range(6)], whole, rtol=1e-9)


def test_saved_and_loaded(fitted, tmp_path):
    maps = _maps(4, 3)
    loaded = detectors.load(fitted.save(tmp_path / "d"))
    a, b = fitted.predict(maps), loaded.predict(maps)
    np.testing.assert_array_equal(a.score, b.score)
    np.testing.assert_array_equal(a.anomaly_map, b.anomaly_map)
    assert loaded.options == fitted.options


def test_health_maps_and_arrays_give_the_same(fitted):
    maps = _maps(3, 4)
    wrapped = [HealthMap(m, Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)) for m in maps]
    np.testing.assert_array_equal(fitted.predict(wrapped).score, fitted.predict(maps).score)


def test_other_shapes_are_refused(fitted):
    with pytest.raises(InputError, match="was fitted on maps of 9 x 14"):
        fitted.predict(np.ones((2, 9, 13), dtype=np.float32))
    with pytest.raises(InputError, match="has not been fitted"):
        detectors.create(fitted.name).predict(_maps(1, 0))


def test_pairs_that_never_mesh_count_for_nothing(fitted):
    empty = np.zeros((ROWS, COLUMNS), dtype=bool)
    empty[::2, 1::3] = True
    train, test = (np.where(empty, np.nan, _maps(n, seed)) for n, seed in ((40, 0), (4, 5)))
    if fitted.options.get("noise") == "learned":
        with pytest.raises(InputError, match="needs maps without NaN"):
            detectors.create(fitted.name, **fitted.options).fit(train)
        return
    detector = detectors.create(fitted.name, **fitted.options).fit(train)
    assert np.isfinite(detector.predict(test).score).all()


@pytest.mark.parametrize("name", ["scan", "baseline", "row_mean", "pca", "mahalanobis", "fisher"])
def test_a_bright_row_is_found_and_named(name):
    detector = detectors.create(name).fit(_maps(60, 0))
    healthy, faulty = detector.predict(_maps(50, 6)), detector.predict(_maps(50, 7, row=5))
    scores = np.concatenate([healthy.score, faulty.score])
    assert auroc(scores, np.repeat([0, 1], 50)) > 0.95
    named = name_teeth(faulty)
    assert np.mean((named.gear == "driving") & (named.tooth == 5)) > 0.9


def test_damage_that_rings_on_is_named_by_its_first_tooth():
    train, maps = _maps(60, 0), _maps(40, 7)
    maps[:, 5:7] *= 1.15
    one, two = (detectors.create("baseline", teeth=t).fit(train).predict(maps) for t in (1, 2))
    assert np.median(two.score) > 1.15 * np.median(one.score)
    assert np.mean(name_teeth(two).tooth == 5) > np.mean(name_teeth(one).tooth == 5) + 0.2
    with pytest.raises(InputError, match="teeth must be a whole number"):
        detectors.create("baseline", teeth=0)


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
