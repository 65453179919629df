"""Directional attention against anomalib's LinearAttention, forward and backward, in one process and in turns.

    python benchmarks/attention.py            # some minutes; writes results/attention.json
    python benchmarks/attention.py --quick    # a minute; prints, and writes only where --output says so

Beside time and peak memory: counted operations and bytes, and the share of what this machine was measured to do (a
matrix product, a copy). ``--compile`` adds both compiled by torch.compile for ViT-S; where that cannot run, for
want of a C++ compiler, the result says so.

Options:

    --quick: ViT-S alone, 16 x 16 and 64 x 64, few rounds
    --compile: torch.compile beside it, for ViT-S
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from anomalib.models.image.dinomaly.components import LinearAttention
from measuring.command import arguments, save
from measuring.counting import count, peak_bytes
from measuring.machine import Peak, has_bfloat16, measured_peak, result_of, wait
from measuring.paired import paired
from torch import Tensor, nn

from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention

MODELS = ((384, 6), (768, 12))  # width and heads of ViT-S and ViT-B
GRIDS = ((16, 8), (32, 2), (64, 1))  # side, batch
PRECISIONS = ("float32", "bfloat16")
PREFIX = 1  # the class token that the encoders have
BASE = "anomalib"
PROMISED = {"y": 1.1, "x": 1.1, "both": 1.5}


def step(module: nn.Module, tokens: Tensor, grad: Tensor, precision: str, **more: Any) -> None:
    """Forward and backward once, as a training step does it."""
    device = tokens.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        out = module(tokens, **more)
    out = out[0] if isinstance(out, tuple) else out
    out.backward(grad.to(out.dtype))
    module.zero_grad(set_to_none=True)
    tokens.grad = None
    wait(device)


def ways(dim: int, heads: int, side: int, batch: int, precision: str, device: str, compiled: bool) -> dict[str, Any]:
    """What is compared: a step of each attention on the same tokens."""
    n = PREFIX + side * side
    tokens = torch.randn(batch, n, dim, device=device, requires_grad=True)
    grad = torch.randn(batch, n, dim, device=device)
    plain = LinearAttention(dim, num_heads=heads, qkv_bias=True).to(device)
    modules: dict[str, tuple[Any, dict[str, Any]]] = {BASE: (plain, {})}
    for axis in PROMISED:
        ours = DirectionalLinearAttention(dim, heads, axis=axis, qkv_bias=True).to(device)
        modules[axis] = ours, {"grid": (side, side)}
    if compiled:
        modules |= {f"{k}, compiled": (torch.compile(one, dynamic=False), more) for k, (one, more) in modules.items()}
    return {name: partial(step, one, tokens, grad, precision, **more) for name, (one, more) in modules.items()}


def measure(case: dict[str, Any], peak: Peak, *, rounds: int, device: str, compiled: bool) -> dict[str, Any]:
    """One row: every way with its time, memory and work, and the ratios."""
    steps = ways(**case, device=device, compiled=compiled)
    times = paired(steps, rounds=rounds)
    row: dict[str, Any] = {**case, "ways": {}}
    base_memory = peak_bytes(steps[BASE])
    for name, work in steps.items():
        facts = times[name].facts(times[BASE], clock="cpu" if device == "cpu" else "wall")
        memory = base_memory if name == BASE else peak_bytes(work)
        facts |= {"peak_mib": round(memory / 2**20, 2), "memory_ratio": round(memory / base_memory, 4)}
        if "compiled" not in name:
            done = count(work)
            seconds = facts["cpu_ms" if device == "cpu" else "wall_ms"] / 1e3
            facts |= {
                "gigaflop": round(done.flops / 1e9, 3),
                "megabytes_moved": round(done.moved / 1e6, 1),
                "share_of_product_peak": round(done.flops / seconds / peak[case["precision"]], 3),
                "share_of_memory_peak": round(done.moved / seconds / peak["bytes"], 3),
            }
        row["ways"][name] = facts
    return row


def why_not_compiled() -> str | None:
    """What keeps torch.compile from running here; None = nothing."""
    try:
        torch.compile(lambda x: x.sin() + x.cos())(torch.ones(8))
    except Exception as error:  # the compiler's errors have no common base
        return " ".join(str(error).split())[:160]
    return None


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Every ratio under a name of its own, for the guard against regressions."""
    return {
        f"{r['heads']} heads, {r['side']} x {r['side']}, {r['precision']}, {axis}": r["ways"][axis]["ratio"]
        for r in rows
        for axis in PROMISED
    }


def main() -> None:
    """Measure and write."""
    args = arguments(__doc__, quick=False, rounds=int, device=("cpu", "cuda"), threads=1, compile=False)
    rounds = args.rounds or (7 if args.quick else 25)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    peak = measured_peak(args.device)
    print({name: f"{value / 1e9:.0f} G/s" for name, value in peak.items()})
    rows = []
    reason = why_not_compiled() if args.compile else None
    for dim, heads in MODELS[: 1 if args.quick else None]:
        for side, batch in GRIDS[:: 2 if args.quick else 1]:
            for precision in PRECISIONS if args.device != "cpu" or has_bfloat16() else PRECISIONS[:1]:
                case = {"dim": dim, "heads": heads, "side": side, "batch": batch, "precision": precision}
                compiled = args.compile and reason is None and dim == MODELS[0][0]
                row = measure(case, peak, rounds=rounds, device=args.device, compiled=compiled)
                rows.append(row)
                told = (f"{k} {v['ratio']:.2f} (memory {v['memory_ratio']:.2f})" for k, v in row["ways"].items())
                print(f"{heads:>2} heads, {side} x {side}, {precision:<8}: {', '.join(told)}", flush=True)
    result = {"peak": peak, "promised": PROMISED, "rows": rows, "ratios": ratios(rows)}
    if reason is not None:
        result["not_compiled"] = reason
    name = "attention" if args.device == "cpu" else f"attention_{args.device}"
    save(args, result, name=result_of(name), rounds=rounds, prefix=PREFIX)


if __name__ == "__main__":
    main()
