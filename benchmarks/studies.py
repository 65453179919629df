"""What the studies found, in one small file each: tables, comparisons, alphas; writes results/studies/NAME.json.

    toothwise study run configs/studies/direction.yaml
    python benchmarks/studies.py runs/studies                 # every study that has a folder there
    python benchmarks/studies.py runs/studies --studies alpha layers

Beside NAME.json, NAME.npz holds the scores of every map behind the primary comparison. Beside a study's own comparisons
each file holds families more, each corrected by itself: Directional Dinomaly against the plain one and against the scan
wherever the study ran both, by their own scores and by the best line of the anomaly map ("direction").
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.files import atomic_file
from toothwise_lab.results import write_result
from toothwise_lab.seeds import compare_values
from toothwise_lab.studies.expand import Arm
from toothwise_lab.studies.opened import OpenedStudy, open_study
from toothwise_lab.studies.scores import parse_metric
from toothwise_lab.studies.statistics import Comparison, Results, comparisons, other_pairs, table

sys.path.append(str(Path(__file__).parent / "pages"))
from study_pairs import pairs_in

HERE = Path(__file__).parent
METRICS = ("auroc", "auroc_lines")
FLAT_STEPS = 1000  # shorter trainings end before anything is flat; their curves are not kept
PARTS = 50  # of a curve that is kept


def rounded(data: dict[str, Any]) -> dict[str, Any]:
    """Floats to six digits; what is not a number is None, as JSON has none."""
    return {
        k: (float(f"{v:.6g}") if math.isfinite(v) else None) if isinstance(v, float) else v for k, v in data.items()
    }


def distinct(opened: OpenedStudy) -> OpenedStudy:
    """The study without arms whose trials are those of an earlier arm of the group: on_A is home in domain A."""
    keys: dict[tuple[str, str, str], set[str]] = {}
    for entry in opened.entries:
        keys.setdefault((entry.part, entry.group, entry.arm), set()).add(entry.key)
    parts = []
    for part in opened.study.parts:
        for group in part.groups:
            arms: dict[frozenset[str], Arm] = {}
            for arm in part.arms:
                arms.setdefault(frozenset(keys[part.name, group[0], arm.name]), arm)
            parts.append(replace(part, arms=tuple(arms.values()), groups=(group,)))
    return replace(opened, study=replace(opened.study, parts=tuple(parts)))


def direction(opened: OpenedStudy) -> dict[str, list[dict[str, Any]]]:
    """Directional Dinomaly against the rest. The scan has no anomaly map to pool, so its own score counts."""
    plain, scan = (pairs_in(opened.study, other) for other in ("plain", "scan"))
    against: dict[str, list[Comparison]] = {f"plain, {m}": other_pairs(opened, m, plain) for m in METRICS if plain}
    if scan:
        against["scan, auroc"] = other_pairs(opened, "auroc", scan)
    return {name: [rounded(asdict(c)) for c in found] for name, found in against.items() if found}


def interactions(opened: OpenedStudy) -> list[dict[str, Any]]:
    """How much more a change costs with direction than without: of each arm that has a reference, paired over seeds.

    Directional less plain under the change, less the same under the reference; AUROC, not corrected.
    """
    done = Results(opened)
    plain_of = dict(pairs_in(opened.study, "plain"))
    rows = []
    for part in opened.study.parts:
        for (group, _), metric, (a, home) in itertools.product(part.groups, METRICS, part.comparisons):
            if not {a, home} <= set(plain_of) & {arm.name for arm in part.arms}:
                continue
            arms = (a, plain_of[a], home, plain_of[home])
            of = [done.values((part.name, group, arm), metric) for arm in arms]
            seeds = sorted(set.intersection(*map(set, of)))
            if not seeds:
                continue
            found = compare_values(*([x[s] - y[s] for s in seeds] for x, y in (of[:2], of[2:])))
            rows.append(
                {"part": part.name, "group": group, "metric": metric, "a": a, "b": plain_of[a], "reference": home}
                | {"seeds": len(seeds)}
                | {k: getattr(found, k) for k in ("difference", "low", "high", "p_value")}
            )
    return [rounded(row) for row in rows]


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
        for name, curve in opened.store.curves(entry.key).items():
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


def curves(opened: OpenedStudy) -> dict[str, dict[str, Any]]:
    """Loss, alpha and entropy by step of each seed of the arms that were trained until they are flat.

    By arm and name: ``values``, one list per seed, each the mean of a part of the training, and ``steps``, its end.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry, row in opened.rows("done"):
        if row["config"].get("options", {}).get("max_steps", 0) < FLAT_STEPS:
            continue
        for name, points in opened.store.curves(entry.key).items():
            if name.startswith(("train_loss", "alpha/", "entropy_")):
                parts = np.array_split(np.array(points), min(PARTS, len(points)))
                steps = [int(part[-1, 0]) for part in parts]
                curve = found.setdefault(entry.arm, {}).setdefault(name, {"steps": steps, "values": []})
                curve["values"].append([float(f"{part[:, 1].mean():.5g}") for part in parts])
    return found


def scores_of_primary(opened: OpenedStudy) -> dict[str, np.ndarray]:
    """Scores of every map behind the primary comparison, ``ARM/SEED/NAME``: its p-value can be computed from them."""
    primary = opened.study.primary
    metric = None if primary is None else parse_metric(primary.metric)
    if primary is None or metric is None:
        return {}
    ends = "" if metric.pooling is None else f"_{metric.pooling}"
    wanted = {f"healthy{ends}", f"faulty{ends}", "warm"}
    return {
        f"{entry.arm}/{entry.seed}/{name}": values if values.dtype == bool else values.astype(np.float32)
        for entry, _ in opened.rows("done")
        if entry.arm in (primary.better, primary.than) and entry.group == primary.group
        for name, values in opened.store.scores(entry.key).items()
        if name in wanted
    }


def found_in(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and results of a study."""
    opened = open_study(folder)
    study, single = opened.study, distinct(opened)
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
        "seeds": [
            {"group": e.group, "arm": e.arm, "seed": e.seed}
            | rounded({m: row["metrics"].get(m) for part in study.parts for m in part.metrics})
            for e, row in rows
            if row["status"] == "done"
        ],
        "table": [rounded(asdict(row)) for row in table(single)],
        "comparisons": [rounded(asdict(c)) for c in comparisons(opened)],
        "direction": direction(single),
        "interactions": interactions(single),
        "axes": [rounded(asdict(c)) for c in other_pairs(opened, study.parts[0].metrics[0], [("y", "x")])],
        "alpha": alphas(opened),
        "gradients": gradients(opened),
        "curves": curves(opened),
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
        path = HERE / "results" / "studies" / f"{config['study']}.json"
        print(write_result(path, config, result))
        if scores := scores_of_primary(open_study(folder)):
            with atomic_file(path.with_suffix(".npz")) as temporary:
                np.savez_compressed(temporary, **scores)


if __name__ == "__main__":
    main()
