"""Simulate the vibration of a gearbox, healthy or with damaged teeth, as recordings in a real format.

CONFIG is a YAML file: the gears, how they run and are measured, what is wrong with them, and how many records follow
one another. Writes the recordings, gears.yaml (what 'build' and 'inspect' take) and truth.json (what was put in).

examples:
  toothwise simulate configs/gearbox_crack.yaml --output runs/crack
  toothwise simulate configs/gearbox_crack.yaml --records 5 --format parquet --output runs/crack
"""

from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.errors import InputError
from toothwise.files import atomic_folder, check_replaceable, write_json

if TYPE_CHECKING:
    from toothwise.simulate.faults import Fault
    from toothwise.simulate.series import SeriesConfig


@dataclass(frozen=True)
class Options:
    """What to simulate.

    Attributes:
        simulation (CONFIG): YAML file of the gearbox, its faults and its records.
        output (DIR): Folder to write to.
        format: File format of the recordings.
        records: How many records to simulate, in place of the number in CONFIG.
        seed: Seed of the first record, in place of that in CONFIG.
    """

    simulation: str
    _: KW_ONLY
    output: Path
    format: Literal["mat", "parquet", "npz"] = "mat"
    records: int | None = None
    seed: int | None = None


def run(options: Options, progress: Progress) -> Result:
    """Simulate the records and write all of them, or none.

    Raises:
        InputError: The configuration cannot be used.
        OutputError: The folder cannot be written.
    """
    check_replaceable(options.output, "truth.json", "a simulation")
    from toothwise.gears.train import GearTrain, write_gears
    from toothwise.simulate.series import read_simulation, simulate_series
    from toothwise.vibration.readers import write_record

    simulation = read_simulation(options.simulation)
    series = simulation.series
    given = {name: getattr(options, name) for name in ("records", "seed") if getattr(options, name) is not None}
    try:
        series = replace(series, **given)
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
        write_json(folder / "truth.json", asdict(simulation) | {"records": truths})
    data = {
        "output": str(options.output),
        "records": len(truths),
        "healthy": sum(not truth["faults"] for truth in truths),
        "faults": [asdict(fault) for fault in simulation.faults],
        "gears": str(options.output / "gears.yaml"),
        "truth": str(options.output / "truth.json"),
    }

    def text() -> str:
        faults = "".join(f"  {_sentence(fault, series)}\n" for fault in simulation.faults)
        return (
            f"{data['records']} recordings in {options.output}, {data['healthy']} of them healthy\n{faults}"
            f"Gears: {data['gears']}\nTruth: {data['truth']}\n"
        )

    return Result(data, text)


def _sentence(fault: Fault, series: SeriesConfig) -> str:
    """What kind of fault it is, where, and from which record on."""
    where = f"{fault.gear} tooth {fault.tooth}" if fault.local else fault.gear
    if series.onset >= series.records:
        return f"{fault.kind} of {where}: not in these records, it begins at record {series.onset}"
    first, last = (series.severity(fault.severity, k) for k in (series.onset, series.records - 1))
    size = f"{last:g}" if first == last else f"{first:.3g} to {last:.3g}"
    return f"{fault.kind} of {where} from record {series.onset} on, severity {size}"
