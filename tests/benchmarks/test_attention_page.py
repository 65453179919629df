"""What docs/explain-attention.md says of its figure is what the results say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explain-attention.md").read_text(encoding="utf-8")
FOUND = json.loads((ROOT / "benchmarks" / "results" / "attention_view.json").read_text(encoding="utf-8"))


def told(pattern: str) -> list[float]:
    (numbers,) = re.findall(pattern, PAGE.replace("\n", " "))
    return [float(v) for v in ([numbers] if isinstance(numbers, str) else numbers)]


def test_the_run_is_the_one_that_is_named():
    config = FOUND["config"]
    steps, maps, rows, columns, seed = told(
        r"after (\d+) steps on (\d+) healthy maps of domain C "
        r"\(the package's own encoder, (\d+) x (\d+) tokens, seed (\d+)\)"
    )
    assert (steps, maps, seed) == (config["options"]["max_steps"], config["healthy"], FOUND["seed"])
    assert [rows, columns] == FOUND["result"]["grid"]
    assert config["options"]["encoder_name"] == "toothwise_vit_tiny"


def test_weights_entropy_and_alpha_are_those_of_the_result():
    layers = FOUND["result"]["layers"]
    assert told(r"more than ([\d.]+) times its share") == [round(FOUND["result"]["largest_share"], 2)]
    entropies = [min(layer["entropy"].values()) for layer in layers]
    assert told(r"entropy is at least ([\d.]+) of") == [np.floor(1000 * min(entropies)) / 1000]
    assert entropies == sorted(entropies)
    alphas = [a for layer in layers for a in layer["alpha"]]
    low, high = told(r"between ([\d.]+) and ([\d.]+)\. This")
    assert low <= min(alphas)
    assert max(alphas) <= high


def test_the_figure_is_there_and_shown():
    figure = ROOT / "docs" / "images" / "attention-weights.png"
    assert f"images/{figure.name}" in PAGE
    assert 20_000 < figure.stat().st_size < 150_000
