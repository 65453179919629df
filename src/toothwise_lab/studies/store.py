"""A study's folder: one folder per finished trial, written whole or not at all, and tables made from them.

``trials/KEY/row.json`` (what was found, or why it failed), ``scores.npz`` (of each map), ``curves.json``,
``examples.npz``; ``study.yaml`` and ``study.json`` (what belongs to the study); ``results.jsonl`` (one row per trial).
The trials are the truth: everything else is made from them again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.errors import OutputError
from toothwise.files import atomic_file, atomic_folder, check_writable, write_json
from toothwise.reading import read_arrays, read_json


@dataclass(frozen=True)
class Entry:
    """A trial that belongs to the study.

    Attributes:
        part, arm, group, seed: its labels.
        config_hash: of its settings.
        key: of its result: settings, code and data.
    """

    part: str
    arm: str
    group: str
    seed: int
    config_hash: str
    key: str

    @property
    def labels(self) -> dict[str, Any]:
        """Columns that name the trial in tables."""
        return {"part": self.part, "arm": self.arm, "group": self.group, "seed": self.seed}


class StudyFolder:
    """Reads and writes the folder of one study.

    Args:
        folder: need not exist to be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[str, dict[str, Any]] = {}

    @property
    def trials(self) -> Path:
        """Folder of the finished trials."""
        return self.folder / "trials"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone in this folder; what a killed run left half-written is swept away.

        Raises:
            OutputError: the folder cannot be written, or another process runs this study.
        """
        import fcntl

        check_writable(self.folder)
        self.trials.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OutputError(f"{self.folder}: another process is running this study") from None
            for place in (self.trials, self.folder):
                for left in [*place.glob(".tmp-*"), *place.glob(".old-*")]:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield

    def row(self, key: str) -> dict[str, Any] | None:
        """The row of a finished trial, or None.

        Raises:
            InputError: a file that cannot be read.
        """
        if key not in self._rows:
            path = self.trials / key / "row.json"
            if not path.exists():
                return None
            self._rows[key] = read_json(path)
        return self._rows[key]

    def all_rows(self) -> list[dict[str, Any]]:
        """Rows of all finished trials in the folder, whether or not they belong to the study as it is now."""
        keys = sorted(path.parent.name for path in self.trials.glob("[!.]*/row.json"))
        return [row for row in map(self.row, keys) if row is not None]

    def write(
        self,
        key: str,
        row: dict[str, Any],
        scores: Mapping[str, np.ndarray],
        curves: Mapping[str, list[tuple[int, float]]],
        examples: Mapping[str, np.ndarray],
        pictures: Mapping[str, bytes] | None = None,
    ) -> Path:
        """A finished trial, whole or not at all. Returns its folder."""
        place = self.trials / key
        with atomic_folder(place) as temporary:
            if scores:
                np.savez_compressed(temporary / "scores.npz", **dict(scores))  # type: ignore[arg-type]
            if examples:
                np.savez_compressed(temporary / "examples.npz", **dict(examples))  # type: ignore[arg-type]
            if curves:
                write_json(temporary / "curves.json", {name: list(points) for name, points in curves.items()})
            for name, content in (pictures or {}).items():
                (temporary / name).write_bytes(content)
            write_json(temporary / "row.json", row)
        self._rows[key] = row
        return place

    def scores(self, key: str) -> dict[str, np.ndarray]:
        """Scores of each map of a trial; empty where it has none."""
        path = self.trials / key / "scores.npz"
        return read_arrays(path, "the scores of a trial") if path.is_file() else {}

    def pictures(self, key: str) -> list[Path]:
        """PNG files of a trial; empty where none were drawn."""
        return sorted((self.trials / key).glob("*.png"))

    def curves(self, key: str) -> dict[str, list[tuple[int, float]]]:
        """Curves of a trial's training by name; empty where it has none."""
        path = self.trials / key / "curves.json"
        return read_json(path) if path.is_file() else {}

    def forget(self, key: str) -> None:
        """Remove a trial, so that it is run again."""
        shutil.rmtree(self.trials / key, ignore_errors=True)
        self._rows.pop(key, None)

    def write_results(self, entries: list[Entry]) -> Path:
        """results.jsonl: labels and row of each finished trial of the study, one a line."""
        path = self.folder / "results.jsonl"
        lines = []
        for entry in entries:
            row = self.row(entry.key)
            if row is not None:
                lines.append(json.dumps({**entry.labels, **row}, ensure_ascii=False, allow_nan=False))
        with atomic_file(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path
