"""AUROC after the same training as anomalib's Dinomaly: what the cache, the faster graph and bfloat16 cost in accuracy.

    python benchmarks/training_auroc.py    # half an hour; writes results/training_auroc.json; needs no idle machine

The same weights, batches and dropout, and the same test maps, for several seeds. The cache holds encodings in half
precision. What a rounding of that size does to a training by itself is shown by anomalib's own model, trained once more
from weights that were rounded to half precision once, at the start: no difference smaller than that between the two can
be laid to the cache. anomalib resizes position embeddings without smoothing, timm and toothwise with it: here both do
the latter, as the question is what speed costs.

Options:

    --size: side of the images, a multiple of 14
    --maps: training maps, and test maps of each kind
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring.command import arguments
from scipy import stats
from torch import Tensor, nn
from training import BASE, ENCODER, WAYS, Trainer, trainer

from toothwise.detectors.encoder import timm_as_it_is
from toothwise.detectors.images import ImageMaker
from toothwise.evaluation import auroc
from toothwise.results import write_result
from toothwise.simulate.maps import generate

PROMISED = 0.003
ROUNDED = "anomalib, float32, first weights rounded"
COMPARED: dict[str, dict[str, Any]] = {
    BASE: {"anomalib": True},
    ROUNDED: {"anomalib": True},
    **{name: WAYS[name] for name in ("graph", "graph, cache", "graph, cache, bfloat16")},
}
CONTRASTS = ((1.1, 1.3), (1.3, 1.5))  # of the faulty test maps: hard ones, and such as anomalib's published AUROC is of
STEPS = (1, 5, 10, 25, 50, 100, 200)  # after which losses are compared


def round_weights(model: nn.Module) -> None:
    """Round every trained weight to half precision, and keep it in float32."""
    with torch.no_grad():
        for weight in nn.ModuleList([model.bottleneck, model.decoder]).parameters():
            weight.copy_(weight.half())


def train(one: Trainer, images: Tensor, batches: list[np.ndarray], seed: int) -> list[float]:
    """The loss of every step; dropout is that of the seed and the step."""
    losses = []
    for number, batch in enumerate(batches):
        torch.manual_seed(seed * len(batches) + number)
        losses.append(one.step(images[batch]))
    return losses


def scores(one: Trainer, make: ImageMaker, maps: np.ndarray) -> np.ndarray:
    """Score of every map."""
    model = one.model.eval()
    model.cache = None
    with torch.inference_mode():
        parts = [model(make(m).to(one.device)).pred_score.cpu() for m in np.array_split(maps, len(maps) // 10)]
    return torch.cat(parts).double().numpy()


def compare(args: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows by way, one a seed."""
    maps = generate("C", args.maps, False, seed=11)[0]
    common: dict[str, Any] = {"mode": "matched", "split": "test", "segment": False}
    test = [generate("C", args.maps, False, seed=12, **common)[0]]
    test += [generate("C", args.maps, True, seed=13 + i, contrast=c, **common)[0] for i, c in enumerate(CONTRASTS)]
    labels = np.repeat([0, 1], args.maps)
    make = ImageMaker((args.size, args.size))
    make.fit(maps)
    images = make(maps)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in COMPARED}
    for seed in range(args.seeds):
        order = np.random.default_rng(seed)
        batches = [order.choice(args.maps, args.batch, replace=False) for _ in range(args.steps)]
        for name, way in COMPARED.items():
            torch.manual_seed(seed)  # the weights that all begin with
            one = trainer(way, folder, args.device, args.steps)
            if name == ROUNDED:
                round_weights(one.model)
            with timm_as_it_is():
                losses = train(one, images, batches, seed)
                score = scores(one, make, np.concatenate(test)).reshape(len(test), -1)
            base = found[BASE][seed] if name != BASE else None
            row: dict[str, Any] = {
                "seed": seed,
                "auroc": [round(auroc(np.concatenate([score[0], s]), labels), 5) for s in score[1:]],
                "losses": {str(n): losses[n - 1] for n in STEPS if n <= args.steps},
                "last_loss": round(float(np.mean(losses[-10:])), 5),
            }
            if base:
                row["auroc_difference"] = [round(a - b, 5) for a, b in zip(row["auroc"], base["auroc"], strict=True)]
            found[name].append(row)
            print(name, row, flush=True)
    return found


def summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """By way and contrast: mean difference over the seeds with its interval (95 %, Student's t), and the largest."""
    told: dict[str, list[dict[str, Any]]] = {}
    for name, rows in found.items():
        if name == BASE:
            continue
        told[name] = []
        for of_contrast in zip(*(row["auroc_difference"] for row in rows), strict=True):
            values = np.asarray(of_contrast)
            half = np.inf
            if len(values) > 1:
                half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
            told[name].append(
                {
                    "mean": round(float(values.mean()), 5),
                    "half_width": round(half, 5) if np.isfinite(half) else None,
                    "largest": round(float(values[np.abs(values).argmax()]), 5),
                }
            )
    return told


def main() -> None:
    """Train, score and write."""
    args = arguments(
        __doc__, size=112, batch=8, steps=100, seeds=3, maps=200, device=("cpu", "cuda"), threads=1, output=Path
    )
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = compare(args, Path(folder))
    config = {k: v for k, v in vars(args).items() if k != "output"} | {"encoder": ENCODER, "contrasts": CONTRASTS}
    name = "training_auroc.json" if args.device == "cpu" else f"training_auroc_{args.device}.json"
    output = args.output or Path(__file__).parent / "results" / name
    result = {"promised": PROMISED, "ways": found, "summary": summary(found)}
    print(write_result(output, config, result, seed=0))


if __name__ == "__main__":
    main()
