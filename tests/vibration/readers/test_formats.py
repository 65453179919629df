"""Every format is read from a file that the format's own well-kept library wrote."""

import datetime
import gzip
import inspect

import asammdf
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import pyuff
import soundfile
from nptdms import ChannelObject, RootObject, TdmsWriter
from scipy.io import loadmat, savemat, wavfile

from toothwise import read_record

RATE = 25600.0
N = 3000
RNG = np.random.default_rng(0)
ACC = RNG.standard_normal(N)
TACHO = (np.arange(N) % 500 < 20) * 5.0
TIMES = np.arange(6) * 500 / RATE


def same(values, expected):
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("packed", [False, True])
def test_mat_5(tmp_path, packed):
    path = tmp_path / "a.mat"
    savemat(path, {"Vibration": ACC, "tacho": TACHO.astype("f4"), "Fs": RATE, "rig": "north"}, do_compression=packed)
    record = read_record(path)
    same(record.channel("Vibration"), ACC)
    same(record.tacho.values, TACHO.astype("f4"))
    assert (record.sampling_rate, record.tacho.kind, record.provenance["guessed"]) == (RATE, "waveform", [])
    assert record.provenance["memory_mapped"] is not packed
    assert record.provenance["format"] == "MAT 5"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_mat_5_reads_numbers_as_scipy_does(tmp_path, packed, kind):
    values = (100 * np.random.default_rng(1).random((2, 50))).astype(kind)
    path = tmp_path / "a.mat"
    savemat(path, {"x": values, "fs": RATE}, do_compression=packed)
    record = read_record(path)
    for k, name in enumerate(["x_1", "x_2"]):
        same(record.channel(name), loadmat(path)["x"][k])


@pytest.mark.parametrize("packed", [False, True])
def test_mat_5_structs_cells_and_what_is_left_out(tmp_path, packed):
    path = tmp_path / "a.mat"
    cell = np.empty(2, object)
    cell[:] = [np.arange(5.0), "word"]
    savemat(
        path,
        {"bearing": {"sr": 97656.0, "gs": ACC, "load": 270.0, "deep": {"note": "ü"}}, "c": cell, "z": ACC + 1j},
        do_compression=packed,
    )
    record = read_record(path)
    same(record.channel("bearing.gs"), ACC)
    assert record.sampling_rate == 97656
    assert record.provenance["left_out"] == {"z": "complex"}


def test_mat_5_of_the_other_byte_order(tmp_path):
    parts = [b"MATLAB 5.0".ljust(124) + b"\x01\x00" + b"MI"]
    for name, values in (("acc", ACC[:100]), ("fs", np.array([RATE]))):
        flags = np.array([6, 8, 6, 0, 5, 8, len(values), 1], ">u4").tobytes()
        label = np.array([1, len(name)], ">u4").tobytes() + name.encode().ljust(8, b"\0")
        data = np.array([9, 8 * len(values)], ">u4").tobytes() + values.astype(">f8").tobytes()
        parts.append(np.array([14, len(flags + label + data)], ">u4").tobytes() + flags + label + data)
    (tmp_path / "a.mat").write_bytes(b"".join(parts))
    np.testing.assert_array_equal(loadmat(tmp_path / "a.mat")["acc"].ravel(), ACC[:100])  # the file is as SciPy has it
    record = read_record(tmp_path / "a.mat")
    np.testing.assert_array_equal(record.channel(), ACC[:100])
    assert record.sampling_rate == RATE


def test_mat_7_3(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["acc"] = ACC[None]
        file["fs"] = np.array([[RATE]])
        file["unit"] = np.array([[ord("g")]], "u2")
        file["unit"].attrs["MATLAB_class"] = np.bytes_("char")
        file["#refs#/a"] = ACC[None]
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    record = read_record(path)
    same(record.channel("acc"), ACC)
    assert (record.sampling_rate, record.unit, list(record.channels)) == (RATE, "g", ["acc"])
    assert record.provenance["format"] == "MAT 7.3"
    assert record.provenance["memory_mapped"]


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"chunks": (100,)}])
def test_hdf5(tmp_path, options):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        node = file.create_dataset("run/acc_x", data=ACC.astype("f4"), **options)
        node.attrs.update(sampling_rate=RATE, unit="m/s^2")
        file["run/tach"] = TIMES
        file["run/pulses_per_rev"] = 2
        file["run/label"] = "text"
        file.attrs["start_time"] = "2024-05-31T08:30:00"
    with pytest.warns(UserWarning, match=r"run\.tach is taken as pulse times in seconds: 6 increasing"):
        record = read_record(path)
    same(record.channel("run.acc_x"), ACC.astype("f4"))
    same(record.tacho.values, TIMES)
    assert (record.sampling_rate, record.unit) == (RATE, "m/s^2")
    assert (record.tacho.kind, record.tacho.pulses_per_revolution) == ("times", 2)
    assert record.start_time == "2024-05-31T08:30:00"
    assert record.provenance["memory_mapped"] is (not options)


