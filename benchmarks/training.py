"""Training steps against anomalib's Dinomaly: same images, same batch, same encoder, in one process and in turns.

    python benchmarks/training.py            # writes results/training.json
    python benchmarks/training.py --quick    # few steps of smaller images; writes only where --output says so

A step is forward, backward, clip and optimiser, as in the second epoch: where there is a cache, it holds every image.
Each gain on its own: the encoder stopped at its last used block and the faster attention ("graph"), the cache,
bfloat16.

Options:

    --quick: 112 x 112, few rounds
    --size: side of the images, a multiple of 14 [224]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import anomalib.models.image.dinomaly.torch_model as upstream
import torch
from anomalib.models.image.dinomaly.components import StableAdamW, WarmCosineScheduler
from measuring.command import arguments, save
from measuring.counting import count, peak_bytes
from measuring.machine import Peak, has_bfloat16, measured_peak, result_of, wait
from measuring.paired import paired
from torch import Tensor, nn

from toothwise.detectors.dinomaly.lightning_model import DirectionalDinomaly
from toothwise.detectors.encodings import EncodingFiles
from toothwise.detectors.images import ImageMaker
from toothwise.simulate.maps import generate
from toothwise_lab.results import kind

ENCODER = "vit_small_patch14_dinov2"
BASE = "anomalib, float32"
WAYS: dict[str, dict[str, Any]] = {
    "anomalib, bfloat16": {"anomalib": True, "precision": "bfloat16"},
    "graph": {},
    "graph, cache": {"cache": True},
    "graph, bfloat16": {"precision": "bfloat16"},
    "graph, cache, bfloat16": {"cache": True, "precision": "bfloat16"},
    "directional, cache": {"cache": True, "layers": (0, 1, 2)},
    "directional, cache, bfloat16": {"cache": True, "precision": "bfloat16", "layers": (0, 1, 2)},
}
PROMISED = {"speed": 2.0} if kind() == "amx" else {"speed": 1.46}  # elsewhere in float32, with the cache


def theirs(ours: DirectionalDinomaly) -> nn.Module:
    """anomalib's Dinomaly with the weights of ours, without a download."""
    extractor = upstream.TimmFeatureExtractor
    with mock.patch.object(upstream, "TimmFeatureExtractor", lambda **o: extractor(**{**o, "pre_trained": False})):
        model = upstream.DinomalyModel(encoder_name=ENCODER)
    model.encoder.feature_extractor.load_state_dict(ours.model.encoder.vit.state_dict(), strict=False)
    for part in ("bottleneck", "decoder"):
        getattr(model, part).load_state_dict(getattr(ours.model, part).state_dict())
    model.encoder.requires_grad_(False)
    return model


class Trainer:
    """A model and its optimiser; ``step`` trains on one batch."""

    def __init__(self, model: nn.Module, precision: str, device: str, steps: int) -> None:
        self.model, self.precision, self.device = model.to(device).train(), precision, device
        self.parameters = list(nn.ModuleList([model.bottleneck, model.decoder]).parameters())
        self.optimizer = StableAdamW(self.parameters, lr=2e-3, weight_decay=1e-4, amsgrad=True, eps=1e-6)
        self.schedule = WarmCosineScheduler(
            self.optimizer, base_value=2e-3, final_value=2e-4, total_iters=steps, warmup_iters=min(100, steps // 10)
        )
        self.done = 0

    def step(self, images: Tensor) -> float:
        """The loss of this step."""
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            loss = self.model(images.to(self.device), global_step=self.done)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 0.1)
        self.optimizer.step()
        self.schedule.step()
        self.done += 1
        wait(self.device)
        return float(loss.detach())


