"""Figures of what stands beside the judgement: indicators and waveform of a tooth, speed, load and sensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from toothwise.diagnosis.evidence import ShownRecords
from toothwise.diagnosis.explain import ToothWaveform
from toothwise.messages import Language, say
from toothwise.reporting.course_figures import healthy_places, record_axis
from toothwise.reporting.drawing import BLUE, GREEN, GREY, RED, legend, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# by name in ShownRecords: what it is called, and whether it is of a tooth
INDICATORS = {
    "tooth_rms": say("RMS"),
    "tooth_kurtosis": say("kurtosis"),
    "gear_rms": say("RMS of the gear"),
    "gear_kurtosis": say("kurtosis of the gear"),
    "gear_fm4": say("FM4 of the gear"),
    "tooth_value": say("level of the tooth"),
}
CONDITIONS = {
    "shaft_speed": say("speed (rev/s)"),
    "speed": say("speed"),
    "load": say("load"),
    "temperature": say("temperature"),
    "signal_rms": say("signal, RMS"),
    "clipped": say("clipped samples (%)"),
    "gaps": say("missing samples (%)"),
    "pulses_repaired": say("pulses repaired (%)"),
}
SHARES = ("clipped", "gaps", "pulses_repaired")


def indicators_figure(
    r: ShownRecords,
    columns: Mapping[str, int],
    names: Mapping[str, str],
    others: Mapping[str, np.ndarray],
    language: Language,
) -> Figure:
    """A panel per indicator over the records, healthy ones before them.

    Args:
        r: The records.
        columns: By indicator, the column that is shown: that of the tooth, or of its gear.
        names: By indicator, what its axis says.
        others: By indicator of a tooth, the columns of the gear's other teeth, whose median is drawn in grey.
        language: Of the report.
    """
    figure, rows = panels(1.25 * len(columns) + 0.5, len(columns))
    for ax, (name, k) in zip(rows, columns.items(), strict=True):
        now, before = r.numbers[name], r.healthy.get(name, np.zeros((0, r.numbers[name].shape[1])))
        places = healthy_places(int(r.number[0]), len(r.number), len(before))
        if name in others:
            middle = [np.median(part[:, others[name]], axis=1) for part in (before, now)]
            x = np.concatenate([places, r.number])
            ax.plot(x, np.concatenate(middle), color=GREY, lw=1.0, label=language.say("median of the other teeth"))
        style = {"ls": "", "marker": ".", "ms": 3.5}
        ax.plot(r.number, now[:, k], color=BLUE, label=language.say("each record"), **style)
        if len(before):
            ax.plot(places, before[:, k], color=GREEN, label=language.say("healthy, held out"), **style)
        if name in ("tooth_kurtosis", "gear_kurtosis", "gear_fm4"):
            ax.axhline(3.0, color="black", lw=0.7, ls=":", label=language.say("3 = noise"))
        ax.set_ylabel(names[name])
        ax.margins(y=0.12)
        record_axis(ax, r.number, language, healthy=len(before), named=ax is rows[-1])
    figure.align_ylabels()
    legend(rows[0] if "tooth_rms" not in columns or len(rows) < 2 else rows[1])
    return figure


def waveform_figure(one: ToothWaveform, tooth: str, unit: str, language: Language) -> Figure:
    """The waveform of a tooth and of those beside it, now and healthy, over the angle in teeth."""
    figure, (axes,) = panels(2.5)
    samples = one.now.shape[1]
    angle = one.tooth - 1 + np.arange(3 * samples) / samples
    mean, sd, now = (part.ravel() for part in (one.mean, one.sd, one.now))
    axes.axvspan(one.tooth, one.tooth + 1, color="#F5F0E1", lw=0, zorder=0)
    label = language.say("healthy records, 95 %")
    axes.fill_between(angle, mean - 2 * sd, mean + 2 * sd, color="#BFDFD3", lw=0, label=label)
    axes.plot(angle, mean, color=GREEN, lw=1.0, label=language.say("healthy, mean"))
    axes.plot(angle, now, color=RED, lw=1.3, label=language.say("now"))
    axes.set(xticks=np.arange(one.tooth - 1, one.tooth + 3), xlim=(one.tooth - 1, one.tooth + 2))
    shaded = language.say("angle in teeth ({tooth} is in mesh where shaded)", tooth=tooth)
    axes.set(xlabel=shaded, ylabel=language.say("residual ({unit})", unit=unit))
    legend(axes)
    return figure


def conditions_figure(r: ShownRecords, shown: list[str], unit: str, language: Language) -> Figure:
    """A panel per condition over all records, also those that could not be judged."""
    figure, rows = panels(1.05 * len(shown) + 0.5, len(shown))
    for ax, name in zip(rows, shown, strict=True):
        scale = 100.0 if name in SHARES else 1.0
        now, before = scale * r.numbers[name][:, 0], scale * r.healthy.get(name, np.zeros((0, 1)))[:, 0]
        places = healthy_places(int(r.number[0]), len(r.number), len(before))
        ax.plot(places, before, ".", ms=3.5, color=GREEN, label=language.say("healthy"))
        ax.plot(r.number[r.judged], now[r.judged], ".", ms=3.5, color=BLUE, label=language.say("each record"))
        if not r.judged.all():
            ax.plot(r.number[~r.judged], now[~r.judged], "x", ms=4.5, color=RED, label=language.say("not judged"))
        label = language.text(CONDITIONS[name])
        ax.set_ylabel(f"{label}\n({unit})" if name == "signal_rms" else label)
        low, high = (float(f(np.concatenate([before, now]))) for f in (np.nanmin, np.nanmax))
        # what is all but constant must not look like a jump
        slack = max(high - low, (0.02 if "speed" in name else 0.2) * abs(high), 1e-6)
        ax.set_ylim(0.0 if name in SHARES else low - 0.15 * slack, high + 0.25 * slack)
        ax.ticklabel_format(useOffset=False)
        record_axis(ax, r.number, language, healthy=len(before), named=ax is rows[-1])
    figure.align_ylabels()
    legend(rows[0])
    return figure