def test_hdf5_table_with_named_columns(tmp_path):
    table = np.zeros(N, [("t", "f8"), ("vib", "f4"), ("word", "S3")])
    table["t"], table["vib"] = np.arange(N) / RATE, ACC
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["table"] = table
    record = read_record(tmp_path / "a.hdf5")
    same(record.channel("table.vib"), ACC.astype("f4"))
    assert record.sampling_rate == pytest.approx(RATE, rel=1e-12)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize(("sep", "decimal"), [(",", "."), (";", ","), (";", "."), ("\t", "."), ("|", "."), (" ", ".")])
def test_csv(tmp_path, suffix, sep, decimal):
    table = pd.DataFrame({"time": np.arange(N) / RATE, "acc_x": ACC, "acc_y": 2 * ACC, "tacho": TACHO})
    table.loc[7, "acc_y"] = np.nan
    path = tmp_path / f"a{suffix}"
    table.to_csv(path, sep=sep, decimal=decimal, index=False, na_rep="nan")
    record = read_record(path)
    assert list(record.channels) == ["acc_x", "acc_y"]
    same(record.channel("acc_x"), ACC.astype("f4"))
    same(record.channel("acc_y"), table["acc_y"].to_numpy("f4"))
    same(record.tacho.values, TACHO)
    assert record.sampling_rate == RATE


def test_csv_with_properties_above_and_units_in_the_names(tmp_path):
    path = tmp_path / "a.csv"
    rows = "\n".join(f"{a:.17g},{b:g}" for a, b in zip(ACC, TACHO, strict=True))
    path.write_text(f"# fs: {RATE}\n# start_time = 2024-05-31T08:30:00\n\nVib [g],Tacho (V)\n{rows}\n")
    record = read_record(path)
    same(record.channel(), ACC.astype("f4"))
    assert (record.sampling_rate, record.unit, record.start_time) == (RATE, "g", "2024-05-31T08:30:00")
    same(record.tacho.values, TACHO)


def test_csv_without_a_header(tmp_path):
    path = tmp_path / "a.csv"
    np.savetxt(path, np.column_stack([np.arange(N) / RATE, ACC]), delimiter=",", fmt="%.17g")
    with pytest.warns(UserWarning, match="column_1 is taken as time.*; column_2 is taken as vibration"):
        record = read_record(path)
    np.testing.assert_array_equal(record.channel(), ACC)
    assert record.sampling_rate == pytest.approx(RATE, rel=1e-12)
    np.savetxt(path, ACC, fmt="%.17g")
    with pytest.warns(UserWarning, match="column_1 is taken as vibration"):
        assert read_record(path, sampling_rate=RATE).samples == N


def test_csv_with_dates_and_pulse_times_beside(tmp_path):
    start = pd.Timestamp("2024-05-31T08:30:00")
    table = pd.DataFrame({"timestamp": start + pd.to_timedelta(np.arange(N), "ms"), "vib": ACC, "rig": "A"})
    table["tach_times"] = pd.Series(np.arange(1, 6) / 2)
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.warns(UserWarning, match="tach_times is taken as pulse times in seconds: 5 increasing"):
        record = read_record(tmp_path / "a.csv")
    assert (record.sampling_rate, record.start_time) == (1000, "2024-05-31T08:30:00.000000")
    same(record.tacho.values, np.arange(1, 6) / 2)
    assert record.provenance["left_out"] == {"rig": "a column of text ('A')"}


