"""Time of ``import toothwise``, of ``toothwise --help`` and of ``toothwise predict`` on one file, each a new process.

    python benchmarks/startup.py            # writes results/startup.json
    python benchmarks/startup.py --quick    # few rounds; writes only where --output says so

The detector is a hardly trained Directional Dinomaly with the encoder of the package, saved (PyTorch runs it) and
exported; beside it the line network, and the coherent detector on a map with waveforms and on a recording. The time of
an interpreter that does nothing is measured in the same rounds, because it is part of all.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from measuring.command import arguments, save
from measuring.machine import result_of
from measuring.memory import memory

from toothwise import GearPair, HealthMap, MapBuilder, Model, detectors, write_map, write_record
from toothwise.exported.export import export
from toothwise.healthmap.core import Axis
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.maps import generate

TOOTHWISE = [sys.executable, "-m", "toothwise"]
COMMANDS = {
    "python, nothing": [sys.executable, "-c", "pass"],
    "import toothwise": [sys.executable, "-c", "import toothwise"],
    "toothwise --help": [*TOOTHWISE, "--help"],
    "toothwise fit --help": [*TOOTHWISE, "fit", "--help"],
}
PROMISED = {"import toothwise": 0.3, "toothwise --help": 0.5}
PREDICT = "toothwise predict, {}"
SHARE = 1 / 3  # of PyTorch's time that ONNX Runtime may take


def seconds(command: list[str]) -> tuple[float, float, float]:
    """Of one run: by the clock, and of the processor; and its peak memory in MiB.

    The peak that the system tells afterwards would be this process's own, which the command is started from.
    """
    begin, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    number = 0
    while not number:
        with suppress(OSError, IndexError):
            peak = memory("VmHWM", process.pid) / 2**20
        time.sleep(0.005)
        number, status, used = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime, peak


def predictions(folder: Path) -> dict[str, list[str]]:
    """Commands that score one map or recording, by what scores it."""
    values = generate("C", 17, False, seed=0)[0]
    Model(detectors.create("dinomaly_directional", max_steps=1).fit(values[:16])).save(folder / "PyTorch")
    for name, form in (("ONNX Runtime", "onnx"), ("OpenVINO", "openvino"), ("auto", "auto")):
        export(folder / "PyTorch", folder / name, format=form)
    Model(detectors.create("line_network", max_steps=1).fit(generate("C", 32, False, seed=1)[0])).save(folder / "saved")
    export(folder / "saved", folder / "line network, auto")
    rows, columns = values.shape[1:]
    axes = Axis.teeth("driving tooth", rows), Axis.teeth("driven tooth", columns)
    one = write_map(HealthMap(values[16], *axes), folder / "one.npz")
    pair = GearPair(rows, columns)
    gearbox = GearboxConfig(gears=pair, periods=2, start=None)
    *healthy, today = (simulate_record(gearbox, seed=seed)[0] for seed in range(9))
    builder = MapBuilder.learn(pair, healthy)
    coherent = Model.fit(healthy, builder=builder).save(folder / "coherent")
    record = write_record(today, folder / "today.mat")
    with_waveforms = write_map(builder.build(today), folder / "waveforms.npz")
    networks = ("PyTorch", "ONNX Runtime", "OpenVINO", "auto", "line network, auto")
    given = {name: (folder / name, one) for name in networks}
    given |= {"coherent, a map": (coherent, with_waveforms), "coherent, a recording": (coherent, record)}
    return {PREDICT.format(name): [*TOOTHWISE, "predict", str(m), str(path)] for name, (m, path) in given.items()}


def main() -> None:
    """Measure in turns, so that a busy moment hits all commands alike; the first round only fills the file cache."""
    args = arguments(__doc__, quick=False, rounds=int)
    rounds = args.rounds or (5 if args.quick else 15)
    with tempfile.TemporaryDirectory() as folder:
        commands = COMMANDS | predictions(Path(folder))
        taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                value = seconds(command)
                if number:
                    taken[name].append(value)
    result = {
        name: {
            "median_seconds": round(statistics.median(wall for wall, _, _ in values), 4),
            "cpu_seconds": round(statistics.median(cpu for _, cpu, _ in values), 4),
            "peak_mib": round(max(mib for *_, mib in values), 1),
            "promised_seconds": PROMISED.get(name),
        }
        for name, values in taken.items()
    }
    for name, row in result.items():
        print(f"{name:<32} {row['median_seconds']:.3f} s, of the processor {row['cpu_seconds']:.3f} s")
    ratios = {
        f"{name} / python, nothing": round(row["cpu_seconds"] / result["python, nothing"]["cpu_seconds"], 3)
        for name, row in result.items()
        if name in COMMANDS and name != "python, nothing"
    }
    base = result[PREDICT.format("PyTorch")]["cpu_seconds"]
    for engine in ("ONNX Runtime", "OpenVINO", "auto"):
        ratios[f"predict, {engine} / PyTorch"] = round(result[PREDICT.format(engine)]["cpu_seconds"] / base, 4)
    print(ratios)
    save(args, {**result, "ratios": ratios}, name=result_of("startup"), rounds=rounds, share=SHARE)


if __name__ == "__main__":
    main()
