"""Show which trials of a study are done, failed (and why), and missing.

examples:
  toothwise study status runs/studies/direction
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress, table


@dataclass(frozen=True)
class Options:
    """Of which study.

    Attributes:
        folder (DIR): Folder of a study's results.
    """

    folder: Path


def run(options: Options, progress: Progress) -> Result:
    """Count and list."""
    del progress
    from toothwise_lab.studies.opened import open_study
    from toothwise_lab.studies.revision import code_revision

    opened = open_study(options.folder)
    counts: dict[tuple[str, str, str], dict[str, int]] = {}
    for entry in opened.entries:
        row = opened.store.row(entry.key)
        of = counts.setdefault((entry.part, entry.group, entry.arm), {"done": 0, "failed": 0, "missing": 0})
        of["missing" if row is None else row["status"]] += 1
    failed = [{**entry.labels, "reason": row["reason"]} for entry, row in opened.rows("failed")]
    total = {what: sum(of[what] for of in counts.values()) for what in ("done", "failed", "missing")}
    others = sorted({row["revision"] for _, row in opened.rows()} - {opened.revision})
    data: dict[str, Any] = {
        "title": opened.study.title,
        "smoke": opened.study.smoke,
        **total,
        "arms": [{"part": p, "group": g, "arm": a, **of} for (p, g, a), of in counts.items()],
        "failures": failed,
        "revision": opened.revision,
        "other_revisions": others,
        "code_is_the_same": opened.revision == code_revision(),
    }

    def text() -> str:
        columns = ("part", "group", "arm", "done", "failed", "missing")
        rows = [(p or "-", g, a, *(str(of[what]) for what in columns[3:])) for (p, g, a), of in counts.items()]
        out = table(columns, rows, right=columns[3:])
        for one in failed:
            words = ", ".join(str(one[k]) for k in ("part", "arm", "group") if one[k])
            out += f"{words}, seed {one['seed']} failed: {one['reason']}\n"
        out += f"{total['done']} done, {total['failed']} failed, {total['missing']} missing; code {opened.revision}\n"
        if others:
            out += f"some results come from other code: {', '.join(others)}\n"
        if not data["code_is_the_same"]:
            out += "the code of toothwise has changed since: the next run would rerun all trials\n"
        return out

    return Result(data, text)
