"""The part of ``toothwise build`` that turns recordings into maps, several at a time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toothwise.cli.parser import Result, key_values
from toothwise.cli.recordings import find_recordings, read
from toothwise.cli.terminal import EXIT_PARTLY, Progress, table
from toothwise.errors import InputError, ToothwiseError, ToothwiseWarning

if TYPE_CHECKING:
    from toothwise.cli.build import Options
    from toothwise.gears import GearTrain
    from toothwise.healthmap.build import MapConfig
    from toothwise.healthmap.waveform import HealthyWaveform
    from toothwise.vibration.angle import ShaftAngle
    from toothwise.vibration.periods import Periods
    from toothwise.vibration.records import VibrationRecord

__all__ = ["build_recordings"]


def build_recordings(options: Options, progress: Progress) -> Result:
    """One map per recording; what cannot be used is reported and skipped.

    Raises:
        InputError: no recording could be used, options that do not fit, two recordings of one name.
    """
    from toothwise.gears import read_gears
    from toothwise.healthmap.build import MapConfig

    train = read_gears(str(options.gears))
    train.stage(options.stage)
    try:
        config = MapConfig(**key_values(options.set))
    except TypeError as error:
        raise InputError(f"--set: {error}; allowed are {', '.join(MapConfig.__dataclass_fields__)}") from None
    if options.jobs < 1:
        raise InputError(f"--jobs must be 1 or more, but got {options.jobs}")
    if options.learn is not None and options.waveform is not None:
        raise InputError("--learn and --waveform exclude each other: a waveform is learned, then taken off")
    waveform = None
    if options.waveform is not None:
        from toothwise.healthmap.waveform import HealthyWaveform

        waveform = HealthyWaveform.load(options.waveform)
    paths = find_recordings(options.records)
    learned = 0
    if options.learn is not None:
        config, learned = _learn(paths, train, config, options, progress)
    outputs = _outputs(paths, options.output)
    done: dict[str, dict[str, Any]] = {}
    progress(f"building {len(paths)} maps", 0.0)
    for path, outcome in _each(paths, outputs, train, config, waveform, options):
        done[path] = outcome
        progress(f"built {len(done)} of {len(paths)} maps", len(done) / len(paths))
    rows = [{"record": path, **done[path]} for path in paths]
    failed = [row for row in rows if "error" in row]
    if len(failed) == len(rows):
        more = f" (and {len(rows) - 1} more failed)" if len(rows) > 1 else ""
        raise InputError(f"{failed[0]['error']}{more}")
    data = {"gears": str(options.gears), "config": asdict(config), "built": len(rows) - len(failed), "records": rows}

    def text() -> str:
        shown = [
            (Path(row["record"]).name, row["map"], f"{row['mean']:.4g}", str(row["periods"]), f"{row['speed']:.4g}")
            for row in rows
            if "map" in row
        ]
        words = table(("recording", "map", "mean", "periods", "rev/s"), shown, right=("mean", "periods", "rev/s"))
        for row in rows:
            words += "".join(f"{row['record']}: warning: {line}\n" for line in row.get("warnings", ()))
        words += "".join(f"skipped: {row['error']}\n" for row in failed)
        if options.learn is not None:
            words += f"The healthy waveform of {learned} recordings is in {options.learn}\n"
        return f"{words}{data['built']} of {len(rows)} recordings became maps in {options.output}\n"

    return Result(data, text, EXIT_PARTLY if failed else 0)


def _learn(
    paths: list[str], train: GearTrain, config: MapConfig, options: Options, progress: Progress
) -> tuple[MapConfig, int]:
    """Learn the healthy waveform from what can be read and write it; all records are cut alike from here on."""
    from toothwise.healthmap.build import learn_waveform
    from toothwise.vibration.periods import cut_periods

    cut: list[Periods] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told where the maps are built
        for k, path in enumerate(paths):
            progress(f"learning from {path}", k / len(paths))
            try:
                record = read(path, options.read)
                periods = cut_periods(
                    record,
                    train,
                    channel=options.channel,
                    stage=options.stage,
                    samples_per_tooth=config.samples_per_tooth,
                    periods=config.periods,
                    angle=_tacholess(record, train, options),
                )
            except ToothwiseError:
                continue  # reported where its map is built
            if config.samples_per_tooth is None:
                config = replace(config, samples_per_tooth=periods.samples_per_tooth)
            cut.append(replace(periods, values=periods.mean()[None].astype("float32")))  # all that is needed of it
    if not cut:
        raise InputError(f"{paths[0]}: no recording could be learned from; without --learn the reasons are told")
    learn_waveform(cut, config).save(options.learn or "")
    return config, len(cut)


def _outputs(paths: list[str], folder: Path) -> list[Path]:
    names = [Path(path).name.removesuffix(".gz") for path in paths]
    stems = [Path(name).stem for name in names]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    # recordings of one name from several folders or formats must not overwrite each other
    unique = [name.replace(".", "_") if stem in twice else stem for name, stem in zip(names, stems, strict=True)]
    for name in unique:
        if unique.count(name) > 1:
            raise InputError(f"two recordings are called {name!r}, and their maps would overwrite each other")
    return [folder / f"{name}.npz" for name in unique]


def _each(
    paths: list[str],
    outputs: list[Path],
    train: GearTrain,
    config: MapConfig,
    waveform: HealthyWaveform | None,
    options: Options,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each path with its outcome, as soon as it is there."""
    jobs = min(options.jobs, len(paths))
    work = [(p, o, train, config, waveform, options) for p, o in zip(paths, outputs, strict=True)]
    if jobs == 1:
        for item in work:
            yield item[0], _build_one(*item)
        return
    # spawned, not forked: libraries with threads of their own do not survive a fork
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: dict[Future[dict[str, Any]], str] = {pool.submit(_build_one, *item): item[0] for item in work}
        for future in as_completed(waiting):
            path = waiting[future]
            try:
                yield path, future.result()
            except BrokenProcessPool:
                yield path, {"error": f"{path}: the process that built it died (out of memory?)"}


