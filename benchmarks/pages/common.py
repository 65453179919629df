"""Reading results files, and tables in markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"

Data = dict[str, Any]


def read(name: str) -> Data:
    """A results file."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A markdown table."""
    head = list(header)
    lines = [head, ["---"] * len(head), *[[str(cell) for cell in row] for row in rows]]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def origin(*results: Data) -> str:
    """Where results came from."""
    parts = []
    for found in results:
        machine = found["machine"]
        versions = ", ".join(f"{name} {v}" for name, v in found["versions"].items() if v)
        parts.append(
            f"revision {found['revision'][:10]}{'+changes' if '+' in found['revision'] else ''}, {found['date']}, "
            f"{machine['cores']} cores of {machine['processor']}; {versions}"
        )
    return "Source: " + "; ".join(parts) + ".\n"


def verdict(met: bool) -> str:
    """A target met or missed."""
    return "met" if met else "**missed**"
