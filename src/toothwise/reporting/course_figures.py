"""Figures of a sequence: alarm timeline, tooth by record, trend; and where single maps lie among healthy ones.

Records are at their number in the whole run, from 1. Healthy records, held out, are drawn before them, closer together
where they are many; they have no numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.diagnosis.decompose import SHARES
from toothwise.diagnosis.evidence import HEIGHTS, SequenceEvidence
from toothwise.diagnosis.words import gear_word, tooth_of
from toothwise.messages import Language, say
from toothwise.reporting.drawing import BLUE, GREEN, GREY, ORANGE, RED, legend, note, panels, scale_of_ratios
from toothwise.reporting.names import axis_name, result_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Data = Mapping[str, Any]
# of each rule: colour and style of its line, where its name stands, the mark of the first record there, and the points
# above it at which that is named, or where it is near the top
_TIERS = (("warning", ORANGE, "--", "top", "^", (-3, -19)), ("alarm", RED, "-", "bottom", "v", (7, -9)))
_AT_THE_RIGHT: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "annotation_clip": False}


def healthy_places(first: int, records: int, healthy: int) -> np.ndarray:
    """Where healthy records are drawn before record ``first``, ``[healthy]``: over half the width at most."""
    step = min(1.0, max(records / 2, 3.0) / max(healthy, 1))
    return first - 0.5 - (np.arange(healthy, 0, -1) - 0.5) * step


def healthy_begin(first: int, records: int, healthy: int) -> float:
    """Where the part of the healthy records begins."""
    places = healthy_places(first, records, healthy)
    return float(2 * places[0] - (first - 0.5 if healthy == 1 else 0.5 * (places[0] + places[1])))


def record_axis(axes: Axes, number: np.ndarray, language: Language, *, healthy: int = 0, named: bool = True) -> None:
    """Numbers of records along x, at whole numbers; what lies before the first one is healthy."""
    from matplotlib.ticker import MaxNLocator

    first, last = int(number[0]), int(number[-1])
    ticks = [int(t) for t in MaxNLocator(7, integer=True).tick_values(first, last) if first < t <= last]
    step = ticks[1] - ticks[0] if len(ticks) > 1 else last - first + 1
    axes.set_xticks([first, *(t for t in ticks if t - first > step / 2)])
    begin = first - 0.5
    if healthy:
        begin = healthy_begin(first, len(number), healthy)
        axes.axvspan(begin, first - 0.5, color="#EDF4EE", lw=0, zorder=-1)
        box = {"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1.0}
        look: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 7, "color": "#3A6B48", "bbox": box}
        middle = 0.5 * (begin + first - 0.5)
        axes.text(middle, 0.97, language.say("healthy"), transform=axes.get_xaxis_transform(), **look)
    axes.set_xlim(begin, last + 0.5)
    if named:
        axes.set_xlabel(language.say("number of the record"))


def _onset(axes: Axes, d: Data, s: SequenceEvidence, language: Language) -> None:
    """Onset with its interval, where it lies among the records kept."""
    if s.position(d["since"]) is None:
        return
    at, (low, high) = d["since"]["number"], (place["number"] for place in d["since_interval"])
    axes.axvspan(low - 0.5, high + 0.5, color="#F3D9C6", lw=0, zorder=0.4, label=language.say("onset, 95 %"))
    axes.axvline(at, color=RED, lw=0.9, ls=":", zorder=0.6)


def _named(d: Data) -> Data | None:
    """The tooth of the verdict, None where none is named by its number."""
    return d["teeth"][0] if d["teeth"] and d["teeth"][0]["tooth"] is not None else None


def named_channel(d: Data, s: SequenceEvidence) -> int | None:
    """The channel of the verdict's tooth, None where no tooth is named or it is not watched."""
    one = _named(d)
    return None if one is None else s.channel(one["axis"], one["tooth"])


