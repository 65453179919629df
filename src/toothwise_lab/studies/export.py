"""Results of a study in one file, a row per trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from toothwise.errors import InputError, need
from toothwise.files import atomic_file, write_json
from toothwise_lab.studies.opened import OpenedStudy

_SUFFIXES = (".csv", ".parquet", ".json")
_FACTS = ("key", "status", "reason", "config_hash", "revision", "git", "data_version", "finished", "seconds")


def flat_rows(opened: OpenedStudy) -> list[dict[str, Any]]:
    """Labels, facts and metrics of each ended trial; settings and info as JSON text."""
    out = []
    for entry, row in opened.rows():
        facts = {name: row.get(name) for name in _FACTS}
        texts = {name: json.dumps(row.get(name), sort_keys=True) for name in ("config", "info", "machine")}
        # labels win: a metric row states domain, mode and seed again
        out.append({**row["metrics"], **facts, **texts, **entry.labels})
    return out


def export(opened: OpenedStudy, path: Path) -> int:
    """Write them.

    Args:
        opened: the study.
        path: its suffix tells the format: .csv, .parquet, or .json (with settings and info as they are).

    Returns:
        The number of trials.

    Raises:
        InputError: another suffix, or no trial that has ended.
        MissingDependencyError: Parquet without pyarrow.
        OutputError: it cannot be written.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}: the suffix must be one of {', '.join(_SUFFIXES)}, but is {path.suffix!r}")
    rows = flat_rows(opened)
    if not rows:
        raise InputError(f"{opened.store.folder}: no trial has ended yet")
    if path.suffix.lower() == ".json":
        write_json(path, [{**entry.labels, **row} for entry, row in opened.rows()])
        return len(rows)
    first = ["part", "arm", "group", "seed", "status", "reason"]
    table = pd.DataFrame(rows)
    table = table[[*first, *(name for name in table.columns if name not in first)]]
    write: Any = table.to_csv
    if path.suffix.lower() == ".parquet":
        need("pyarrow", "Parquet (.csv does not)", "parquet")
        write = table.to_parquet
    with atomic_file(path) as temporary:
        write(temporary, index=False)
    return len(rows)