def trainer(way: dict[str, Any], folder: Path, device: str, steps: int) -> Trainer:
    """The trainer of one way, from the same start."""
    ours = DirectionalDinomaly(
        ENCODER,
        directional_layers=way.get("layers", ()),
        mining_steps=max(1, steps // 5),
        pre_processor=False,
        evaluator=False,
        visualizer=False,
    )
    model: Any = theirs(ours) if way.get("anomalib") else ours.model
    if way.get("anomalib"):
        model.loss_fn.p_schedule_steps = max(1, steps // 5)
    elif way.get("cache"):
        model.cache = EncodingFiles(folder)
    return Trainer(model, way.get("precision", "float32"), device, steps)


def speeds(images: Tensor, batch: int, rounds: int, device: str, folder: Path, peak: Peak) -> dict[str, dict[str, Any]]:
    """Time and memory of a step of every way, its operations and their share of what the machine can do."""
    ways = {n: w for n, w in WAYS.items() if "precision" not in w or device != "cpu" or has_bfloat16()}
    trainers = {n: trainer(w, folder, device, 1000) for n, w in {BASE: {"anomalib": True}, **ways}.items()}
    steps: dict[str, Callable[[], float]] = {n: partial(t.step, images[:batch]) for n, t in trainers.items()}
    times = paired(steps, rounds=rounds, warm_up=1)
    clock, found = ("cpu" if device == "cpu" else "wall"), {}
    memory = {name: peak_bytes(step) for name, step in steps.items()}
    for name, taken in times.items():
        facts = taken.facts(times[BASE], clock=clock)
        flops, precision = count(steps[name]).flops, trainers[name].precision
        found[name] = facts | {
            "images_per_second": round(batch / facts[f"{clock}_ms"] * 1e3, 3),
            "gigaflop": round(flops / 1e9, 2),
            "share_of_product_peak": round(flops / facts[f"{clock}_ms"] * 1e3 / peak[precision], 3),
            "speed_over_anomalib": round(1 / facts["ratio"], 3),
            "peak_mib": round(memory[name] / 2**20, 1),
            "memory_ratio": round(memory[name] / memory[BASE], 4),
        }
    return found


def gains(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """How many times faster each thing makes a step, on its own and together; bfloat16 where there is any."""
    speed = {name: row["speed_over_anomalib"] for name, row in found.items()}
    both = "graph, cache, bfloat16"
    gained = {
        "graph": speed["graph"],
        "cache": round(speed["graph, cache"] / speed["graph"], 3),
        "total in float32": speed["graph, cache"],
        "total in float32, directional": speed["directional, cache"],
    }
    if both not in speed:
        return gained
    return gained | {
        "bfloat16": round(speed["graph, bfloat16"] / speed["graph"], 3),
        "bfloat16, with the cache": round(speed[both] / speed["graph, cache"], 3),
        "total in bfloat16 against anomalib in bfloat16": round(speed[both] / speed["anomalib, bfloat16"], 3),
        "total": speed[both],
        "total, directional": speed["directional, cache, bfloat16"],
    }


def main() -> None:
    """Measure and write."""
    args = arguments(__doc__, quick=False, rounds=int, size=int, batch=8, device=("cpu", "cuda"), threads=1)
    size, rounds = args.size or (112 if args.quick else 224), args.rounds or (5 if args.quick else 9)
    torch.set_num_threads(args.threads)
    train = generate("C", 64, False, seed=1)[0]
    make = ImageMaker((size, size))
    make.fit(train)
    with tempfile.TemporaryDirectory() as folder:
        peak = measured_peak(args.device)
        found = speeds(make(train), args.batch, rounds, args.device, Path(folder), peak)
    for name, row in found.items():
        print(
            f"{name:<30} {row['images_per_second']:6.2f} images/s, {row['speed_over_anomalib']:.2f} x, "
            f"memory {row['memory_ratio']:.2f}",
            flush=True,
        )
    result: dict[str, Any] = {"promised": PROMISED, "peak": peak, "ways": found, "gains": gains(found)}
    result["ratios"] = {f"{size} x {size}, {name}": row["ratio"] for name, row in found.items() if name != BASE}
    print(result["gains"])
    name = "training" if args.device == "cpu" else f"training_{args.device}"
    save(args, result, name=result_of(name), encoder=ENCODER, size=size, rounds=rounds)


if __name__ == "__main__":
    main()