def _watched(d: Data, s: SequenceEvidence) -> int:
    """The channel that the verdict is about; of a quiet sequence the one that came highest."""
    found = named_channel(d, s)
    if found is not None:
        return found
    others = [k for k, c in enumerate(s.channels) if c.kind != "tooth"]
    if d["state"] in ("alarm", "warning") and others:
        return max(others, key=lambda k: float(s.statistic[-1, k]))
    return int(s.statistic.max(axis=0).argmax())


def _same(d: Data, s: SequenceEvidence) -> list[int]:
    """Channels in which the tooth of the verdict shows too: its neighbours, its other contact and theirs."""
    one = _named(d)
    if one is None:
        return []
    size = sum(c.kind == "tooth" and c.axis == one["axis"] and c.tooth >= 0 for c in s.channels)
    places = [one["tooth"]] + ([] if one["contact"] is None else [one["contact"]])
    same = {*one["leak"], *((place + step) % size for place in places for step in (-1, 0, 1))}
    return [k for k, c in enumerate(s.channels) if c.kind == "tooth" and c.axis == one["axis"] and c.tooth in same]


def channel_name(s: SequenceEvidence, k: int, gears: Sequence[str], language: Language) -> str:
    """Of what is watched: a tooth, one cycle of a gear, the level."""
    c = s.channels[k]
    if c.kind.startswith("level"):
        up, down = say("level of all teeth, up"), say("level of all teeth, down")
        return language.text(up if c.kind == "level up" else down)
    gear = gears[c.axis - 1]
    if c.kind == "tooth":
        return language.text(tooth_of(gear, c.tooth if c.tooth >= 0 else None))
    if c.kind == "change":
        return language.say("many teeth of the {gear} gear", gear=gear_word(gear))
    if gear == "gear":
        return language.say("the swing with the revolution")
    return language.say("the swing of the {gear} gear with its revolution", gear=gear_word(gear))


