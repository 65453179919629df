"""What directional layers attend to, against the layers themselves."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch

from toothwise import Model, detectors
from toothwise.detectors.curves import recorded_curves
from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention
from toothwise.detectors.dinomaly.attention_view import AttentionView, LayerView, view_attention
from toothwise.errors import InputError
from toothwise.healthmap.io import write_map
from toothwise.simulate.maps import generate
from toothwise_lab.studies.attention import attention_metrics
from toothwise_lab.studies.attention_cost import attention_cost
from toothwise_lab.studies.cell_maps import Cell
from toothwise_lab.studies.config import Resources
from toothwise_lab.studies.measures import peak_tensors
from toothwise_lab.studies.metric_names import metric_names
from toothwise_lab.studies.run_trial import RunTrial
from toothwise_lab.studies.trial import Trial
from toothwise_lab.studies.worker import run_trial

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
    curves = fitted[1]
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
    with pytest.raises(InputError, match="the cell must be in a map of 31 x 95"):
        view_attention(fitted[0], maps, cell=(31, 0))


def test_the_cost_is_told_beside_global_attention(fitted):
    cost = attention_cost(fitted[0], (3, 6))
    assert set(cost) == {"directional", "global_linear", "global_softmax"}
    assert cost["directional"]["weights"] == 6 * 3 * 3 + 3 * 6 * 6
    assert cost["global_softmax"]["weights"] == 18 * 18
    assert all(one["ms"] > 0 for one in cost.values())
    # at least queries, keys and values of 18 tokens of 192 numbers, which every layer holds at once
    assert all(one["peak_bytes"] >= 18 * 3 * 192 * 4 for one in cost.values())


def test_peak_memory_is_what_tensors_take_at_a_time():
    x = torch.zeros(1, 1024)
    one = peak_tensors(lambda: x + 1)
    some = 256  # the numbers that are added are tensors too
    assert 4096 <= one < 4096 + some
    assert 3 * 4096 <= peak_tensors(lambda: (x + 1, x + 2, x + 3)) < 3 * 4096 + some
    assert 2 * 4096 <= peak_tensors(lambda: x + 1 + 1 + 1 + 1) < 2 * 4096 + some  # what was used is gone


def run_cell(settings, **resources):
    kind = "run" if isinstance(settings, RunTrial) else "maps"
    found = run_trial(Trial("", "arm", "C matched", kind, settings), Resources(**resources))
    assert found.facts["status"] == "done", found.facts["reason"]
    return found


def cell(**options) -> Cell:
    return Cell("C", "matched", "dinomaly_directional", 0, {**OPTIONS, **options}, n_train=16, n_test=32)


@pytest.mark.full
def test_a_trial_with_pictures_tells_what_its_layers_attend_to():
    found = run_cell(cell(), pictures=True)
    assert set(found.pictures) == {"examples.png", "attention_layers.png", "attention_map_0.png"}
    assert all(content.startswith(b"\x89PNG") for content in found.pictures.values())
    metrics, told = found.facts["metrics"], found.facts["info"]["attention"]
    for axis in ("y", "x"):
        layers = {layer["layer"]: layer["entropy"][axis] for layer in told["layers"]}
        assert set(layers) == {0, 2}
        assert {k: metrics[f"attention_entropy_{axis}_layer_{k}"] for k in layers} == layers
        assert metrics[f"attention_entropy_{axis}"] == pytest.approx(sum(layers.values()) / 2)
        assert 0 < metrics[f"attention_entropy_{axis}"] <= 1
    assert len(told["tokens"]) == len(found.examples["maps"]) == 3
    assert set(told["cost"]) == {"directional", "global_linear", "global_softmax"}
    json.dumps(found.facts, allow_nan=False)


def test_layers_of_one_axis_have_the_entropy_of_that_axis_alone():
    layers = [LayerView(0, [0.0], {}, {"x": 0.5}), LayerView(2, [0.0], {}, {"x": 0.9})]
    found = attention_metrics(AttentionView((3, 6), np.zeros((1, 2, 2), int), np.zeros((1, 3, 6)), layers))
    assert found == {
        "attention_entropy_x": pytest.approx(0.7),
        "attention_entropy_x_layer_0": 0.5,
        "attention_entropy_x_layer_2": 0.9,
    }
    assert set(found) < set(metric_names())


def test_a_trial_without_directional_layers_has_no_entropy():
    found = run_cell(Cell("C", "matched", "mean", 0, {}, 16, 32), pictures=True)
    assert set(found.pictures) == {"examples.png"}
    assert "attention" not in found.facts["info"]
    assert not [name for name in found.facts["metrics"] if "entropy" in name]


@pytest.mark.full
def test_a_trial_without_pictures_looks_at_nothing():
    found = run_cell(cell())
    assert (found.pictures, found.examples) == ({}, {})
    assert "attention" not in found.facts["info"]


SMALL = {**OPTIONS, "image_size": [32, 32]}


@pytest.mark.parametrize(
    ("detector", "options", "attention"),
    [("mean", {}, False), pytest.param("dinomaly_directional", SMALL, True, marks=pytest.mark.full)],
)
def test_a_run_has_pictures_too_also_of_a_detector_that_was_fitted_elsewhere(detector, options, attention):
    settings = RunTrial("simulated", detector, 0, options, fit_on="simulated_maps", n_train=16)
    found = run_cell(settings, pictures=True)
    assert found.examples["maps"].shape == (3, 35, 18)  # on the grid of the maps it was fitted on
    assert "examples.png" in found.pictures
    assert ("attention_map_0.png" in found.pictures) == attention
    assert ("attention_entropy_y" in found.facts["metrics"]) == attention


@pytest.mark.full
def test_pictures_are_written(fitted, toothwise, tmp_path):
    from toothwise.healthmap import Axis, HealthMapBatch

    Model(fitted[0]).save(tmp_path / "run")
    maps = generate("C", 5, True, seed=2)[0]
    rows, columns = Axis.teeth("driving tooth", 31), Axis.teeth("driven tooth", 95)
    path = write_map(HealthMapBatch(maps, rows, columns), tmp_path / "maps.npz")
    words = ("study", "attention", tmp_path / "run", path, "--output", tmp_path / "out", "--maps", "2")
    run = toothwise(*words)
    assert run.code == 0, run.err
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"attention.json", "layers.png", "map_0.png", "map_1.png"}
    assert json.loads((tmp_path / "out" / "attention.json").read_text())["layers"][1]["layer"] == 2
    assert (tmp_path / "out" / "map_0.png").stat().st_size > 10_000


@pytest.mark.full  # it fits a detector five times
def test_the_commands_of_the_page_lead_to_the_pictures(toothwise, tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs" / "studies.md").read_text()
    lines = re.findall(r"^    toothwise (.*)$", page.partition("## What a detector attends to")[2], flags=re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for line in lines:
        run = toothwise(*shlex.split(line))
        assert run.code == 0, run.err
    assert {p.name for p in Path("runs/attention").glob("*.png")} == {"layers.png", "map_0.png", "map_1.png"}


def test_only_directional_layers_can_be_looked_into():
    maps = np.exp(np.random.default_rng(0).standard_normal((16, 5, 6)))
    with pytest.raises(InputError, match="attention is that of a fitted Dinomaly with directional layers"):
        view_attention(detectors.create("scan").fit(maps), maps)
