"""Distil the package's own small encoder from a DINOv2-class ViT-S, on simulated maps.

    python benchmarks/distil.py --work runs/distil                              # 12,000 images, 12,000 steps: a night
    python benchmarks/distil.py --work runs/distil --images 3000 --steps 1500   # the reduced version: an hour
    python benchmarks/distil.py --work runs/distil --quick                      # a few steps; no result

Teacher: timm's vit_small_patch14_dinov2 from TOOTHWISE_WEIGHTS, at 224 x 224. Student: toothwise_vit_tiny at 256 x 256,
the same 16 x 16 tokens, started from the first eight blocks of timm's vit_tiny_patch16_224 (from TOOTHWISE_WEIGHTS
too). It learns to give, through one linear map that is thrown away, the mean tokens of the teacher's early and of its
late blocks, each token standardised: cosine distance, averaged over tokens.

Four of five images are maps: all four domains in turn, realistic mode, half of them with lines of 1.05 to 1.6, of
either gear. The fifth is of "dead leaves", opaque shapes of all sizes over each other (Lee, Mumford and Huang 2001),
so that the student does not forget edges and surfaces that no map has.

Images and the teacher's tokens are computed once and kept in --work (fp16). A GPU is used where there is one.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring.command import arguments, save
from numpy.lib.format import open_memmap
from torch import Tensor, nn
from torch.nn import functional

from toothwise.detectors.embedded import EMBEDDED, SIZE, make_embedded
from toothwise.detectors.encoder import FrozenEncoder, average, find_weights, hash_state, read_weights
from toothwise.detectors.features import VitFeatures
from toothwise.detectors.image_scoring import pick_device
from toothwise.detectors.images import ImageMaker
from toothwise.files import atomic_file
from toothwise.simulate.maps import generate

HERE = Path(__file__).parent
TEACHER, START = "vit_small_patch14_dinov2", "vit_tiny_patch16_224"
TEACHER_SIZE = (224, 224)
CHUNK = 50  # images of one kind at a time
LEAVES_EVERY = 5  # every 5th chunk is of dead leaves
MEAN_OF = 100  # steps whose mean loss is told


def draw_maps(index: int) -> np.ndarray:
    """The maps of a chunk, half of them healthy."""
    common: dict[str, Any] = {"domain": "ABCD"[index % 4], "mode": "realistic", "split": "test", "diagonals": 0.1}
    seed, half = 500_000 + 2 * index, CHUNK // 2
    healthy = generate(n=half, faulty=False, session=("healthy", "fault")[index // 4 % 2], seed=seed, **common)[0]
    faulty = generate(n=half, faulty=True, contrast=(1.05, 1.6), gear="both", seed=seed + 1, **common)[0]
    return np.concatenate([healthy, faulty])


def draw_leaves(index: int) -> Tensor:
    """Dead leaves ``[CHUNK, 3, h, w]``: discs and boxes with radii of density r^-3, the last ones on top; half grey."""
    rng = np.random.default_rng([7, index])
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    images = np.empty((CHUNK, 3, *SIZE), dtype=np.float32)
    for k, image in enumerate(images):
        count = 300
        radius = 5.0 / np.sqrt(1.0 - rng.random(count) * (1.0 - (5.0 / 100.0) ** 2))
        centre, turn = rng.uniform(0, SIZE, (count, 2)), rng.uniform(0, np.pi, count)
        wide, boxes = rng.uniform(0.3, 1.0, count), rng.random(count) < 0.5
        colour = rng.normal(0.0, 1.0, (count, 3)) if k % 2 else np.repeat(rng.normal(0.0, 1.0, (count, 1)), 3, axis=1)
        image[:] = colour[0, :, None, None]
        for i in range(count):
            top, left = np.maximum(centre[i] - radius[i], 0).astype(int)
            part = np.s_[top : int(centre[i, 0] + radius[i]) + 1, left : int(centre[i, 1] + radius[i]) + 1]
            down, right = y[part] - centre[i, 0], x[part] - centre[i, 1]
            u = (right * np.cos(turn[i]) + down * np.sin(turn[i])) / radius[i]
            v = (down * np.cos(turn[i]) - right * np.sin(turn[i])) / (radius[i] * wide[i])
            inside = np.maximum(abs(u), abs(v)) < np.sqrt(0.5) if boxes[i] else u**2 + v**2 < 1
            image[:, *part] = np.where(inside, colour[i, :, None, None], image[:, *part])
        image += rng.normal(0.0, 0.05, image.shape)
    return torch.from_numpy(images)


def makers(size: tuple[int, int]) -> dict[str, ImageMaker]:
    """How maps of each domain become images of that size, by 300 healthy training maps."""
    found = {}
    for domain in "ABCD":
        found[domain] = ImageMaker(size)
        found[domain].fit(generate(domain, 300, False, seed=499_999)[0])
    return found


def lesson(work: Path, count: int, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Images for the student, and the teacher's tokens of them, made once and kept on disk.

    Returns:
        float16 ``[n, 3, 256, 256]`` and float16 ``[n, 2, 256, 384]``.
    """
    place = work / f"lesson_{count}"
    names = ("images.npy", "tokens.npy")
    if not place.exists():
        started = work / "started"
        started.mkdir(parents=True, exist_ok=True)
        shapes = ((count, 3, *SIZE), (count, 2, 256, 384))
        teach(*(open_memmap(started / n, "w+", np.float16, s) for n, s in zip(names, shapes, strict=True)), device)
        started.rename(place)
    images, tokens = (np.load(place / name, mmap_mode="r") for name in names)
    return images, tokens


