"""docs/encoder.md: the card of the package's own encoder, and what it is worth beside its teacher."""

from __future__ import annotations

import numpy as np
from common import Data, origin, read, table

TARGET = 0.02


def _maps(rows: list[Data]) -> str:
    body = []
    for row in rows:
        d = row["difference"]
        body.append(
            [
                row["domain"],
                row["seed"],
                row["detector"],
                f"{row['teacher']['auroc']:.3f}",
                f"{row['student']['auroc']:.3f}",
                f"{d['value']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f})",
            ]
        )
    head = ["domain", "seed", "detector", "AUROC, teacher", "AUROC, student", "difference (95 %)"]
    words = []
    for name in sorted({r["detector"] for r in rows}):
        mean = float(np.mean([r["difference"]["value"] for r in rows if r["detector"] == name]))
        words.append(
            f"{name}: {mean:+.3f} on average, {'within' if mean >= -TARGET else 'NOT within'} {TARGET} of the teacher"
        )
    return table(head, body) + "\n" + "; ".join(words) + ".\n"


def _kolektor(found: Data) -> str:
    d = found["difference"]
    return (
        f"PatchCore on KolektorSDD (commutators, {found['train']} normal images to learn from, {found['test']} to score): AUROC "
        f"{found['teacher']:.3f} with the teacher, {found['student']:.3f} with the student; difference {d['value']:+.3f} "
        f"({d['low']:+.3f} to {d['high']:+.3f}).\n"
    )


def _run() -> str:
    """The same detector with either encoder on the real run to failure."""
    rows = []
    for role, name in (("teacher", "hums2023_deep_vit_small"), ("student", "hums2023_deep")):
        said = read(name)["result"]["tolerance limit"]["dinomaly_directional"]
        alarms = ["never" if said[key] is None else said[key] for key in ("first_sustained", "consistent")]
        rows.append(
            [role, said["tooth"], *alarms, f"{100 * said['flagged_days_19_20']:.1f} %", f"{said['seconds']:.0f}"]
        )
    head = ["encoder", "tooth named", "first sustained alarm", "consistent from", "days 19-20 flagged", "s"]
    return (
        "Directional Dinomaly on [HUMS2023](hums2023.md), the same settings with either, records of the test part:\n\n"
        + table(head, rows)
    )


def encoder() -> str:
    """The page."""
    found, made = read("encoder"), read("distil")
    result, config, how = found["result"], made["config"], made["result"]
    speed, parts = result["speed"], []
    if "kolektor_sdd" in result:
        parts.append(_kolektor(result["kolektor_sdd"]))
    parts.append(_run())
    return f"""# The encoder of our own

`{found["config"]["names"][1]}` ships with the package: no hub and no download. It is the default encoder of every Dinomaly and of PatchCore.

## Card

| | |
| --- | --- |
| architecture | vision transformer, 8 blocks of dimension 192, patches of 16 pixels; {how["parameters"] / 1e6:.1f} million weights, {how["bytes"] / 1e6:.1f} MB as fp16 |
| input | three channels of mean 0 and spread 1, {config["size"][0]} x {config["size"][1]} in training; other sides are interpolated |
| teacher | timm's `{config["teacher"]}` with the weights of Depth Anything V2 small (DINOv2 fine-tuned for depth, Apache-2.0): not the original DINOv2 |
| start | the first eight blocks of timm's `{config["start"]}` (ImageNet, Apache-2.0) |
| data | {config["images"]:,} images: four of five are simulated health maps of domains A to D with and without lines, every fifth is of "dead leaves" (opaque shapes over each other); no recording, no photograph |
| training | cosine distance to the teacher's tokens, {config["steps"]:,} steps of {config["batch"]} images, seed {config["seed"]}, {how["training_seconds"] / 60:.0f} minutes on {made["machine"]["cores"]} {"cores" if config["device"] == "cpu" else "cores and a GPU"} of {made["machine"]["processor"]}; loss {how["loss"][0]:.3f} to {how["loss"][-1]:.3f} |
| command | `python benchmarks/distil.py --work runs/distil --images {config["images"]} --steps {config["steps"]}` |
| precision | the teacher's tokens behind the shipped file were computed in bfloat16; since then encoders always run in float32 |
| licence | Apache-2.0 |
| meant for | health maps; on pictures of other things a larger encoder may be far better, see [elsewhere](#elsewhere) |

## Speed

One image, {speed["threads"]} thread, {speed["turns"]} turns: {speed["teacher_ms"]:.0f} ms for the teacher, {speed["student_ms"]:.0f} ms for the student; {speed["ratio"]["median"]:.1f} times as fast
(quartiles {speed["ratio"]["q25"]:.1f} to {speed["ratio"]["q75"]:.1f}).

## On maps

Matched mode, lines of 1.08 to 1.3, {config_maps(found["config"])}; seeds that the distillation has not seen. DeLong's interval of the
difference on the same maps.

{_maps(result["maps"])}
## Elsewhere

{chr(10).join(parts)}
{origin(found, made)}"""


def config_maps(config: Data) -> str:
    """How many maps and steps."""
    return f"{config['train']} healthy maps to learn from, {config['test']} healthy and as many faulty ones to score, {config['steps']} steps of Dinomaly"
