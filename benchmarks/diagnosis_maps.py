"""Single maps for ``diagnosis.py``: how often each pattern is called, and how near the contrast is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from toothwise import detectors
from toothwise.detectors.calibration import fit_with_threshold
from toothwise.diagnosis.single import diagnose_maps
from toothwise.reference.healthy_reference import learn_reference
from toothwise.simulate.maps import LineShape, generate

SHAPE = (18, 35)
CONTRAST = (1.3, 2.0)
RATE = 0.01
TRAIN = 300


def _drawn(domain: str, n: int, seed: int, what: str) -> tuple[np.ndarray, Any, str]:
    """Maps of a kind, the truth of their lines, and the damaged gear."""
    gear = "driven" if what == "driven tooth" else "driving"
    line = LineShape(teeth=(1, 1), length=(SHAPE[0] - 4, SHAPE[0] - 1), gaps=(0, 0))
    if what in ("driving tooth", "driven tooth"):
        maps, truth = generate(domain, n, True, contrast=CONTRAST, seed=seed, shape=SHAPE, gear=gear, line=line)
        return maps, truth, gear
    if what == "transient":
        maps, truth = generate(domain, n, False, contrast=CONTRAST, seed=seed, shape=SHAPE, diagonals=1.0)
        return maps, truth, gear
    maps, truth = generate(domain, n, False, seed=seed, shape=SHAPE)
    rng = np.random.default_rng([seed, 1])
    factor = np.exp(rng.uniform(*np.log(CONTRAST), n))
    if what == "several teeth":
        for k in range(n):
            first = int(rng.integers(SHAPE[0]))
            maps[k, [first, (first + 7) % SHAPE[0]]] *= factor[k]
    elif what == "whole gear, eccentric":
        angle = 2.0 * np.pi * np.arange(SHAPE[0]) / SHAPE[0]
        swing = np.log(factor)[:, None] * np.cos(angle[None] + rng.uniform(0, 2 * np.pi, n)[:, None])
        maps = maps * np.exp(swing)[:, :, None].astype(np.float32)
    elif what == "whole gear, louder":
        maps = maps * factor[:, None, None].astype(np.float32)
    elif what == "quieter":
        maps = maps / factor[:, None, None].astype(np.float32)
    return maps, truth, gear


KINDS = {
    "healthy": "nothing",
    "driving tooth": "one tooth",
    "driven tooth": "one tooth",
    "several teeth": "several teeth",
    "whole gear, eccentric": "whole gear",
    "whole gear, louder": "whole gear",
    "quieter": "sensor or condition changed",
    "transient": "transient",
}


def single_maps(seed: int, n: int) -> dict[str, Any]:
    """Confusion of patterns, error rate on healthy maps, tooth and contrast; domains A and C together."""
    out: dict[str, Any] = {"rate": RATE, "maps": n, "contrast": CONTRAST, "confusion": {}, "lines": {}}
    found: dict[str, list[tuple[Any, Any, str]]] = {kind: [] for kind in KINDS}
    for domain in ("A", "C"):
        healthy, _ = generate(domain, TRAIN, False, seed=seed + 11, shape=SHAPE)
        detector, _ = fit_with_threshold(lambda: detectors.create("scan"), healthy, RATE)
        reference = learn_reference(detector, healthy)
        for k, kind in enumerate(KINDS):
            # more healthy maps, because their rate is small
            count = 5 * n if kind == "healthy" else n
            maps, truth, gear = _drawn(domain, count, 1000 + seed + 20 * k, kind)
            each = diagnose_maps(maps, detector, reference, rate=RATE)
            found[kind] += [(d, row, gear) for d, (_, row) in zip(each, truth.iterrows(), strict=True)]
    for kind, rows in found.items():
        calls = Counter(d.pattern for d, _, _ in rows)
        out["confusion"][kind] = {name: count / len(rows) for name, count in calls.items()}
    called = 1.0 - out["confusion"]["healthy"].get("nothing", 0.0)
    out["healthy_called"], out["healthy_maps"] = called, len(found["healthy"])
    for kind in ("driving tooth", "driven tooth"):
        named = [(d.lines[0], row, gear) for d, row, gear in found[kind] if d.lines]
        right = [
            (line, float(row["contrast"]))
            for line, row, gear in named
            if line.gear == gear and abs(line.tooth - int(row["tooth"])) <= 1
        ]
        out["lines"][kind] = {
            "named": len(named) / len(found[kind]),
            "tooth_right": len(right) / max(len(named), 1),
            "contrast_mae": float(np.mean([abs(line.contrast - c) for line, c in right])),
            "contrast_bias": float(np.mean([line.contrast - c for line, c in right])),
            "contrast_inside": float(np.mean([line.interval[0] <= c <= line.interval[1] for line, c in right])),
        }
    return out
