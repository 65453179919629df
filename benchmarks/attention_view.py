"""What a trained directional layer attends to, on one damaged map: results/attention_view.json and a picture.

    python benchmarks/attention_view.py           # some minutes on a CPU

The same that ``toothwise study attention`` looks at, of one map: docs/images/attention-weights.png, for
docs/explain-attention.md. It is an illustration of one seed and no evidence for or against anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from measuring.command import RESULTS, arguments, save

from toothwise.detectors import create
from toothwise.detectors.dinomaly.attention_view import view_attention
from toothwise.simulate.maps import generate
from toothwise_lab.pictures import draw_map

PICTURE = RESULTS.parents[1] / "docs" / "images" / "attention-weights.png"
DETECTOR, HEALTHY, CONTRAST = "dinomaly_directional", 150, (1.4, 1.45)
OPTIONS: dict[str, Any] = {"image_size": [256, 256], "max_steps": 60, "axis": "both", "mix": "learned"}


def main() -> None:
    """Train, look, draw, write."""
    args = arguments(__doc__, seed=0)
    detector = create(DETECTOR, seed=args.seed, **OPTIONS)
    detector.fit(generate("C", HEALTHY, faulty=False, seed=args.seed)[0])
    maps, truth = generate("C", 20, faulty=True, split="test", contrast=CONTRAST, seed=args.seed + 1)
    which = int(truth["length"].astype(int).idxmax())  # the longest damage shows best in a picture
    view = view_attention(detector, maps[which : which + 1])
    damage = {name: int(truth.loc[which, name]) for name in ("tooth", "teeth", "start", "length")}
    lines = [np.asarray(w) for layer in view.layers for w in layer.weights.values()]
    largest = max(float((w.max(axis=-1) / w.mean(axis=-1)).max()) for w in lines)
    result = view.data | {"damage": damage, "largest_share": largest}
    PICTURE.write_bytes(draw_map(view, maps[which : which + 1], 0))
    save(args, result, domain="C", healthy=HEALTHY, contrast=CONTRAST, detector=DETECTOR, options=OPTIONS)


if __name__ == "__main__":
    main()
