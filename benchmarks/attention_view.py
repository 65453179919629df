"""What a trained directional layer attends to, on one damaged map; writes results/attention_view.json.

    python benchmarks/attention_view.py           # some minutes on a CPU
    python benchmarks/pages/attention_weights.py  # docs/images/attention-weights.svg from it

The same that ``toothwise study attention`` looks at, of one map, kept as numbers for the figure of
docs/explain-attention.md. It is an illustration of one seed and no evidence for or against anything.
"""

from __future__ import annotations

import numpy as np
from measuring.command import arguments, save

from toothwise.detectors import create
from toothwise.detectors.dinomaly.attention_view import view_attention
from toothwise.simulate.maps import generate

CONFIG = {
    "domain": "C",
    "healthy": 150,
    "contrast": [1.4, 1.45],
    "detector": "dinomaly_directional",
    "options": {"encoder_name": "toothwise_vit_tiny", "max_steps": 60, "axis": "both", "mix": "learned"},
}


def rounded(values: np.ndarray, digits: int = 4) -> list:
    """Numbers as JSON holds them, no longer than a figure needs."""
    return np.round(np.asarray(values, dtype=float), digits).tolist()


def main() -> None:
    """Train, look, write."""
    args = arguments(__doc__, seed=0)
    healthy, _ = generate(CONFIG["domain"], CONFIG["healthy"], faulty=False, seed=args.seed)
    maps, truth = generate(
        CONFIG["domain"], 20, faulty=True, split="test", contrast=tuple(CONFIG["contrast"]), seed=args.seed + 1
    )
    detector = create(CONFIG["detector"], seed=args.seed, **CONFIG["options"])
    detector.fit(healthy)
    which = int(truth["length"].astype(int).idxmax())  # the longest damage shows best in a figure
    damage = truth.loc[which]
    # two cells of one column: on the damaged tooth, and on a sound one far from it
    column = int(damage["start"]) + int(damage["length"]) // 2
    cells = [(int(damage["tooth"]), column), ((int(damage["tooth"]) + 13) % maps.shape[1], column)]
    views = [view_attention(detector, maps[which : which + 1], cell=cell) for cell in cells]
    result = {
        "map": rounded(maps[which], 3),
        "damage": {name: int(damage[name]) for name in ("tooth", "teeth", "start", "length")},
        "grid": list(views[0].grid),
        "cells": [list(cell) for cell in cells],
        "tokens": [view.tokens[0, 0].tolist() for view in views],
        "layers": [
            {
                "layer": layer.layer,
                "alpha": rounded(np.array(layer.alpha)),
                "entropy": {axis: round(value, 5) for axis, value in layer.entropy.items()},
                "weights": {
                    axis: [rounded(view.layers[k].weights[axis][0, 0], 6) for view in views] for axis in layer.weights
                },
            }
            for k, layer in enumerate(views[0].layers)
        ],
    }
    save(args, result, **CONFIG)


if __name__ == "__main__":
    main()