def teach(images: np.ndarray, tokens: np.ndarray, device: torch.device) -> None:
    """Draw the images and compute the teacher's tokens of them."""
    teacher = VitFeatures(TEACHER).to(device)
    small, large = makers(TEACHER_SIZE), makers(SIZE)
    for chunk in range(len(images) // CHUNK):
        if chunk % LEAVES_EVERY == LEAVES_EVERY - 1:
            own = draw_leaves(chunk)
            shown = functional.interpolate(own, size=TEACHER_SIZE, mode="bilinear", antialias=True)
        else:
            maps, domain = draw_maps(chunk), "ABCD"[chunk % 4]
            own, shown = large[domain](maps), small[domain](maps)
        part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        images[part] = own.half().numpy()
        with torch.inference_mode():
            found = [teacher(piece.to(device)) for piece in shown.split(10)]
        for k, name in enumerate(teacher.layers):
            of_layer = torch.cat([f[name] for f in found]).flatten(2).transpose(1, 2)
            tokens[part, k] = of_layer.half().cpu().numpy()
        print(f"teacher: {(chunk + 1) * CHUNK} images", flush=True)


class Student(nn.Module):
    """The small encoder with a linear map to the teacher's dimension for each group of blocks."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.vit = make_embedded()
        self._start()
        frozen = FrozenEncoder(EMBEDDED, weights="random")  # tells which blocks a detector will read
        self.layers, half = frozen.target_layers, len(frozen.target_layers) // 2
        self.groups = (range(half), range(half, 2 * half))
        self.heads = nn.ModuleList([nn.Linear(192, 384) for _ in self.groups])

    def _start(self) -> None:
        from timm.layers import resample_abs_pos_embed

        given, own = read_weights(find_weights(START, None)), self.vit.state_dict()
        given["pos_embed"] = resample_abs_pos_embed(given["pos_embed"].float(), [SIZE[0] // 16, SIZE[1] // 16])
        self.vit.load_state_dict({k: given[k].float() if k in given else v for k, v in own.items()})

    def forward(self, images: Tensor) -> list[Tensor]:
        """Predicted tokens ``[b, 256, 384]`` of each group."""
        layers = sorted(set(self.layers))
        found = self.vit.forward_intermediates(
            images, indices=layers, norm=False, stop_early=True, output_fmt="NLC", intermediates_only=True
        )
        tokens = dict(zip(layers, found, strict=True))
        return [
            head(functional.layer_norm(average([tokens[self.layers[i]] for i in group]), (192,)))
            for head, group in zip(self.heads, self.groups, strict=True)
        ]


def train(
    images: np.ndarray, tokens: np.ndarray, args: argparse.Namespace, device: torch.device
) -> tuple[Student, list[float]]:
    """The trained student and the loss of each step."""
    student = Student(args.seed).to(device)
    optimizer = torch.optim.AdamW(student.parameters(), lr=args.rate, weight_decay=0.05)

    def rate(step: int) -> float:
        warm = max(1, args.steps // 20)
        return min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / args.steps)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    losses = []
    for step in range(args.steps):
        rng = np.random.default_rng([args.seed, step])
        pick = np.sort(rng.choice(len(images), args.batch, replace=False))
        shown = torch.from_numpy(images[pick].astype(np.float32)).to(device)
        wanted = torch.from_numpy(tokens[pick].astype(np.float32)).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            found = student(shown)
        loss = torch.stack(
            [1 - functional.cosine_similarity(f.float(), wanted[:, k], dim=-1).mean() for k, f in enumerate(found)]
        ).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if (step + 1) % MEAN_OF == 0:
            print(f"step {step + 1}: loss {np.mean(losses[-MEAN_OF:]):.4f}", flush=True)
    return student.cpu(), losses


def main() -> None:
    """Teach, train, write the weights and the result."""
    args = arguments(__doc__, work=..., images=12_000, steps=12_000, batch=25, rate=5e-4, seed=0, quick=False)
    if args.quick:
        args.images, args.steps, args.batch = 250, 4, 5
    args.images -= args.images % CHUNK
    start = time.perf_counter()
    device = pick_device("auto")
    images, tokens = lesson(args.work, args.images, device)
    taught = time.perf_counter()
    student, losses = train(images, tokens, args, device)
    print(f"loss {np.mean(losses[:50]):.4f} -> {np.mean(losses[-50:]):.4f}")
    if args.quick:
        return
    from safetensors.torch import save_file

    folder = HERE.parent / "src" / "toothwise" / "detectors" / "weights"
    folder.mkdir(exist_ok=True)
    path = folder / f"{EMBEDDED}_fp16.safetensors"
    state = {k: v.detach().half().contiguous() for k, v in student.vit.state_dict().items()}
    with atomic_file(path) as temporary:
        save_file(state, temporary)
    result = {
        "loss": [round(float(np.mean(losses[k : k + MEAN_OF])), 5) for k in range(0, len(losses), MEAN_OF)],
        "parameters": sum(p.numel() for p in student.vit.parameters()),
        "bytes": path.stat().st_size,
        "weights_sha256": hash_state(student.vit.half().float()),
        "teacher_seconds": round(taught - start),
        "training_seconds": round(time.perf_counter() - taught),
    }
    config = {"teacher": TEACHER, "start": START, "size": SIZE, "leaves_every": LEAVES_EVERY, "device": device.type}
    save(args, result, **config)


if __name__ == "__main__":
    main()
