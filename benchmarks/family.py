"""The detector family side by side, at the contrast where plain Dinomaly finds half of the lines.

    python benchmarks/family.py --output runs/family                # domain C, both modes, 3 seeds: 5 hours on one core
    python benchmarks/family.py --output runs/family --seeds 1      # the first of them; going on repeats nothing
    python benchmarks/family.py --output runs/family --domains C A  # both domains: for a machine with a GPU

For each domain and mode a plain Dinomaly of its own seed first tells the contrast c at which its TPR@1%FPR is about
50 %; lines of c / 1.15 to 1.15 c are then drawn for everyone (a range, so that severity has an order). Every anomaly
map is scored as the detector does, by its best line and by its best segment. Reduced protocol for a CPU: ViT-S,
224 x 224, 100 steps, 300 training maps; DRAEM at an eighth of its published width.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from toothwise import detectors
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.evaluation.detectability import threshold_at
from toothwise.files import write_json
from toothwise.results import write_result
from toothwise.simulate.maps import LineShape, generate
from toothwise.studies.bench import BenchConfig, bench, summary
from toothwise.studies.cell import MODES

HERE = Path(__file__).parent
LENGTH = (20, 94)
SPREAD = 1.15
STEPS: dict[str, Any] = {"max_steps": 100, "pooling": "top"}
DRAEM: dict[str, Any] = {"base_width": 8, "image_size": [64, 192], "max_steps": 300}
OPTIONS: dict[str, dict[str, Any]] = {
    "dinomaly": STEPS,
    "dinomaly_directional": STEPS,
    "dinomaly_severity": STEPS,
    "draem_sevnet": DRAEM,
    "draem_sevnet_rows": DRAEM,
    "fused": {"options": {"dinomaly_directional": STEPS}},
}
DETECTORS = (
    "scan",
    "scan_learned",
    "padim",
    "patchcore",
    "patchcore_context",
    "dinomaly",
    "dinomaly_directional",
    "dinomaly_severity",
    "draem_sevnet",
    "draem_sevnet_rows",
    "fused",
)
METRICS = (
    "auroc",
    "tpr_at_1_fpr",
    "tooth_accuracy",
    "auroc_lines",
    "tpr_at_1_fpr_lines",
    "auroc_segments",
    "tpr_at_1_fpr_segments",
    "severity_spearman",
)


def half_contrast(domain: str, mode: str, args: argparse.Namespace) -> dict[str, Any]:
    """The contrast at which plain Dinomaly finds half of the lines at 1 % of false alarms, by bisection in its log."""
    common: dict[str, Any] = {"mode": mode, "line": LineShape(length=LENGTH), "split": "test"}
    session = "fault" if mode == "realistic" else None
    train = generate(domain, args.train, False, split="train", mode=mode, seed=90_000)[0]
    healthy = generate(domain, args.test, False, session=session, seed=90_001, **common)[0]
    low, high, tried = np.log(1.02), np.log(3.0), {}
    with shared_encodings():
        detector = detectors.create("dinomaly", seed=100, **STEPS).fit(train)
        threshold = threshold_at(detector.predict(healthy).score, 0.01)
        for _ in range(5):
            contrast = float(np.exp((low + high) / 2))
            faulty = generate(domain, args.test, True, contrast=contrast, seed=90_002, **common)[0]
            share = float(np.mean(detector.predict(faulty).score > threshold))
            tried[f"{contrast:.4f}"] = share
            print(f"{domain} {mode}: contrast {contrast:.3f} -> TPR@1%FPR {share:.3f}", flush=True)
            low, high = (low, np.log(contrast)) if share > 0.5 else (np.log(contrast), high)
    best = min(tried, key=lambda c: abs(tried[c] - 0.5))
    return {"contrast": float(best), "tried": tried}


def main() -> None:
    """Find the contrasts, run the cells, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of cells; going on repeats nothing")
    parser.add_argument("--domains", nargs="+", default=["C"], choices=list("ABCD"))
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS), choices=DETECTORS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, default=300)
    parser.add_argument("--test", type=int, default=300)
    args = parser.parse_args()
    cells, contrasts = [], {}
    for domain in args.domains:
        for mode in args.modes:
            folder = args.output / f"{domain}-{mode}"
            path = folder / "contrast.json"
            if not path.exists():
                write_json(path, half_contrast(domain, mode, args))
            found = contrasts[f"{domain} {mode}"] = json.loads(path.read_text(encoding="utf-8"))
            around = (found["contrast"] / SPREAD, found["contrast"] * SPREAD)
            config = BenchConfig(
                domains=(domain,),
                modes=(mode,),
                detectors=tuple(args.detectors),
                seeds=args.seeds,
                options={name: OPTIONS[name] for name in args.detectors if name in OPTIONS},
                n_train=args.train,
                n_test=args.test,
                contrast=around,
                length=LENGTH,
            )
            table, skipped = bench(config, folder, lambda text, share: print(f"{share:4.0%} {text}", flush=True))
            print(summary(table, metrics=METRICS).to_string(), skipped)
            cells += json.loads(table.to_json(orient="records"))
    rounded = [{k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in cell.items()} for cell in cells]
    settings = {
        "train": args.train,
        "test": args.test,
        "seeds": args.seeds,
        "length": LENGTH,
        "spread": SPREAD,
        "options": OPTIONS,
    }
    result = {"contrasts": contrasts, "cells": rounded}
    print(write_result(HERE / "results" / "family.json", settings, result, seed=0))


if __name__ == "__main__":
    main()
