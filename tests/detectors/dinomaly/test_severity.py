"""Severity: how lines grow, what the head learns from, and what its numbers mean."""

import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

pytest.importorskip("anomalib")
import torch

from toothwise import Model, detectors
from toothwise.detectors.dinomaly.severity_head import SeverityHead, SeverityOptions, severity_loss
from toothwise.detectors.dinomaly.severity_model import SeverityBatch
from toothwise.detectors.graded_lines import GradedLines
from toothwise.detectors.severity_scale import ContrastScale, healthy_rank
from toothwise.errors import InputError, TrainingError
from toothwise_lab.severity import spearman

ENCODER = {"encoder_name": "test_vit", "weights": "random"}
SMALL = {**ENCODER, "image_size": [32, 96], "batch_size": 4, "calibration_lines": 20}
LINES = {"max_contrast": 4.0, "line_gear": "driving"}
ROWS, COLUMNS = 20, 40


def _maps(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.exp(0.1 * rng.standard_normal((n, ROWS, COLUMNS))).astype("f4")


def _module(**options):
    return detectors.SeverityAwareDinomaly(
        **ENCODER, **{"pre_processor": False, "evaluator": False, "visualizer": False, **options}
    )


@pytest.fixture(scope="module")
def fitted():
    options = {"max_steps": 60, "learning_rate": 5e-3, "severity_weight": 1.0, "score": "both", "head_pooling": "mean"}
    options["encoder_name"] = "vit_tiny_patch16_224"
    return detectors.create("dinomaly_severity", **{**SMALL, **options, **LINES}).fit(_maps(40))


@pytest.fixture(scope="module")
def brief():
    """As ``fitted``, for a moment only: where it does not matter how well."""
    options = {"max_steps": 4, "severity_weight": 1.0, "score": "both", "head_pooling": "mean"}
    return detectors.create("dinomaly_severity", **{**SMALL, **options, **LINES}).fit(_maps(40))


def test_lines_have_the_contrast_of_their_severity_and_grow_with_it():
    lines, rng = GradedLines(max_contrast=3.0, max_teeth=3, max_lines=2), np.random.default_rng(0)
    severity = np.repeat([1.0, 5.0, 10.0], 300)
    maps = np.ones((900, 31, 95), "f4")
    raised, same, cells = lines.add(maps, severity, rng)
    np.testing.assert_array_equal(same, severity)
    np.testing.assert_allclose(raised, np.where(cells, 3.0 ** (severity / 10)[:, None, None], 1.0), rtol=1e-6)
    wide = cells.any(axis=2).sum(axis=1) < cells.any(axis=1).sum(axis=1)  # along a row
    assert 0.3 < wide.mean() < 0.7
    size = cells.sum(axis=(1, 2)).reshape(3, 300).mean(axis=1)
    assert size[1] > 2 * size[0]
    assert size[2] > 2 * size[1]
    free = GradedLines(grow=False, line_gear="driven").draw(severity, (31, 95), rng)
    assert (free.any(axis=1).sum(axis=1) <= 4).all()
    size = free.sum(axis=(1, 2)).reshape(3, 300).mean(axis=1)
    assert size.max() < 1.2 * size.min()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (4, 2)])
def test_lines_fit_any_map(shape):
    severity = np.linspace(0.1, 10, 50)
    for grow in (True, False):
        cells = GradedLines(max_teeth=5, grow=grow).draw(severity, shape, np.random.default_rng(1))
        assert cells.shape == (50, *shape)
        assert cells.any(axis=(1, 2)).all()


def test_lines_leave_unmeasured_pairs_alone_and_miss_no_label():
    maps = np.full((200, 8, 8), np.nan, "f4")
    maps[:, 3, 3:6] = 1.0
    raised, severity, _ = GradedLines().add(maps, np.full(200, 8.0), np.random.default_rng(2))
    assert 0 < len(raised) < 200
    assert len(severity) == len(raised)
    assert (np.nanmax(raised, axis=(1, 2)) > 1.5).all()
    np.testing.assert_array_equal(np.isnan(raised[0]), np.isnan(maps[0]))
    with pytest.raises(InputError, match="needs positive maps"):
        GradedLines().add(-maps, np.full(200, 8.0), np.random.default_rng(2))


