"""Distil the package's own small encoder from a DINOv2-class ViT-S, on simulated maps.

    python benchmarks/distil.py --work runs/distil                          # 8,000 maps, 6,000 steps: a night
    python benchmarks/distil.py --work runs/distil --maps 2500 --steps 900  # the reduced version: an hour
    python benchmarks/distil.py --work runs/distil --quick                  # a few steps; no result

Teacher: timm's vit_small_patch14_dinov2 from TOOTHWISE_WEIGHTS, at 224 x 224. Student: toothwise_vit_tiny at 256 x 256,
the same 16 x 16 tokens, started from the first eight blocks of timm's vit_tiny_patch16_224 (from TOOTHWISE_WEIGHTS
too). It learns to give, through one linear map that is thrown away, the mean tokens of the teacher's early and of its
late blocks, each token standardised: cosine distance, averaged over tokens. Maps: all four domains in turn, realistic
mode, half of them with lines of 1.05 to 1.6, of either gear.

The teacher's tokens are computed once and kept in --work (fp16); steps are saved every 100, so that a run that was
killed goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from toothwise.detectors.embedded import EMBEDDED, SIZE, make_embedded
from toothwise.detectors.encoder import FrozenEncoder, average, find_weights, hash_state, read_weights
from toothwise.detectors.features import VitFeatures
from toothwise.detectors.images import ImageMaker
from toothwise.files import atomic_file
from toothwise.results import write_result
from toothwise.simulate.maps import generate

HERE = Path(__file__).parent
TEACHER, START = "vit_small_patch14_dinov2", "vit_tiny_patch16_224"
CHUNK = 50  # maps of one domain at a time
SAVE_EVERY = 100


def draw(index: int) -> tuple[np.ndarray, str]:
    """The index-th chunk of maps, and its domain."""
    domain = "ABCD"[index % 4]
    common: dict[str, Any] = {"mode": "realistic", "split": "test", "diagonals": 0.1}
    seed = 500_000 + 2 * index
    healthy = generate(domain, CHUNK // 2, False, session=("healthy", "fault")[index // 4 % 2], seed=seed, **common)[0]
    faulty = generate(domain, CHUNK - CHUNK // 2, True, contrast=(1.05, 1.6), gear="both", seed=seed + 1, **common)[0]
    return np.concatenate([healthy, faulty]), domain


def makers(size: tuple[int, int]) -> dict[str, ImageMaker]:
    """How maps of each domain become images of that size, by 300 healthy training maps."""
    found = {}
    for domain in "ABCD":
        found[domain] = ImageMaker(size)
        found[domain].fit(generate(domain, 300, False, seed=499_999)[0])
    return found


def teach(work: Path, maps: int) -> np.ndarray:
    """The teacher's tokens of the first maps, float16 ``[maps, 2, 256, 384]``; only missing ones are computed."""
    path, done_path = work / "teacher.npy", work / "teacher.json"
    shape = (maps, 2, 256, 384)
    done = json.loads(done_path.read_text())["chunks"] if done_path.exists() else 0
    if path.exists() and np.load(path, mmap_mode="r").shape != shape:
        raise SystemExit(f"{path} is of another number of maps: choose another --work")
    tokens = np.lib.format.open_memmap(path, mode="r+" if path.exists() else "w+", dtype=np.float16, shape=shape)
    teacher, images = VitFeatures(TEACHER), makers((224, 224))
    for chunk in range(done, maps // CHUNK):
        values, domain = draw(chunk)
        start = time.perf_counter()
        with torch.inference_mode():
            for at in range(0, CHUNK, 10):
                found = teacher(images[domain](values[at : at + 10]))
                for k, name in enumerate(teacher.layers):
                    part = slice(chunk * CHUNK + at, chunk * CHUNK + at + len(found[name]))
                    tokens[part, k] = found[name].flatten(2).transpose(1, 2).half().numpy()
        tokens.flush()
        with atomic_file(done_path) as temporary:
            temporary.write_text(json.dumps({"chunks": chunk + 1}))
        print(f"teacher: {(chunk + 1) * CHUNK} maps, {time.perf_counter() - start:.0f} s", flush=True)
    return tokens


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
        path = find_weights(START, None)
        if path is None:
            raise SystemExit(f"set TOOTHWISE_WEIGHTS to a folder with {START}: the student starts from it")
        from timm.layers import resample_abs_pos_embed

        given, own = read_weights(path), self.vit.state_dict()
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


def train(work: Path, tokens: np.ndarray, args: argparse.Namespace) -> tuple[Student, list[float]]:
    """The trained student and the loss of each step."""
    student, images = Student(args.seed), makers(SIZE)
    optimizer = torch.optim.AdamW(student.parameters(), lr=args.rate, weight_decay=0.05)

    def rate(step: int) -> float:
        warm = max(1, args.steps // 20)
        return min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / args.steps)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    path, losses, first = work / "student.pt", [], 0
    if path.exists():
        held = torch.load(path, weights_only=True)
        student.load_state_dict(held["student"])
        optimizer.load_state_dict(held["optimizer"])
        schedule.load_state_dict(held["schedule"])
        losses, first = held["losses"], len(held["losses"])
    for step in range(first, args.steps):
        rng = np.random.default_rng([args.seed, step])
        chunk = int(rng.integers(len(tokens) // CHUNK))
        values, domain = draw(chunk)
        pick = np.sort(rng.choice(CHUNK, args.batch, replace=False))
        wanted = torch.from_numpy(tokens[chunk * CHUNK + pick].astype(np.float32))
        found = student(images[domain](values[pick]))
        loss = torch.stack(
            [1 - functional.cosine_similarity(f, wanted[:, k], dim=-1).mean() for k, f in enumerate(found)]
        ).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == args.steps:
            held = {"student": student.state_dict(), "optimizer": optimizer.state_dict()}
            with atomic_file(path) as temporary:
                torch.save({**held, "schedule": schedule.state_dict(), "losses": losses}, temporary)
            print(f"step {step + 1}: loss {np.mean(losses[-SAVE_EVERY:]):.4f}", flush=True)
    return student, losses


def main() -> None:
    """Teach, train, write the weights and the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--maps", type=int, default=8000)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.maps, args.steps, args.batch = 100, 4, 5
    args.maps -= args.maps % CHUNK
    args.work.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    tokens = teach(args.work, args.maps)
    taught = time.perf_counter()
    student, losses = train(args.work, tokens, args)
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
        "loss": [round(float(np.mean(losses[k : k + SAVE_EVERY])), 5) for k in range(0, len(losses), SAVE_EVERY)],
        "parameters": sum(p.numel() for p in student.vit.parameters()),
        "bytes": path.stat().st_size,
        "weights_sha256": hash_state(student.vit.half().float()),
        "teacher_seconds": round(taught - start),
        "training_seconds": round(time.perf_counter() - taught),
    }
    config = {k: v for k, v in vars(args).items() if k not in ("work", "quick")}
    config |= {"teacher": TEACHER, "start": START, "size": SIZE}
    print(write_result(HERE / "results" / "distil.json", config, result, seed=args.seed), path)


if __name__ == "__main__":
    main()
