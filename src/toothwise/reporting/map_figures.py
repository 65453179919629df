"""Figures of one map: the map, its anomaly map, evidence by tooth, healthy likenesses. In tooth numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.diagnosis.explain import MapExplanation
from toothwise.healthmap.runs import DRAWN
from toothwise.messages import Language, say
from toothwise.reporting.drawing import BLUE, RED, legend, note, panels, scale_of_ratios
from toothwise.reporting.names import axis_name, line_tooth, map_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_LOOK: dict[str, Any] = {"aspect": "auto", "origin": "lower", "cmap": "cividis", "interpolation": "nearest"}

About = Mapping[str, Any]
Lines = Sequence[Mapping[str, Any]]


def _coordinates(axes: Axes, about: About, language: Language, *, x: bool = True, most: int = 8) -> None:
    """Axis names, and labels of teeth or records at whole numbers; ``most``: labels of the rows."""
    for k, axis in enumerate((axes.yaxis, axes.xaxis)):
        if k == 1 and not x:
            axes.set_xticklabels([])
            continue
        here = about["axes"][k]
        axis.set_label_text(axis_name(here["name"], language))
        count = len(here["labels"])
        step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if count / s <= (most, 13)[k])
        axis.set_ticks(np.arange(0, count, step), [str(v) for v in here["labels"][::step]])


def _outline(axes: Axes, lines: Lines, about: About, language: Language, *, named: bool = True) -> None:
    """Frames around damaged extents, with the tooth's name beside the first three."""
    from matplotlib.patches import Rectangle

    rows, columns = (len(axis["labels"]) for axis in about["axes"])
    for k, line in enumerate(lines):
        along = about["axes"][1 if line["axis"] == 1 else 0]["labels"]
        first, last = along.index(line["first"]), along.index(line["last"])
        corner, wide, high = (first - 0.5, line["tooth"] - 0.5), last - first + 1, 1
        if line["axis"] == 2:
            corner, wide, high = (line["tooth"] - 0.5, first - 0.5), 1, last - first + 1
        axes.add_patch(Rectangle(corner, wide, high, fill=False, ec="white", lw=2.4, clip_on=False))
        axes.add_patch(Rectangle(corner, wide, high, fill=False, ec=RED, lw=1.4, clip_on=False))
        if named and k < 3:
            up = corner[1] < 0.7 * rows
            middle = corner[0] + wide / 2 + (0.0, -0.24, 0.24)[k] * columns  # names of near teeth do not overlap
            at = (min(max(middle, 0.12 * columns), 0.88 * columns), corner[1] + (high if up else 0))
            look = {"ha": "center", "va": "bottom" if up else "top", "fontsize": 8}
            box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": RED, "lw": 0.8}
            note(axes, line_tooth(line, language), at, (0, 7 if up else -7), bbox=box, **look)


def _bar(figure: Figure, image: AxesImage, axes: Any, label: str) -> None:
    bar = figure.colorbar(image, ax=axes, pad=0.015, aspect=18)
    bar.set_label("\n".join(wrap(label, 26)))
    bar.outline.set_visible(False)


def _limits(*maps: np.ndarray) -> dict[str, float]:
    """One colour scale for maps that are compared; the brightest half per cent is at its end."""
    values = np.concatenate([m[np.isfinite(m)].ravel() for m in maps])
    low, high = (float(v) for v in np.quantile(values, (0.005, 0.995)))
    return {"vmin": low, "vmax": max(high, low + 1e-12)}


def map_figure(one: MapExplanation, lines: Lines, about: About, language: Language, *, anomaly: bool = False) -> Figure:
    """The map with the damaged extents framed and named; or the detector's anomaly map, with them framed."""
    figure, (axes,) = panels(2.6 if anomaly else 2.75)
    values = one.anomaly if anomaly else one.values
    label = map_scale(about, language)
    if anomaly:
        label = language.say("anomaly of {detector}", detector=about["detector"]["name"])
    _bar(figure, axes.imshow(values, **_LOOK, **_limits(values)), axes, label)
    _coordinates(axes, about, language)
    _outline(axes, lines, about, language, named=not anomaly)
    return figure


