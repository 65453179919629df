"""What directional layers attend to, against the layers themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch

from toothwise import detectors
from toothwise.detectors.curves import recorded_curves
from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention
from toothwise.detectors.dinomaly.attention_view import view_attention
from toothwise.errors import InputError
from toothwise.healthmap.io import write_map
from toothwise.simulate.maps import generate
from toothwise.studies.attention_cost import attention_cost

OPTIONS = {"encoder_name": "vit_tiny_patch16_224", "weights": "random", "image_size": [48, 96], "max_steps": 3}
OPTIONS |= {"batch_size": 4, "directional_layers": [0, 2]}


@pytest.mark.parametrize("axis", ["y", "x"])
@pytest.mark.parametrize("exclude", [None, 0])
def test_the_weights_are_those_that_the_layer_uses(axis, exclude):
    torch.manual_seed(0)
    layer = DirectionalLinearAttention(24, 3, axis=axis, exclude=exclude).eval()
    layer.proj = torch.nn.Identity()
    tokens, grid = torch.randn(2, 4 * 5, 24), (4, 5)
    (weights,) = layer.line_weights(tokens, grid).values()
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 4, 5), atol=1e-4)
    v = layer.qkv(tokens)[..., 48:].reshape(2, 4, 5, 3, 8)
    wanted = torch.einsum("bnhwk,bkwnd->bhwnd" if axis == "y" else "bnhwk,bhknd->bhwnd", weights, v)
    assert torch.allclose(layer(tokens, grid), wanted.reshape(2, 20, 24), atol=1e-5)


def test_a_prefix_takes_its_share():
    layer = DirectionalLinearAttention(24, 3, axis="both").eval()
    found = layer.line_weights(torch.randn(1, 2 + 4 * 5, 24), (4, 5))
    assert set(found) == {"y", "x"}
    assert all((w.sum(-1) < 1).all() for w in found.values())


@pytest.fixture(scope="module")
def fitted():
    maps = generate("C", 16, False, seed=0)[0]
    with recorded_curves() as curves:
        detector = detectors.create("dinomaly_directional", **OPTIONS).fit(maps)
    return detector, curves


def test_training_leaves_its_curves(fitted):
    curves = fitted[1].thinned()
    assert {"train_loss", "alpha/layer_0", "alpha/layer_2", "gradient/decoder.0", "gradient/bottleneck.0"} <= set(
        curves
    )
    assert [step for step, _ in curves["train_loss"]] == [1, 2, 3]
    assert all(value > 0 for name, points in curves.items() if name.startswith("gradient") for _, value in points)


def test_the_view_names_layers_tokens_and_entropy(fitted):
    maps = generate("C", 3, True, seed=1, contrast=2.0)[0]
    view = view_attention(fitted[0], maps)
    assert view.grid == (3, 6)
    assert [layer.layer for layer in view.layers] == [0, 2]
    assert view.layers[0].weights["y"].shape == (3, 2, 3)
    assert view.layers[0].weights["x"].shape == (3, 2, 6)
    for k in range(3):
        most = np.unravel_index(view.anomaly[k].argmax(), view.grid)
        assert tuple(view.tokens[k, 0]) == most
    assert all(0 < e <= 1 for layer in view.layers for e in layer.entropy.values())
    assert view_attention(fitted[0], maps, cell=(30, 0)).tokens.tolist() == [[[2, 0]]] * 3
    with pytest.raises(InputError, match="the cell must lie in a map of 31 x 95"):
        view_attention(fitted[0], maps, cell=(31, 0))


def test_the_cost_is_told_beside_global_attention(fitted):
    cost = attention_cost(fitted[0], (3, 6))
    assert set(cost) == {"directional", "global_linear", "global_softmax"}
    assert cost["directional"]["weights"] == 6 * 3 * 3 + 3 * 6 * 6
    assert cost["global_softmax"]["weights"] == 18 * 18
    assert all(one["ms"] > 0 for one in cost.values())


def test_pictures_are_written(fitted, toothwise, tmp_path):
    from toothwise.healthmap import Axis, HealthMapBatch

    fitted[0].save(tmp_path / "run")
    maps = generate("C", 5, True, seed=2)[0]
    rows, columns = Axis.teeth("driving tooth", 31), Axis.teeth("driven tooth", 95)
    path = write_map(HealthMapBatch(maps, rows, columns), tmp_path / "maps.npz")
    words = ("study", "attention", tmp_path / "run", path, "--output", tmp_path / "out", "--maps", "2")
    run = toothwise(*words)
    assert run.code == 0, run.err
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"attention.json", "layers.png", "map_0.png", "map_1.png"}
    assert json.loads((tmp_path / "out" / "attention.json").read_text())["layers"][1]["layer"] == 2
    assert (tmp_path / "out" / "map_0.png").stat().st_size > 10_000


def test_only_directional_layers_can_be_looked_into():
    maps = np.exp(np.random.default_rng(0).standard_normal((16, 5, 6)))
    with pytest.raises(InputError, match="attention is that of a fitted Dinomaly with directional layers"):
        view_attention(detectors.create("scan").fit(maps), maps)
