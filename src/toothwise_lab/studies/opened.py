"""A study's folder as something to read: its plan, and which of its trials are done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from toothwise.errors import InputError
from toothwise.files import atomic_file, write_json
from toothwise.reading import read_json
from toothwise_lab.studies.config import Primary, Study, read_study
from toothwise_lab.studies.store import Entry, StudyFolder


@dataclass(frozen=True)
class OpenedStudy:
    """A study that was run, or is running.

    Attributes:
        study: its plan, as it was when it was run last.
        store: its folder.
        entries: its trials.
        revision: of the code that it was run with last.
    """

    study: Study
    store: StudyFolder
    entries: tuple[Entry, ...]
    revision: str

    def rows(self, status: str | None = None) -> list[tuple[Entry, dict[str, Any]]]:
        """Trials that have ended, in their order.

        Args:
            status: "done" or "failed"; None = both.
        """
        found = [(entry, self.store.row(entry.key)) for entry in self.entries]
        return [(e, row) for e, row in found if row is not None and status in (None, row["status"])]

    def missing(self) -> list[Entry]:
        """Trials that have not ended."""
        return [entry for entry in self.entries if self.store.row(entry.key) is None]


def save_study(folder: Path, study: Study, entries: list[Entry], revision: str) -> None:
    """Write the plan beside the results.

    Raises:
        InputError: the folder belongs to another study, or the primary hypothesis was changed after trials had ended.
    """
    path = folder / "study.json"
    if path.is_file():
        before = _read(path)
        if (before["name"], before["smoke"]) != (study.name, study.smoke):
            raise InputError(f"{folder}: holds the study {before['name']!r}: name another folder")
        primary = None if before["primary"] is None else Primary(**before["primary"])
        if primary != study.primary and StudyFolder(folder).all_rows():
            raise InputError(
                f"{study.source.file}: the primary hypothesis was changed after trials had been run into {folder}: "
                "name another folder"
            )
    with atomic_file(folder / "study.yaml") as temporary:
        temporary.write_text(study.source.file.read_text(encoding="utf-8"), encoding="utf-8")
    plan = {
        "name": study.name,
        "smoke": study.smoke,
        "title": study.title,
        "question": study.question,
        "revision": revision,
        "primary": None if study.primary is None else asdict(study.primary),
        "trials": [asdict(entry) for entry in entries],
    }
    write_json(path, plan)


def open_study(folder: Path) -> OpenedStudy:
    """The study in a folder.

    Raises:
        InputError: the folder holds none.
    """
    path = folder / "study.json"
    if not path.is_file():
        raise InputError(f"{folder}: holds no study (no study.json); 'toothwise study run' makes one")
    plan = _read(path)
    study = read_study(folder / "study.yaml", smoke=plan["smoke"])
    entries = tuple(Entry(**entry) for entry in plan["trials"])
    primary = None if plan["primary"] is None else Primary(**plan["primary"])
    named = replace(study, name=plan["name"], primary=primary)
    return OpenedStudy(named, StudyFolder(folder), entries, plan["revision"])


def _read(path: Path) -> dict[str, Any]:
    plan = read_json(path)
    missing = {"name", "smoke", "primary", "trials", "revision"} - set(plan if isinstance(plan, dict) else ())
    if missing:
        raise InputError(f"{path}: lacks {', '.join(sorted(missing))}")
    return dict(plan)
