"""Adding residual vectors along a line before squaring them: the gain over the line's length, and what it brings.

    python benchmarks/coherent_pooling.py            # some minutes on one core
    python benchmarks/coherent_pooling.py --quick    # a small random encoder, not written: seconds; says nothing

Domain C, matched, cold and warm test maps, the package's own encoder. *Gain*: rows of full length are raised by one
contrast; over segments of L tokens in those rows, the distance between damaged and healthy in standard deviations, of
the squared sum of whitened vectors and of the sum of their squares. The root of their ratio is by how much less a shift
is found. The control turns every token's whitened vector by a random rotation of its own, the same for healthy and
damaged maps: lengths stay, directions are shuffled. *Scores*: the same detector under every pooling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from measuring.command import arguments, save

from toothwise import detectors
from toothwise.detectors.coherent_pooling import CoherentScan, segment_sums
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.evaluation import auroc, tpr_at_fpr
from toothwise.simulate.maps import LineShape, generate

LENGTHS = (1, 2, 4, 8, 16)
POOLINGS = (None, "lines", "segments", "coherent")
CONTRAST = (1.08, 1.3)
RAISED = 1.15  # contrast of the rows of full length


def rotations(places: tuple[int, ...], size: int, seed: int) -> np.ndarray:
    """A random rotation for every place, ``[*places, size, size]``."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((*places, size, size)))[0]


def gains(options: dict[str, Any], train: int, test: int, seed: int) -> list[dict[str, Any]]:
    """Gain over the length of a line, with the directions that there are and with shuffled ones."""
    healthy = generate("C", train, False, seed=seed)[0]
    detector: Any = detectors.create("padim", **options).fit(healthy[::2])
    scan = CoherentScan().fit(detector.vectors(healthy[1::2]))
    line = LineShape(teeth=(2, 2), length=(95, 95), gaps=(0, 0))
    maps = [
        generate("C", test, bad, split="test", seed=seed + 1, contrast=RAISED, line=line)[:2] for bad in (False, True)
    ]
    whitened = [scan._whitened(detector.vectors(values)) for values, _ in maps]
    whitened = [x - x.mean(axis=1, keepdims=True) for x in whitened]
    rows = (2 * maps[1][1].tooth.to_numpy(dtype=int) + 2) * whitened[0].shape[1] // (2 * maps[0][0].shape[1])
    lines = [x[np.arange(test), rows] for x in whitened]
    turned = rotations(lines[0].shape[1:2], lines[0].shape[2], seed)
    out = []
    for length in LENGTHS:
        row: dict[str, Any] = {"length": length, "fourth_root": length**0.25, "seed": seed}
        for name, pair in (("as_they_are", lines), ("shuffled", [np.einsum("ntk,tkl->ntl", x, turned) for x in lines])):
            apart = []
            for coherent in (True, False):
                calm, damaged = (segment_sums(x, length, coherent=coherent) for x in pair)
                apart.append(float((damaged.mean() - calm.mean()) / calm.std()))
            row[name] = float(np.sqrt(max(apart[0], 0.0) / apart[1])) if apart[1] > 0 else None
            row[f"{name}_distance"] = apart
        out.append(row)
    return out


def scores(name: str, options: dict[str, Any], train: int, test: int, seed: int) -> list[dict[str, Any]]:
    """One detector under every pooling."""
    healthy = generate("C", train, False, seed=seed)[0]
    maps = np.concatenate(
        [generate("C", test, bad, split="test", seed=seed + 1, contrast=CONTRAST)[0] for bad in (False, True)]
    )
    labels, rows = np.repeat([0, 1], test), []
    for pooling in POOLINGS:
        more = {} if pooling is None else {"pooling": pooling}
        found = detectors.create(name, **options, **more).fit(healthy).predict(maps).score
        rows.append({"detector": name, "pooling": pooling or "own", "seed": seed, "auroc": auroc(found, labels)})
        rows[-1]["tpr_at_1_fpr"] = tpr_at_fpr(found, labels, fpr=0.01)
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Run and write."""
    args = arguments(__doc__, seeds=3, train=300, test=200, quick=False)
    options: dict[str, Any] = {"image_size": [256, 256]}
    if args.quick:
        options = {"encoder_name": "test_vit", "weights": "random", "image_size": [64, 256], "n_features": 16}
        args.seeds, args.train, args.test = 1, 64, 20
    found: dict[str, Any] = {"gain": [], "scores": []}
    for seed in range(args.seeds):
        with shared_encodings():
            found["gain"] += gains(options, args.train, args.test, 7000 + 10 * seed)
            print(*found["gain"][-len(LENGTHS) :], sep="\n", flush=True)
            found["scores"] += scores("padim", options, args.train, args.test, 7000 + 10 * seed)
    save(args, found, seed=7000, domain="C", mode="matched", contrast=CONTRAST, raised=RAISED, options=options)


if __name__ == "__main__":
    main()
