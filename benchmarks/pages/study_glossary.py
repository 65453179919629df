"""The words of docs/results.md, and how its studies were run."""

from __future__ import annotations

from common import Data, table
from study_pairs import plan
from study_text import span

from toothwise.data.imagesets import PRESETS
from toothwise_lab.studies.cell_maps import Cell


def glossary() -> str:
    """About ten lines."""
    anomalies = "; ".join(
        f"{name}, {p.about}: {', '.join(p.abnormal).replace('_', ' ')}" for name, p in PRESETS.items()
    )
    return f"""- **A, B, C, D**: four kinds of simulated tooth-pair maps of 31 x 95 teeth, with the published statistics of four data sets; C is the one whose thermal states were measured. **Matched**: a damaged line is all that faulty maps differ by from healthy ones.
- **Cold**, **warm**: the thermal state of a map. Training maps are one pool of both; a metric "on cold maps" is taken on the cold half of the test maps.
- **Contrast**: the damaged line over its background. The studies differ in it, see below.
- **plain**, *none*: Dinomaly as published, with global attention. **both**, *both_learned*: Directional Dinomaly, whose first three decoder layers attend along rows and along columns; **alpha** is the weight of the columns. *x*: along rows alone; *y*: along columns alone. A name after a slash is the detector that an arm was run with.
- **Own score**: what the detector itself says of a map; for both Dinomalys the mean of the highest 1 % of its anomaly map. **Best line**, *lines*: the same anomaly map scored by its best row or column.
- **scan**: the statistic of lines that this project sets beside the deep detectors; it is not trained by gradient and has no anomaly map.
- **home**: trained and tested on the same; what the other arms of transfer are compared with.
- **±**: standard deviation over seeds. **-**: the detector has no such figure, or no seed has it.
- **AUROC below 0.5**: healthy maps score higher than faulty ones, so that what the score rises with is not what is anomalous there.
- **Anomalies** of the public sets: {anomalies}. Of these only cracks are at all like the line that a damaged tooth draws.
"""


def protocol(found: dict[str, Data]) -> str:
    """What differs between the sections, as a table."""
    body = []
    for name, data in found.items():
        have = {(r["part"], r["arm"]) for r in data["result"]["table"] if r["seeds"]}
        for part in plan(name).parts:
            arms = [arm.settings for arm in part.arms if (part.name, arm.name) in have]
            if not arms:
                continue
            images = part.kind == "images"
            contrasts = {"{:g} to {:g}".format(*a.get("contrast", Cell.contrast)) for a in arms}
            steps = sorted({a["options"]["max_steps"] for a in arms if "max_steps" in a.get("options", {})})
            learned, scored = (sorted({a[k] for a in arms if a.get(k)}) for k in ("n_train", "n_test"))
            body.append(
                [
                    f"{name}, {part.name}" if part.name else name,
                    ", ".join(sorted(contrasts)) if part.kind == "maps" else "-",
                    "/".join(map(str, steps)) or "-",
                    len(part.seeds),
                    span(learned) if learned else "-",
                    ("up to " if images else "") + span(scored) if scored else "-",
                ]
            )
    head = ["study", "contrast", "steps", "seeds planned", "maps to learn from", "healthy and faulty maps each"]
    return f"""The same arm has other figures in other sections, because contrast, steps, maps and seeds are others; compare within a section only.

{table(head, body)}"""
