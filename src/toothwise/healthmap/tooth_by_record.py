"""Tooth-by-record maps of a run, and the trailing windows of them that detectors look at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from toothwise import __version__
from toothwise.errors import InputError
from toothwise.healthmap.core import Axis, HealthMap, HealthMapBatch
from toothwise.healthmap.deviation import DeviationConfig, HealthyBaseline, trailing_mean
from toothwise.healthmap.runs import DRAWN, WITHIN, RunRecords, time_blocks
from toothwise.vibration.alignment import Alignment, align_spectra
from toothwise.vibration.components import split_revolutions
from toothwise.vibration.indicators import fm4, kurtosis, rms
from toothwise.vibration.spectrum import order_spectrum, to_samples
from toothwise.vibration.windows import EventWindow, event_statistic

# A detector's options for such windows: damage is a row, and averaged columns hold no spikes that a limit must cut.
RUN_SCAN: dict[str, Any] = {"lines": "rows", "lengths": [8], "clip": None, "own_scale": False}

_DRAWS = 2000  # drawn days that drift without damage, for the chance of a record
_DAYS, _LENGTH = 30, 30  # those that healthy windows hold, and how many records each has


@dataclass(frozen=True)
class RunMapConfig:
    """How a run is turned into maps.

    Attributes:
        healthy_days: Days whose records are taken as healthy.
        orders: Orders kept, in mesh orders (4 = up to four times the tooth number).
        window: Records of a trailing window.
        deviation: Parameters of the deviation map.
    """

    healthy_days: tuple[int, ...]
    orders: float = 4.0
    window: int = 8
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
        records: What they were made from.
        alignment: Turn of each record and its confidence.
        rms: Residual RMS per tooth and record, tooth x record, in the records' unit.
        deviation: How far each tooth's waveform is from its healthy one over what the median tooth is, times the
            record's residual RMS over that of the healthy records: a row tells a tooth, the level of a column the
            vibration of the whole gear. 1 = the median tooth of a healthy record.
        healthy: Bool ``[n]``, the records that the baseline was learned on.
        drift: Between what drift was learned, in words: days, or parts of the only healthy day.
        drift_chance: Float64 ``[n]``, the chance that drift alone gives a tooth that stands out as far as the record's
            largest does; never below 1 / 2001, the number of drawn days.
        windows: Trailing windows of ``deviation``, ``[n - window + 1, teeth, window]``; the table's ``record`` is the
            index of a window's last record; ``name``, ``day``, ``number``, ``healthy``, and ``rms``, ``kurtosis`` (of
            the residual) and ``fm4`` (of the difference signal) of the whole gear are that record's.
        healthy_windows: Windows of healthy records only, held out: each day is seen against a baseline of the other
            healthy days (of other parts of the day where there is one) and averaged by itself, so that chance looks
            as it will later. The first records of each day, whose averages are short, are left out. After them come
            windows of drawn days that drift as the healthy days do and carry no damage (``drawn`` in the table, names
            that begin with ``drawn_day_``): a few days cannot show what the next one may look like.
    """

    records: RunRecords
    alignment: Alignment
    rms: HealthMap
    deviation: HealthMap
    healthy: np.ndarray
    drift: str
    drift_chance: np.ndarray
    windows: HealthMapBatch
    healthy_windows: HealthMapBatch

    @property
    def recorded_windows(self) -> HealthMapBatch:
        """The healthy windows without those of drawn days."""
        return self.healthy_windows[~self.healthy_windows.table["drawn"].to_numpy()]


