"""What an operation of torch costs, counted and not timed: multiplications, bytes that are moved, peak memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from toothwise_lab.studies.measures import peak_tensors


@dataclass(frozen=True)
class Work:
    """flops: of matrix products, multiplications and additions; moved: bytes that operations read and wrote."""

    flops: int
    moved: int


class _Traffic(TorchDispatchMode):
    """Adds up the tensors that go into operations and come out; a view moves nothing."""

    moved = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view and not func.name().startswith(("aten::empty", "aten::detach", "aten::_unsafe_view")):
            read = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
            written = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
            self.moved += sum(t.numel() * t.element_size() for t in read + written)
        return out


def count(work: Callable[[], Any]) -> Work:
    """Run ``work`` once and count."""
    with FlopCounterMode(display=False) as counter:
        work()
    with _Traffic() as traffic:
        work()
    return Work(int(counter.get_total_flops()), traffic.moved)


def peak_bytes(work: Callable[[], Any]) -> int:
    """The most that tensors took at a time while ``work`` ran, beyond what was there before."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    return peak_tensors(work)
