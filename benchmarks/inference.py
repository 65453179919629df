"""Latency and throughput of PyTorch: ours with each encoder against anomalib's Dinomaly ViT-S, in turns.

    python benchmarks/inference.py            # writes results/inference.json
    python benchmarks/inference.py --quick    # batch 1 alone; writes only where --output says so

From a map to its score: ours begin with the map itself (scaling and size are part of the time), anomalib's with an
image that is ready. Weights of the decoder are random: they cost what trained ones do. Engines other than PyTorch (ONNX
Runtime, OpenVINO, int8) are not measured here yet.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring.paired import paired
from training import ENCODER, theirs

from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.embedded import EMBEDDED, image_size_for
from toothwise.detectors.images import ImageMaker
from toothwise.results import write_result
from toothwise.simulate.maps import generate

BASE = "anomalib, ViT-S, float32"
PROMISED = {"speed": 3.0, "one_map": 10.0}


def ways(maps: np.ndarray) -> dict[str, Callable[[], Any]]:
    """What is compared, each on all of ``maps`` in one batch."""
    found: dict[str, Callable[[], Any]] = {}
    options: dict[str, Any] = {"pre_processor": False, "evaluator": False, "visualizer": False}

    def runner(model: torch.nn.Module, given: Callable[[], torch.Tensor], precision: str) -> Callable[[], Any]:
        @torch.inference_mode()
        def run() -> Any:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                return model(given())

        return run

    small = DirectionalDinomaly(ENCODER, directional_layers=(), **options)
    for name, encoder in (("ViT-S", ENCODER), ("own encoder", EMBEDDED)):
        make = ImageMaker(image_size_for(encoder))
        make.fit(maps if len(maps) > 1 else generate("C", 8, False, seed=3)[0])
        if name == "ViT-S":
            ready = make(maps)
            found[BASE] = runner(theirs(small).eval(), lambda ready=ready: ready, "float32")
        for kind, layers in (("plain", ()), ("directional", (0, 1, 2))):
            model = DirectionalDinomaly(encoder, directional_layers=layers, **options).model.eval()
            for precision in ("float32", "bfloat16"):
                found[f"{kind}, {name}, {precision}"] = runner(model, lambda make=make: make(maps), precision)
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rounds = args.rounds or (5 if args.quick else 11)
    maps = generate("C", 32, False, seed=2)[0]
    rows, ratios = [], {}
    for batch in (1,) if args.quick else (1, 32):
        times = paired(ways(maps[:batch]), rounds=rounds if batch == 1 else max(2, rounds // 3), warm_up=1)
        for name, taken in times.items():
            facts = taken.facts(times[BASE])
            rows.append(
                {"batch": batch, "way": name, **facts, "maps_per_second": round(1e3 * batch / facts["cpu_ms"], 2)}
            )
            print(f"batch {batch:>2}, {name:<32} {facts['cpu_ms']:8.1f} ms, {1 / facts['ratio']:5.2f} x", flush=True)
            if name != BASE:
                ratios[f"batch {batch}, {name}"] = facts["ratio"]
    config = {"rounds": rounds, "threads": 1, "quick": args.quick}
    output = args.output or (None if args.quick else Path(__file__).parent / "results" / "inference.json")
    if output:
        print(write_result(output, config, {"promised": PROMISED, "rows": rows, "ratios": ratios}, seed=2))


if __name__ == "__main__":
    main()
