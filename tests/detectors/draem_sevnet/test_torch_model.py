import math

import pytest

pytest.importorskip("anomalib")
import torch
from anomalib.models.image.draem.torch_model import DraemModel

from toothwise.detectors.draem_sevnet.options import DraemOptions
from toothwise.detectors.draem_sevnet.torch_model import (
    DraemSevNetLoss,
    DraemSevNetModel,
    ModelOutput,
    SeverityHead,
    focal_loss,
)
from toothwise.errors import InputError


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 32, 96, generator=torch.Generator().manual_seed(0))


def test_at_the_published_width_it_is_anomalibs_draem_and_a_head():
    with torch.device("meta"):
        ours, theirs = DraemSevNetModel(DraemOptions()), DraemModel()
    shapes = {k: v.shape for k, v in ours.state_dict().items()}
    expected = {k: v.shape for k, v in theirs.state_dict().items()}
    assert {k: v for k, v in shapes.items() if not k.startswith("severity_head")} == expected
    weights = sum(p.numel() for name, p in ours.named_parameters() if not name.startswith("severity_head"))
    assert weights / 1e6 == pytest.approx(97.4, abs=0.05)


@pytest.mark.parametrize(("features", "channels"), [("single", 512), ("multi", 1920)])
@pytest.mark.parametrize(("pooling", "cells"), [("gap", 1), ("grid", 16)])
def test_head(features, channels, pooling, cells):
    head = SeverityHead(DraemOptions(features=features, head_pooling=pooling))
    widths = [(layer.in_features, layer.out_features) for layer in head.layers if isinstance(layer, torch.nn.Linear)]
    assert widths == [(channels * cells, 128), (128, 64), (64, 1)]
    acts = [torch.rand(2, 64 * w, 32 >> k, 64 >> k) for k, w in enumerate((1, 2, 4, 8, 8, 8))]
    base = head(acts)
    assert base.shape == (2,)
    for k in range(6):  # which features count
        changed = [a + 5.0 * (i == k) for i, a in enumerate(acts)]
        assert torch.equal(head(changed), base) == (k < (1 if features == "multi" else 5))
    moved = [*acts[:-1], acts[-1].flip(3)]
    assert torch.allclose(head(moved), base, atol=1e-6) == (pooling == "gap")  # the grid keeps the place


@pytest.mark.parametrize("features", ["single", "multi"])
@pytest.mark.parametrize("pooling", ["gap", "grid"])
def test_parts_and_inference(images, features, pooling):
    model = DraemSevNetModel(DraemOptions(base_width=2, features=features, head_pooling=pooling)).train()
    found = model(images)
    assert found.reconstruction.shape == images.shape
    assert found.logits.shape == (3, 2, 32, 96)
    assert found.severity.shape == (3,)
    sum(part.mean() for part in found).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    with torch.no_grad():
        anomaly_map, top, severity = model.judge(images)
        whole = model(images)
    assert anomaly_map.shape == (3, 1, 32, 96)
    best = anomaly_map.flatten(1).sort(dim=1, descending=True).values[:, : 32 * 96 // 100]
    torch.testing.assert_close(top, best.mean(dim=1))
    torch.testing.assert_close(whole.pred_score, (top + (severity / 10.0).clamp(0.0, 1.0)) / 2)


def test_score_rule_in_closed_form():
    def rule(combination, severity_max, weight=0.5):
        options = DraemOptions(base_width=1, combination=combination, severity_max=severity_max, mask_weight=weight)
        return DraemSevNetModel(options).rule(mask, severity)

    mask, severity = torch.tensor([0.2, 0.8, -0.4, 7.0]), torch.tensor([5.0, 30.0, -2.0, 1.0])
    term = torch.tensor([0.5, 1.0, 0.0, 0.1])
    torch.testing.assert_close(rule("mean", 10.0), (mask + term) / 2)
    torch.testing.assert_close(rule("max", 10.0), torch.maximum(mask, term))
    torch.testing.assert_close(rule("weighted", 10.0, 0.8), 0.8 * mask + 0.2 * term)
    torch.testing.assert_close(rule("weighted", 2.0, 0.0), torch.tensor([1.0, 1.0, 0.0, 0.5]))


def test_focal_loss_in_closed_form_and_both_classes_count():
    logits = torch.zeros(1, 2, 2, 2)
    for mask in (torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)):
        assert float(focal_loss(logits, mask)) == pytest.approx(0.25 * math.log(2))
    logits[:, 1] = math.log(3)  # probability of a fault .75
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    expected = (-(0.25**2) * math.log(0.75) - 3 * 0.75**2 * math.log(0.25)) / 4
    assert float(focal_loss(logits, mask)) == pytest.approx(expected)


