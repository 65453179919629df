"""Fills the templates of pages that state results: PAGE.md.j2 here becomes docs/PAGE.md.

A template is Markdown with Jinja's marks. A person writes its sentences; its figures are values from results files:

    {{ results.severity.result.simulated.lines.mae | as(".3f") }}    one value of results/severity.json
    {{ share | percent }}                                            a share in per cent
    {{ met(ratio <= 1.1) }}                                          a target met or missed
    {{ source(results.severity) }}                                   where results came from

A value that is not there is an error, so that no page says more than the results do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"

Data = dict[str, Any]


@lru_cache
def read(name: str) -> Data:
    """A results file."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


class Results:
    """Results files by name: ``results.severity`` is results/severity.json."""

    def __getitem__(self, name: str) -> Data:
        return read(name)


def shown(value: Any, shape: str = "") -> str:
    """A value in a format of Python, a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return format(value, shape)


def percent(value: float | None, digits: int = 1) -> str:
    """A share in per cent."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(header)
    lines = [head, ["---"] * len(head), *[[str(cell) for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def source(*results: Data) -> str:
    """Where results came from."""
    parts = []
    for found in results:
        machine = found["machine"]
        flags = f" ({', '.join(machine['flags'])})" if "flags" in machine else ""
        versions = ", ".join(f"{name} {v}" for name, v in found["versions"].items() if v)
        changes = "+changes" if "+" in found["revision"] else ""
        parts.append(
            f"revision {found['revision'][:10]}{changes}, {found['date']}, "
            f"{machine['cores']} cores of {machine['processor']}{flags}; {versions}"
        )
    return "Source: " + "; ".join(parts) + "."


def met(reached: bool) -> str:
    """A target met or missed."""
    return "met" if reached else "**missed**"


def environment(**more: Any) -> Environment:
    """Jinja with the words above; ``more`` are functions that only some pages need."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  Markdown, from our own results
    )
    found.filters.update({"as": shown, "percent": percent})
    found.globals.update(results=Results(), table=table, source=source, met=met, zip=zip, **more)
    return found