@pytest.mark.parametrize(
    ("pooling", "hidden"), [("mean", ()), ("max", (8,)), ("attention", (16, 4)), ("lines", (8,)), ("lines", (16, 4))]
)
def test_the_head_is_never_negative_and_learns(pooling, hidden):
    torch.manual_seed(0)
    head = SeverityHead(6, SeverityOptions(head_pooling=pooling, hidden=hidden, head_dropout=0.0))
    tokens = torch.randn(64, 12, 6)
    tokens[:32, :6] += 2.0 * torch.randn(6)
    target = torch.cat([torch.full((32,), 8.0), torch.zeros(32)])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        severity_loss(head(tokens, (3, 4)), target, "mse").backward()
        optimizer.step()
    found = head(tokens, (3, 4)).detach()
    assert (found >= 0).all()
    assert found[:32].mean() > found[32:].mean() + 1
    assert (head(1e3 * torch.randn(50, 12, 6), (3, 4)) >= 0).all()


def test_the_head_on_lines_sees_a_row_and_a_column_alike():
    torch.manual_seed(0)
    head = SeverityHead(6, SeverityOptions(hidden=(8,))).eval()
    tokens = torch.randn(2, 12, 6)
    turned = tokens.reshape(2, 3, 4, 6).transpose(1, 2).reshape(2, 12, 6)
    torch.testing.assert_close(head(tokens, (3, 4)), head(turned, (4, 3)))
    shifted = tokens.reshape(2, 3, 4, 6).roll((1, 2), dims=(1, 2)).reshape(2, 12, 6)
    torch.testing.assert_close(head(shifted, (3, 4)), head(tokens, (3, 4)))  # tooth zero may be anywhere


def test_steps_of_the_head_alone_change_nothing_else():
    maps = _maps(20)
    options = {**SMALL, "max_steps": 3, "head_pooling": "lines", **LINES}
    joint, further = (detectors.create("dinomaly_severity", **options, head_steps=steps).fit(maps) for steps in (0, 8))
    a, b = (d.predict(_maps(4, 9)) for d in (joint, further))
    np.testing.assert_array_equal(a.score, b.score)
    one, other = (d._module.head.state_dict() for d in (joint, further))
    assert any(not torch.equal(one[k], other[k]) for k in one)
    with pytest.raises(InputError, match="head_steps must be a whole number, 0 or more, but got -1"):
        detectors.create("dinomaly_severity", head_steps=-1)


def test_loss_in_tenths_without_unlabelled_maps():
    raw, target = torch.tensor([10.0, 3.0, 7.0]), torch.tensor([5.0, float("nan"), 7.0])
    assert severity_loss(raw, target, "mse").item() == pytest.approx((0.25 + 0.0) / 2)
    assert severity_loss(raw, target, "smooth_l1").item() == pytest.approx((0.5 - 0.05) / 2)
    assert severity_loss(raw, torch.full((3,), float("nan")), "mse").item() == 0


@pytest.mark.parametrize("reconstruct", [False, True])
def test_maps_with_lines_are_rebuilt_only_if_asked(reconstruct, monkeypatch):
    module = _module(reconstruct_augmented=reconstruct, severity_weight=0.5)
    module.log = lambda *a, **k: None
    images = torch.randn(5, 3, 32, 32)
    severity = torch.tensor([0.0, 4.0, float("nan"), 0.0, 9.0])
    rebuilt, honest = [], type(module.model).forward

    def watched(self, given, global_step=None):
        rebuilt.append(given)
        return honest(self, given, global_step)

    monkeypatch.setattr(type(module.model), "forward", watched)
    module.train().training_step(SeverityBatch(image=images, severity=severity))
    expected = images if reconstruct else images[[0, 2, 3]]
    assert len(rebuilt) == 1
    torch.testing.assert_close(rebuilt[0], expected)


@pytest.mark.parametrize("detach", [False, True])
def test_gradients_of_the_head_reach_the_bottleneck_unless_detached(detach):
    module = _module(detach_head=detach)
    module.severity(torch.randn(2, 3, 32, 32)).sum().backward()
    reached = {
        name: any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
        for name, part in (("bottleneck", module.model.bottleneck), ("decoder", module.model.decoder))
    }
    assert reached == {"bottleneck": not detach, "decoder": False}
    assert all(p.grad is not None for p in module.head.parameters())
    assert all(p.grad is None for p in module.model.encoder.parameters())


