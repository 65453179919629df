"""Run detectors on the simulated benchmark: domains, modes, seeds; one table, JSON and Parquet.

Every cell is written as soon as it is done, so a run that was killed goes on where it stopped. "limit" is the
generator's own likelihood ratio, which no detector can beat on average, and "glr" its best single line.

examples:
  toothwise bench --domains A B C D --mode matched realistic --detectors scan pca mean --seeds 5 --output runs/bench
  toothwise bench --detectors scan dinomaly --set dinomaly.max_steps=60 --output runs/bench
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result, key_values
from toothwise.cli.terminal import Progress, table
from toothwise.errors import InputError
from toothwise.files import check_writable


@dataclass(frozen=True)
class Options:
    """The grid.

    Attributes:
        output: folder of the results.
        domains, mode, detectors: lists of names.
        seeds: how many.
        n_train, n_test: maps per cell.
        contrast: lowest and highest contrast of the lines.
        set: DETECTOR.NAME=VALUE, options of detectors.
    """

    output: Path
    domains: list[str] = field(default_factory=lambda: ["C"])
    mode: list[str] = field(default_factory=lambda: ["matched", "realistic"])
    detectors: list[str] = field(default_factory=lambda: ["scan", "mean"])
    seeds: int = 5
    n_train: int = 400
    n_test: int = 400
    contrast: list[float] = field(default_factory=lambda: [1.08, 1.3])
    set: list[str] = field(default_factory=list)


def add_arguments(parser: ArgumentParser) -> None:
    """The options above."""
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    add("--domains", nargs="+", type=str, default=["C"], metavar="A|B|C|D", help="domains of the map generator")
    add(
        "--mode",
        nargs="+",
        type=str,
        default=["matched", "realistic"],
        metavar="MODE",
        help="matched, realistic or both",
    )
    add("--detectors", nargs="+", type=str, default=["scan", "mean"], metavar="NAME", help="also 'limit' and 'glr'")
    add("--seeds", type=int, default=5, metavar="N", help="of maps and detectors")
    add("--n-train", type=int, default=400, metavar="N", help="healthy maps to fit on")
    add("--n-test", type=int, default=400, metavar="N", help="healthy maps, and as many faulty ones, to score")
    add("--contrast", nargs=2, type=float, default=[1.08, 1.3], metavar=("LOW", "HIGH"), help="of the damaged lines")
    add("--set", action="append", default=[], metavar="DETECTOR.NAME=VALUE", help="an option; may be repeated")


def run(options: Options, progress: Progress) -> Result:
    """Run the grid, print the table."""
    check_writable(options.output)
    if len(options.contrast) != 2:
        raise InputError(f"--contrast takes LOW and HIGH, but got {options.contrast}")
    from toothwise_lab.studies.bench import BenchConfig, bench, summary

    config = BenchConfig(
        tuple(options.domains),
        tuple(options.mode),
        tuple(options.detectors),
        options.seeds,
        _by_detector(options.set),
        options.n_train,
        options.n_test,
        (options.contrast[0], options.contrast[1]),
    )
    cells, skipped = bench(config, options.output, progress)
    found = summary(cells)
    data: dict[str, Any] = {
        "output": str(options.output),
        "cells": len(cells),
        "skipped": skipped,
        "summary": found.astype(object).where(found.notna(), None).to_dict("records"),
    }

    def text() -> str:
        def cell(row: Any, metric: str) -> str:
            value, low, high = row[metric], row.get(f"{metric}_low"), row.get(f"{metric}_high")
            if value != value:
                return "-"
            known = low is not None and low == low
            return f"{value:.3f} ({low:.3f}-{high:.3f})" if known else f"{value:.3f}"

        columns = ("domain", "mode", "detector", "AUROC (95 %)", "TPR@1%FPR (95 %)", "tooth", "ms/map", "fit s")
        rows = [
            (
                row.domain,
                row["mode"],
                row.detector,
                cell(row, "auroc"),
                cell(row, "tpr_at_1_fpr"),
                f"{row.tooth_accuracy:.2f}" if row.tooth_accuracy == row.tooth_accuracy else "-",
                f"{row.predict_ms_median:.2f}",
                f"{row.fit_seconds:.2f}",
            )
            for _, row in found.iterrows()
        ]
        out = table(columns, rows, right=columns[3:])
        out += "".join(f"{name} was skipped: {why}\n" for name, why in skipped.items())
        return out + f"{len(cells)} cells in {options.output}\n"

    return Result(data, text)


def _by_detector(pairs: list[str]) -> dict[str, dict[str, Any]]:
    """``["dinomaly.max_steps=60"]`` by detector."""
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, dot, rest = pair.partition(".")
        if not dot or "=" in name:
            raise InputError(f"--set takes DETECTOR.NAME=VALUE, but got {pair!r}")
        found.setdefault(name, {}).update(key_values([rest]))
    return found
