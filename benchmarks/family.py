"""The detector family side by side, at the contrast where plain Dinomaly finds half of the lines.

    OMP_NUM_THREADS=1 python benchmarks/family.py --output runs/family            # domain C, 3 seeds: 1 hour, one core
    OMP_NUM_THREADS=1 python benchmarks/family.py --output runs/family --seeds 1  # going on repeats nothing
    python benchmarks/family.py --output runs/family --domains C A --seed 1       # one seed of both domains

For each domain and mode a plain Dinomaly of its own seed first tells the contrast c at which its TPR@1%FPR is about
50 % (without the bright segments of the realistic mode, which are found at any contrast); lines of c / 1.15 to 1.15 c
are then drawn for everyone (a range, so that severity has an order). Every anomaly map is scored as the detector does,
by its best line and by its best segment. Training maps are the same in both modes, so a detector is fitted once per
seed. Reduced protocol for a CPU: the package's own encoder, 16 x 16 tokens, bfloat16 in training, a few hundred maps
and steps; DRAEM at an eighth of its published width. The limit and the generalised likelihood ratio, which know the
generator, stand beside them.

Cells are files in --output, so seeds and domains may be run apart and at once; what lies there when a run ends is
written to benchmarks/results/family.json.

Options:

    --output: folder of cells; going on repeats nothing
    --seeds: from 0
    --seed: this one alone
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measuring.command import arguments
from measuring.kept import kept
from scipy.stats import norm
from scipy.stats import t as student

from toothwise import detectors
from toothwise.detectors.embedded import EMBEDDED, SIZE
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.detectors.pooling import pool_lines
from toothwise.files import write_json
from toothwise.results import write_result
from toothwise.simulate.maps import LineShape, generate
from toothwise_lab.comparison import delong_test, holm
from toothwise_lab.detectability import threshold_at
from toothwise_lab.studies.cell import (
    LIMITS,
    MODES,
    Cell,
    Fitted,
    Scored,
    draw_maps,
    fit_cell,
    measure_cell,
    score_cell,
)

HERE = Path(__file__).parent
LENGTH = (20, 94)
SPREAD = 1.15
ENCODER: dict[str, Any] = {"encoder_name": EMBEDDED, "image_size": list(SIZE)}
DINOMALY: dict[str, Any] = {**ENCODER, "max_steps": 100, "precision": "bfloat16", "pooling": "top"}
DRAEM: dict[str, Any] = {"base_width": 8, "image_size": [64, 192], "max_steps": 200}
OPTIONS: dict[str, dict[str, Any]] = {
    "limit": {},
    "glr": {},
    "scan": {},
    "scan_learned": {},
    "padim": {},
    "patchcore": ENCODER,
    "patchcore_context": ENCODER,
    "dinomaly": DINOMALY,
    "dinomaly_directional": DINOMALY,
    "dinomaly_severity": DINOMALY,
    "draem_sevnet": DRAEM,
    "draem_sevnet_rows": DRAEM,
    "fused": {"options": {"dinomaly_directional": DINOMALY}},
}
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


def half_contrasts(domain: str, args: argparse.Namespace) -> dict[str, Any]:
    """For each mode the contrast at which plain Dinomaly finds half of the lines at 1 % of false alarms."""
    train = generate(domain, args.train, False, split="train", seed=90_000)[0]
    found = {}
    with shared_encodings():
        detector = detectors.create("dinomaly", seed=100, **OPTIONS["dinomaly"]).fit(train)
        for mode in MODES:
            # without the bright segments of warm maps in C, which everyone finds at any contrast of the line
            common: dict[str, Any] = {"mode": mode, "line": LineShape(length=LENGTH), "split": "test", "segment": False}
            session = "fault" if mode == "realistic" else None
            healthy = generate(domain, args.test, False, session=session, seed=90_001, **common)[0]
            threshold = threshold_at(detector.predict(healthy).score, 0.01)
            low, high, tried = np.log(1.02), np.log(3.0), {}
            for _ in range(6):  # bisection in the logarithm
                contrast = float(np.exp((low + high) / 2))
                faulty = generate(domain, args.test, True, contrast=contrast, seed=90_002, **common)[0]
                share = float(np.mean(detector.predict(faulty).score > threshold))
                tried[f"{contrast:.4f}"] = share
                print(f"{domain} {mode}: contrast {contrast:.3f} -> TPR@1%FPR {share:.3f}", flush=True)
                low, high = (low, np.log(contrast)) if share > 0.5 else (np.log(contrast), high)
            best = min(tried, key=lambda c: abs(tried[c] - 0.5))
            found[mode] = {"contrast": float(best), "tried": tried}
    return found


def cells_of(domain: str, seed: int, contrasts: dict[str, Any], args: argparse.Namespace) -> None:
    """All detectors of one domain and seed in both modes; what is there is not run again."""
    with shared_encodings():
        for name in args.detectors:
            fitted: Fitted | None = None
            for mode in MODES:
                middle = contrasts[mode]["contrast"]
                cell = Cell(
                    domain,
                    mode,
                    name,
                    seed,
                    OPTIONS[name],
                    n_train=args.train,
                    n_test=args.test,
                    contrast=(middle / SPREAD, middle * SPREAD),
                    length=LENGTH,
                )
                text = json.dumps(asdict(cell), sort_keys=True)
                path = args.output / f"{cell.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
                if path.exists():
                    continue
                print(cell.name, flush=True)
                maps = draw_maps(cell)
                if fitted is None or name in LIMITS:  # what knows the generator knows the mode
                    fitted = fit_cell(cell, maps)
                scored = score_cell(maps, fitted)
                row = measure_cell(cell, maps, fitted, scored)
                write_json(path, {"config": json.loads(text), "row": row, "scores": scores_of(scored)})


def scores_of(scored: Scored) -> dict[str, list[float]]:
    """Scores of healthy and faulty maps, by the detector itself and by the best line of its anomaly map."""
    found = {}
    for name, said in (("healthy", scored.healthy), ("faulty", scored.faulty)):
        found[name] = [float(f"{v:.8g}") for v in said.score]
        found[f"{name}_lines"] = [float(f"{v:.8g}") for v in pool_lines(said.anomaly_map, "lines").score]
    return found


def comparisons(done: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Directional against plain Dinomaly on the same maps: DeLong's difference of AUROC, averaged over seeds.

    The standard error of the mean is the maps' (DeLong, normal) or the seeds' own (Student's t), whichever is larger.
    Holm's correction is over all rows.
    """
    held: dict[tuple[str, str, int, str], dict[str, list[float]]] = {
        (*(cell["config"][k] for k in ("domain", "mode", "seed", "detector")),): cell["scores"] for cell in done
    }
    pairs = [("dinomaly_directional", "dinomaly"), ("scan", "dinomaly_directional"), ("fused", "scan")]
    rows = []
    for domain, mode in sorted({key[:2] for key in held}):
        for one, two in pairs:
            for pooling in ("", "_lines") if two == "dinomaly" else ("",):
                tests = []
                for seed in sorted({key[2] for key in held}):
                    a, b = held.get((domain, mode, seed, one)), held.get((domain, mode, seed, two))
                    if a is None or b is None:
                        continue
                    labels = np.repeat([0, 1], [len(a["healthy"]), len(a["faulty"])])
                    scores = [np.array(x[f"healthy{pooling}"] + x[f"faulty{pooling}"]) for x in (a, b)]
                    tests.append(delong_test(scores[0], scores[1], labels))
                if not tests:
                    continue
                each = np.array([t.difference for t in tests])
                error, law = float(np.sqrt(sum(t.standard_error**2 for t in tests))) / len(tests), norm
                spread = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else 0.0
                if spread > error:
                    error, law = spread, student(len(each) - 1)
                rows.append(
                    {
                        "domain": domain,
                        "mode": mode,
                        "pair": [one, two],
                        "score": "best line" if pooling else "own",
                        "seeds": len(each),
                        "difference": round(float(each.mean()), 5),
                        "each": each.round(5).tolist(),
                        "standard_error": round(error, 5),
                        "p_value": float(2 * law.sf(abs(each.mean()) / error)) if error else 1.0,
                    }
                )
    for row, p in zip(rows, holm([r["p_value"] for r in rows]) if rows else [], strict=True):
        row["p_holm"] = float(p)
    return rows


def main() -> None:
    """Find the contrasts, run the cells, write the table."""
    args = arguments(
        __doc__, output=..., domains=["C"], detectors=list(OPTIONS), seeds=3, seed=int, train=240, test=200
    )
    contrasts = {}
    for domain in args.domains:
        contrasts[domain] = kept(args.output / f"contrast-{domain}.json", lambda d=domain: half_contrasts(d, args))
    for seed in range(args.seeds) if args.seed is None else [args.seed]:
        for domain in args.domains:
            cells_of(domain, seed, contrasts[domain], args)
    done = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(args.output.glob("?-*-*.json"))]
    rows = [{k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in cell["row"].items()} for cell in done]
    print(pd.DataFrame(rows).groupby(["domain", "mode", "detector"])[list(METRICS)].mean().to_string())
    settings = {"train": args.train, "test": args.test, "length": LENGTH, "spread": SPREAD, "options": OPTIONS}
    contrasts |= {p.stem[-1]: json.loads(p.read_text(encoding="utf-8")) for p in args.output.glob("contrast-?.json")}
    result = {"contrasts": contrasts, "comparisons": comparisons(done), "cells": rows}
    print(write_result(HERE / "results" / "family.json", settings, result))


if __name__ == "__main__":
    main()
