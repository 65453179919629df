"""Results as LaTeX: escaping, tables, values by name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BUILD = Path(__file__).parent / "build"  # both may be set to other folders before anything is read

Data = dict[str, Any]


class MissingResultError(Exception):
    """A results file, or a number in one, that the paper needs is not there."""


def read(name: str) -> Data:
    """A results file.

    Raises:
        MissingResultError: it is missing, or no JSON.
    """
    path = RESULTS / f"{name}.json"
    shown = f"{RESULTS.name}/{name}.json"
    try:
        found: Data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingResultError(f"{shown}: missing; the benchmark or study of that name writes it") from None
    except ValueError as error:
        raise MissingResultError(f"{shown}: not JSON ({error})") from None
    return found


def escape(text: object) -> str:
    """Plain text as LaTeX."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    special |= {c: rf"\{c}" for c in "&%$#_{}"}
    return "".join(special.get(c, c) for c in str(text)).replace("+-1", r"$\pm 1$")


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """A number in math mode, so that its minus is one; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "--"
    return f"${value:{'+' if signed else ''},.{digits}f}$".replace(",", "{,}")


def p_value(value: float | None) -> str:
    """A p-value."""
    if value is None or not math.isfinite(value):
        return "--"
    return "<0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def percent(share: float, digits: int = 1) -> str:
    """A share."""
    return rf"{100 * share:.{digits}f}\,\%"


def tabular(header: Iterable[str], rows: Iterable[Iterable[str]], *, long: bool = False, align: str = "") -> str:
    """A table without its float; cells are LaTeX already."""
    head = list(header)
    align = align or "l" + "r" * (len(head) - 1)
    kind = "longtable" if long else "tabular"
    lines = [rf"\begin{{{kind}}}{{@{{}}{align}@{{}}}}", r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    if long:
        lines.append(r"\endhead")
    lines += [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", rf"\end{{{kind}}}"]) + "\n"


def write(name: str, text: str) -> None:
    """A file that the sections include."""
    (BUILD / name).write_text(text, encoding="utf-8")