def test_terms_of_the_loss_in_closed_form():
    a, b = 0.3, 0.7
    healthy, rebuilt = torch.full((2, 3, 32, 32), a), torch.full((2, 3, 32, 32), b)
    mask = torch.zeros(2, 1, 32, 32)
    found = ModelOutput(rebuilt, torch.zeros(2, 2, 32, 32), torch.tensor([4.0, 1.0]))
    severity = torch.tensor([0.0, 3.0])
    similarity = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)  # of constant images; the constant is .01 squared
    terms = DraemSevNetLoss(DraemOptions(severity_max=10.0))(found, healthy, mask, severity)
    assert list(terms) == ["reconstruction", "ssim", "focal", "severity"]
    assert float(terms["reconstruction"]) == pytest.approx((b - a) ** 2, rel=1e-5)
    assert float(terms["ssim"]) == pytest.approx(1.0 - similarity, rel=1e-4)  # 2 * (1 - similarity) / 2
    assert float(terms["focal"]) == pytest.approx(0.25 * math.log(2))
    assert float(terms["severity"]) == pytest.approx(0.5 * (0.4**2 + 0.2**2) / 2)
    smooth = DraemSevNetLoss(DraemOptions(severity_loss="smooth_l1", severity_weight=2.0, severity_max=2.0))
    expected = 2.0 * ((2.0 - 0.5) + (1.0 - 0.5)) / 2  # differences of 2 and 1, both on the straight part
    assert float(smooth(found, healthy, mask, severity)["severity"]) == pytest.approx(expected)
    same = DraemSevNetLoss(DraemOptions())(found._replace(reconstruction=healthy), healthy, mask, severity)
    assert float(same["reconstruction"]) == 0
    assert float(same["ssim"]) == pytest.approx(0, abs=1e-6)


def test_severity_comes_in_units_of_the_faults(images):
    heads = []
    for severity_max in (1.0, 8.0):
        torch.manual_seed(0)
        model = DraemSevNetModel(DraemOptions(base_width=2, severity_max=severity_max)).eval()
        heads.append(model.parts(images).severity)
    torch.testing.assert_close(heads[1], 8.0 * heads[0])


def test_sizes_that_do_not_fit_are_refused(images):
    model = DraemSevNetModel(DraemOptions(base_width=2))
    for size in ((31, 96), (32, 100)):
        with pytest.raises(InputError, match="multiples of 32"):
            model(torch.zeros(2, 3, *size))
    with pytest.raises(InputError, match="needs 2 images or more"):
        model(torch.zeros(1, 3, 32, 32))
    assert model.eval()(torch.zeros(1, 3, 32, 32)).pred_score.shape == (1,)
    assert model.train()(images[:1]).severity.shape == (1,)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("base_width", 0, "base_width"),
        ("features", "all", "features must be one of 'single', 'multi', but got 'all'"),
        ("head_pooling", "mean", "head_pooling must be one of 'gap', 'grid'"),
        ("combination", "sum", "combination must be one of 'mean', 'weighted', 'max'"),
        ("mask_weight", 1.2, "mask_weight"),
        ("severity_max", -1.0, "severity_max"),
        ("severity_max", float("inf"), "severity_max must be a number, above 0"),
        ("severity_loss", "l1", "severity_loss must be one of 'mse', 'smooth_l1'"),
        ("severity_weight", -0.1, "severity_weight"),
        ("faults", "scratch", "faults must be one of 'patch', 'lines'"),
        ("range_handling", "wrap", "'keep', 'clip', 'rescale'"),
        ("lines", "driving", "'rows', 'columns', 'both'"),
        ("fault_probability", 1.5, r"fault_probability must be a number in \[0, 1\]"),
    ],
)
def test_wrong_options(option, value, message):
    with pytest.raises(InputError, match=message):
        DraemOptions(**{option: value})
