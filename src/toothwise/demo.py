"""The main job end to end: a run to failure in, the bad tooth and its record out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toothwise import detectors
from toothwise.detectors.base import Detector
from toothwise.diagnosis.run import DetectorRun, RunProtocol, run_detector, run_indicators
from toothwise.errors import InputError, MissingDependencyError, WeightsError
from toothwise.files import check_writable
from toothwise.healthmap.hums2023 import FILE, read_hums2023
from toothwise.healthmap.io import write_map
from toothwise.healthmap.runs import RunRecords
from toothwise.healthmap.tooth_by_record import RunMaps, build_run_maps
from toothwise.reporting.run_report import write_report
from toothwise.simulate.runs import simulate_run

Progress = Callable[[str, str, float], None]  # which part, what it does, share done

__all__ = ["RUN_DETECTORS", "find_run", "judge_run", "run_demo", "write_run_maps"]

# The scan's options were chosen on simulated runs (benchmarks/run_parameters.py) before it saw a recording. Those of
# the deep detector rest on a single simulated run. benchmarks/hums2023.py tells what was decided after which result.
RUN_DETECTORS: dict[str, dict[str, Any]] = {
    "scan": {"lines": "rows", "lengths": [8, 16, 32]},
    "dinomaly_directional": {"image_size": [560, 64], "pooling": "rows", "max_steps": 60},
}


def find_run(data: str | Path | None, *, seed: int) -> RunRecords:
    """The HUMS2023 run below ``data`` (None: below TOOTHWISE_DATA, where it is there), else a simulated one.

    Raises:
        InputError: ``data`` is given and holds no such run.
    """
    if data is not None and str(data) != "simulated":
        path = Path(data)
        if not path.exists():
            raise InputError(f"{path}: no such folder or file")
        return read_hums2023(path / "hums2023" if (path / "hums2023").is_dir() else path)
    if data is not None:
        return simulate_run(seed=seed)
    place = os.environ.get("TOOTHWISE_DATA")
    if place and (Path(place) / "hums2023" / FILE).is_file():
        return read_hums2023(Path(place) / "hums2023")
    return simulate_run(seed=seed)


def judge_run(
    maps: RunMaps,
    protocol: RunProtocol,
    chosen: dict[str, dict[str, Any]],
    *,
    progress: Progress | None = None,
) -> tuple[list[DetectorRun], dict[str, str]]:
    """Every detector on one run; a deep one without its packages or weights is skipped with the reason.

    Args:
        maps: of the run.
        protocol: how it is judged.
        chosen: name of each detector and its options.
        progress: told the detector's name, what it does, and the share of that done.
    """
    runs, skipped = [], {}
    for name, options in chosen.items():

        def make(name: str = name, options: dict[str, Any] = options) -> Detector:
            return detectors.create(name, **options)

        def tell(text: str, share: float, name: str = name) -> None:
            if progress:
                progress(name, text, share)

        try:
            runs.append(run_detector(maps, make, name, protocol, tell))
        except (MissingDependencyError, WeightsError) as error:
            skipped[name] = str(error)
    return runs, skipped


def write_run_maps(maps: RunMaps, folder: Path) -> list[Path]:
    """Write the maps of a run as rms.npz, deviation.npz, windows.npz and healthy_windows.npz."""
    names = ("rms", "deviation", "windows", "healthy_windows")
    return [write_map(getattr(maps, name), folder / f"{name}.npz") for name in names]


def run_demo(
    output: Path,
    *,
    data: str | Path | None = None,
    seed: int = 0,
    chosen: dict[str, dict[str, Any]] | None = None,
    protocol: RunProtocol | None = None,
    progress: Progress | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """Run the main job and write ``report.html``, ``diagnosis.json``, the maps and the detectors to ``output``.

    The report is told in ``language``.

    Returns:
        What ``diagnosis.json`` holds.
    """
    check_writable(output)
    protocol = protocol or RunProtocol()
    tell = progress or (lambda part, text, share: None)
    tell("maps", "read", 0.0)
    records = find_run(data, seed=seed)
    tell("maps", f"align {len(records)} records", 0.2)
    maps = build_run_maps(records, protocol.maps)
    write_run_maps(maps, output / "maps")
    runs, skipped = judge_run(maps, protocol, chosen or RUN_DETECTORS, progress=progress)
    if not runs:
        raise InputError("no detector could run: " + "; ".join(skipped.values()))
    for run in runs:
        run.detector.save(output / "detectors" / run.name)
    tell("indicators", "classical indicators", 0.0)
    indicators = run_indicators(maps, protocol)
    tell("report", "write", 0.0)
    return write_report(output, maps, protocol, runs, indicators, skipped, code=language)
