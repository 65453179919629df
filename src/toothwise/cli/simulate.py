"""Simulate the vibration of a gearbox, healthy or with damaged teeth, as recordings in a real format.

CONFIG is a YAML file: the gears, how they run and are measured, what is wrong with them, and how many records follow
one another. Writes the recordings, gears.yaml (what 'build' and 'inspect' take) and truth.json (what was put in).

examples:
  toothwise simulate configs/gearbox_crack.yaml --output runs/crack
  toothwise simulate configs/gearbox_crack.yaml --records 5 --format parquet --output runs/crack
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError
from toothwise.files import atomic_folder, check_replaceable, write_json

if TYPE_CHECKING:
    from toothwise.simulate.faults import Fault
    from toothwise.simulate.series import SeriesConfig

FORMATS = ("mat", "parquet", "npz")


@dataclass(frozen=True)
class Options:
    """What to simulate.

    Attributes:
        simulation: YAML file.
        output: folder of the recordings.
        format: "mat", "parquet" or "npz".
        records: in place of the file's own number, or None.
        seed: of the first record, in place of the file's own, or None.
    """

    simulation: str
    output: Path
    format: str = "mat"
    records: int | None = None
    seed: int | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """CONFIG and the options above."""
    add = parser.add_argument
    add("simulation", type=str, metavar="CONFIG", help="YAML of the gearbox, its faults and its records")
    add("--output", type=Path, required=True, metavar="DIR", help="folder to write to")
    add("--format", type=str, default="mat", metavar="mat|parquet|npz", help="of the recordings")
    add("--records", type=int | None, metavar="N", help="how many (default: as the file says)")
    add("--seed", type=int | None, metavar="N", help="of the first record (default: as the file says)")


def run(options: Options, progress: Progress) -> Result:
    """Read, simulate, write all or nothing."""
    if options.format not in FORMATS:
        raise InputError(f"--format must be one of {', '.join(FORMATS)}, but got {options.format!r}")
    check_replaceable(options.output, "truth.json", "a simulation")
    from toothwise.gears.train import GearTrain, write_gears
    from toothwise.simulate.series import read_simulation, simulate_series
    from toothwise.vibration.readers import write_record

    simulation = read_simulation(options.simulation)
    series = simulation.series
    try:
        series = replace(
            series,
            records=series.records if options.records is None else options.records,
            seed=series.seed if options.seed is None else options.seed,
        )
    except InputError as error:
        raise InputError(f"--records and --seed: {error}") from None
    simulation = replace(simulation, series=series)
    truths = []
    with atomic_folder(options.output) as folder:
        for name, record, truth in simulate_series(simulation):
            file = f"{name}.{options.format}"
            write_record(record, folder / file)
            truths.append({"file": file} | truth)
            progress(f"simulated {len(truths)} of {series.records} records", len(truths) / series.records)
        write_gears(GearTrain.single(simulation.gearbox.gears), folder / "gears.yaml")
        write_json(
            folder / "truth.json",
            {
                "gearbox": asdict(simulation.gearbox),
                "faults": [asdict(fault) for fault in simulation.faults],
                "series": asdict(series),
                "records": truths,
            },
        )
    data = {
        "output": str(options.output),
        "records": len(truths),
        "healthy": sum(not truth["faults"] for truth in truths),
        "faults": [asdict(fault) for fault in simulation.faults],
        "gears": str(options.output / "gears.yaml"),
        "truth": str(options.output / "truth.json"),
    }

    def text() -> str:
        faults = "".join(f"  {_told(fault, series)}\n" for fault in simulation.faults)
        return (
            f"{data['records']} recordings in {options.output}, {data['healthy']} of them healthy\n{faults}"
            f"Gears: {data['gears']}\nTruth: {data['truth']}\n"
        )

    return Result(data, text)


def _told(fault: Fault, series: SeriesConfig) -> str:
    """A fault in words: what, where, from when on."""
    where = f"{fault.gear} tooth {fault.tooth}" if fault.local else fault.gear
    if series.onset >= series.records:
        return f"{fault.kind} of {where}: not in these records, it begins at record {series.onset}"
    first, last = (series.severity(fault.severity, k) for k in (series.onset, series.records - 1))
    size = f"{last:g}" if first == last else f"{first:.3g} to {last:.3g}"
    return f"{fault.kind} of {where} from record {series.onset} on, severity {size}"