def test_every_weight_is_trained_once_and_the_head_whatever_the_size_of_its_gradient():
    module = _module()
    groups = [list(group["params"]) for group in module.parameter_groups()]
    trained = [id(p) for group in groups for p in group]
    assert len(trained) == len(set(trained)) == len([*module.rebuilding.parameters(), *module.head.parameters()])
    head = [id(p) for p in module.head.parameters()]
    (mine,) = (group for group in module.parameter_groups() if [id(p) for p in group["params"]] == head)
    assert mine["eps"] < 1e-8


def test_severity_comes_from_the_pass_that_scores():
    """One pass through the encoder gives score and severity, the same as asking for severity alone."""
    module = _module().eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad(), module.listening() as found:
        module.model(images)
    with torch.no_grad():
        torch.testing.assert_close(found[0], module.severity(images))
        module.model(images)
    assert len(found) == 1


def test_lines_on_normalised_images_multiply_the_datas_values():
    module = _module(pre_processor=True, map_shape=(8, 8), line_gear="driving", max_lines=1, grow=False)
    normalise = module.pre_processor.transform.transforms[1]
    value = 0.4
    images = normalise(torch.full((4, 3, 64, 64), value))
    raised, severity = module.augment(images)
    assert (severity > 0).tolist() == [True, False, False, False]
    assert torch.equal(raised[1:], images[1:])
    mean, std = (torch.tensor(v)[:, None, None] for v in (normalise.mean, normalise.std))
    peak = (raised[0] * std + mean).amax(dim=(1, 2)) / value
    np.testing.assert_allclose(peak, 2.0 ** (severity[0].item() / 10), rtol=2e-2)
    assert (raised[0] >= images[0] - 1e-5).all()
    one, none = module.augment(images[:1])
    assert torch.equal(one, images[:1])
    assert none.tolist() == [0.0]


def test_a_loss_that_is_not_finite_names_its_part():
    module = _module()
    batch = SeverityBatch(image=torch.randn(2, 3, 32, 32), severity=torch.tensor([0.0, float("inf")]))
    with pytest.raises(TrainingError, match=r"inf at step 0 \(reconstruction .*, severity inf\)"):
        module.train().training_step(batch)


def test_contrast_scale_is_isotonic_regression_between_its_middles():
    rng = np.random.default_rng(0)
    output = rng.uniform(0, 10, 300)
    log_contrast = np.maximum(0, 0.07 * output + 0.1 * rng.standard_normal(300))
    scale = ContrastScale.fit(output, np.exp(log_contrast), 0.07)
    reference = IsotonicRegression().fit(output, log_contrast)
    np.testing.assert_allclose(np.log(scale(scale.output)), reference.predict(scale.output), atol=1e-9)
    at = np.linspace(-1, 20, 500)
    found = scale(at)
    assert (np.diff(found) >= 0).all()
    assert (found >= 1).all()
    assert found[-1] / scale(np.array([19.0]))[0] == pytest.approx(np.exp(0.07))
    weight = rng.uniform(0.5, 3, 300)
    scale = ContrastScale.fit(output, np.exp(log_contrast), 0.07, weight=weight)
    reference = IsotonicRegression().fit(output, log_contrast, sample_weight=weight)
    np.testing.assert_allclose(scale.log_contrast, reference.predict(scale.output), atol=1e-9)
    same = ContrastScale.fit(np.full(5, 2.0), np.array([1, 1, 2, 2, 4.0]), 0.1)
    assert same(np.array([0.0, 2.0])) == pytest.approx(2.0 ** (4 / 5))
    for output, contrast in (([1.0], [1.0, 2.0]), ([], []), ([1.0], [0.5]), ([np.nan], [1.0])):
        with pytest.raises(InputError):
            ContrastScale.fit(np.array(output), np.array(contrast), 0.1)


def test_rank_among_healthy_scores():
    healthy = np.arange(100.0)
    rank = healthy_rank(np.array([-200.0, 0.0, 49.5, 99.0, 200.0, 400.0]), healthy)
    assert rank[1:4] == pytest.approx([0.005, 0.5, 0.995])
    assert rank[0] < 0
    assert 1 < rank[4] < rank[5]
    assert np.isfinite(healthy_rank(np.array([1.0, 2.0]), np.array([1.0]))).all()


