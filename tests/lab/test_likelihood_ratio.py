from itertools import product

import numpy as np
import pytest

from toothwise import Model, detectors
from toothwise.errors import InputError
from toothwise.evaluation.metrics import auroc, tpr_at_fpr
from toothwise.simulate.lines import LineShape, draw_lines, line_masks
from toothwise.simulate.maps import generate
from toothwise.simulate.textures import DOMAINS, Session, draw_levels, draw_textures
from toothwise_lab.likelihood_ratio import (
    LikelihoodRatio,
    LimitConfig,
    generalised_likelihood_ratio,
    log_likelihood_ratio,
)
from toothwise_lab.line_prior import gap_patterns
from toothwise_lab.whitening import spectrum, thermal_states, whiten

TINY = (4, 5)
NO_GAPS = LineShape(gaps=(0, 0))


def dense_covariance(kind, shape, session=None):
    """The texture's covariance built from its construction: every draw is a linear map of normal numbers."""
    s = session or Session()
    rows, columns = shape
    eye = np.eye(columns)
    m = kind.neighbour_stripe
    mixed = (eye + m * np.roll(eye, 1, axis=0)) * kind.stripe / np.sqrt(1 + m**2)
    angle = 2 * np.pi * np.outer((1, 2, 3), np.arange(columns)) / columns
    waves = np.concatenate([np.cos(angle), np.sin(angle)]) * kind.wave / np.sqrt(3)
    column = (mixed @ mixed.T + waves.T @ waves) * s.stripe**2
    h = kind.neighbour_noise
    out = np.zeros((rows * columns, rows * columns))
    for i, j in product(range(rows), range(columns)):
        out[i * columns + j, i * columns + j] += 1
        for di, dj in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            out[i * columns + j, (i + di) % rows * columns + (j + dj) % columns] -= h / 4
    noise = out @ out.T * (kind.noise * s.noise) ** 2 / (1 + h**2 / 4)
    return np.tile(column, (rows, rows)) + noise


@pytest.mark.parametrize(("domain", "shape"), [("A", TINY), ("B", (3, 8)), ("C", (5, 6)), ("D", (3, 8))])
def test_the_spectrum_diagonalises_the_covariance(domain, shape):
    kind = DOMAINS[domain]
    power = spectrum(kind, shape)
    covariance = dense_covariance(kind, shape)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, *shape))
    flat = x.reshape(6, -1)
    np.testing.assert_allclose(whiten(x, power).reshape(6, -1), flat @ covariance, atol=1e-12)
    assert power.mean() == pytest.approx(covariance[0, 0])
    if shape[1] >= 8:  # fewer columns cannot hold three cycles apart
        assert power.mean() == pytest.approx(kind.log_variance())


@pytest.mark.parametrize("session", ["healthy", "fault"])
def test_the_generator_draws_textures_of_that_spectrum(session):
    kind = DOMAINS["D"]
    s = kind.session if session == "fault" else Session()
    rngs = tuple(np.random.default_rng(i) for i in range(3))
    x = draw_textures(kind, 40_000, (4, 9), s, rngs).astype(np.float64)
    power = spectrum(kind, (4, 9), s)
    seen = (np.abs(np.fft.fft2(x, norm="ortho")) ** 2).mean(axis=0)
    np.testing.assert_allclose(seen, power, rtol=0.05)
    covariance = np.cov(x.reshape(len(x), -1).T)
    np.testing.assert_allclose(covariance, dense_covariance(kind, (4, 9), s), atol=4e-3)


@pytest.mark.parametrize(("split", "condition"), [("train", "mixed"), ("test", "cold"), ("test", "warm")])
def test_levels_have_the_density_of_the_generator(split, condition):
    kind = DOMAINS["B"]
    (state,) = thermal_states(kind, split, condition)
    assert np.exp(state.log_weight).sum() == pytest.approx(1)
    name = "pool" if split == "train" else condition
    level, texture = draw_levels(kind, np.full(200_000, name), Session(), np.random.default_rng(0))
    assert state.texture == texture[0]
    seen = np.log(level) - 0.5 * kind.log_variance(texture[0])
    weight = np.exp(state.log_weight)
    for power in (1, 2, 3):
        assert np.sum(weight * state.level**power) == pytest.approx(np.mean(seen**power), rel=2e-3)


def test_the_density_of_the_mean_is_that_of_brute_force_quadrature():
    (state,) = thermal_states(DOMAINS["C"], "train", "mixed")
    mean = np.linspace(-2.2, -0.8, 15)
    v = np.linspace(-1, 1, 200_001)
    kind = DOMAINS["C"]
    level = np.log(kind.train_mean * (1 + np.sqrt(5) * kind.train_level_cv * v)) - 0.5 * kind.log_variance()
    variance = 3e-4
    for m, found in zip(mean, state.mean_log_density(mean, variance), strict=True):
        normal = np.exp(-((m - level) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        assert np.exp(found) == pytest.approx(np.trapezoid(0.75 * (1 - v**2) * normal, v), rel=1e-5)
    grid = np.linspace(-4, 1, 20_001)
    assert np.trapezoid(np.exp(state.mean_log_density(grid, variance)), grid) == pytest.approx(1, rel=1e-6)


def every_line(shape, line):
    """Masks and chances of all lines without gaps, from loops."""
    rows, columns = shape
    low, high = line.length or (2, columns - 1)
    teeth = range(line.teeth[0], line.teeth[1] + 1)
    for length, number in product(range(low, high + 1), teeth):
        places = list(product(range(rows - number + 1), range(columns - length + 1)))
        for row, start in places:
            mask = np.zeros(shape)
            mask[row : row + number, start : start + length] = 1
            yield mask, 1 / (len(places) * len(teeth) * (high - low + 1))


@pytest.mark.parametrize("condition", ["mixed", "cold"])
def test_the_ratio_equals_dense_algebra_with_the_level_integrated_by_brute_force(condition):
    line, contrasts = NO_GAPS, (1.2, 1.6)
    config = LimitConfig("D", "test", condition, shape=TINY, line=line, contrast=contrasts)
    values, _ = generate("D", 6, True, split="test", contrast=1.5, seed=3, shape=TINY, line=line)
    x = np.log(values.astype(np.float64)).reshape(6, -1)
    kind, one = DOMAINS["D"], np.ones(TINY[0] * TINY[1])
    healthy, faulty = np.zeros(6), np.zeros(6)
    for state in thermal_states(kind, "test", condition):
        inverse = np.linalg.inv(dense_covariance(kind, TINY)) / state.texture**2
        factor = state.texture ** -float(len(one))  # of the determinant, what the states do not share

        def density(y, inverse=inverse, state=state, factor=factor):
            residual = y[:, None] - state.level[:, None] * one
            square = np.einsum("nki,ij,nkj->nk", residual, inverse, residual)
            return state.weight * factor * np.exp(-0.5 * square) @ np.exp(state.log_weight)

        healthy += density(x)
        for c, (mask, chance) in product(contrasts, every_line(TINY, line)):
            faulty += density(x - np.log(c) * mask.ravel()) * chance / len(contrasts)
    np.testing.assert_allclose(log_likelihood_ratio(values, config), np.log(faulty / healthy), atol=2e-5)


def test_columns_are_rows_of_the_turned_map_and_both_is_their_mean():
    line = LineShape(length=(4, 4))
    values, _ = generate("A", 40, True, seed=1, shape=(8, 8), gear="driven", line=line)
    by = {
        g: np.exp(log_likelihood_ratio(values, LimitConfig("A", shape=(8, 8), gear=g, line=line)))
        for g in ("driving", "driven", "both")
    }
    np.testing.assert_allclose(by["both"], (by["driving"] + by["driven"]) / 2, rtol=1e-4)
    assert np.mean(by["driven"] > by["driving"]) > 0.6


@pytest.mark.parametrize(
    ("split", "length", "contrast"),
    [("test", 6, (1.1, 1.2)), pytest.param("train", 19, (1.05, 1.08), marks=pytest.mark.full)],
)
def test_the_mean_ratio_of_healthy_maps_is_one(split, length, contrast):
    # the defining property of a ratio of densities: a wrong covariance, level or prior shows in it
    config = LimitConfig("C", split, shape=(9, 20), line=LineShape(length=(length, length)), contrast=contrast)
    healthy, _ = generate("C", 8000, False, split=split, seed=5, shape=(9, 20))
    ratio = np.exp(LikelihoodRatio(config).score(healthy))
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.06
    assert abs(ratio.mean() - 1) < 4 * error


def test_the_mean_ratio_of_faulty_maps_is_the_mean_square_of_healthy_ones():
    config = LimitConfig("C", shape=(9, 20), line=LineShape(length=(6, 6)), contrast=(1.15,))
    limit = LikelihoodRatio(config)
    healthy, _ = generate("C", 8000, False, seed=6, shape=(9, 20))
    faulty, _ = generate("C", 8000, True, contrast=1.15, seed=7, shape=(9, 20), line=config.line)
    square, mean = np.exp(2 * limit.score(healthy)), np.exp(limit.score(faulty))
    error = np.hypot(square.std(), mean.std()) / np.sqrt(8000)
    assert abs(square.mean() - mean.mean()) < 4 * error
    assert mean.mean() > 1 + 4 * mean.std() / np.sqrt(8000)


@pytest.mark.full
def test_no_other_statistic_beats_the_ratio():
    line = LineShape(length=(12, 12))
    config = LimitConfig("C", line=line, contrast=(1.35,))
    healthy, _ = generate("C", 600, False, seed=8)
    faulty, _ = generate("C", 600, True, contrast=1.35, seed=9, line=line)
    maps, labels = np.concatenate([healthy, faulty]), np.repeat([0, 1], 600)
    best = log_likelihood_ratio(maps, config)
    others = {
        "glr": generalised_likelihood_ratio(maps, config),
        "mean": maps.mean(axis=(1, 2)),
        "max": maps.max(axis=(1, 2)),
        "row": maps.mean(axis=2).max(axis=1),
        "rows alone": (maps / np.median(maps, axis=1, keepdims=True)).mean(axis=2).max(axis=1),
    }
    for name, score in others.items():
        assert auroc(best, labels) >= auroc(score, labels), name
        assert tpr_at_fpr(best, labels) >= tpr_at_fpr(score, labels), name
    assert tpr_at_fpr(best, labels) > tpr_at_fpr(others["mean"], labels) + 0.3
    curve = [tpr_at_fpr(best, labels, fpr=f) for f in (0.01, 0.05, 0.2, 0.5)]
    assert curve == sorted(curve)


def test_listed_gaps_have_the_chances_that_the_generator_draws():
    line = LineShape(length=(7, 7), teeth=(1, 1))
    patterns = gap_patterns(7, line, 64, np.random.default_rng(0))
    assert patterns.exact
    assert patterns.chance.sum() == pytest.approx(1)
    masks, _ = line_masks(draw_lines(60_000, (3, 7), "driving", line, np.random.default_rng(1)), (3, 7))
    drawn, counts = np.unique(masks.any(axis=1), axis=0, return_counts=True)
    chance = {tuple(p): c for p, c in zip(patterns.cells.tolist(), patterns.chance, strict=True)}
    assert {tuple(p) for p in drawn.tolist()} <= set(chance)
    seen = np.array([chance[tuple(p)] for p in drawn.tolist()])
    np.testing.assert_allclose(counts / counts.sum(), seen, atol=0.006)


@pytest.mark.parametrize("length", [1, 2, 3, 30])
def test_patterns_begin_and_end_bright(length):
    patterns = gap_patterns(length, LineShape(), 16, np.random.default_rng(0))
    assert patterns.cells.shape[1] == length
    assert patterns.cells[:, [0, -1]].all()
    assert patterns.chance.sum() == pytest.approx(1)
    assert patterns.exact == (length < 4)
    assert len(patterns.cells) <= 1 + 3 * 16


@pytest.mark.full
def test_more_gap_patterns_do_not_move_the_result():
    line = LineShape(length=(28, 28))
    healthy, _ = generate("C", 400, False, seed=10)
    faulty, _ = generate("C", 400, True, contrast=1.22, seed=11, line=line)
    maps, labels = np.concatenate([healthy, faulty]), np.repeat([0, 1], 400)
    few, many = (
        log_likelihood_ratio(maps, LimitConfig("C", line=line, contrast=(1.22,), draws=d, seed=d)) for d in (24, 96)
    )
    assert abs(auroc(few, labels) - auroc(many, labels)) < 0.004
    assert np.corrcoef(few, many)[0, 1] > 0.995


def test_huge_contrasts_stay_finite():
    config = LimitConfig("C", line=LineShape(length=(8, 8)), contrast=(50.0,))
    healthy, _ = generate("C", 3, False, seed=1)
    faulty, _ = generate("C", 3, True, contrast=50.0, seed=1, line=config.line)
    low, high = log_likelihood_ratio(healthy, config), log_likelihood_ratio(faulty, config)
    assert np.isfinite(low).all()
    assert (high > 200).all()
    assert (low < -50).all()


def test_the_generalised_ratio_equals_a_search_by_loops():
    config = LimitConfig("D", shape=TINY, line=NO_GAPS)
    values, _ = generate("D", 5, True, seed=2, shape=TINY, line=NO_GAPS)
    x = np.log(values.astype(np.float64))
    x = (x - x.mean(axis=(1, 2), keepdims=True)).reshape(5, -1)
    inverse = np.linalg.inv(dense_covariance(DOMAINS["D"], TINY))
    best = np.full(5, -np.inf)
    for mask, _ in every_line(TINY, NO_GAPS):
        m = (mask - mask.mean()).ravel()
        best = np.maximum(best, x @ inverse @ m / np.sqrt(m @ inverse @ m))
    np.testing.assert_allclose(generalised_likelihood_ratio(values, config), best, rtol=1e-5)


def test_bad_input():
    for wrong in ({"domain": "E"}, {"split": "all"}, {"gear": "sun"}, {"contrast": ()}, {"contrast": (0.0,)}):
        with pytest.raises(InputError):
            LimitConfig(**wrong)
    with pytest.raises(InputError, match="draws"):
        LimitConfig(draws=0)
    with pytest.raises(InputError, match="does not fit"):
        LikelihoodRatio(LimitConfig(line=LineShape(length=(96, 96))))
    with pytest.raises(InputError, match=r"\[n, 31, 95\]"):
        log_likelihood_ratio(np.ones((2, 30, 95)), LimitConfig(line=LineShape(length=(8, 8))))
    with pytest.raises(InputError, match="positive maps"):
        generalised_likelihood_ratio(np.zeros((2, 31, 95)))


def test_the_limit_is_in_the_registry_where_the_laboratory_is_installed(tmp_path):
    maps = generate("C", 3, False, seed=0)[0]
    scores = {kind: detectors.create("limit", kind=kind).fit(maps).predict(maps).score for kind in ("limit", "glr")}
    assert all(np.isfinite(score).all() for score in scores.values())
    Model(detectors.create("limit", kind="glr").fit(maps)).save(tmp_path / "glr")
    assert np.array_equal(Model.open(tmp_path / "glr").detector.predict(maps).score, scores["glr"])
