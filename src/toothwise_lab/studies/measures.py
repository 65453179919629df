"""What is measured of a fitted detector: false alarms, tooth, severity, pixels, pooled maps, time and memory."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise.detectors.base import Detector, Prediction
from toothwise.detectors.encoder_cache import unshared_encodings
from toothwise.detectors.pooling import pool_lines, segment_scan
from toothwise.evaluation import auroc
from toothwise_lab.bootstrap import bootstrap_interval
from toothwise_lab.named_teeth import name_teeth
from toothwise_lab.pixels import aupro, pixel_auroc
from toothwise_lab.severity import kendall, spearman

_PIXEL_MAPS = 100  # faulty maps on which pixel metrics are taken: they are slow
_SINGLE = 30  # maps scored one by one for the latency
_SLOW = 0.02  # seconds per map above which the batch is timed on those maps only
_LINE_DETECTORS = ("scan", "scan_learned", "limit", "glr", "line_network")


def area(negative: np.ndarray, positive: np.ndarray) -> float | None:
    """AUROC of two groups of scores; None where one is empty."""
    if not len(negative) or not len(positive):
        return None
    return auroc(np.concatenate([negative, positive]), np.repeat([0, 1], [len(negative), len(positive)]))


def auroc_interval(healthy: np.ndarray, faulty: np.ndarray) -> dict[str, float]:
    """Where the AUROC may lie, by the bootstrap over maps."""
    scores, labels = np.concatenate([healthy, faulty]), np.repeat([0, 1], [len(healthy), len(faulty)])
    interval = bootstrap_interval(auroc, scores, labels, resamples=500, seed=0)
    return {"auroc_low": interval.low, "auroc_high": interval.high}


def by_condition(healthy: np.ndarray, faulty: np.ndarray, condition: np.ndarray) -> dict[str, float | None]:
    """AUROC within and across the thermal states."""
    cold, warm = condition == "cold", condition == "warm"
    return {
        "auroc_cold": area(healthy[cold], faulty[cold]),
        "auroc_warm": area(healthy[warm], faulty[warm]),
        "auroc_cold_fault_warm_healthy": area(healthy[warm], faulty[cold]),
        "auroc_warm_fault_cold_healthy": area(healthy[cold], faulty[warm]),
    }


def alarms(threshold: float, healthy: np.ndarray, other: np.ndarray, condition: np.ndarray) -> dict[str, float | None]:
    """Actual false alarm rates of a threshold set for 1 % on the training pool."""
    alarm, calm = healthy > threshold, other > threshold

    def share(of: np.ndarray) -> float | None:
        return float(np.mean(of)) if len(of) else None

    return {
        "false_alarms_cold": share(calm[condition == "cold"]),
        "false_alarms_warm": share(calm[condition == "warm"]),
        "false_alarms_session": share(alarm),
    }


def tooth(found: Prediction, truth: pd.DataFrame, shape: tuple[int, ...]) -> dict[str, Any]:
    """Share of faulty maps whose gear, and whose gear and tooth (+-1), are named rightly.

    Args:
        found: of maps on any grid.
        truth: gear, tooth and teeth of each map.
        shape: rows and columns that the truth counts in.
    """
    if found.row_evidence is None and found.column_evidence is None:
        return {"gear_accuracy": None, "tooth_accuracy": None}
    named = name_teeth(found)
    gear, number, teeth = (truth[c].to_numpy() for c in ("gear", "tooth", "teeth"))
    size = np.where(gear == "driving", shape[0], shape[1])
    grid = np.where(gear == "driving", found.anomaly_map.shape[1], found.anomaly_map.shape[2])
    counted = np.floor((named.tooth + 0.5) * size / grid).astype(int)
    # a line may cover two teeth: the distance to the nearer one counts
    away = np.stack([(counted - (number.astype(int) + k)) % size for k in range(2)])
    away = np.minimum(away, size - away)
    distance = np.where(teeth.astype(int) > 1, away.min(axis=0), away[0])
    right = named.gear == gear
    return {"gear_accuracy": float(np.mean(right)), "tooth_accuracy": float(np.mean(right & (distance <= 1)))}


def severity(found: Prediction, truth: pd.DataFrame) -> dict[str, float | None]:
    """How well the severity puts faulty maps in order of their contrast; detectors without one have None."""
    contrast = truth["contrast"].to_numpy(dtype=float)
    if found.severity is None:
        return {"severity_spearman": None, "severity_kendall": None}
    alike = len(set(found.severity)) < 2 or len(set(contrast)) < 2  # no order to agree with
    return {
        "severity_spearman": None if alike else spearman(found.severity, contrast),
        "severity_kendall": None if alike else kendall(found.severity, contrast),
    }


def pixels(found: Prediction, masks: np.ndarray) -> dict[str, float]:
    """Localisation on the first faulty maps, where the anomaly map has a value."""
    heat, mask = found.anomaly_map[:_PIXEL_MAPS], masks[:_PIXEL_MAPS]
    valid = None if np.isfinite(heat).all() else np.isfinite(heat)
    return {"pixel_auroc": pixel_auroc(heat, mask, valid=valid), "aupro": aupro(heat, mask, valid=valid)}


def pooled(name: str, kept: Prediction, healthy: Prediction, faulty: Prediction) -> dict[str, Prediction]:
    """The same anomaly maps scored by their lines.

    Args:
        name: of the detector; one that scores lines already is not scored by lines again.
        kept: of held-out healthy maps, that segments are calibrated on.
        healthy, faulty: of the test maps.

    Returns:
        ``healthy_lines``, ``faulty_lines`` (best whole line), ``healthy_segments``, ``faulty_segments`` (best segment,
        as the scan has it), or nothing.
    """
    if name in _LINE_DETECTORS:
        return {}
    scan = segment_scan(kept.anomaly_map)
    out = {}
    for which, found in (("healthy", healthy), ("faulty", faulty)):
        out[f"{which}_lines"] = pool_lines(found.anomaly_map, "lines")
        out[f"{which}_segments"] = scan.predict(found.anomaly_map)
    return out


def speed(detector: Detector, maps: np.ndarray) -> dict[str, Any]:
    """Milliseconds per map one by one (median, p95) and maps per second in one batch, after a warm-up."""
    with unshared_encodings():
        detector.predict(maps[:2])
        times = []
        for k in range(min(_SINGLE, len(maps))):
            begin = time.perf_counter()
            detector.predict(maps[k : k + 1])
            times.append(time.perf_counter() - begin)
        batch = maps if np.median(times) < _SLOW else maps[:_SINGLE]
        begin = time.perf_counter()
        detector.predict(batch)
        seconds = time.perf_counter() - begin
    return {
        "predict_ms_median": 1000 * float(np.median(times)),
        "predict_ms_p95": 1000 * float(np.quantile(times, 0.95)),
        "maps_per_second": len(batch) / seconds,
        "stored_numbers": int(sum(v.size for v in detector._state().values())),
        "parameters": _parameters(detector),
    }


def _parameters(detector: Detector) -> int | None:
    """Weights of the network, its frozen encoder included; None for a detector without one."""
    inner = getattr(detector, "_inner", detector)  # a LinePooled one holds the detector
    module = getattr(inner, "_module", None) or getattr(inner, "_model", None)
    if module is None or not hasattr(module, "parameters"):
        return None
    return int(sum(p.numel() for p in module.parameters()))


def start_peak() -> None:
    """Let the peak of resident memory begin anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> float:
    """Peak resident memory of this process, MiB: since ``start_peak`` on Linux, elsewhere since the process began."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def peak_gpu_memory(*, anew: bool = False) -> float | None:
    """Peak memory that tensors took on the GPU, MiB; None without one, or before torch was needed.

    Args:
        anew: let the peak begin anew.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    found = float(torch.cuda.max_memory_allocated()) / 2**20
    if anew:
        torch.cuda.reset_peak_memory_stats()
    return found


def peak_tensors(work: Callable[[], Any]) -> int:
    """The most bytes that tensors of torch took on the CPU at a time during ``work``, beyond what was there before."""
    from torch.profiler import ProfilerActivity, profile

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler writes its stages to stderr
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        work()
    events = [e for e in found.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak
