"""Tooth-by-record maps of a run, and the trailing windows of them that detectors look at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from toothwise import __version__
from toothwise.errors import InputError
from toothwise.healthmap.core import Axis, HealthMap, HealthMapBatch
from toothwise.healthmap.deviation import DeviationConfig, HealthyBaseline
from toothwise.healthmap.runs import RunRecords, time_blocks
from toothwise.vibration.alignment import Alignment, align_spectra
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.spectrum import order_spectrum, to_samples
from toothwise.vibration.windows import EventWindow, event_statistic

__all__ = ["RunMapConfig", "RunMaps", "build_run_maps"]


@dataclass(frozen=True)
class RunMapConfig:
    """How a run is turned into maps.

    Attributes:
        healthy_days: days whose records are taken as healthy.
        orders: orders kept, in mesh orders (4 = up to four times the tooth number).
        window: records of a trailing window.
        deviation: parameters of the deviation map.
    """

    healthy_days: tuple[int, ...]
    orders: float = 4.0
    window: int = 32
    deviation: DeviationConfig = field(default_factory=DeviationConfig)

    def __post_init__(self) -> None:
        if self.window < 2:
            raise InputError(f"window must be 2 records or more, but got {self.window}")
        if not self.healthy_days:
            raise InputError("healthy_days must name one day or more, but is empty")


@dataclass(frozen=True, eq=False)
class RunMaps:
    """The maps of one run.

    Attributes:
        records: what they were made from.
        alignment: turn of each record and its confidence.
        rms: residual RMS per tooth and record, tooth x record, in the records' unit.
        deviation: deviation from the healthy waveform per tooth and record, in parts of its chance size.
        healthy: bool ``[n]``, the records that the baseline was learned on.
        windows: trailing windows of ``deviation``, ``[n - window + 1, teeth, window]``; the table's ``record`` is the
            index of a window's last record; ``name``, ``day``, ``number``, ``healthy`` are that record's.
        healthy_windows: windows of healthy records only, cross-fitted: each day is seen against a baseline of the
            other healthy days (of other parts of the day where there is one), so that chance looks as it will later.
    """

    records: RunRecords
    alignment: Alignment
    rms: HealthMap
    deviation: HealthMap
    healthy: np.ndarray
    windows: HealthMapBatch
    healthy_windows: HealthMapBatch


def build_run_maps(records: RunRecords, config: RunMapConfig) -> RunMaps:
    """Align a run, remove the mesh harmonics, and map it. Record n's column uses records up to n only.

    Raises:
        InputError: fewer records than a window, or too few healthy ones.
    """
    c = config
    if len(records) < c.window:
        raise InputError(f"a trailing window of {c.window} records needs as many, but the run has {len(records)}")
    healthy = np.isin(records.day, c.healthy_days)
    if not healthy.any():
        raise InputError(
            f"no record of the healthy days {list(c.healthy_days)}; the run has days {np.unique(records.day).tolist()}"
        )
    if int(healthy.sum()) != int(np.flatnonzero(healthy)[-1]) + 1:
        raise InputError(f"healthy days {list(c.healthy_days)} must be the first days of the run, without a gap")
    teeth, samples = records.teeth, records.vibration.shape[1]
    residual = split_revolutions(records.vibration, teeth).residual
    spectra = order_spectrum(residual)[:, : int(c.orders * teeth)]
    aligned, alignment = align_spectra(spectra, teeth)
    level = event_statistic(to_samples(aligned, samples), samples // teeth, EventWindow("rectangular"), "rms").T

    baseline = HealthyBaseline(aligned[healthy], teeth, c.deviation)
    deviation = baseline.tooth_deviation(aligned)
    n_healthy = int(healthy.sum())
    crossed = np.empty((teeth, n_healthy))
    blocks = time_blocks(n_healthy, records.day[healthy])
    for block in np.unique(blocks):
        out = blocks == block
        other = HealthyBaseline(aligned[:n_healthy][~out], teeth, c.deviation)
        crossed[:, out] = other.tooth_deviation(aligned[:n_healthy])[:, out]

    gear = records.gear | {"teeth": teeth}
    provenance: dict[str, Any] = {
        "source": records.source,
        "software": f"toothwise {__version__}",
        "signal": "residual: mean and mesh harmonics removed",
        "tooth_zero": "first sample of the first record; sun and ring contact of one tooth lie half a revolution apart",
        "config": asdict(c),
    }
    rows = Axis.teeth("tooth", teeth)
    columns = Axis("record", tuple(str(name) for name in records.name))

    def as_map(values: np.ndarray, quantity: str, unit: str) -> HealthMap:
        return HealthMap(values, rows, columns, None, quantity, unit, None, {"gear": gear}, provenance)

    def as_windows(values: np.ndarray, index: np.ndarray, note: str) -> HealthMapBatch:
        view = np.lib.stride_tricks.sliding_window_view(values, c.window, axis=1).transpose(1, 0, 2)
        last = index[c.window - 1 :]
        table = pd.DataFrame(
            {
                "record": last,
                "name": records.name[last],
                "day": records.day[last],
                "number": records.number[last],
                "healthy": healthy[last],
            }
        )
        steps = Axis("record before the last", tuple(range(1 - c.window, 1)))
        return HealthMapBatch(
            view, rows, steps, table, "deviation from healthy", "1", None, provenance | {"note": note}
        )

    every = np.arange(len(records))
    return RunMaps(
        records,
        alignment,
        as_map(level, "rms of residual", records.unit),
        as_map(deviation, "deviation from healthy", "1"),
        healthy,
        as_windows(deviation, every, "trailing windows"),
        as_windows(crossed, every[healthy], "trailing windows of healthy records, cross-fitted"),
    )
