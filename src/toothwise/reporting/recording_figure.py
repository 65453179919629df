"""One sheet of a recording: spectrum in orders, average of each gear, residual per tooth, map, and the trend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.healthmap.core import HealthMap
from toothwise.healthmap.turning import turned
from toothwise.reporting.drawing import BLUE, GREY, ORANGE
from toothwise.vibration.periods import Periods
from toothwise.vibration.spectrum import order_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DECADES = 5.0  # of the amplitude axis
_HARMONICS = 6  # of the mesh, that the spectrum shows


def recording_figure(periods: Periods, maps: Sequence[HealthMap], *, title: str, names: Sequence[str]) -> Figure:
    """Draw what a recording holds, beside those before it.

    Args:
        periods: Of the last recording.
        maps: Of all recordings, the last one is looked at. Where they carry mesh waveforms, teeth of all recordings are
            the same, and the first recording is drawn behind the last one.
        title: Of the sheet.
        names: Of the recordings.
    """
    from matplotlib.figure import Figure

    several = len(maps) > 1
    figure = Figure(figsize=(11.5, 10.5 if several else 9.0), layout="constrained")
    figure.suptitle(title, fontsize=12, ha="left", x=0.01)
    grid = figure.add_gridspec(4 if several else 3, 2, height_ratios=[1.2, 1.0, 1.6, 0.9][: 4 if several else 3])
    now = maps[-1]
    # teeth are numbered as in the map, which the healthy waveform may have turned
    events = now.provenance.get("turned", {}).get("events", 0.0)
    average = turned(periods.mean(), events * periods.samples_per_tooth)
    _spectrum(figure.add_subplot(grid[0, :]), periods, average, _unit(now))
    before = maps[0] if several and maps[0].waveforms is not None and now.waveforms is not None else None
    for k, axis in enumerate((now.rows, now.columns)):
        _revolution(figure.add_subplot(grid[1, k]), average, periods, k, axis.name)
        if k == 0:
            _map(figure, figure.add_subplot(grid[2, 0]), now)
    _teeth(figure, grid[2, 1], now, before)
    if several:
        _trend(figure.add_subplot(grid[3, :]), maps, names)
    return figure


def _unit(shown: HealthMap) -> str:
    return "unit unknown" if shown.unit == "unknown" else shown.unit


def _spectrum(axes: Axes, periods: Periods, average: np.ndarray, unit: str) -> None:
    amplitude = np.maximum(np.abs(order_spectrum(average))[1:], 1e-300)
    orders = np.arange(1, len(amplitude) + 1) / periods.revolutions
    shown = orders <= (_HARMONICS + 0.5) * periods.mesh_order
    for harmonic in range(1, _HARMONICS + 1):
        axes.axvline(harmonic * periods.mesh_order, color=ORANGE, lw=0.8, ls="--", zorder=0)
    axes.semilogy(orders[shown], amplitude[shown], color=BLUE, lw=0.6)
    top = 3.0 * float(amplitude[shown].max())
    axes.set(
        xlim=(0, (_HARMONICS + 0.5) * periods.mesh_order),
        ylim=(top * 10.0**-_DECADES, top),
        xlabel="order (cycles per revolution of the reference shaft); dashed: mesh harmonics",
        ylabel=f"amplitude ({unit})",
        title=f"Spectrum of the average over {len(periods.values)} hunting periods",
    )


def _revolution(axes: Axes, average: np.ndarray, periods: Periods, k: int, name: str) -> None:
    """The synchronous average of one gear, over its teeth."""
    teeth = periods.gears.axes[k][1]
    wave = average.reshape(-1, teeth * periods.samples_per_tooth).mean(axis=0)
    axes.plot(np.arange(len(wave)) / periods.samples_per_tooth, wave, color=BLUE, lw=0.6)
    axes.set(xlim=(0, teeth), xlabel=name, title=f"Synchronous average: one revolution of the {name.split()[0]} gear")


def _map(figure: Figure, axes: Axes, shown: HealthMap) -> None:
    finite = shown.values[np.isfinite(shown.values)]
    low, high = (float(v) for v in np.quantile(finite, (0.005, 0.995)))
    image = axes.imshow(
        shown.values, aspect="auto", origin="lower", cmap="cividis", interpolation="nearest", vmin=low, vmax=high
    )
    figure.colorbar(image, ax=axes, label=f"{shown.quantity} ({_unit(shown)})")
    axes.set(xlabel=shown.columns.name, ylabel=shown.rows.name, title="Health map")


def _teeth(figure: Figure, place: Any, now: HealthMap, before: HealthMap | None) -> None:
    """Above the driving, below the driven gear: the residual waveform tooth by tooth, or the mean value of each."""
    for k, (slot, axis) in enumerate(zip(place.subgridspec(2, 1), (now.rows, now.columns), strict=True)):
        axes = figure.add_subplot(slot)
        if now.waveforms is None:
            level = np.nanmean(now.values, axis=1 - k)
            axes.bar(np.arange(len(level)), level, color=BLUE)
            axes.axhline(float(np.median(level)), color=GREY, lw=1.0, ls="--")
            axes.set_title(f"{now.quantity}, mean over mates (dashed: median tooth)", fontsize=9)
        else:
            for one, color in ((before, GREY), (now, BLUE)):
                if one is not None and one.waveforms is not None:
                    wave = np.nanmean(one.waveforms, axis=1 - k)
                    axes.plot(np.arange(wave.size) / wave.shape[1], wave.ravel(), color=color, lw=0.7)
            beside = "" if before is None else " (grey: first recording)"
            axes.set_title(f"Beyond the healthy waveform, mean over mates{beside}", fontsize=9)
        axes.set(xlabel=axis.name, xlim=(-0.5, len(axis.labels) - 0.5 + (now.waveforms is not None)))


def _trend(axes: Axes, maps: Sequence[HealthMap], names: Sequence[str]) -> None:
    levels = [[np.nanmean(m.values, axis=1 - k) for k in (0, 1)] for m in maps]
    axes.plot([np.nanmedian(m.values) for m in maps], color=GREY, marker="o", ms=3, label="median of the map")
    for k, color in ((0, BLUE), (1, ORANGE)):
        largest = [float(level[k].max()) for level in levels]
        axes.plot(largest, color=color, marker="o", ms=3, label=f"largest {(maps[-1].rows, maps[-1].columns)[k].name}")
    step = max(1, len(names) // 8)
    axes.set_xticks(range(0, len(names), step), [name[:24] for name in names[::step]], fontsize=8)
    axes.set(ylabel=_unit(maps[-1]), title=f"Trend of {maps[-1].quantity}", ylim=(0, None))
    axes.legend(loc="upper left", fontsize=8)