@pytest.mark.full
def test_severity_rises_with_the_contrast_of_lines_never_seen(fitted):
    """Random encoder, 60 steps: measured 0.80, and 0.60 with targets shuffled in the pool (damaged or not, no more)."""
    severity = np.linspace(0.1, 10, 80)
    maps, _, _ = GradedLines(max_contrast=4.0, line_gear="driving").add(
        _maps(80, 7), severity, np.random.default_rng(7)
    )
    found, contrast = fitted.predict(maps), 4.0 ** (severity / 10)
    assert found.severity.dtype == np.float64
    assert spearman(found.severity, contrast) > 0.7
    healthy = fitted.predict(_maps(30, 8)).severity
    assert (healthy >= 1).all()
    assert healthy.mean() < 0.6 * found.severity[-20:].mean()
    assert fitted.info["severity"]["healthy_maps"] == 8
    assert fitted.info["severity"]["spearman"] > 0.5


def test_saved_and_loaded_with_the_same_numbers(brief, tmp_path):
    maps = _maps(9, 9)
    maps[5:, 3] *= 2
    folder = Model(brief).save(tmp_path / "saved")
    assert json.loads((folder / "model.json").read_text())["detector"] == "dinomaly_severity"
    from safetensors import safe_open

    with safe_open(folder / "state.safetensors", "np") as state:
        keys = list(state.keys())
    assert not any(key.startswith("encoder.") for key in keys)
    assert any(key.startswith("severity_head.") for key in keys)
    loaded = Model.open(folder).detector
    assert loaded.options == brief.options
    a, b = brief.predict(maps), loaded.predict(maps)
    np.testing.assert_array_equal(a.severity, b.severity)
    np.testing.assert_array_equal(a.score, b.score)


def test_scores_of_healthy_maps_of_the_fit_have_the_ranks_they_should(brief):
    rank = brief.predict(_maps(40)).score
    assert np.mean(rank) == pytest.approx(0.5, abs=0.01)
    assert (rank > 0).all()
    assert (rank < 1).all()


def test_seeds_scores_and_unmeasured_pairs():
    maps = _maps(12, 3)
    maps[:, ::2, ::2] = np.nan
    options = {**SMALL, "max_steps": 2, "max_lines": 1, "head_steps": 5}
    found = [
        detectors.create("dinomaly_severity", **options, seed=seed, score=score).fit(maps).predict(maps)
        for seed, score in ((5, "anomaly"), (5, "severity"), (6, "severity"))
    ]
    np.testing.assert_array_equal(found[0].severity, found[1].severity)
    assert not np.allclose(found[1].score, found[2].score)
    assert np.isnan(found[0].anomaly_map[:, ::2, ::2]).all()
    assert spearman(found[1].score, found[0].severity) > 0 or len(set(found[0].severity)) == 1
    assert not np.allclose(found[0].score, found[1].score)


def test_one_map_and_constant_maps():
    detector = detectors.create("dinomaly_severity", **{**SMALL, "max_steps": 1, "head_steps": 5}).fit(_maps(1))
    found = detector.predict(np.ones((2, ROWS, COLUMNS), "f4"))
    assert np.isfinite(found.severity).all()
    assert np.isfinite(found.score).all()
    with pytest.raises(InputError, match="constant"):
        detectors.create("dinomaly_severity", **SMALL).fit(np.ones((4, ROWS, COLUMNS), "f4"))
    with pytest.raises(InputError, match="needs positive maps"):
        detectors.create("dinomaly_severity", **SMALL, log=False).fit(-_maps(4))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("score", "mean"),
        ("pool_size", 0),
        ("calibration_lines", 3),
        ("head_pooling", "top"),
        ("hidden", [0]),
        ("head_dropout", 1.0),
        ("severity_weight", -0.1),
        ("severity_loss", "huber"),
        ("augment_share", 0.0),
        ("augment_share", 1.0),
        ("max_contrast", 1.0),
        ("line_gear", "sun"),
        ("max_teeth", 0),
        ("max_lines", 1.5),
        ("pooling", "max"),
    ],
)
def test_options_that_are_refused_are_named_with_what_is_allowed(name, value):
    given = str(value).strip("[]")
    with pytest.raises(InputError, match=rf"{name} must .*{given}"):
        detectors.create("dinomaly_severity", **{**SMALL, name: value})


def test_an_option_that_does_not_exist():
    with pytest.raises(InputError, match="nonsense"):
        detectors.create("dinomaly_severity", nonsense=1)
    with pytest.raises(InputError, match="map_shape"):
        _module(map_shape=(0, 3))
