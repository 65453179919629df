"""What the studies found, in one small file each: tables, comparisons, alphas; writes results/studies/NAME.json.

    toothwise study run configs/studies/direction.yaml
    python benchmarks/studies.py runs/studies                 # every study that has a folder there
    python benchmarks/studies.py runs/studies --studies alpha layers

Beside a study's own comparisons each file holds one family more, corrected by itself: Directional Dinomaly against the
plain one and against the scan wherever the study ran both, by their own scores and by the best line of the anomaly map.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.results import write_result
from toothwise.studies.opened import OpenedStudy, open_study
from toothwise.studies.statistics import Comparison, comparisons, other_pairs, table

HERE = Path(__file__).parent
DIRECTIONAL = ("both", "both_learned")
METRICS = ("auroc", "auroc_lines")


def rounded(data: dict[str, Any]) -> dict[str, Any]:
    """Floats to six digits; what is not a number is None, as JSON has none."""
    return {
        k: (float(f"{v:.6g}") if math.isfinite(v) else None) if isinstance(v, float) else v for k, v in data.items()
    }


def pairs_of(opened: OpenedStudy, other: tuple[str, ...]) -> list[tuple[str, str]]:
    """Directional Dinomaly and ``other``, by the names of arms: both_learned and none, X/both and X/plain, ..."""
    found = []
    for part in opened.study.parts:
        names = {arm.name for arm in part.arms}
        for name in sorted(names):
            head, slash, last = name.rpartition("/")
            for word in DIRECTIONAL:
                if last == word or last.endswith(f"_{word}"):
                    start = last.removesuffix(word)
                    found += [(name, f"{head}{slash}{start}{o}") for o in other if f"{head}{slash}{start}{o}" in names]
        if "dinomaly_directional" in names:
            found += [("dinomaly_directional", o) for o in other if o in names]
    return list(dict.fromkeys(found))


def direction(opened: OpenedStudy) -> dict[str, list[dict[str, Any]]]:
    """Directional Dinomaly against the rest. The scan has no anomaly map to pool, so its own score counts."""
    plain = pairs_of(opened, ("plain", "none", "dinomaly"))
    against: dict[str, list[Comparison]] = {f"plain, {m}": other_pairs(opened, m, plain) for m in METRICS if plain}
    scan = pairs_of(opened, ("scan",))
    if scan:
        against["scan, auroc"] = other_pairs(opened, "auroc", scan)
    return {name: [rounded(c.data) for c in found] for name, found in against.items() if found}


def alphas(opened: OpenedStudy) -> dict[str, Any]:
    """Learned weight of the columns by arm: mean and spread over heads and seeds, in each layer."""
    found: dict[str, dict[str, list[float]]] = {}
    for entry, row in opened.rows("done"):
        for layer, values in (row["info"].get("alpha") or {}).items():
            found.setdefault(entry.arm, {}).setdefault(str(layer), []).extend(np.ravel(values).tolist())
    return {
        arm: {layer: [round(float(np.mean(v)), 4), round(float(np.std(v)), 4)] for layer, v in layers.items()}
        for arm, layers in found.items()
    }


def gradients(opened: OpenedStudy) -> dict[str, dict[str, list[float]]]:
    """Norm of the loss's gradient in each layer at the start, middle and end of the training (mean of a tenth of it).

    By arm and layer, the median over seeds; nothing where no trial was trained.
    """
    found: dict[str, dict[str, list[list[float]]]] = {}
    for entry, _ in opened.rows("done"):
        path = opened.store.trials / entry.key / "curves.json"
        curves = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for name, curve in curves.items():
            if not name.startswith("gradient/"):
                continue
            norms = np.array([value for _, value in curve])
            tenth = max(len(norms) // 10, 1)
            middle = len(norms) // 2 - tenth // 2
            parts = norms[:tenth], norms[middle : middle + tenth], norms[-tenth:]
            layers = found.setdefault(entry.arm, {})
            layers.setdefault(name.removeprefix("gradient/"), []).append([float(p.mean()) for p in parts])
    return {
        arm: {layer: [float(f"{v:.3g}") for v in np.median(each, axis=0)] for layer, each in layers.items()}
        for arm, layers in found.items()
    }


def found_in(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and results of a study."""
    opened = open_study(folder)
    study = opened.study
    rows = opened.rows()
    done = [row for _, row in rows if row["status"] == "done"]
    config = {
        "study": study.name,
        "smoke": study.smoke,
        "title": study.title,
        "question": study.question,
        "primary": None if study.primary is None else asdict(study.primary),
        "seeds": sorted({entry.seed for entry in opened.entries}),
        "sizes": sorted({(r["config"].get("n_train"), r["config"].get("n_test")) for r in done}, key=str),
        "steps": sorted({r["config"].get("options", {}).get("max_steps") for r in done} - {None}),
    }
    result = {
        "trials": {
            "planned": len(opened.entries),
            "done": len(done),
            "failed": dict(Counter(row["reason"] for _, row in rows if row["status"] != "done")),
            "seconds": round(sum(row["seconds"] for row in done), 1),
            "commits": sorted({row["git"] for row in done if row.get("git")}),
            "code": sorted({row["revision"] for row in done}),
        },
        "table": [rounded(asdict(row)) for row in table(opened)],
        "comparisons": [rounded(c.data) for c in comparisons(opened)],
        "direction": direction(opened),
        "axes": [rounded(c.data) for c in other_pairs(opened, study.parts[0].metrics[0], [("y", "x")])],
        "alpha": alphas(opened),
        "gradients": gradients(opened),
    }
    return config, result


def main() -> None:
    """Write a file per study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="that the folders of the studies lie in")
    parser.add_argument("--studies", nargs="+", help="these alone")
    args = parser.parse_args()
    folders = [p.parent for p in sorted(args.folder.glob("*/study.json"))]
    for folder in [f for f in folders if args.studies is None or f.name in args.studies]:
        config, result = found_in(folder)
        if not result["trials"]["done"]:
            print(f"{folder}: no trial is done yet")
            continue
        print(write_result(HERE / "results" / "studies" / f"{config['study']}.json", config, result))


if __name__ == "__main__":
    main()
