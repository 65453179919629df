"""How long the line network takes for a map of 31 x 95, on one core; writes results/line_speed.json.

    python benchmarks/line_speed.py      # a minute or two

A network of the shipped size, hardly trained (what weights are costs nothing), with its correction kept and without
(then the learned likelihood alone is computed), and without attention beside it; single maps and batches of 32, in
turns, the fastest of all rounds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from measuring.command import arguments, save
from measuring.paired import paired
from measuring.variants import exported

from toothwise import detectors
from toothwise.detectors.base import Detector
from toothwise.exported.choosing import choices_of, load_engine
from toothwise.exported.manifest import read_manifest
from toothwise.simulate.maps import generate

BATCHES = (1, 32)


def engines(detector: Detector, folder: Path) -> dict[str, Callable[..., Any]]:
    """Every engine of a detector in float32, and PyTorch: maps -> what it says of them."""
    place = exported(detector, folder, None)
    manifest = read_manifest(place)
    chosen = [c for c in choices_of(manifest, place) if c.precision == "float32"]
    return {"PyTorch": detector.predict} | {c.engine: load_engine(place, manifest, 1, c) for c in chosen}


def main() -> None:
    """Measure and write."""
    given = arguments(__doc__, rounds=15)
    torch.set_num_threads(1)
    maps = generate("C", 64, False, seed=21)[0]
    ways: dict[str, Callable[..., Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, gain, attention in (
            ("kept", 1.0, "both"),
            ("kept, no attention", 1.0, "none"),
            ("not kept", 0.0, "none"),
        ):
            detector: Any = detectors.create("line_network", max_steps=1, keep="all", attention=attention)
            detector.fit(maps[:32])
            detector._module.model.gain.fill_(gain)
            ways |= {f"{engine}, {name}": run for engine, run in engines(detector, Path(folder) / name).items()}
        result: dict[str, dict[str, float]] = {name: {} for name in ways}
        for batch in BATCHES:
            work = {name: partial(run, maps[:batch]) for name, run in ways.items()}
            for name, times in paired(work, rounds=given.rounds).items():
                result[name][f"batch_{batch}"] = round(1e3 * min(times.cpu) / batch, 3)
    save(given, result, batches=BATCHES)


if __name__ == "__main__":
    main()
