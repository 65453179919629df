"""Latency, throughput and accuracy of trained detectors in every engine and precision, against anomalib's Dinomaly.

    python benchmarks/inference.py            # an hour with its training; writes results/inference.json
    python benchmarks/inference.py --fitted DIR    # keeps detectors, exports, scores and times there, or takes them
    python benchmarks/inference.py --fitted DIR --part scores    # all but the times, which want an idle machine
    python benchmarks/inference.py --fitted DIR --threads 2    # one map, by the clock; results/inference_cores.json
    python benchmarks/inference.py --quick    # batch 1, hardly trained; writes only where --output says so

From a map to its score, one thread each (else --threads), in one process and in turns. Ours begin with the map itself
and end with the score (scaling, size and pooling are part of the time), anomalib's PyTorch model begins with an image
that is ready and has the weights of the plain one. Then every variant scores the same healthy and faulty maps: AUROC,
and the share of maps with the same decision as PyTorch in float32 at the detector's threshold.

Options:

    --threads: more than one: the time of one map alone, by the clock
    --steps: of the training
    --maps: healthy test maps, and as many faulty ones
    --part: all = and write the result; the others write where --output says so
    --unscored: ways without AUROC
    --detectors: those that are tried ("plain, own encoder"; scores alone, because times are over plain, ViT-S)
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring.command import arguments, save
from measuring.counting import count
from measuring.machine import has_bfloat16, measured_peak, result_of
from measuring.paired import paired
from measuring.variants import Score, exported, variants
from training import ENCODER, theirs

from toothwise import Model, detectors
from toothwise.detectors.base import Detector
from toothwise.detectors.embedded import EMBEDDED, image_size_for
from toothwise.evaluation import auroc
from toothwise.evaluation.thresholds import threshold_from_healthy
from toothwise.exported.choosing import open_fastest
from toothwise.exported.manifest import read_manifest
from toothwise.simulate.maps import generate
from toothwise_lab.results import kind as processor_kind

SQUARE = {"own encoder": EMBEDDED, "ViT-S": ENCODER}
ENCODERS: dict[str, Any] = {
    name: {"encoder_name": encoder, "image_size": [*image_size_for(encoder)], "decoder_depth": 8}
    for name, encoder in SQUARE.items()
}
ENCODERS |= {"own encoder 14 x 10": {}, "ViT-S two layers": {"encoder_name": ENCODER}}  # what maps get by default
OTHERS = ("line network", "coherent")
_SAMPLES = 8  # of a mesh, in the waveforms that the coherent detector looks at
KINDS = {"plain": "dinomaly", "directional": "dinomaly_directional"}
BASE = "anomalib, ViT-S, PyTorch, float32"
FIRST = "PyTorch, float32"  # what decisions are compared with
MANY = "directional"  # kind that is timed in large batches; the plain one costs nearly the same
PROMISED = {"speed": 3.0, "one_map": 10.0} if processor_kind() == "amx" else {"speed": 2.0, "one_map": 7.0}
PROMISED |= {"auroc_loss": 0.002, "same_decisions": 0.995}
IN_TURN = 5  # single maps that a way scores when it is its turn: the first finds another network in the caches
TRAIN, CALIBRATION, CONTRAST, RATE = 300, 60, (1.2, 1.3), 0.01


def trained(folder: Path, kind: str, encoder: str, steps: int) -> Detector:
    """A detector fitted on healthy maps, with its threshold; taken from the folder where it is there."""
    place = folder / f"{kind}_{encoder.replace(' ', '_')}_{steps}"
    if (place / "model.json").exists():
        return Model.open(place).detector
    options = ENCODERS[encoder] | {"max_steps": steps, "seed": 0}
    detector = detectors.create(KINDS[kind], **options)
    detector.fit(generate("C", TRAIN if steps > 1 else 16, False, seed=21)[0])
    held_out = generate("C", TRAIN if steps > 1 else 16, False, seed=24)[0]
    detector.threshold = threshold_from_healthy(detector.predict(held_out).score, RATE)
    Model(detector).save(place)
    return detector


def anomalib(detector: Detector) -> dict[str, Score]:
    """anomalib's Dinomaly with the weights of the plain detector: images that are ready -> scores."""
    model = theirs(detector._module).eval()  # type: ignore[attr-defined]

    def of(precision: str) -> Score:
        @torch.inference_mode()
        def run(images: Any) -> np.ndarray:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                return model(images).pred_score.float().numpy().reshape(-1)

        return run

    precisions = ("float32", "bfloat16") if has_bfloat16() else ("float32",)
    return {f"anomalib, ViT-S, PyTorch, {precision}": of(precision) for precision in precisions}