def timeline_figure(d: Data, s: SequenceEvidence, gears: Sequence[str], language: Language) -> Figure:
    """Where what the verdict is about stands on the ladder to AMBER (1) and RED (2); all others in grey."""
    figure, (axes,) = panels(2.5)
    k = _watched(d, s)
    began = s.position(d["rules"]["alarm"]["first"])
    first = k if began is None else int(s.statistic[began].argmax())  # what the first alarm was about
    own = sorted({k, *_same(d, s)})
    others = np.delete(s.statistic, [first, *own], axis=1)
    records = s.index + 1
    top = max(float(s.statistic.max()), 1.35 * HEIGHTS["alarm"])
    if others.shape[1]:
        axes.plot(records, others.max(axis=1), color=GREY, lw=0.9, label=language.say("highest of all others"))
    highest = s.statistic[:, own].max(axis=1)
    axes.plot(records, highest, color=BLUE, lw=1.8, label=channel_name(s, k, gears, language), zorder=3)
    if first not in own:
        axes.plot(records, s.statistic[:, first], color=GREEN, lw=1.4, label=channel_name(s, first, gears, language))
    for tier, colour, style, va, mark, points in _TIERS:
        name = result_name(tier, language)
        axes.axhline(HEIGHTS[tier], color=colour, lw=1.1, ls=style, zorder=2)
        note(axes, name, (1.0, HEIGHTS[tier]), (3, 0), color=colour, va=va, **_AT_THE_RIGHT)
        at = s.position(d["rules"][tier]["first"])
        if at is not None:
            height, number = float(s.statistic[at].max()), int(records[at])
            axes.plot(number, height, mark, color=colour, ms=7, mec="black", mew=0.6, zorder=5)
            text = language.say("first {tier}: {record}", tier=name, record=number)
            ha, right = ("right", -7) if at > 0.3 * len(s.names) else ("left", 7)
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8}
            beside = (right, points[height / top >= 0.8])
            note(axes, text, (number, height), beside, ha=ha, fontsize=7.5, zorder=6, bbox=box)
    _onset(axes, d, s, language)
    if top > 4 * HEIGHTS["alarm"]:  # room for the heights, where the statistic has run far beyond them
        axes.set_yscale("function", functions=(lambda v: np.sqrt(np.maximum(v, 0.0)), np.square))
        axes.set_yticks([v for v in (0, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if v <= top])
    axes.set(ylim=(0, 1.15 * top), ylabel=language.say("evidence (1 = warning, 2 = alarm)"))
    record_axis(axes, records, language)
    legend(axes)
    return figure


def teeth_figure(d: Data, s: SequenceEvidence, healthy: np.ndarray, about: Data, language: Language) -> Figure:
    """Contrast of every tooth by record, of the gear in question or both; ``healthy``: those before ``[h, lines]``."""
    own = [d["teeth"][0]["axis"]] if d["teeth"] else sorted({int(a) for a in s.line_axis})
    figure, rows = panels(2.5 if len(own) == 1 else 4.2, len(own))
    number = s.index + 1
    log2 = np.full((number[-1] - number[0] + 1, s.contrast.shape[1]), np.nan)  # records that were not judged stay blank
    log2[number - number[0]] = s.contrast / np.log(2.0)
    reach = max(float(np.nanquantile(np.abs(log2), 0.998)), 0.1)
    look = {"aspect": "auto", "origin": "lower", "interpolation": "nearest", "cmap": "PuOr_r"}
    for ax, axis in zip(rows, own, strict=True):
        of_gear = s.line_axis == axis
        top = int(of_gear.sum()) - 0.5
        parts = [(log2, number[0] - 0.5, number[-1] + 0.5)]
        if len(healthy):
            begin = healthy_begin(int(number[0]), len(number), len(healthy))
            parts.append((healthy / np.log(2.0), begin, number[0] - 0.5))
        for values, begin, end in parts:
            image = ax.imshow(values[:, of_gear].T, vmin=-reach, vmax=reach, extent=(begin, end, -0.5, top), **look)
        ax.set_ylabel(axis_name(about["axes"][axis - 1]["name"], language))
        ax.locator_params(axis="y", integer=True)
        record_axis(ax, number, language, healthy=len(healthy), named=ax is rows[-1])
        ax.set_ylim(-0.5, top)
        if len(healthy):
            ax.axvline(number[0] - 0.5, color="black", lw=0.9)
        if s.position(d["since"]) is not None:
            ax.axvline(d["since"]["number"], color="black", lw=0.9, ls=":")
        for tooth in _marked(d, s, axis):
            arrow = {"arrowstyle": "->", "color": RED}
            note(ax, str(tooth), (1.0, tooth), (10, 0), va="center", color=RED, arrowprops=arrow, **_AT_THE_RIGHT)
    ticks, label = reach * np.array([-1.0, -0.5, 0.0, 0.5, 1.0]), language.say("times the healthy level")
    scale_of_ratios(figure, image, list(rows), ticks, label, pad=0.05, aspect=20)
    return figure


def _marked(d: Data, s: SequenceEvidence, axis: int) -> list[int]:
    """Teeth of a gear that are named, else the one that alarmed first."""
    if d["teeth"]:
        return [t["tooth"] for t in d["teeth"][:3] if t["axis"] == axis and t["tooth"] is not None]
    began = s.position(d["rules"]["alarm"]["first"]) if d["state"] == "alarm" else None
    if began is None:
        return []
    c = s.channels[int(s.statistic[began].argmax())]
    return [c.tooth] if c.kind == "tooth" and c.axis == axis and c.tooth >= 0 else []


def trend_figure(d: Data, s: SequenceEvidence, healthy: Mapping[str, np.ndarray], language: Language) -> Figure:
    """Contrast along the whole line (or the level, where a whole gear is named), the growth, and where it leads.

    ``healthy``: ``contrast`` and ``level`` of the healthy records before them.
    """
    from matplotlib.ticker import LogLocator

    figure, (axes,) = panels(2.5)
    one, label = _named(d), say("times the healthy level")
    series, known = s.level, healthy.get("level", np.zeros((0, 1)))[:, 0]
    if one is not None:
        label = say("times the healthy level (along the line)")
        series = s.line(one["axis"], one["tooth"])
        line = np.flatnonzero(s.line_axis == one["axis"])[one["tooth"]]
        known = healthy["contrast"][:, line] if len(known) else known
    number = s.index + 1
    last = int(number[-1])
    axes.plot(number, np.exp(series), ".", ms=3.0, color=BLUE, label=language.say("each record"))
    if len(known):
        before = healthy_places(int(number[0]), len(number), len(known))
        axes.plot(before, np.exp(known), ".", ms=3.0, color=GREEN, label=language.say("healthy, held out"))
    g = d["growth"]
    if g is not None:
        back, slope = np.arange(-(g["recent"] - 1), 1), np.log(g["per_100"]) / 100.0
        axes.plot(last + back, g["now"] * np.exp(slope * back), color=RED, lw=1.8, label=language.say("growth now"))
        if g["reached_interval"] is not None:
            low, high = g["reached_interval"]
            axes.plot([last + low, last + high], [g["level"]] * 2, color="black", lw=2.2, solid_capstyle="butt")
            text = language.say("{level:g} reached, 95 %", level=g["level"])
            note(axes, text, (last + high, g["level"]), (0, 4), ha="right")
    _onset(axes, d, s, language)
    axes.axhline(1.0, color=GREY, lw=0.8, zorder=0.5)
    if float(np.exp(series.max() - series.min())) > 6.0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    record_axis(axes, number, language, healthy=len(known))
    if g is not None and g["reached_interval"] is not None:
        axes.set_xlim(right=last + 1 + 1.05 * g["reached_interval"][1])
    axes.set_ylabel(language.text(label))
    legend(axes)
    return figure


def chances_figure(each: Sequence[Data], language: Language) -> Figure:
    """Of every single map, the chance that a healthy one looks as strange; the stated rate as a line."""
    figure, (axes,) = panels(2.5)
    chance = np.array([min(p / SHARES[test] for test, p in one["p_values"].items()) for one in each])
    shown = np.clip(chance, 1e-9, 1.0)
    found = np.array([one["pattern"] != "nothing" for one in each])
    at = np.arange(len(each))
    axes.plot(at[~found], shown[~found], "o", color=BLUE, ms=4, label=language.say("nothing found"))
    axes.plot(at[found], shown[found], "D", color=RED, ms=5, label=language.say("something found"))
    axes.axhline(each[0]["rate"], color="black", lw=1.0, ls="--", label=language.say("threshold"))
    axes.set(yscale="log", ylim=(2.0, min(float(shown.min()), 1e-3) / 4), xlim=(-0.7, len(each) - 0.3))
    axes.set(xlabel=language.say("map"), ylabel=language.say("probability on a healthy map"))
    axes.locator_params(axis="x", integer=True)
    legend(axes)
    return figure


def among_healthy_figure(
    axis: int, value: float, height: float | None, healthy: np.ndarray, about: Data, language: Language
) -> Figure:
    """Evidence of this map's strongest tooth among that of held-out healthy maps."""
    figure, (axes,) = panels(2.3)
    high = max(value, float(healthy.max()), height or value)
    low = min(float(healthy.min()), value)
    label = language.say("{n} healthy maps", n=len(healthy))
    axes.hist(healthy, bins=np.linspace(low, high, 60).tolist(), color="#9DBFDD", label=label)
    if height is not None:
        axes.axvline(height, color="black", lw=1.1, ls="--", label=language.say("threshold"))
    over = height is not None and value >= height
    axes.axvline(value, color=RED if over else BLUE, lw=2.2, label=language.say("this map"))
    tooth = axis_name(about["axes"][axis - 1]["name"], language)
    strongest = language.say("evidence of the strongest {tooth}", tooth=tooth)
    axes.set(xlabel=strongest, ylabel=language.say("healthy maps"))
    legend(axes)
    return figure
