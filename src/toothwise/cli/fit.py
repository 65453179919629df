"""Fit a detector on healthy maps or recordings, and write it as a model.

The threshold is chosen for a stated rate of false alarms by cross-validation. MAPS are files (.npz, .tiff, .png of 16
bits, .mat) or folders of them; of a folder with train/good, test/good and test/fault only train/good is used. With
--gears, MAPS are recordings. The model then keeps how they became maps, so that other verbs take recordings as they
are.

examples:
  toothwise fit healthy.npz --detector scan --output runs/scan
  toothwise fit recordings/ --gears gears.yaml --output runs/scan
  toothwise fit healthy.npz --set lines=rows --set lengths=[8,16,32] --output runs/scan
  toothwise fit --config configs/fit_scan_rows.yaml --output runs/scan
"""

from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from toothwise.cli.parser import Result, key_values
from toothwise.cli.recordings import Building
from toothwise.cli.terminal import EXIT_PARTLY
from toothwise.errors import InputError
from toothwise.files import check_replaceable
from toothwise.progress import Progress


@dataclass(frozen=True)
class Options(Building):
    """What to fit on what.

    Attributes:
        maps (MAPS): Healthy maps, or recordings where --gears is given, in time order.
        output (DIR): Folder to write the model to.
        detector (NAME): Name of the detector (see 'toothwise detectors'); auto = coherent
            where the maps carry waveforms (recordings less a healthy waveform), else the scan.
        options (MAPPING): Options of the detector, for configuration files.
        set (NAME=VALUE): One option of the detector; wins over those of a file.
        false_alarm_rate (RATE): False alarms per healthy map that the threshold is chosen for.
        blocks (COLUMN): Column of the maps' table that says which maps were taken together (a day, a session); without
            it, four equal pieces in time.
        sensors (COLUMN): Column that names the sensor, where several will be fused.
        no_waveform: Take off no healthy waveform. Without this and --waveform, it is learned from the recordings.
        jobs (N): How many recordings are built at the same time.
    """

    maps: list[str]
    _: KW_ONLY
    output: Path
    detector: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)
    set: list[str] = field(default_factory=list)
    false_alarm_rate: float = 0.01
    blocks: str = "day"
    sensors: str | None = None
    no_waveform: bool = False
    jobs: int = 1


def run(options: Options, progress: Progress) -> Result:
    """Build, fit, calibrate, save."""
    check_replaceable(options.output, "model.json", "a model")
    from toothwise.detectors.registry import create
    from toothwise.gears.pair import hunting_text
    from toothwise.healthmap.formats import PICTURE
    from toothwise.healthmap.several import healthy_only
    from toothwise.model import Model
    from toothwise.model.maps import gather
    from toothwise.model.model import chosen_detector

    builder = options.builder()
    name = chosen_detector(options.detector, waveforms=builder is not None and not options.no_waveform)
    chosen = {**options.options, **key_values(options.set)}
    asked = create(name, **chosen)  # an unsuitable option is refused before anything is read
    if options.no_waveform and (builder is None or options.waveform is not None):
        raise InputError("--no-waveform is about recordings (--gears FILE), and excludes --waveform")
    if builder is not None and builder.waveform is None and not options.no_waveform:
        builder = builder.learn_from(options.maps, progress=progress)
    if builder is not None and not asked.can.waveforms:
        builder = builder.for_pictures()
    given, skipped = gather(options.maps, builder, jobs=options.jobs, progress=progress)
    maps, left_out = healthy_only(given)
    begin = perf_counter()
    same = {name: getattr(options, name) for name in ("detector", "false_alarm_rate", "blocks", "sensors")}
    try:
        model = Model.fit(maps, options=chosen, builder=builder, progress=progress, **same)
    except InputError as error:
        more = f" and {len(options.maps) - 1} more" if len(options.maps) > 1 else ""
        why = f" (skipped: {skipped[0].reason})" if skipped else ""
        raise InputError(f"{options.maps[0]}{more}: {error}{why}") from error
    noticed: dict[str, list[str]] = given.provenance.get("noticed", {})
    seconds, fitted = perf_counter() - begin, model.detector
    model.save(options.output)
    threshold, shape = model.threshold, model.about.shape
    notes = builder.notes if builder else tuple(filter(None, [model.about.gear and hunting_text(model.about.gear)]))
    data = {
        "detector": fitted.name,
        "output": str(options.output),
        "options": fitted.options,
        "maps": len(maps),
        "left_out": left_out,
        "skipped": [one.reason for one in skipped],
        "warnings": noticed,
        "gears": list(notes),
        "shape": list(shape),
        "threshold": asdict(threshold),
        "info": fitted.info,
        "seconds": round(seconds, 3),
    }

    def text() -> str:
        lines = [*(f"skipped: {one.reason}" for one in skipped), *(f"gears: {note}" for note in notes)]
        lines += [f"warning: {line} ({record})" for record, told in list(noticed.items())[:1] for line in told]
        if len(noticed) > 1:
            lines.append(f"warning: {len(noticed)} of {len(given)} recordings have one; see toothwise inspect")
        picture = model.about.quantity == PICTURE
        what = f"{len(maps)} {'photographs' if picture else 'maps'} of {shape[0]} x {shape[1]}"
        without = f" ({left_out} test or faulty maps left out)" if left_out else ""
        lines.append(f"{fitted.name}: fitted on {what}{without} in {seconds:.1f} s")
        if picture:
            known = [name for name in ("channels", "log", "pooling") if name in fitted.options]
            suited = ", ".join(f"{name}={fitted.options[name]}" for name in known)
            lines.append(f"chosen for photographs, unless you named them: {suited}")
        low, high = threshold.interval
        lines += [
            f"threshold {threshold.value:.4g} for {threshold.false_alarm_rate:.3g} false alarms per healthy map "
            f"(95 % interval {low:.2g} to {high:.2g}; worth {threshold.n_effective:.1f} independent maps)",
            f"saved in {options.output}; score maps with: toothwise predict {options.output} MAPS",
        ]
        return "".join(f"{line}\n" for line in lines)

    return Result(data, text, EXIT_PARTLY if skipped else 0)