def align_run(records: RunRecords, orders: float = 4.0) -> tuple[np.ndarray, Alignment]:
    """Residual spectra of a run's records up to so many mesh orders, ``[n, orders]``, each turned onto those before."""
    residual = split_revolutions(records.vibration, records.teeth).residual
    return align_spectra(order_spectrum(residual)[:, : int(orders * records.teeth)], records.teeth)


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
    aligned, alignment = align_run(records, c.orders)
    level = event_statistic(to_samples(aligned, samples), samples // teeth, EventWindow("rectangular"), "rms").T
    loud = 0.5 * np.log(np.mean(np.square(level), axis=0))  # of each record

    n_healthy = int(healthy.sum())
    known = aligned[:n_healthy]
    blocks = time_blocks(n_healthy, records.day[healthy])
    planet = "planet" in records.gear
    baseline = HealthyBaseline(known, teeth, blocks, c.deviation, planet=planet)
    contrast = baseline.contrast(aligned)
    drawn = np.sort(baseline.drift_contrast(_DRAWS, np.random.default_rng(0)).max(axis=0))
    over = _DRAWS - np.searchsorted(drawn, contrast.max(axis=0), side="left")
    deviation = np.exp(contrast + trailing_mean(loud, c.deviation.records) - np.median(loud[:n_healthy]))
    crossed, index = _held_out(known, loud[:n_healthy], teeth, blocks, c.deviation, planet=planet)
    drawn_days = _drawn_days(baseline, crossed, records.day[index])
    if len(index) < c.window:
        raise InputError(
            f"a window of {c.window} records needs as many healthy ones beside those that begin a day, but there are "
            f"{len(index)} of {n_healthy}"
        )
    days = len(c.healthy_days)
    drift = f"between {days} healthy days" if days > 1 else "within the only healthy day: other days may drift further"

    gear = records.gear | {"teeth": teeth}
    provenance: dict[str, Any] = {
        "source": records.source,
        "software": f"toothwise {__version__}",
        "signal": "residual: mean and mesh harmonics removed",
        "tooth_zero": "first sample of the first record; sun and ring contact of one tooth lie half a revolution apart",
        "drift": f"learned {drift}",
        "planets": gear.get("planets"),
        "config": asdict(c),
    }
    rows = Axis.teeth("tooth", teeth)
    columns = Axis("record", tuple(str(name) for name in records.name))

    def as_map(values: np.ndarray, quantity: str, unit: str) -> HealthMap:
        return HealthMap(values, rows, columns, None, quantity, unit, None, {"gear": gear}, provenance)

    def as_windows(values: np.ndarray, table: pd.DataFrame, note: str) -> HealthMapBatch:
        view = np.lib.stride_tricks.sliding_window_view(values, c.window, axis=1).transpose(1, 0, 2)
        steps = Axis("record before the last", tuple(range(1 - c.window, 1)))
        last = table.iloc[c.window - 1 :].reset_index(drop=True)
        return HealthMapBatch(view, rows, steps, last, "deviation from healthy", "1", None, provenance | {"note": note})

    parts = split_revolutions(records.vibration, teeth)
    indicators = {"rms": rms(parts.residual), "kurtosis": kurtosis(parts.residual), "fm4": fm4(parts.difference)}

    def rows_of(index: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "record": index,
                **{name: getattr(records, name)[index] for name in ("name", "day", "number")},
                "healthy": healthy[index],
                "drawn": False,
                **{name: values[index] for name, values in indicators.items()},
            }
        )

    place = np.arange(drawn_days.shape[1])
    drawn_rows = pd.DataFrame(
        {
            "record": -1 - place,
            "name": [f"{DRAWN if days > 1 else WITHIN}{k // _LENGTH + 1:02d}_{k % _LENGTH + 1:02d}" for k in place],
            "day": -1 - place // _LENGTH,
            "number": 0,
            "healthy": True,
            "drawn": True,
        }
    )
    note = f"trailing windows of healthy records, each day held out, and of {_DAYS} drawn days that drift"
    return RunMaps(
        records,
        alignment,
        as_map(level, "rms of residual", records.unit),
        as_map(deviation, "deviation from healthy", "1"),
        healthy,
        drift,
        (over + 1.0) / (_DRAWS + 1.0),
        as_windows(deviation, rows_of(np.arange(len(records))), "trailing windows"),
        as_windows(np.concatenate([crossed, drawn_days], axis=1), pd.concat([rows_of(index), drawn_rows]), note),
    )


def _held_out(
    aligned: np.ndarray, loud: np.ndarray, teeth: int, blocks: np.ndarray, config: DeviationConfig, *, planet: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Deviation of healthy records, each block against a baseline of the others; and the indices of the records."""
    parts, places = [], []
    for block in np.unique(blocks):
        out = blocks == block
        rest = int((~out).sum())
        other = HealthyBaseline(aligned[~out], teeth, time_blocks(rest, blocks[~out]), config, planet=planet)
        # a mean of few records is mostly noise, which later records do not show
        begin = min(config.records // 2 - 1, int(out.sum()) // 2)
        level = trailing_mean(loud[out], config.records) - np.median(loud[~out])
        parts.append(np.exp(other.contrast(aligned[out]) + level)[:, max(begin, 0) :])
        places.append(np.flatnonzero(out)[max(begin, 0) :])
    return np.concatenate(parts, axis=1), np.concatenate(places)


def _drawn_days(baseline: HealthyBaseline, held_out: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Columns of days that were not recorded but drift as the healthy ones do, ``[teeth, days * length]``.

    A few days cannot show what the next one may look like, and records of one day are as alike as one record. The
    level of a drawn day is as far from 1 as held-out days are, up to four times as far.
    """
    rng = np.random.default_rng(1)
    contrast = baseline.drift_contrast(_DAYS, rng, records=_LENGTH)
    level = np.median(np.log(held_out), axis=0)
    means = np.array([level[day == d].mean() for d in np.unique(day)])
    within = np.concatenate([level[day == d] - level[day == d].mean() for d in np.unique(day)])
    far = np.sqrt(np.mean(means**2)) * rng.standard_normal(_DAYS) * np.exp(rng.uniform(0.0, np.log(4.0), _DAYS))
    begin = rng.integers(0, max(len(within) - _LENGTH, 1), _DAYS)
    around = within[(begin[:, None] + np.arange(_LENGTH)) % len(within)]
    return np.exp(contrast + (far[:, None] + around).ravel())
