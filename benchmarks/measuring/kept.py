"""Parts of a long benchmark that are kept in files, so that going on after a kill repeats nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toothwise.files import write_json

__all__ = ["kept"]


def kept(path: Path | None, make: Callable[[], Any]) -> Any:
    """What a JSON file holds; where there is none, what ``make`` gives, which is written to it. None = not kept."""
    if path is None:
        return make()
    if not path.exists():
        write_json(path, make())
    return json.loads(path.read_text(encoding="utf-8"))
