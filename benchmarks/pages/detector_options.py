"""The options of all detectors as tables, from the registry that ``toothwise detectors NAME`` reads too."""

from __future__ import annotations

import json
import re

from engine import table

from toothwise.detectors import registry


def groups() -> list[list[str]]:
    """Names of detectors, those together that take the same options."""
    found: dict[str, list[str]] = {}
    for name in registry.names():
        statistic = set(registry.options_of(name)) == {"statistic"}
        found.setdefault("statistics" if statistic else name, []).append(name)
    return list(found.values())


def about(name: str) -> str:
    """One line on a detector."""
    return f"`{name}`: {registry.describe()[name]}"


def of(name: str) -> str:
    """The options of a detector."""
    rows = [
        (f"`{option}`", f"`{json.dumps(one.default)}`", one.unit, re.sub("``", "`", one.meaning))
        for option, one in registry.options_of(name).items()
    ]
    return table(("option", "default", "unit", "meaning"), rows)
