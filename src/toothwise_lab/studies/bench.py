"""The benchmark: detectors x domains x modes x seeds, resumed after a kill, one table at the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise import detectors
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.errors import InputError, MissingDependencyError, WeightsError
from toothwise.files import atomic_file, write_json
from toothwise.results import write_result
from toothwise.simulate.textures import DOMAINS
from toothwise_lab.studies.cell import LIMITS, MODES, Cell, CellMaps, draw_maps, run_cell

__all__ = ["LIMITS", "BenchConfig", "bench", "summary"]

# what a cell of the benchmark is made of; what only studies vary is at its default
_OF_BENCH = ("domain", "mode", "detector", "seed", "options", "n_train", "n_test", "contrast", "gear", "length")
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class BenchConfig:
    """The grid.

    Attributes:
        domains: of "A" to "D".
        modes: "matched" and "realistic".
        detectors: names; "limit" and "glr" are the generator's own likelihood ratio and its best line.
        seeds: number of seeds, from 0.
        options: of detectors, by their names.
        n_train, n_test, contrast, gear, length: see Cell.

    Raises:
        InputError: an unknown name, or an empty grid.
    """

    domains: tuple[str, ...] = ("C",)
    modes: tuple[str, ...] = MODES
    detectors: tuple[str, ...] = ("scan", "mean")
    seeds: int = 5
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    n_train: int = 400
    n_test: int = 400
    contrast: tuple[float, float] = (1.08, 1.3)
    gear: str = "driving"
    length: tuple[int, int] | None = (20, 94)

    def __post_init__(self) -> None:
        known = (*detectors.names(), *LIMITS)
        for name, given, allowed in (
            ("domains", self.domains, tuple(DOMAINS)),
            ("modes", self.modes, MODES),
            ("detectors", self.detectors, known),
        ):
            wrong = [value for value in given if value not in allowed]
            if wrong or not given:
                raise InputError(f"{name} must be among {', '.join(allowed)}, but got {', '.join(wrong) or 'none'}")
        if self.seeds < 1:
            raise InputError(f"seeds must be 1 or more, but got {self.seeds}")
        strange = set(self.options) - set(known)
        if strange:
            raise InputError(f"options are given for {', '.join(sorted(strange))}, which are no detectors")

    def groups(self) -> Iterator[list[Cell]]:
        """Cells that share their maps."""
        for domain in self.domains:
            for mode in self.modes:
                for seed in range(self.seeds):
                    yield [
                        Cell(
                            domain,
                            mode,
                            name,
                            seed,
                            self.options.get(name, {}),
                            self.n_train,
                            self.n_test,
                            self.contrast,
                            self.gear,
                            self.length,
                        )
                        for name in self.detectors
                    ]


def _key(cell: Cell) -> str:
    """Names a cell by all that it depends on, so that another configuration never finds its result."""
    settings = {name: value for name, value in asdict(cell).items() if name in _OF_BENCH}
    text = json.dumps(settings, sort_keys=True)
    return f"{cell.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def bench(config: BenchConfig, folder: Path, progress: Progress | None = None) -> tuple[pd.DataFrame, dict[str, str]]:
    """Run what is not yet there; write each cell as soon as it is done, then the whole.

    Args:
        config: the grid.
        folder: ``cells/NAME.json`` each, ``bench.json`` (with revision, versions, machine) and ``bench.parquet``
            (where pyarrow is installed, else ``bench.csv``).
        progress: told what is being done and the share of the grid that is done.

    Returns:
        One row per cell, and the detectors that were left out with the reason.

    Raises:
        InputError: a cell in the folder that cannot be read.
        OutputError: the folder cannot be written.
    """
    progress = progress or (lambda text, share: None)
    groups = list(config.groups())
    total = sum(map(len, groups))
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for cells in groups:
        maps: CellMaps | None = None
        with shared_encodings():  # detectors with the same encoder see the same images
            for cell in cells:
                progress(cell.name, len(rows) / total)
                path = folder / "cells" / f"{_key(cell)}.json"
                if path.exists():
                    rows.append(_read(path))
                    continue
                if cell.detector in skipped:
                    continue
                maps = maps or draw_maps(cell)
                try:
                    row = run_cell(cell, maps)
                except (MissingDependencyError, WeightsError) as error:
                    skipped[cell.detector] = str(error)
                    continue
                write_json(path, row)
                rows.append(row)
    if not rows:
        raise InputError(f"no detector could be run: {'; '.join(skipped.values())}")
    table = pd.DataFrame(rows)
    settings = json.loads(json.dumps(asdict(config)))
    write_result(folder / "bench.json", settings, {"cells": rows, "skipped": skipped}, seed=0)
    _write_table(table, folder)
    return table, skipped


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the result of a cell ({error}); remove it to run that cell again") from None


def _write_table(table: pd.DataFrame, folder: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        with atomic_file(folder / "bench.csv") as temporary:
            table.to_csv(temporary, index=False)
        return
    with atomic_file(folder / "bench.parquet") as temporary:
        table.to_parquet(temporary, index=False)


def summary(
    table: pd.DataFrame, *, metrics: tuple[str, ...] = ("auroc", "tpr_at_1_fpr", "tooth_accuracy")
) -> pd.DataFrame:
    """Means over seeds by domain, mode and detector, best first.

    The interval of a metric is that of its mean over seeds (Student's t); with one seed that of the AUROC is from the
    bootstrap over maps, and the others have none.

    Returns:
        Columns ``domain, mode, detector, seeds``, each metric with ``_low`` and ``_high``, ``maps_per_second`` and
        ``fit_seconds``.
    """
    from scipy.stats import t as student

    rows = []
    for (domain, mode, name), part in table.groupby(["domain", "mode", "detector"], sort=False):
        row: dict[str, Any] = {"domain": domain, "mode": mode, "detector": name, "seeds": len(part)}
        for metric in metrics:
            values = part[metric].dropna().to_numpy(dtype=float)
            mean = float(values.mean()) if len(values) else np.nan
            row[metric] = mean
            if len(values) > 1:
                half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
                row |= {f"{metric}_low": max(mean - half, 0.0), f"{metric}_high": min(mean + half, 1.0)}
            elif metric == "auroc":
                row |= {"auroc_low": float(part.auroc_low.iloc[0]), "auroc_high": float(part.auroc_high.iloc[0])}
        for plain in ("maps_per_second", "predict_ms_median", "fit_seconds"):
            row[plain] = float(part[plain].median())
        rows.append(row)
    found = pd.DataFrame(rows)
    return found.sort_values(["domain", "mode", metrics[0]], ascending=[True, True, False], ignore_index=True)