def evidence_figure(one: MapExplanation, lines: Lines, about: About, language: Language) -> Figure:
    """Evidence of every tooth, its threshold, and what healthy maps show at that tooth."""
    own = sorted(one.evidence)
    figure, axes = panels(1.9 * len(own) + 0.4, len(own))
    for ax, axis in zip(axes, own, strict=True):
        values, usual = one.evidence[axis], one.usual.get(axis)
        teeth = np.arange(len(values))
        found = [line["tooth"] for line in lines if line["axis"] == axis]
        if usual is not None:
            label = language.say("healthy, 95 %")
            ax.fill_between(teeth, usual[0], usual[2], step="mid", color="#D9E6F2", lw=0, label=label)
        colours = [RED if t in found else BLUE for t in teeth]
        base = min(0.0, float(np.nanmin(values)) - 0.03 * float(np.nanmax(values) - np.nanmin(values)))
        ax.bar(teeth, values - base, bottom=base, width=0.62, color=colours)
        if axis in one.height:
            ax.axhline(one.height[axis], color="black", lw=1.0, ls="--", label=language.say("threshold"))
        for t in found:
            note(ax, str(t), (t, values[t]), (0, 2), ha="center", color=RED, fontsize=8)
        name = axis_name(about["axes"][axis - 1]["name"], language)
        ax.set(xlabel=name, ylabel=language.say("evidence"), xlim=(-0.7, len(values) - 0.3))
        ax.margins(y=0.14)
        ax.locator_params(axis="x", integer=True)
    legend(axes[0])
    return figure


def healthy_figure(one: MapExplanation, about: About, language: Language) -> Figure:
    """The map as it is and as it might look healthy, on one scale, and their ratio."""
    figure, axes = panels(4.0, 3)
    healthy = one.values if one.healthy is None else one.healthy
    limits = _limits(one.values, healthy)
    titles = (language.say("as measured"), language.say("as it might look healthy"), language.say("ratio of the two"))
    for ax, values in zip(axes[:2], (one.values, healthy), strict=True):
        image = ax.imshow(values, **_LOOK, **limits)
        _coordinates(ax, about, language, x=False, most=4)
    _bar(figure, image, list(axes[:2]), map_scale(about, language))
    with np.errstate(all="ignore"):
        ratio = np.log2(one.values.astype(float) / healthy)
    reach = max(float(np.nanquantile(np.abs(ratio), 0.995)), 0.1)
    shown = axes[2].imshow(ratio, **_LOOK | {"cmap": "PuOr_r"}, vmin=-reach, vmax=reach)
    ticks = (-reach, 0.0, reach)
    scale_of_ratios(figure, shown, axes[2], ticks, language.say("times"), pad=0.015, aspect=9)
    _coordinates(axes[2], about, language, most=4)
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, loc="left")
    return figure


def nearest_figure(one: MapExplanation, lines: Lines, about: About, language: Language) -> Figure:
    """The map and the healthy maps that are most like it, each less its own level, on one scale."""
    shown = [one.values, *one.nearest]
    figure, axes = panels(0.85 * len(shown) + 0.5, len(shown))
    with np.errstate(all="ignore"):
        levelled = [m / np.nanmedian(m) for m in shown]
    limits = _limits(*levelled)
    for k, (ax, values) in enumerate(zip(axes, levelled, strict=True)):
        image = ax.imshow(values, **_LOOK, **limits)
        _coordinates(ax, about, language, x=k == len(shown) - 1, most=3)
        title = say("this map")
        if k:
            name, away = one.nearest_names[k - 1], float(100 * (np.exp(one.nearest_away[k - 1]) - 1))
            title = say("healthy: {name}, {away:.0f} % away", name=name, away=away)
            if name.startswith(DRAWN):
                title = say("healthy, drawn and not recorded, {away:.0f} % away", away=away)
        ax.set_title(language.text(title), loc="left")
    _outline(axes[0], lines, about, language, named=False)
    _bar(figure, image, list(axes), language.say("times the median of the map"))
    return figure