def test_parquet_with_metadata_of_columns(tmp_path):
    fields = [
        pa.field("ACC", pa.float32(), metadata={"unit": "g", "sample_rate": str(RATE)}),
        pa.field("encoder", pa.float64(), metadata={"pulses_per_revolution": "1024"}),
        pa.field("word", pa.string()),
    ]
    angle = np.arange(N) / 1000
    table = pa.table([ACC.astype("f4"), angle, ["a"] * N], schema=pa.schema(fields))
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match="encoder is taken as an angle.*encoder is taken to be in revolutions"):
        record = read_record(tmp_path / "a.parquet")
    same(record.channel(), ACC.astype("f4"))
    same(record.tacho.values, angle)
    assert (record.sampling_rate, record.unit, record.tacho.kind) == (RATE, "g", "angle")


def test_parquet_with_time_stamps_of_pandas(tmp_path):
    stamps = pd.date_range("2024-05-31", periods=N, freq="100us", tz="UTC")
    pd.DataFrame({"time": stamps, "vib": ACC}).to_parquet(tmp_path / "a.parquet")
    record = read_record(tmp_path / "a.parquet")
    assert (record.sampling_rate, record.start_time) == (10000, "2024-05-31T00:00:00.000000")


def test_tdms(tmp_path):
    said = {"wf_increment": 1 / RATE, "unit_string": "g", "wf_start_time": datetime.datetime(2024, 5, 31, 8, 30)}
    with TdmsWriter(tmp_path / "a.tdms") as file:
        for part in (slice(0, 1000), slice(1000, N)):  # two segments, as a logger writes them
            acc = ChannelObject("rig", "acc x", ACC[part].astype("f4"), said)
            tacho = ChannelObject("rig", "tacho", TACHO[part], {"wf_increment": 1 / RATE})
            file.write_segment([RootObject({"pulses_per_rev": 3}), acc, tacho])
    record = read_record(tmp_path / "a.tdms")
    same(record.channel("acc x"), ACC.astype("f4"))
    same(record.tacho.values, TACHO)
    assert record.sampling_rate == pytest.approx(RATE, rel=1e-12)
    assert (record.unit, record.tacho.pulses_per_revolution) == ("g", 3)
    assert record.start_time.startswith("2024-05-31T08:30:00")


def uff_set(values, rate, **said):
    """A function of type 58 with every field that pyuff wants when it writes."""
    fields = {"type": 58}
    for name in inspect.signature(pyuff.prepare_58).parameters:
        if name.endswith(("_exp", "_type", "_id", "_num", "_node", "_dir")):
            fields[name] = 0
        elif name.endswith(("_name", "_lab")) or name.startswith("id"):
            fields[name] = "NONE"
    del fields["ord_data_type"], fields["spec_data_type"]
    fields |= {"z_axis_value": 0.0, "abscissa_spacing": 1, "abscissa_min": 0.0, "func_type": 1}
    return fields | {"data": values, "x": np.arange(len(values)) / rate, **said}


@pytest.mark.parametrize("binary", [0, 1])
@pytest.mark.parametrize("rate", [25600, 51200, 48000, 65536])
def test_uff_58(tmp_path, binary, rate):
    path = tmp_path / "a.uff"
    acc = uff_set(ACC, rate, id1="housing", ordinate_spec_data_type=12, ordinate_axis_units_lab="g", binary=binary)
    for one in (acc, uff_set(TACHO, rate, id1="Tacho", binary=binary)):
        pyuff.UFF(str(path)).write_sets(one, "add")  # pyuff 2.5.8 loses a binary set that it writes with "overwrite"
    record = read_record(path)
    np.testing.assert_allclose(record.channel("housing"), ACC, rtol=1e-10)  # as text it has 12 digits
    np.testing.assert_array_equal(record.tacho.values, TACHO)
    assert (record.sampling_rate, record.unit) == (rate, "g")


def test_uff_functions_that_begin_apart(tmp_path):
    path = tmp_path / "a.uff"
    for one in (uff_set(ACC[:-100], RATE, id1="acc"), uff_set(TACHO[100:], RATE, id1="tacho", abscissa_min=100 / RATE)):
        pyuff.UFF(str(path)).write_sets(one | {"x": one["x"] + one["abscissa_min"]}, "add")
    record = read_record(path)
    assert record.tacho.start == pytest.approx(100 / RATE, rel=1e-4)  # text has 6 digits
    np.testing.assert_array_equal(record.tacho.values, TACHO[100:])


