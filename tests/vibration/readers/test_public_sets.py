"""Files of the forms that public sets have, written here."""

import warnings

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from toothwise import GearPair, build_map
from toothwise.errors import GuessWarning, InputError
from toothwise.vibration.readers import read_record
from toothwise.vibration.readers.dstg import STAGE, read_hunting_average


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuessWarning)
        yield


def _average():
    """A hunting average whose planet tooth 8 rings at every meeting."""
    event = np.repeat(np.arange(35 * 99), 117)
    phase = np.tile(np.arange(117) / 117, 35 * 99)
    rng = np.random.default_rng(0)
    x = np.sin(2 * np.pi * phase) + 0.05 * rng.standard_normal(len(event))
    return x + 0.5 * (event % 35 == 8) * np.sin(2 * np.pi * 9.3 * phase) * np.sin(np.pi * phase) ** 2


def test_dstg_hunting_averages(tmp_path):
    savemat(tmp_path / "a.mat", {"xahRF2": _average(), "xahRL3": np.zeros(10)})
    record, angle = read_hunting_average(tmp_path / "a.mat", sensor="RF2")
    made = build_map(record, STAGE, angle=angle, samples_per_tooth=117)
    assert made.values.shape == (35, 99)
    assert int(np.nanmedian(made.values, axis=1).argmax()) == 8
    assert {zero["known"] for zero in made.provenance["tooth_zero"].values()} == {"unknown"}
    with pytest.raises(InputError, match="RF2, RL3, but got None"):
        read_hunting_average(tmp_path / "a.mat")
    with pytest.raises(InputError, match="117 samples, but has 10"):
        read_hunting_average(tmp_path / "a.mat", sensor="RL3")


def _pair(turns=90):
    t = np.arange(int(turns / 20 * 8000)) / 8000
    angle = 20 * (t + 0.01 * np.sin(2 * np.pi * 0.4 * t)) - 0.3
    event = 11 * angle
    x = np.sin(2 * np.pi * event) + (np.floor(event) % 11 == 4) * np.sin(12.6 * np.pi * event) * 0.8
    return t, angle, x + 0.05 * np.random.default_rng(0).standard_normal(len(t))


def test_phm_north_america_2026(tmp_path):
    _, angle, x = _pair()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["Vibration/Accel 1"] = x
        file["Vibration/Accel 2"] = x
        file["Context/PAU Speed"] = 60 * 8000 * np.gradient(angle)[::100]
        file.attrs["sample_rate"] = 8000.0
    record = read_record(tmp_path / "a.h5")
    assert [name.rpartition(".")[2] for name in record.channels] == ["Accel 1", "Accel 2"]
    assert record.tacho.kind == "speed"
    assert record.tacho.values.mean() == pytest.approx(20, rel=0.02)
    assert any("taken instead of a tachometer" in sentence for sentence in record.provenance["guessed"])


@pytest.mark.parametrize("form", ["waveform", "times"])
def test_wind_turbine_pinion(tmp_path, form):
    t, angle, x = _pair()
    tach = 5.0 * (np.mod(2 * angle, 1) < 0.1)
    if form == "times":
        tach = np.interp(np.arange(0, int(2 * angle[-1])) / 2, angle, t)
    savemat(tmp_path / "a.mat", {"gs": x, "sr": 8000.0, "tach": tach, "ppr": 2.0, "teeth": 11.0})
    record = read_record(tmp_path / "a.mat")
    assert (record.sampling_rate, record.tacho.pulses_per_revolution, record.tacho.kind) == (8000, 2, form)
    zeros = build_map(record, GearPair(11, 14)).provenance["tooth_zero"]
    assert (zeros["driving"]["known"], zeros["driving"]["positions"]) == ("unknown", 2)
