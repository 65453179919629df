"""Loss, alpha and entropy of the attention over the steps of a training, as a figure and in numbers."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from engine import RESULTS, ROOT, Data, read
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from study_figures import COLOURS
from study_figures import STYLE as DRAWN

SETTLED = 0.5  # part of the training after which alpha should no longer move
STYLES = {"y": "-", "x": "--"}
ALONG = {"y": "columns", "x": "rows"}


def of(name: str) -> Data:
    """Curves of a study by arm, with the values of each seed; empty where none were kept."""
    kept: Data = read(f"studies/{name}")["result"].get("curves", {})
    return kept


def draw_all() -> None:
    """Write docs/images/curves-NAME.svg of every study that kept its curves."""
    for path in sorted((RESULTS / "studies").glob("*.json")):
        if curves := of(path.stem):
            with mpl.rc_context(DRAWN):
                draw(curves).savefig(ROOT / "docs" / "images" / f"curves-{path.stem}.svg", metadata={"Date": None})


def draw(curves: Data, width: float = 9.8) -> Figure:
    """Loss of each arm, alpha of each head and entropy of each layer.

    Args:
        curves: by arm and name, ``steps`` and ``values`` of each seed.
        width: of the figure, inches.
    """
    small = 7 if width > 9 else 5
    figure = Figure(figsize=(width, width / 3.1), layout="constrained")
    loss, alpha, entropy = figure.subplots(1, 3)
    several = any(len(named["train_loss"]["values"]) > 1 for named in curves.values())
    for k, (arm, named) in enumerate(curves.items()):
        steps, values = np.array(named["train_loss"]["steps"]), np.array(named["train_loss"]["values"])
        loss.fill_between(steps, values.min(axis=0), values.max(axis=0), color=COLOURS[k % 5], alpha=0.2, lw=0)
        loss.plot(steps, values.mean(axis=0), color=COLOURS[k % 5], label=arm.replace("_", " "))
        _alpha(alpha, named)
        for axis, style in STYLES.items():
            for layer, name in enumerate(sorted(n for n in named if n.startswith(f"entropy_{axis}/"))):
                values = np.mean(named[name]["values"], axis=0)
                word = f"layer {layer}, along {ALONG[axis]}"
                entropy.plot(named[name]["steps"], values, style, color=COLOURS[layer % 5], label=word)
    loss.set_yscale("log")
    alpha.set_ylim(0, 1)
    alpha.set_ylabel("rows < alpha > columns")
    low, high = entropy.get_ylim()
    entropy.set_ylim(low - 0.6 * (high - low), high)  # room for the legend
    for axis, title in (
        (loss, "loss: mean of the seeds, and their range" if several else "loss"),
        (alpha, f"alpha of each head{' and seed' if several else ''}; thick: mean"),
        (entropy, "entropy of the attention (1: all tokens alike)"),
    ):
        axis.set_title(title, loc="left", fontsize=small + 1)
        axis.set_xlabel("step")
        axis.grid(color="0.9")
        axis.legend(fontsize=small)
    return figure


def _alpha(axis: Axes, named: Data) -> None:
    layers = sorted(n for n in named if n.startswith("alpha/") and n.count("/") == 1)
    for k, layer in enumerate(layers):
        for head in _heads(named, layer):
            for values in named[head]["values"]:
                axis.plot(named[head]["steps"], values, color=COLOURS[k % 5], lw=0.8, alpha=0.7)
        mean = np.mean(named[layer]["values"], axis=0)
        axis.plot(named[layer]["steps"], mean, color=COLOURS[k % 5], lw=2, label=layer.removeprefix("alpha/").replace("_", " "))  # fmt: skip


def _heads(named: Data, layer: str) -> list[str]:
    """The curves of a layer's heads; that of the layer where they share one alpha."""
    return [n for n in named if n.startswith(f"{layer}/")] or [layer]


def flat(name: str) -> Data:
    """How flat a study's trainings are at their end.

    Returns:
        ``seeds``, how many; ``loss`` by arm, the means over seeds of the last two tenths; ``alpha``, how far one head
        moves at most in the second half; ``low`` and ``high`` of alpha over heads and seeds at the end; ``entropy``, lowest and highest of a
        layer's means over seeds in the whole training.
    """
    losses, moved, ends, entropies, seeds = {}, [0.0], [], [], 0
    for arm, named in of(name).items():
        mean = np.mean(named["train_loss"]["values"], axis=0)
        tenth = max(1, len(mean) // 10)
        seeds = max(seeds, len(named["train_loss"]["values"]))
        losses[arm] = (float(mean[-2 * tenth : -tenth].mean()), float(mean[-tenth:].mean()))
        for curve, found in named.items():
            values = np.array(found["values"])
            if curve.startswith("alpha/") and _heads(named, curve) == [curve]:
                half = values[:, int(SETTLED * values.shape[1]) :]
                moved.append(float(np.ptp(half, axis=1).max()))
                ends += values[:, -1].tolist()
            if curve.startswith("entropy_"):
                entropies += values.mean(axis=0).tolist()
    return {
        "seeds": seeds,
        "loss": losses,
        "alpha": max(moved),
        "low": min(ends, default=None),
        "high": max(ends, default=None),
        "entropy": (min(entropies), max(entropies)) if entropies else None,
    }
