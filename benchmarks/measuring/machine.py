"""What this machine can do at best: matrix products and memory, as torch reaches them."""

from __future__ import annotations

import time

import torch

__all__ = ["Peak", "measured_peak"]

Peak = dict[str, float]

_SIDE, _COPY = 2048, 1 << 26


def measured_peak(device: str = "cpu", *, repeats: int = 7) -> Peak:
    """Best of some repeats: ``float32`` and ``bfloat16`` (operations per second of a 2048 x 2048 product), ``bytes``
    (per second, read and written, of a copy of 256 MiB).
    """
    found: Peak = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.randn(_SIDE, _SIDE, device=device).to(dtype)
        found[str(dtype).removeprefix("torch.")] = 2 * _SIDE**3 / _best(lambda a=a: a @ a, device, repeats)
    source = torch.zeros(_COPY, device=device)
    target = torch.zeros_like(source)
    found["bytes"] = 2 * source.numel() * source.element_size() / _best(lambda: target.copy_(source), device, repeats)
    return {name: round(value) for name, value in found.items()}


def _best(work: object, device: str, repeats: int) -> float:
    """Seconds of the fastest repeat: of the processor on a CPU, where others may run besides."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    taken = []
    for _ in range(repeats):
        _wait(device)
        begin = clock()
        work()  # type: ignore[operator]
        _wait(device)
        taken.append(clock() - begin)
    return min(taken)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()
