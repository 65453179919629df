"""What this machine can do at best: matrix products and memory, as torch reaches them."""

from __future__ import annotations

import time

import torch

from toothwise_lab.results import kind

Peak = dict[str, float]

_SIDE, _COPY = 2048, 1 << 26
_SMALL, _SLOW = 256, 10e9  # some processors compute no bfloat16 and emulate it: a large product would take a minute


def measured_peak(device: str = "cpu", *, repeats: int = 7) -> Peak:
    """Best of some repeats: ``float32`` and ``bfloat16`` (operations per second of a product of 2048 x 2048;
    of 256 x 256 where bfloat16 is emulated), ``bytes`` (per second, read and written, of a copy of 256 MiB).
    """
    found: Peak = {}
    for dtype in (torch.float32, torch.bfloat16):
        side = _SIDE if product_speed(dtype, device) > _SLOW else _SMALL
        found[str(dtype).removeprefix("torch.")] = product_speed(dtype, device, side=side, repeats=repeats)
    source = torch.zeros(_COPY, device=device)
    target = torch.zeros_like(source)
    found["bytes"] = 2 * source.numel() * source.element_size() / _best(lambda: target.copy_(source), device, repeats)
    return {name: round(value) for name, value in found.items()}


def product_speed(dtype: torch.dtype, device: str = "cpu", *, side: int = _SMALL, repeats: int = 3) -> float:
    """Operations per second of a square product."""
    a = torch.randn(side, side, device=device).to(dtype)
    return 2 * side**3 / _best(lambda: a @ a, device, repeats)


def has_bfloat16() -> bool:
    """Whether products in bfloat16 are worth measuring here: they are not emulated."""
    return product_speed(torch.bfloat16) > 0.3 * product_speed(torch.float32)


def result_of(name: str) -> str:
    """The name of a benchmark's result, one for each kind of processor ("amx" has none in its name)."""
    return name if kind() == "amx" else f"{name}_{kind()}"


def _best(work: object, device: str, repeats: int) -> float:
    """Seconds of the fastest repeat: of the processor on a CPU, where others may run besides."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    taken = []
    for _ in range(repeats):
        wait(device)
        begin = clock()
        work()  # type: ignore[operator]
        wait(device)
        taken.append(clock() - begin)
    return min(taken)


def wait(device: str) -> None:
    """Until the device has done what it was given; a CPU has."""
    if device != "cpu":
        torch.cuda.synchronize()
