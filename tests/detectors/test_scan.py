import numpy as np
import pytest

from toothwise import Model, detectors
from toothwise.detectors.line_likelihood import healthy_precision, plan_segments
from toothwise.detectors.scan import DirectionalScan
from toothwise.errors import InputError, OutputError
from toothwise.simulate.maps import generate


def _healthy(n, seed, shape=(31, 95)):
    rng = np.random.default_rng(seed)
    stripes = 0.15 * rng.standard_normal((n, 1, shape[1]))
    return np.exp(-1.4 + stripes + 0.2 * rng.standard_normal((n, *shape))).astype(np.float32)


def _with_line(maps, row=None, column=None, contrast=1.3, part=slice(20, 60)):
    maps = maps.copy()
    if row is not None:
        maps[:, row, part] *= contrast
    else:
        maps[:, part, column] *= contrast
    return maps


@pytest.fixture(scope="module")
def scan():
    return DirectionalScan().fit(_healthy(300, 0))


def test_a_row_is_found_and_named(scan):
    faulty = scan.predict(_with_line(_healthy(100, 1), row=12))
    healthy = scan.predict(_healthy(400, 2))
    assert np.mean(faulty.score > np.quantile(healthy.score, 0.99)) > 0.95
    assert np.mean(faulty.row == 12) > 0.95
    inside = faulty.anomaly_map[:, 12, 25:55].mean()
    assert inside > 3 * faulty.anomaly_map[:, :12].mean()


def test_a_column_is_found_and_named(scan):
    faulty = scan.predict(_with_line(_healthy(50, 3), column=40, contrast=2.4, part=slice(2, 28)))
    assert np.mean(np.argmax(faulty.column_evidence, axis=1) == 40) > 0.9
    assert np.mean(faulty.column_evidence.max(axis=1) > faulty.row_evidence.max(axis=1)) > 0.9


@pytest.mark.full
def test_p_values_are_uniform_on_healthy_maps(scan):
    p = scan.predict(_healthy(2000, 4)).p_value
    for level in (0.01, 0.05, 0.2, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.02 + 0.35 * level)
    assert scan.predict(_with_line(_healthy(5, 5), row=3, contrast=2)).p_value.max() < 1e-4


def test_the_score_is_the_largest_line_evidence(scan):
    p = scan.predict(_healthy(20, 6))
    np.testing.assert_allclose(p.score, np.maximum(p.row_evidence.max(axis=1), p.column_evidence.max(axis=1)))


def test_gain_and_column_stripes_do_not_matter_to_rows():
    scan = DirectionalScan(lines="rows").fit(_healthy(100, 7))
    maps = _healthy(10, 8)
    stripes = np.exp(np.random.default_rng(9).standard_normal((10, 1, 95))).astype(np.float32)
    np.testing.assert_allclose(scan.predict(maps * 3 * stripes).score, scan.predict(maps).score, rtol=1e-3, atol=1e-3)


def test_transposed_maps_swap_rows_and_columns():
    maps = _healthy(60, 10, (20, 30))
    one = DirectionalScan().fit(maps)
    two = DirectionalScan().fit(np.swapaxes(maps, 1, 2))
    a, b = one.predict(maps[:5]), two.predict(np.swapaxes(maps[:5], 1, 2))
    np.testing.assert_allclose(a.row_evidence, b.column_evidence)
    np.testing.assert_allclose(a.anomaly_map, np.swapaxes(b.anomaly_map, 1, 2))


def test_unmeshed_pairs_stay_nan_and_do_not_score():
    maps = _healthy(80, 11)
    maps[:, :, ::3] = np.nan
    scan = DirectionalScan().fit(maps)
    p = scan.predict(_with_line(maps[:20], row=5, contrast=1.6))
    assert np.isfinite(p.score).all()
    assert np.isnan(p.anomaly_map[:, :, ::3]).all()
    assert np.isfinite(p.anomaly_map[:, :, 1::3]).all()
    assert np.mean(p.row == 5) > 0.9


def test_the_best_cover_is_the_best_segment_through_a_pixel():
    from toothwise.detectors.scan import _best_cover

    z = np.random.default_rng(12).standard_normal((2, 3, 12))
    lengths = [1, 2, 3, 6, 12]
    expected = np.zeros(z.shape)
    for k in lengths:
        for start in range(12 - k + 1):
            s = z[:, :, start : start + k].sum(axis=2, keepdims=True) / np.sqrt(k)
            expected[:, :, start : start + k] = np.maximum(expected[:, :, start : start + k], s)
    np.testing.assert_allclose(_best_cover(z, lengths), expected, rtol=1e-5, atol=1e-6)


def test_batch_size_does_not_matter(scan):
    maps = _healthy(7, 13)
    together = scan.predict(maps)
    alone = [scan.predict(maps[i : i + 1]) for i in range(7)]
    np.testing.assert_array_equal(together.score, [p.score[0] for p in alone])
    np.testing.assert_array_equal(together.anomaly_map, np.concatenate([p.anomaly_map for p in alone]))