def waveforms(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Random mesh waveforms for as many maps: what they are costs the coherent detector nothing."""
    return np.random.default_rng(5).standard_normal((count, *shape, _SAMPLES)).astype(np.float32)


def others(folder: Path, threads: int) -> dict[str, Score]:
    """The detectors that are no Dinomaly, hardly trained: the line network in PyTorch and exported, and coherent."""
    maps = generate("C", 32, False, seed=21)[0]
    line = detectors.create("line_network", max_steps=1).fit(maps)
    coherent = detectors.create("coherent").fit(waveforms(32, maps.shape[1:]))
    place = exported(line, folder / "exports" / "line_network", None)
    opened = open_fastest(place, read_manifest(place), threads)
    return {
        "line network, PyTorch, float32": lambda given: line.predict(given).score,
        f"line network, auto ({opened.choice})": lambda given: opened.run(given)["score"],
        "coherent, NumPy, float64": lambda given: coherent.predict(given).score,
    }


def test_maps(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Healthy and faulty maps of the recordings that training does not see, and which is which."""
    common: dict[str, Any] = {"mode": "matched", "split": "test", "segment": False}
    healthy = generate("C", count, False, seed=22, **common)[0]
    faulty = generate("C", count, True, seed=23, contrast=CONTRAST, **common)[0]
    return np.concatenate([healthy, faulty]), np.repeat([0, 1], count)


def accuracy(
    ways: dict[str, Score], given: Callable[[str, np.ndarray], Any], limits: dict[str, float], count: int, kept: Path
) -> Any:
    """AUROC and decisions of every way on the same maps.

    Args:
        ways: by name.
        given: name and maps -> what that way takes.
        limits: threshold of each detector, "kind, encoder".
        count: maps of either sort.
        kept: folder of scores; what is there already is taken.
    """
    kept.mkdir(parents=True, exist_ok=True)
    maps, labels = test_maps(count)
    found: dict[str, Any] = {}
    first: dict[str, np.ndarray] = {}
    for name, way in ways.items():
        begin = time.process_time()
        path = kept / f"{name}, {count} maps.npy".replace(" ", "_")
        if not path.exists():
            np.save(path, np.concatenate([way(given(name, maps[i : i + 16])) for i in range(0, len(maps), 16)]))
        score = np.load(path).astype(np.float64)
        row: dict[str, Any] = {"auroc": round(auroc(score, labels), 5)}
        detector = ", ".join(name.split(", ")[:2])
        if detector in limits:
            base = first.setdefault(detector, score)
            alarms = score > limits[detector]
            row["auroc_loss"] = round(auroc(base, labels) - row["auroc"], 5)
            row["same_decisions"] = round(float(np.mean(alarms == (base > limits[detector]))), 5)
            row["alarms"] = round(float(np.mean(alarms)), 5)
        found[name] = row
        print(f"{name:<56} {row} ({time.process_time() - begin:.0f} s)", flush=True)
    return found


def one_by_one(way: Score, maps: Any, count: int) -> None:
    """Score them in so many parts, one after the other."""
    size = len(maps) // count
    for i in range(count):
        way(maps[i * size : (i + 1) * size])


def speeds(
    ways: dict[str, Score], given: Callable[[str, np.ndarray], Any], rounds: int, batches: tuple[int, ...], clock: str
) -> dict[str, dict[str, Any]]:
    """Time of every way and batch, all of them in turns, ratios by ``clock``: name -> "batch_1" -> facts."""
    maps, found = test_maps(16)[0], {name: dict[str, Any]() for name in ways}
    for batch in batches:
        # engines keep what a batch took: those of all ways together would fill the memory of a small machine
        many = (MANY, BASE, *OTHERS)
        chosen = ways if batch == 1 else {name: way for name, way in ways.items() if name.startswith(many)}
        turn = IN_TURN if batch == 1 else 1
        works = {
            name: partial(one_by_one, way, given(name, maps[: batch * turn]), turn) for name, way in chosen.items()
        }
        times = paired(works, rounds=rounds if batch == 1 else max(2, rounds // 5), warm_up=int(batch == 1))
        for name, taken in times.items():
            facts = taken.facts(times[BASE], clock=clock)
            facts |= {key: round(facts[key] / turn, 3) for key in ("cpu_ms", "wall_ms")}
            if ", auto (" in name:  # over each fixed choice in the same rounds, the median of them; of the best one
                fixed = [other for n, other in times.items() if n.startswith(name.partition("auto")[0]) and n != name]
                facts["over_best_fixed"] = max(taken.facts(other, clock=clock)["ratio"] for other in fixed)
            taken_ms = facts[f"{clock}_ms"]
            found[name][f"batch_{batch}"] = facts | {"maps_per_second": round(1e3 * batch / taken_ms, 2)}
            print(f"batch {batch:>2}, {name:<58} {taken_ms:8.1f} ms, {1 / facts['ratio']:5.2f} x", flush=True)
    return found


def operations(ways: dict[str, Score], given: Callable[[str, np.ndarray], Any]) -> dict[str, float]:
    """Gigaflop of one map through each detector, counted in PyTorch: engines compute the same network."""
    one = test_maps(1)[0][:1]
    counted = {name: way for name, way in ways.items() if name.endswith(FIRST) and not name.startswith(OTHERS)}
    return {
        name.removesuffix(f", {FIRST}"): round(count(partial(way, given(name, one))).flops / 1e9, 3)
        for name, way in counted.items()
    }


def main() -> None:
    """Train, measure and write."""
    args = arguments(
        __doc__,
        quick=False,
        rounds=int,
        threads=1,
        steps=150,
        maps=300,
        fitted=Path,
        part=("all", "scores", "times"),
        unscored="^$",
        detectors=".*",
    )
    torch.set_num_threads(args.threads)
    several = args.threads > 1
    logging.getLogger("root").setLevel(logging.ERROR)  # the quantiser's advice
    rounds, steps = args.rounds or (9 if args.quick else 11), 1 if args.quick else args.steps
    with tempfile.TemporaryDirectory() as place:
        folder = args.fitted or Path(place)
        ways: dict[str, Score] = {}
        limits: dict[str, float] = {}
        healthy = None if args.quick else generate("C", CALIBRATION, False, seed=21)[0]
        images: Any = None
        int8: dict[str, Any] = {}
        for encoder in ENCODERS:
            for kind in KINDS:
                few = ("own encoder",) if args.quick else (*SQUARE, "own encoder 14 x 10")
                left_out = kind == "directional" and encoder not in few
                if left_out or not re.fullmatch(args.detectors, f"{kind}, {encoder}"):
                    continue
                detector = trained(folder, kind, encoder, steps)
                if (kind, encoder) == ("plain", "ViT-S"):
                    ways |= anomalib(detector)
                    images = detector._images  # type: ignore[attr-defined]
                own = folder / "exports" / f"{kind}_{encoder.replace(' ', '_')}_{steps}"
                made = variants(detector, own, healthy, few=args.quick or several, threads=args.threads)
                ways |= {f"{kind}, {encoder}, {name}": way for name, way in made.items()}
                int8[f"{kind}, {encoder}"] = read_manifest(own / "auto").graph.get("int8")
                limits[f"{kind}, {encoder}"] = detector.threshold.value if detector.threshold else 0.0

        if not several and args.part != "scores":
            ways |= others(folder, args.threads)

        def given(name: str, maps: np.ndarray) -> Any:
            if name.startswith("coherent"):
                return waveforms(len(maps), maps.shape[1:])
            return images(maps) if name.startswith("anomalib") else maps

        config = {"rounds": rounds, "steps": steps, "training_maps": TRAIN, "test_maps": args.maps}
        config |= {"contrast": CONTRAST, "false_alarm_rate": RATE, "calibration": CALIBRATION}
        name = result_of("inference_cores" if several else "inference")
        result: dict[str, Any] = {"promised": PROMISED, "ways": {name: {} for name in ways}, "ratios": {}, "int8": int8}
        result |= {"peak": measured_peak(), "gigaflop": operations(ways, given)}
        kept = folder / f"times_{rounds}_{args.threads}.json"
        batches, clock = (1,) if args.quick or several else (1, 32), "wall" if several else "cpu"
        if args.part != "scores":
            if not kept.exists():
                kept.write_text(json.dumps(speeds(ways, given, rounds, batches, clock)))
            for way, row in json.loads(kept.read_text(encoding="utf-8")).items():
                result["ways"][way] |= row
                if way != BASE:
                    result["ratios"] |= {f"{b.replace('_', ' ')}, {way}": facts["ratio"] for b, facts in row.items()}
            save(args, result, name=name, **config)  # before the long part, too
        if args.quick or several or args.part == "times":
            return
        scored = {n: w for n, w in ways.items() if not n.startswith(OTHERS) and not re.search(args.unscored, n)}
        for way, row in accuracy(scored, given, limits, args.maps, folder / "scores").items():
            result["ways"][way] |= row
        if args.part == "all" or args.output:
            save(args, result, name=name, **config)


if __name__ == "__main__":
    main()