def _tacholess(record: VibrationRecord, train: GearTrain, options: Options) -> ShaftAngle | None:
    """The angle of the reference shaft from the mesh itself, where that was asked for."""
    if options.tacholess is None:
        return None
    from toothwise.vibration.tacholess import tacholess_angle

    gears = train.stage(options.stage).gears
    low, high = options.tacholess
    return tacholess_angle(
        record.channel(options.channel),
        record.sampling_rate,
        gears.hunting_period / gears.hunting_revolutions,
        (low, high),
    )


def _build_one(
    path: str,
    output: Path,
    train: GearTrain,
    config: MapConfig,
    waveform: HealthyWaveform | None,
    options: Options,
) -> dict[str, Any]:
    """Read, build, write; an error is returned, because other recordings go on."""
    import numpy as np

    from toothwise.healthmap.build import build_map
    from toothwise.healthmap.io import write_map
    from toothwise.vibration.quality import check_record

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ToothwiseWarning)
        try:
            record = read(path, options.read)
            problems = [finding.message for finding in check_record(record) if finding.kind in ("gaps", "clipped")]
            angle = _tacholess(record, train, options)
            if angle is not None:
                problems.append(
                    f"no tachometer: tooth zero is unknown; quality of the followed mesh {angle.quality:.2f}"
                )
            made = build_map(
                record, train, config, channel=options.channel, stage=options.stage, waveform=waveform, angle=angle
            )
            write_map(made, output)
        except ToothwiseError as error:
            text = str(error)
            return {"error": text if os.fspath(path) in text else f"{path}: {text}"}
    seen = list(dict.fromkeys([*problems, *(" ".join(str(w.message).split()) for w in caught)]))
    return {
        "map": str(output),
        "mean": float(np.nanmean(made.values)),
        "periods": int(made.provenance["hunting_periods"]),
        "speed": float(made.provenance["mean_speed"]),
        "warnings": seen,
    }