def test_save_replaces_a_saved_detector_and_nothing_else(scan, tmp_path):
    Model(scan).save(tmp_path / "scan")
    Model(scan).save(tmp_path / "scan")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    with pytest.raises(OutputError, match="other than a model"):
        Model(scan).save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "words"


def test_bad_options_and_maps():
    for wrong in ({"lines": "z"}, {"lengths": [0]}, {"lengths": []}, {"reference": "x"}, {"clip": 0}):
        with pytest.raises(InputError):
            DirectionalScan(**wrong)
    with pytest.raises(InputError, match="not been fitted"):
        DirectionalScan().predict(_healthy(1, 0))
    with pytest.raises(InputError, match="positive maps"):
        DirectionalScan().fit(-_healthy(20, 0))
    with pytest.raises(InputError, match="constant"):
        DirectionalScan().fit(np.ones((20, 5, 5)))
    with pytest.raises(InputError, match="31 x 95"):
        DirectionalScan().fit(_healthy(20, 0)).predict(_healthy(2, 0, (30, 95)))
    with pytest.raises(InputError, match="NaN only"):
        DirectionalScan().fit(np.full((3, 4, 4), np.nan))
    with pytest.raises(InputError, match="one of scan"):
        detectors.create("nonsense")
    with pytest.raises(InputError, match="is no option of detector"):
        detectors.create("scan", speed=9)


def test_negative_maps_work_without_logarithm():
    maps = np.random.default_rng(15).standard_normal((60, 10, 20))
    scan = DirectionalScan(log=False, lines="rows").fit(maps)
    faulty = maps[:10].copy()
    faulty[:, 4] += 1.5
    assert np.mean(scan.predict(faulty).row == 4) == 1.0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.json").unlink(), "not the folder of a model"),
        (lambda f: (f / "model.json").write_text("{"), "not readable as JSON"),
        (lambda f: (f / "model.json").write_text("[]"), "does not describe a model"),
        (lambda f: (f / "state.safetensors").write_bytes(b"x"), "was changed after it was written"),
        (lambda f: (f / "state.safetensors").unlink(), "cannot be read"),
    ],
)
def test_damaged_folders_are_named(scan, tmp_path, damage, message):
    folder = Model(scan).save(tmp_path / "scan")
    damage(folder)
    with pytest.raises(InputError, match=message):
        Model.open(folder)


def test_saving_leaves_nothing_half_written(scan, tmp_path, monkeypatch):
    folder = Model(scan).save(tmp_path / "scan")
    before = sorted(p.name for p in tmp_path.iterdir())
    monkeypatch.setattr(DirectionalScan, "_state", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Model(scan).save(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    monkeypatch.undo()
    Model.open(folder)


@pytest.mark.parametrize("lengths", [[4, 8, 16, 32], [9, 20, 37], [5]])
def test_chances_of_all_lines_looked_for_make_one(lengths):
    rng = np.random.default_rng(0)
    precision = healthy_precision(rng.standard_normal((30, 11, 37)))
    segments = plan_segments(precision, lengths, 2, 3.0)
    places = [(11 - s.teeth + 1) * (37 - s.length + 1) * len(s.multiples) for s in segments]
    assert sum(n * np.exp(s.weight) for n, s in zip(places, segments, strict=True)) == pytest.approx(1.0)


@pytest.mark.parametrize("neighbour", [-0.3, 0.0, 0.3])
def test_short_spots_of_healthy_maps_say_as_much_less_than_lines_in_every_texture(neighbour):
    def texture(n, seed):
        white = np.random.default_rng(seed).standard_normal((n, 14, 41))
        return white + 0.5 * neighbour * sum(np.roll(white, k, axis) for k in (-1, 1) for axis in (1, 2))

    learned, fresh = texture(80, 0), texture(200, 1)
    detector = detectors.create("scan_learned", log=False).fit(np.float32(learned))
    search = detector._whitened()
    for axis in (1, 2):
        kinds = [[s for s in search._segments[axis] if (s.dark is not None) is spot] for spot in (False, True)]
        lines, spots = (np.logaddexp.reduce(search._evidence(fresh, {axis: k})[axis], axis=1) for k in kinds)
        assert np.median(lines) - np.median(spots) == pytest.approx(2.0, abs=0.35)


def test_with_learned_noise_healthy_maps_of_stronger_texture_score_as_others():
    healthy, test = (np.log(generate("C", n, False, seed=n, shape=(12, 31))[0]) for n in (80, 60))
    detector = detectors.create("scan_learned", log=False).fit(healthy)
    usual, stronger = (detector.predict(test.mean() + k * (test - test.mean())).score for k in (1.0, 1.15))
    assert abs(np.mean(stronger - usual)) < 0.15  # 1.6 if no map were scaled
    line = 1.5 * (test - test.mean())
    line[:, 4] += 0.6
    assert np.mean(detector.predict(line).row_evidence.argmax(axis=1) == 4) > 0.9
