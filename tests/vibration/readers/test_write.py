"""What is written comes back: channels, types, tachometer and all that is known of the record."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import loadmat

from toothwise.errors import InputError, OutputError
from toothwise.vibration.readers import WRITABLE, RecordMapping, read_record, write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

ACC = np.random.default_rng(0).standard_normal(400).astype(np.float32)
KINDS = st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8", ">f4", ">i2"])
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RATES = st.floats(1e-3, 1e8)


@st.composite
def tachometers(draw, samples):
    kind = draw(st.sampled_from(["waveform", "times", "angle"]))
    own = None if kind == "times" else draw(st.none() | RATES)
    size = draw(st.integers(1, 60)) if own is not None or kind == "times" else samples
    return Tachometer(
        kind,
        draw(arrays.arrays(st.sampled_from(["f4", "f8"]), size)),
        draw(st.integers(1, 5000) | st.floats(0.1, 100)),
        draw(st.text(max_size=9)),
        draw(st.floats(1e-3, 1e3)),
        own,
    )


@st.composite
def records(draw):
    samples = draw(st.integers(1, 60))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    channels = {name: draw(arrays.arrays(KINDS, samples)) for name in names}
    return VibrationRecord(
        channels,
        draw(RATES),
        draw(st.none() | tachometers(samples)),
        draw(st.text(max_size=9)) or "unknown",
        draw(st.none() | st.datetimes().map(lambda time: time.isoformat())),
        draw(st.dictionaries(st.text(), JSON, max_size=3)),
        units=draw(st.dictionaries(st.sampled_from(names), st.sampled_from(["g", "m/s2"]), max_size=2)),
    )


@pytest.mark.parametrize("suffix", WRITABLE)
@settings(max_examples=60, deadline=None)
@given(record=records())
def test_what_is_written_comes_back(tmp_path_factory, suffix, record):
    path = write_record(record, tmp_path_factory.mktemp("w") / f"record{suffix}")
    back = read_record(path)
    assert list(back.channels) == list(record.channels)
    for name, values in record.channels.items():
        assert back.channels[name].dtype == values.dtype.newbyteorder("=")
        np.testing.assert_array_equal(back.channels[name], values)
    for name in ("sampling_rate", "unit", "start_time", "condition"):
        assert getattr(back, name) == getattr(record, name), name
    assert [back.unit_of(name) for name in back.channels] == [record.unit_of(name) for name in record.channels]
    assert (back.tacho is None) == (record.tacho is None)
    if record.tacho is not None:
        assert back.tacho.values.dtype == record.tacho.values.dtype
        np.testing.assert_array_equal(back.tacho.values, record.tacho.values)
        mine, its = ({k: v for k, v in vars(t).items() if k != "values"} for t in (back.tacho, record.tacho))
        assert mine == its


def example(**changes):
    tacho = Tachometer("times", np.array([0.01, 0.02, 0.03]), 2, "output", 2.5)
    return VibrationRecord({"acc x": ACC, "acc y": 2 * ACC}, 12800.0, tacho, "g", condition={"load": 3}, **changes)


def test_other_programs_find_plain_names(tmp_path):
    mat = loadmat(write_record(example(), tmp_path / "a.mat"))
    assert (mat["fs"].item(), mat["pulses_per_revolution"].item()) == (12800, 2)
    np.testing.assert_array_equal(mat["acc_x"].ravel(), ACC)
    with np.load(write_record(example(), tmp_path / "a.npz"), allow_pickle=False) as npz:
        np.testing.assert_array_equal(npz["acc_y"], 2 * ACC)
        assert json.loads(str(npz["toothwise_record"]))["condition"] == {"load": 3}
    table = pd.read_parquet(write_record(example(), tmp_path / "a.parquet"))
    np.testing.assert_array_equal(table["acc x"], ACC)
    assert table["tacho"].notna().sum() == 3


def test_the_users_word_stands_over_the_files(tmp_path):
    path = write_record(example(provenance={"made": "by hand"}), tmp_path / "a.npz")
    back = read_record(path, channels="acc y", pulses_per_revolution=60, unit="m/s2")
    assert (list(back.channels), back.unit, back.unit_of("acc y")) == (["acc y"], "m/s2", "m/s2")
    assert (back.tacho.pulses_per_revolution, back.tacho.shaft, back.tacho.ratio) == (60, "output", 2.5)
    assert back.provenance["origin"] == {"made": "by hand"}
    mapping = RecordMapping(tacho="none", condition={"speed": 10})
    back = read_record(path, mapping=mapping)
    assert (back.tacho, back.condition) == (None, {"load": 3, "speed": 10})


@pytest.mark.parametrize(
    ("name", "record", "words"),
    [
        ("a.wav", example(), r"a\.wav: the suffix must be one of \.mat, \.parquet, \.npz, but is '\.wav'"),
        ("a.npz", example(provenance={"x": float("nan")}), r"a\.npz: condition and provenance must be JSON"),
        ("a.mat", VibrationRecord({"a": ACC.astype(np.float16)}, 1.0), r"a\.mat: a is float16"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, name, record, words):
    with pytest.raises(InputError, match=words):
        write_record(record, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_record(example(), tmp_path / "file" / "a.npz")


@pytest.mark.parametrize("header", ["{", "[1]", '{"channels": {"acc": "nothing"}}', '{"channels": {"acc": 5}}'])
def test_a_damaged_header_is_one_clear_line(tmp_path, header):
    np.savez(tmp_path / "a.npz", acc=ACC, toothwise_record=header)
    with pytest.raises(InputError, match=r"a\.npz: ") as caught:
        read_record(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)
