import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.vibration.records import Tachometer, VibrationRecord

ACC = np.arange(100, dtype=np.int16)


def test_a_record_keeps_its_arrays_as_they_are():
    other = np.linspace(0, 1, 100, dtype=np.float32)
    record = VibrationRecord({"acc": ACC, "b": other}, 50)
    assert record.channel() is ACC
    assert record.channel("b") is other
    assert (record.samples, record.duration, record.unit, record.tacho) == (100, 2.0, "unknown", None)


def test_a_memory_map_stays_one(tmp_path):
    np.save(tmp_path / "a.npy", ACC)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert isinstance(VibrationRecord({"acc": mapped}, 50.0).channel(), np.memmap)


def test_units_are_of_the_record_or_of_a_channel():
    record = VibrationRecord({"a": ACC, "b": ACC}, 50, unit="g", units={"b": "m/s2"})
    assert [record.unit_of(name) for name in "ab"] == ["g", "m/s2"]


def test_a_tachometer_means_one_pulse_per_revolution_of_the_driving_shaft():
    tacho = Tachometer("times", np.array([0, 1, 2]))
    assert (tacho.pulses_per_revolution, tacho.shaft, tacho.ratio, tacho.sampling_rate) == (1, "driving", 1.0, None)
    assert tacho.values.dtype == np.float64


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channels": {}}, "at least one channel"),
        ({"channels": {"a": ACC, "b": ACC[:50]}}, "a 100, b 50 samples"),
        ({"channels": {"a": ACC.reshape(2, 50)}}, r"'a' must have one dimension.*\(2, 50\)"),
        ({"channels": {"a": ACC.astype(complex)}}, "real numbers.*complex128"),
        ({"channels": {"a": ACC.astype(bool)}}, "real numbers.*bool"),
        ({"channels": {"a": ACC[:0]}}, "'a' has no samples"),
        ({"channels": {"a": [1, 2]}}, "NumPy array, but is list"),
        ({"sampling_rate": 0}, "a number, above 0, but got 0"),
        ({"sampling_rate": np.nan}, "a number, above 0, but got nan"),
        ({"sampling_rate": "25 kHz"}, "a number, above 0, but got '25 kHz'"),
        ({"sampling_rate": True}, "a number, above 0, but got True"),
        ({"start_time": "yesterday"}, "ISO 8601.*'yesterday'"),
        ({"units": {"z": "g"}}, "units name z, but the channels are acc"),
        ({"tacho": Tachometer("waveform", np.zeros(7))}, "7 samples beside 100"),
    ],
)
def test_what_is_no_record_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        VibrationRecord(**{"channels": {"acc": ACC}, "sampling_rate": 50.0, **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "laser"}, "tacho_kind must be one of .*'speed', but got 'laser'"),
        ({"values": np.zeros((2, 2))}, "one dimension"),
        ({"pulses_per_revolution": 0}, r"pulses_per_revolution must be a number in \(0, 1000000\], but got 0"),
        ({"ratio": -1.0}, r"tacho_ratio must be a number in \(0, 10000\]"),
        ({"kind": "times", "sampling_rate": 10.0}, "takes no sampling_rate"),
        ({"values": np.zeros(3, np.float16)}, "float32 or float64"),
    ],
)
def test_what_is_no_tachometer_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        Tachometer(**{"kind": "waveform", "values": np.zeros(3), **change})


def test_an_unknown_channel_lists_the_known():
    with pytest.raises(InputError, match="no channel 'c': the channels are a, b"):
        VibrationRecord({"a": ACC, "b": ACC}, 50.0).channel("c")
