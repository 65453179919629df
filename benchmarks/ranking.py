"""The published ranking of detectors on domain C, rerun on simulated maps, with the early protocol too.

    python benchmarks/ranking.py            # one seed: about 40 minutes on one core with the ViT-S
    python benchmarks/ranking.py --quick    # a small random encoder, not written: a minute; says nothing

Published on the private maps (domain C). Early protocol, accuracy %: PaDiM 72.9, PatchCore 79.9, Dinomaly 83.9. Later
protocol, AUROC %: Dinomaly 96.95, Dinomaly with a top-5 % tail loss 97.63, PatchCore 97.9, PatchCore with row context
99.7. Here: domain C, realistic mode, compared within the fault session, contrasts of 1.2 to 1.45, grey input.

The early protocol enlarges maps and keeps the centre of 392 of 448 pixels, which hides the outer rows and columns; here
the same share of the map is cut off before it is resized. A line on a hidden row cannot be found by anyone.

Options:

    --cells: folder where finished cells are kept, to go on after a kill
    --quick: small random encoder, few maps, no file
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring.command import arguments
from measuring.kept import kept
from scipy.stats import kendalltau

from toothwise import detectors
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.detectors.pooling import pool_lines
from toothwise.evaluation import auroc, f1_max, tpr_at_fpr
from toothwise.results import write_result
from toothwise_lab.bootstrap import bootstrap_interval
from toothwise_lab.studies.cell import Cell, CellMaps, draw_maps

HERE = Path(__file__).parent
PUBLISHED: dict[str, dict[str, float]] = {
    "early": {"padim": 72.9, "patchcore": 79.9, "dinomaly": 83.9},
    "later": {"dinomaly": 96.95, "dinomaly_tail": 97.63, "patchcore": 97.9, "patchcore_context": 99.7},
}
VIT_S: dict[str, Any] = {"encoder_name": "vit_small_patch14_dinov2"}
DETECTORS: dict[str, tuple[str, dict[str, Any]]] = {
    "padim": ("padim", {}),
    "patchcore": ("patchcore", {**VIT_S, "num_neighbors": 1}),
    "patchcore_context": ("patchcore_context", {**VIT_S, "num_neighbors": 1}),
    "dinomaly": ("dinomaly", {**VIT_S, "pooling": "top"}),
    "dinomaly_tail": ("dinomaly", {**VIT_S, "pooling": "top", "loss": "tail", "tail": 0.05}),
}
KEPT = 392 / 448  # of each side, in the early protocol
CONTRAST = (1.2, 1.45)


def cropped(maps: np.ndarray) -> np.ndarray:
    """The centre that the early protocol keeps of maps ``[n, rows, columns]``."""
    rows, columns = (round((1 - KEPT) / 2 * size) for size in maps.shape[1:])
    return maps[:, rows : maps.shape[1] - rows, columns : maps.shape[2] - columns]


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Best accuracy over all thresholds (the published protocol chose its threshold on test data)."""
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order])
    flagged = np.arange(1, len(labels) + 1)
    right = found + (np.sum(labels == 0) - (flagged - found))
    return float(right.max() / len(labels))


def score(name: str, protocol: str, maps: CellMaps, seed: int, more: dict[str, Any]) -> dict[str, Any]:
    """One detector under one protocol."""
    kind, options = DETECTORS[name]
    view = cropped if protocol == "early" else np.asarray
    settings = {"channels": "grey", "log": False, "seed": seed, **options, **more.get(kind.split("_")[0], {})}
    start = time.perf_counter()
    detector = detectors.create(kind, **settings).fit(view(maps.train))
    healthy, faulty = detector.predict(view(maps.healthy)), detector.predict(view(maps.faulty))
    labels = np.repeat([0, 1], [len(healthy.score), len(faulty.score)])
    row: dict[str, Any] = {"detector": name, "protocol": protocol, "seed": seed}
    for pooling in ("own", "lines"):
        a, b = (p.score if pooling == "own" else pool_lines(p.anomaly_map, "lines").score for p in (healthy, faulty))
        scores = np.concatenate([a, b])
        interval = bootstrap_interval(auroc, scores, labels, resamples=500, seed=0)
        row |= {
            f"auroc_{pooling}": auroc(scores, labels),
            f"auroc_{pooling}_low": interval.low,
            f"auroc_{pooling}_high": interval.high,
            f"accuracy_{pooling}": accuracy(scores, labels),
            f"f1_{pooling}": f1_max(scores, labels),
            f"tpr_at_1_fpr_{pooling}": tpr_at_fpr(scores, labels, fpr=0.01),
        }
    return {**row, "seconds": round(time.perf_counter() - start, 1)}


def agreement(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Kendall's tau of published figures and ours, by protocol."""
    out = {}
    for protocol, published in PUBLISHED.items():
        metric = "accuracy_own" if protocol == "early" else "auroc_own"
        ours = {
            name: float(np.mean([r[metric] for r in rows if r["detector"] == name and r["protocol"] == protocol]))
            for name in published
        }
        tau = kendalltau(list(published.values()), [ours[name] for name in published])
        out[protocol] = {"metric": metric, "ours": ours, "published": published, "kendall_tau": float(tau.statistic)}
    return out


def main() -> None:
    """Run and write."""
    args = arguments(__doc__, seeds=1, train=300, test=200, steps=100, cells=Path, quick=False)
    more: dict[str, Any] = {"dinomaly": {"max_steps": args.steps}}
    if args.quick:
        tiny = {"encoder_name": "vit_tiny_patch16_224", "weights": "random", "image_size": [32, 96]}
        more = {"dinomaly": {**tiny, "max_steps": 5}, "patchcore": tiny, "padim": {"weights": "random"}}
        args.train, args.test = 60, 40
    rows = []
    for seed in range(args.seeds):
        cell = Cell("C", "realistic", "any", seed, n_train=args.train, n_test=args.test, contrast=CONTRAST, length=None)
        maps = draw_maps(cell)
        for protocol in PUBLISHED:
            with shared_encodings():
                for name in DETECTORS:
                    path = args.cells / f"{protocol}-{name}-{seed}.json" if args.cells else None
                    row = kept(path, partial(score, name, protocol, maps, seed, more))
                    rows.append(row)
                    print(protocol, name, {k: round(v, 3) for k, v in row.items() if isinstance(v, float)}, flush=True)
    found = agreement(rows)
    print(found)
    if args.quick:
        return
    config = {k: v for k, v in vars(args).items() if k not in ("cells", "quick")} | {
        "domain": "C",
        "mode": "realistic, within the fault session",
        "contrast": CONTRAST,
        "detectors": {name: {"name": kind, **options} for name, (kind, options) in DETECTORS.items()},
        "input": "grey, 224 x 224",
        "early_protocol_keeps": KEPT,
    }
    result = {"cells": rows, "agreement": found}
    print(write_result(HERE / "results" / "ranking.json", config, result, seed=0))


if __name__ == "__main__":
    main()
