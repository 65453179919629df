"""The picture of a first look at a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toothwise.reporting.drawing import BLUE, GREY, ORANGE
from toothwise.vibration.inspection import Inspection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DECADES = 5.0  # of the amplitude axis


def inspection_figure(found: Inspection, *, title: str, unit: str) -> Figure:
    """Speed over time (where it is known) above the spectrum in orders, with the mesh orders marked.

    Args:
        found: what was seen.
        title: of the picture, the file's name for example.
        unit: of the amplitudes.
    """
    from matplotlib.figure import Figure

    with_speed = len(found.speed) > 0
    figure = Figure(figsize=(10.5, 6.5 if with_speed else 4.2), layout="constrained")
    axes = figure.subplots(1 + with_speed, 1, squeeze=False, height_ratios=[1, 2.2] if with_speed else [1])[:, 0]
    figure.suptitle(f"{title}: channel {found.channel}", fontsize=11, ha="left", x=0.01)
    if with_speed:
        axes[0].plot(found.speed_times, 60.0 * found.speed, color=BLUE, lw=1.0)
        low, high = 60.0 * found.speed.min(), 60.0 * found.speed.max()
        room = max(0.15 * (high - low), 0.01 * high)
        rpm = f"rpm of {found.shaft}" if found.shaft else "rpm"
        axes[0].set(ylim=(low - room, high + room), xlabel="s", ylabel=rpm)
        axes[0].grid(color="#EEEEEE")
    spectrum = axes[-1]
    amplitude = np.maximum(found.amplitude[1:], 1e-300)
    spectrum.semilogy(found.frequency[1:], amplitude, color=BLUE, lw=0.7)
    top = float(amplitude.max()) * 3.0
    spectrum.set_ylim(max(float(np.quantile(amplitude, 0.02)) / 2.0, top * 10.0**-_DECADES), top)
    orders = [6.5 * entry["order"] for entry in found.mesh.values()]
    spectrum.set_xlim(0, min(float(found.frequency[-1]), max(orders, default=np.inf)))
    for k, (stage, entry) in enumerate(found.mesh.items()):
        color = (ORANGE, "#009E73", "#D55E00", GREY)[k % 4]
        for harmonic in range(1, 7):
            spectrum.axvline(harmonic * entry["order"], color=color, lw=0.8, ls="--", zorder=0)
        heard = "heard" if entry["heard"] else "not heard"
        spectrum.plot([], [], color=color, ls="--", label=f"mesh of {stage}: order {entry['order']:g} ({heard})")
    if found.mesh:
        spectrum.legend(loc="upper right", fontsize=9, framealpha=0.9)
    order = f"order (cycles per revolution of {found.shaft})" if found.shaft else "Hz"
    spectrum.set(xlabel=order, ylabel=f"RMS amplitude ({unit})")
    spectrum.grid(color="#EEEEEE")
    return figure
