"""The tables that the verbs of studies print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toothwise.cli.terminal import table

if TYPE_CHECKING:
    from toothwise.detectors.dinomaly.attention_view import AttentionView
    from toothwise_lab.studies.statistics import Comparison, TableRow


def comparison_table(found: list[Comparison]) -> str:
    """One row per comparison."""
    columns = ("", "group", "metric", "a", "b", "seeds", "a - b (95 %)", "p", "corrected", "effect", "verdict")
    rows = [
        (
            one.role,
            " ".join(word for word in (one.part, one.group) if word),
            one.metric,
            f"{one.a} {one.mean_a:.4g}",
            f"{one.b} {one.mean_b:.4g}",
            str(one.seeds),
            f"{one.difference:+.4g}" + ("" if one.low != one.low else f" ({one.low:+.4g} to {one.high:+.4g})"),
            _p(one.p_value),
            _p(one.p_holm),
            "-" if one.effect != one.effect else f"{one.effect:+.2f}",
            one.verdict,
        )
        for one in found
    ]
    return table(columns, rows, right=("seeds", "a - b (95 %)", "p", "corrected", "effect"))


def _p(value: float) -> str:
    return "-" if value != value else "<0.001" if value < 0.001 else f"{value:.3f}"


def mean_table(rows: list[TableRow]) -> str:
    """One row per arm, one column per metric."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    lines: dict[tuple[str, str, str], dict[str, TableRow]] = {}
    for row in rows:
        lines.setdefault((row.part, row.group, row.arm), {})[row.metric] = row
    shown = []
    for (part, group, arm), found in lines.items():
        any_row = next(iter(found.values()))
        seeds = max(row.seeds for row in found.values())
        count = f"{seeds} ({any_row.failed} failed)" if any_row.failed else str(seeds)
        cells = [_cell(found[metric]) if metric in found else "-" for metric in metrics]
        shown.append((part or "-", group, arm, count, *cells))
    parts = any(row[0] != "-" for row in shown)
    columns = ("part", "group", "arm", "seeds", *metrics)
    if not parts:
        columns, shown = columns[1:], [row[1:] for row in shown]
    return table(columns, shown, right=("seeds", *metrics))


def _cell(row: TableRow) -> str:
    if row.seeds == 0:
        return "-"
    mark = "*" if row.role == "primary" else ""
    spread = "" if row.sd != row.sd else f" +-{row.sd:.3g}"
    interval = "" if row.low != row.low else f" ({row.low:.4g}-{row.high:.4g})"
    return f"{row.mean:.4g}{spread}{interval}{mark}"


def attention_table(view: AttentionView, cost: dict[str, Any]) -> str:
    """Alpha and entropy of each layer, and what a layer costs beside global attention."""
    rows = []
    for layer in view.layers:
        alpha = ", ".join(f"{a:.3f}" for a in layer.alpha)
        entropies = (f"{layer.entropy[axis]:.4f}" if axis in layer.entropy else "-" for axis in ("y", "x"))
        rows.append((str(layer.layer), alpha, *entropies))
    columns = ("layer", "alpha", "entropy along y", "entropy along x")
    costs = [
        (name, f"{one['ms']:.2f}", f"{one['peak_bytes'] / 1024:.0f}", str(one["weights"])) for name, one in cost.items()
    ]
    numbers = ("ms/map", "peak KiB", "weights a head holds")
    return table(columns, rows, right=columns) + table(("attention", *numbers), costs, right=numbers)