@pytest.mark.parametrize("packed", [0, 2])
def test_mf4(tmp_path, packed):
    t = np.arange(N) / RATE
    slow = np.arange(0, 10) / 100
    with asammdf.MDF() as file:
        file.append(
            [asammdf.Signal(ACC, t, name="Vib", unit="g"), asammdf.Signal(TACHO, t, name="Keyphasor", unit="V")]
        )
        file.append([asammdf.Signal(slow * 300, slow, name="rpm")])
        file.save(tmp_path / "a.mf4", compression=packed)
    record = read_record(tmp_path / "a.mf4")
    same(record.channel("Vib"), ACC)
    same(record.tacho.values, TACHO)
    assert record.sampling_rate == pytest.approx(RATE, rel=1e-12)
    assert (record.unit, list(record.channels)) == ("g", ["Vib"])
    assert record.start_time is not None


@pytest.mark.parametrize(
    ("suffix", "subtype", "kind", "mapped"),
    [
        ("wav", "PCM_16", "int16", True),
        ("wav", "PCM_24", "int32", False),
        ("wav", "PCM_32", "int32", True),
        ("wav", "FLOAT", "float32", True),
        ("wav", "DOUBLE", "float64", True),
        ("wav", "PCM_U8", "int16", False),
        ("flac", "PCM_16", "int16", False),
        ("flac", "PCM_24", "int32", False),
    ],
)
def test_audio(tmp_path, suffix, subtype, kind, mapped):
    path = tmp_path / f"a.{suffix}"
    both = np.column_stack([ACC, -ACC]) / 8
    soundfile.write(path, both, 48000, subtype=subtype)
    with pytest.warns(UserWarning, match="channel_1, channel_2 are taken as vibration"):
        record = read_record(path)
    assert (record.sampling_rate, list(record.channels)) == (48000, ["channel_1", "channel_2"])
    expected, _ = soundfile.read(path, dtype=kind)
    same(record.channel("channel_2"), expected[:, 1])
    assert record.provenance["memory_mapped"] is mapped
    if kind.startswith("int"):
        full_scale = record.provenance["full_scale"]
        bits = int(subtype[5:].strip("U"))
        np.testing.assert_allclose(record.channel("channel_1") / full_scale, both[:, 0], atol=2.0 ** (1 - bits))
        assert record.unit == "counts"


def test_wav_of_scipy_with_a_tachometer_in_its_second_channel(tmp_path):
    wavfile.write(tmp_path / "a.wav", 25600, np.column_stack([ACC, TACHO]).astype("f4"))
    record = read_record(tmp_path / "a.wav", channels={"acc": "channel_1"}, tacho="channel_2", unit="g")
    same(record.channel("acc"), ACC.astype("f4"))
    same(record.tacho.values, TACHO.astype("f4"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, acc=np.asfortranarray(np.stack([ACC, 2 * ACC])), tacho=TACHO, sample_rate=RATE, units="g")
    record = read_record(path)
    same(record.channel("acc_1"), ACC)
    same(record.channel("acc_2"), 2 * ACC)
    assert (record.sampling_rate, record.unit) == (RATE, "g")
    assert record.provenance["memory_mapped"] is (save is np.savez)


def test_npz_with_python_objects_never_runs_them(tmp_path):
    np.savez(tmp_path / "a.npz", acc=ACC, fs=RATE, notes=np.array([{"a": 1}, None], dtype=object))
    record = read_record(tmp_path / "a.npz")
    assert "Python objects, which are never read" in record.provenance["left_out"]["notes"]


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", ACC)
    with pytest.warns(UserWarning, match="array is taken as vibration"):
        record = read_record(tmp_path / "a.npy", sampling_rate=RATE)
    same(record.channel(), ACC)
    assert record.provenance["memory_mapped"]
    table = np.zeros(N, [("vib", "f4"), ("tacho", "f8")])
    table["vib"], table["tacho"] = ACC, TACHO
    np.save(tmp_path / "b.npy", table)
    record = read_record(tmp_path / "b.npy", sampling_rate=RATE)
    same(record.tacho.values, TACHO)


def test_csv_is_opened_by_its_content_alone(tmp_path):
    path = tmp_path / "A.CSV.GZ"
    path.write_bytes(gzip.compress(b"fs = 100\nacc\n1\n2\n3\n"))
    assert read_record(path).sampling_rate == 100
