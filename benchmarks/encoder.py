"""The package's own small encoder beside the one that taught it: on maps, on pictures of machine parts, and in speed.

    OMP_NUM_THREADS=1 python benchmarks/encoder.py            # needs TOOTHWISE_WEIGHTS and TOOTHWISE_DATA; 20 minutes
    OMP_NUM_THREADS=1 python benchmarks/encoder.py --quick    # few maps and steps, not written

Both encoders give as many tokens (16 x 16 of a map), so the teacher sees 14 pixels and the student 16 where the other
sees one token. Maps: domains C and A, matched mode, lines of 1.08 to 1.3, other seeds than those of the distillation;
PatchCore and Directional Dinomaly, DeLong's test of the difference on the same maps. KolektorSDD: grey images at half
their size, PatchCore. Speed: one thread, one image at a time after a warm-up, in turn.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring.command import arguments, data_set, save
from measuring.paired import paired

from toothwise import detectors
from toothwise.detectors.embedded import EMBEDDED
from toothwise.detectors.encoder import FrozenEncoder
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.evaluation import auroc, tpr_at_fpr
from toothwise_lab.comparison import DeLong, delong_test
from toothwise_lab.images import load_images
from toothwise_lab.studies.cell_maps import Cell, draw_maps

PATCH = {"vit_small_patch14_dinov2": 14, EMBEDDED: 16}
TEACHER, STUDENT = PATCH


def options_of(encoder: str, tokens: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Options of a detector whose encoder gives so many tokens of a map."""
    return {"encoder_name": encoder, "decoder_depth": 8, "image_size": [PATCH[encoder] * t for t in tokens], **more}


def difference(test: DeLong) -> dict[str, Any]:
    """Student less teacher."""
    low, high = test.interval
    numbers = {"value": test.difference, "low": low, "high": high, "p_value": test.p_value}
    return {name: round(number, 4) for name, number in numbers.items()}


def on_maps(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Both encoders under two detectors, per domain and seed."""
    rows = []
    chosen = {
        "patchcore": {},
        "dinomaly_directional": {"max_steps": args.steps, "pooling": "top", "precision": "bfloat16"},
    }
    for domain in args.domains:
        for seed in range(50, 50 + args.seeds):
            maps = draw_maps(Cell(domain, "matched", "scan", seed, n_train=args.train, n_test=args.test))
            both, labels = np.concatenate([maps.healthy, maps.faulty]), np.repeat([0, 1], args.test)
            scores: dict[str, dict[str, np.ndarray]] = {name: {} for name in chosen}
            for encoder in PATCH:
                with shared_encodings():
                    for name, more in chosen.items():
                        detector = detectors.create(name, **options_of(encoder, (16, 16), seed=seed, **more))
                        scores[name][encoder] = detector.fit(maps.train).predict(both).score
            for name, found in scores.items():
                row: dict[str, Any] = {"domain": domain, "seed": seed, "detector": name}
                for role, encoder in (("teacher", TEACHER), ("student", STUDENT)):
                    row[role] = {
                        "auroc": round(auroc(found[encoder], labels), 4),
                        "tpr_at_1_fpr": round(tpr_at_fpr(found[encoder], labels, fpr=0.01), 4),
                    }
                test = delong_test(found[STUDENT], found[TEACHER], labels)
                row["difference"] = difference(test)
                rows.append(row)
                print(row, flush=True)
    return rows


def on_kolektor(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """PatchCore on images of commutators."""
    images = load_images("kolektor_sdd", folder, size=(280, 112))
    train = images.train[:: max(1, len(images.train) // args.train)]
    scores = {}
    for encoder in PATCH:
        options = options_of(encoder, (40, 16), channels="grey", log=False)
        scores[encoder] = detectors.create("patchcore", **options).fit(train).predict(images.test).score
    test = delong_test(scores[STUDENT], scores[TEACHER], images.labels)
    return {
        "train": len(train),
        "test": len(images.test),
        "teacher": round(auroc(scores[TEACHER], images.labels), 4),
        "student": round(auroc(scores[STUDENT], images.labels), 4),
        "difference": difference(test),
    }


def speed(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds per image of the encoders alone, in turn, and their ratio."""
    encoders = {name: FrozenEncoder(name) for name in PATCH}
    images = {name: torch.randn(1, 3, 16 * patch, 16 * patch) for name, patch in PATCH.items()}
    ways = {name: partial(encoder, images[name]) for name, encoder in encoders.items()}
    teacher, student = (np.array(taken.wall) for taken in paired(ways, rounds=args.turns).values())
    quantiles = np.quantile(teacher / student, (0.5, 0.25, 0.75)).round(2).tolist()
    return {
        "teacher_ms": round(1000 * float(np.median(teacher)), 2),
        "student_ms": round(1000 * float(np.median(student)), 2),
        "ratio": dict(zip(("median", "q25", "q75"), quantiles, strict=True)),
        "turns": args.turns,
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Measure and write."""
    args = arguments(__doc__, domains=["C", "A"], seeds=1, train=150, test=150, steps=100, turns=100, quick=False)
    if args.quick:
        args.domains, args.seeds, args.train, args.test, args.steps, args.turns = ["C"], 1, 40, 40, 4, 5
    result: dict[str, Any] = {"speed": speed(args)}
    print(result["speed"], flush=True)
    if folder := data_set("kolektor_sdd"):
        result["kolektor_sdd"] = on_kolektor(folder.parent, args)
        print(result["kolektor_sdd"], flush=True)
    result["maps"] = on_maps(args)
    result["encoders"] = {
        role: FrozenEncoder(name).source.__dict__ for role, name in (("teacher", TEACHER), ("student", STUDENT))
    }
    save(args, result, names=list(PATCH))


if __name__ == "__main__":
    main()
