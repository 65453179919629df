"""The commands of docs/public-sets.md run on small files of the form that each set has."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from measuring.walk import steps  # noqa: E402  (benchmarks are no package)


def signal(rate, turns, speed, teeth, pulses):
    """Meshes of some gears, and a tachometer's waveform."""
    angle = speed * np.arange(int(rate * turns / speed)) / rate
    mesh = sum(np.sin(2 * np.pi * k * angle) for k in teeth)
    return mesh + 0.1 * np.random.default_rng(0).standard_normal(len(angle)), 5.0 * (angle * pulses % 1 < 0.2)


def phm2009():
    x, tacho = signal(66666.67, 60, 30.0, (32, 16), 10)
    for run in (1, 2):
        np.savetxt(f"Run_{run}.csv", np.c_[x, x, tacho], delimiter=",", fmt="%.4g")


def phm2023():
    x, tacho = signal(20480, 40, 20.0, (32,), 1)
    np.savetxt("V1200_100N_1.txt", np.c_[x, x, x, tacho], fmt="%.4g")


def phm2026():
    h5py = pytest.importorskip("h5py")
    x, _ = signal(102400, 30, 20.0, (24,), 1)
    with h5py.File("run.h5", "w") as file:
        file["Vibration/Accel 1"], file["Vibration/Accel 2"] = x, x
        file["Context/PAU Speed"] = np.full(100, 1200.0)


def hums2023():
    phase = np.tile(np.arange(117) / 117, 35 * 99)
    savemat("Day021.mat", {"xahRF2": np.sin(2 * np.pi * phase) + 0.1 * np.random.default_rng(0).random(len(phase))})


def tecnalia():
    x, tacho = signal(20480, 60, 25.0, (27,), 1)
    other = np.zeros((len(x), 15))
    rows = np.c_[np.arange(len(x)) / 20480, x, other[:, :11], tacho, other[:, :3]]
    head = "Channel 1: volts\nVolts/Unit\nTime (seconds) and Data Channels"
    np.savetxt("Nextmon_GPS_1.txt", rows, delimiter="\t", fmt="%.7g", header=head, comments="")


def fzg():
    x, _ = signal(20000, 60, 20.0, (31,), 1)
    np.savetxt("record.csv", np.c_[x, x], delimiter=",", fmt="%.4g")


def hs_gear():
    x, tacho = signal(51200, 60, 30.0, (32,), 2)
    savemat("a0.mat", {"gs": x, "sr": 51200.0, "tach": tacho, "ppr": 2.0, "teeth": 32.0})


def snu():
    x, tacho = signal(20000, 40, 8.0, (95,), 1)
    rows = np.c_[np.arange(len(x)) / 20000, x, tacho]
    np.savetxt("record.csv", rows, delimiter=",", header="time [s],acceleration [g],tacho [V]", comments="", fmt="%.7g")


SETS = (phm2009, phm2023, phm2026, hums2023, tecnalia, fzg, hs_gear, snu)


@pytest.mark.parametrize("number", range(len(SETS)), ids=lambda number: SETS[number].__name__)
def test_commands_of_a_set_run_on_files_of_its_form(number, tmp_path, monkeypatch, walk_bash):
    monkeypatch.chdir(tmp_path)
    found = steps(ROOT / "docs" / "public-sets.md")
    assert len(found) == len(SETS)
    SETS[number]()
    step = found[number]
    assert step.title.startswith("not run here")
    if step.kind == "python":
        exec(step.code, {})
        assert (tmp_path / "Day021_map.npz").is_file()
    else:
        assert "Hz, " in walk_bash(step.code)
