"""What the process of a trial does: run it, measure time and memory, and tell a failure in words."""

from __future__ import annotations

import contextlib
import os
import platform
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toothwise.detectors.curves import recorded_curves
from toothwise.detectors.encoder_cache import EncoderCache, shared_encodings
from toothwise.files import finite
from toothwise.results import versions
from toothwise_lab.results import machine
from toothwise_lab.studies import measures
from toothwise_lab.studies.attention import attention_data, attention_metrics, look
from toothwise_lab.studies.cell import Measured
from toothwise_lab.studies.config import Resources
from toothwise_lab.studies.fitted import reused_fits
from toothwise_lab.studies.revision import code_revision
from toothwise_lab.studies.trial import Trial, measure

_POINTS = 200  # of a curve
_cache: list[EncoderCache] = []  # of this process, where trials share encodings


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came back.

    Attributes:
        facts: status ("done" or "failed"), reason, metrics, info, times, memory, revision, machine, versions.
        scores, curves, examples: see ``Measured``.
        pictures: PNG by file name.
    """

    facts: dict[str, Any]
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)


def thinned(curves: dict[str, list[tuple[int, float]]], points: int = _POINTS) -> dict[str, list[tuple[int, float]]]:
    """Curves with about this many points at most, evenly chosen, the last one among them."""
    return {name: values[::-1][:: max(1, -(-len(values) // points))][::-1] for name, values in curves.items()}


def run_trial(trial: Trial, resources: Resources) -> Outcome:
    """Run a trial; whatever it raises becomes its reason.

    Args:
        trial: what is run.
        resources: what it takes.
    """
    measures.start_peak()
    measures.peak_gpu_memory(anew=True)
    begin = time.perf_counter()
    facts: dict[str, Any] = {"status": "done", "reason": None, "metrics": {}, "info": {}}
    scores, examples, curves, pictures = {}, {}, {}, {}
    try:
        limited, reused = _memory_limit(resources.memory_mib), reused_fits(resources.reuse_fits)
        with limited, reused, _encodings(resources), recorded_curves() as recorded:
            found = measure(trial.settings)
        row = found.row | {"peak_gpu_memory_mib": measures.peak_gpu_memory()}
        facts |= {"metrics": finite(row), "info": finite(found.info)}
        scores, curves = found.scores, thinned(recorded)
        if resources.pictures:
            examples = {name: np.asarray(array) for name, array in found.examples.items()}
            pictures = _pictures(found, examples, facts)
    except Exception as error:
        facts |= {"status": "failed", "reason": reason_of(error), "traceback": traceback.format_exc()}
    facts |= {
        "seconds": time.perf_counter() - begin,
        "peak_memory_mib": max(measures.peak_memory(), facts["metrics"].get("peak_memory_mib") or 0.0),
        "revision": code_revision(),
        "machine": {**machine(), "system": platform.system(), "gpu": _gpu()},
        "versions": versions(),
    }
    return Outcome(facts, scores, curves, examples, pictures)


def _pictures(found: Measured, examples: dict[str, np.ndarray], facts: dict[str, Any]) -> dict[str, bytes]:
    """Pictures of a trial; what its layers attend to goes into the facts too, where it has directional ones."""
    view = look(found.detector, examples.get("maps"))
    if view is not None and found.detector is not None:
        facts["metrics"] |= finite(attention_metrics(view))
        facts["info"]["attention"] = finite(attention_data(found.detector, view))
    if not examples:
        return {}
    from toothwise_lab.pictures import draw_trial

    return draw_trial(examples, view)


def reason_of(error: BaseException) -> str:
    """An error on one line; running out of memory is named as such."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    low = text.lower()
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "can't allocate memory" in low:
        return f"out of memory: {text or name}"
    return f"{name}: {text}" if text else name


@contextlib.contextmanager
def _memory_limit(mib: float | None) -> Iterator[None]:
    """Let this process take so much more memory than it has, and then raise MemoryError (Linux)."""
    held = None if mib is None else _data_bytes()
    if mib is None or held is None:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + int(mib * 2**20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _data_bytes() -> int | None:
    """Size of this process's data, which RLIMIT_DATA limits."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123
            return int(stream.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None


@contextlib.contextmanager
def _encodings(resources: Resources) -> Iterator[None]:
    if not resources.share_encodings_mib:
        yield
        return
    if not _cache:
        _cache.append(EncoderCache(resources.share_encodings_mib * 2**20))
    with shared_encodings(cache=_cache[0]):
        yield


def _gpu() -> str | None:
    import sys

    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
