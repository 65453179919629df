"""Recordings written by each format's own library, and files that cannot be one."""

import gzip
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toothwise import read_record, write_record
from toothwise.errors import GuessWarning, InputError, MissingDependencyError
from toothwise.vibration.quality import check_record
from toothwise.vibration.readers import RecordMapping, raw
from toothwise.vibration.records import Tachometer, VibrationRecord

RATE = 8000.0
N = 4000
T = np.arange(N) / RATE
X = np.random.default_rng(0).standard_normal(N)
WAVE = 5.0 * ((T * 25) % 1 < 0.2)
PULSES = np.arange(1, 12) / 25.0


def _mat(path):
    from scipy.io import savemat

    savemat(path, {"vibration": X, "tacho": WAVE, "fs": RATE, "comment": "a test"})


def _mat_struct(path):
    from scipy.io import savemat

    savemat(path, {"data": {"acc": np.stack([X, 2 * X], axis=1), "Tach": PULSES, "sample_rate": RATE}})


def _mat73(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        file["vibration"], file["tacho"], file["fs"] = X[None], WAVE[None], np.array([[RATE]])
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))


def _h5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        group = file.create_group("run")
        group["acc1"], group["keyphasor"] = X, WAVE
        group.attrs["sampling_rate"] = RATE


def _csv(path):
    lines = ["time,acc,encoder"] + [f"{t:.9f},{x!r},{w}" for t, x, w in zip(T, X.tolist(), WAVE, strict=True)]
    path.write_text("\n".join(lines))


def _csv_semicolon(path):
    lines = ["vib;tacho"] + [f"{x!r};{w}".replace(".", ",") for x, w in zip(X.tolist(), WAVE, strict=True)]
    path.write_text("\n".join(lines))


def _csv_gz(path):
    with gzip.open(path, "wt") as file:
        file.write("".join(f"{x!r}\n" for x in X.tolist()))


def _parquet(path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"vibration": X, "tachometer": WAVE})
    parquet.write_table(table.replace_schema_metadata({"sample_rate": str(RATE)}), path)


def _tdms(path):
    nptdms = pytest.importorskip("nptdms")
    with nptdms.TdmsWriter(path) as file:
        properties = {
            "wf_increment": 1 / RATE,
            "unit_string": "g",
            "wf_start_time": np.datetime64("2024-05-01T10:00:00"),
        }
        file.write_segment(
            [nptdms.ChannelObject("bearing", name, x, properties) for name, x in (("vib", X), ("tacho", WAVE))]
        )


def _uff(path):
    pyuff = pytest.importorskip("pyuff")
    for k, (name, x) in enumerate((("vibration", X), ("tacho", WAVE))):
        data = {"type": 58, "func_type": 1, "rsp_node": k + 1, "rsp_dir": 1, "ref_node": 1, "ref_dir": 1}
        data |= {"data": x, "x": T, "id1": name, "rsp_ent_name": name, "ref_ent_name": name, "binary": 0}
        data |= {"abscissa_spacing": 1, "abscissa_inc": 1 / RATE, "abscissa_min": 0.0, "ordinate_spec_data_type": 8}
        data |= {"ordinate_axis_units_lab": "g", "abscissa_axis_units_lab": "s", "orddenom_spec_data_type": 0}
        pyuff.UFF(str(path)).write_sets(data, "add" if k else "overwrite")


def _mf4(path):
    asammdf = pytest.importorskip("asammdf")
    with asammdf.MDF() as file:
        file.append([asammdf.Signal(x, T, name=name, unit=u) for name, x, u in (("acc", X, "g"), ("tacho", WAVE, "V"))])
        file.save(path, overwrite=True)


def _audio(path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(path, 0.2 * X, int(RATE), subtype="PCM_24")


def _npz(path):
    np.savez(path, x=X, tacho=WAVE, fs=RATE, ppr=1)


CASES = {
    "plain.mat": (_mat, {}),
    "struct.mat": (_mat_struct, {}),
    "new.mat": (_mat73, {}),
    "run.h5": (_h5, {}),
    "run.csv": (_csv, {}),
    "german.csv": (_csv_semicolon, {"sampling_rate": RATE}),
    "bare.csv.gz": (_csv_gz, {"sampling_rate": RATE}),
    "run.parquet": (_parquet, {}),
    "run.tdms": (_tdms, {}),
    "run.uff": (_uff, {}),
    "run.mf4": (_mf4, {}),
    "run.wav": (_audio, {}),
    "run.flac": (_audio, {}),
    "run.npz": (_npz, {}),
}


@pytest.mark.filterwarnings("ignore::toothwise.errors.GuessWarning")
@pytest.mark.parametrize("name", CASES)
def test_every_format_gives_vibration_tachometer_and_rate(tmp_path, name):
    write, options = CASES[name]
    path = tmp_path / name
    write(path)
    record = read_record(path, **options)
    assert record.sampling_rate == pytest.approx(RATE, rel=1e-6)
    x = record.channel()
    scale = 0.2 if name.endswith(("wav", "flac")) else 1.0
    clipped = np.clip(scale * X, -1, 1) if scale < 1 else X
    np.testing.assert_allclose(x, clipped, rtol=1e-5, atol=1e-5)
    assert record.provenance["record"] == str(path)
    if name == "struct.mat":
        assert list(record.channels) == ["data.acc_0", "data.acc_1"]
        assert record.tacho.kind == "times"
        np.testing.assert_allclose(record.tacho.values, PULSES)
    elif name.endswith(("wav", "flac", "gz")):
        assert record.tacho is None
    else:
        assert record.tacho.kind == "waveform"
        np.testing.assert_allclose(record.tacho.values, WAVE, atol=1e-5)
    if name == "run.tdms":
        assert record.unit == "g"
        assert record.start_time.startswith("2024-05-01T10:00:00")


@pytest.mark.parametrize("name", ["new.mat", "run.h5"])
def test_contiguous_datasets_are_mapped_not_read(tmp_path, name):
    CASES[name][0](tmp_path / name)
    assert isinstance(read_record(tmp_path / name).channel(), np.memmap)


def test_npy_is_mapped_not_read(tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert isinstance(read_record(tmp_path / "x.npy", channels="x", sampling_rate=RATE).channel(), np.memmap)


def test_what_was_guessed_is_told(tmp_path):
    np.savez(tmp_path / "odd.npz", strange=X, fs=RATE)
    with pytest.warns(GuessWarning, match=r"odd\.npz: took 'strange' as vibration"):
        record = read_record(tmp_path / "odd.npz")
    assert record.provenance["guessed"] == ["took 'strange' as vibration, the longest array that is left"]


def test_an_explicit_mapping_wins(tmp_path):
    np.savez(tmp_path / "a.npz", vibration=X, acc=2 * X, tacho=WAVE, other=np.cumsum(np.abs(X)), fs=1.0)
    record = read_record(
        tmp_path / "a.npz",
        RecordMapping("ACC", "other", RATE, pulses_per_revolution=60, tacho_kind="angle", unit="m/s^2"),
    )
    np.testing.assert_array_equal(record.channel(), 2 * X)
    assert (record.sampling_rate, record.unit) == (RATE, "m/s^2")
    assert (record.tacho.kind, record.tacho.pulses_per_revolution) == ("angle", 60)
    assert read_record(tmp_path / "a.npz", tacho="").tacho is None


@pytest.mark.parametrize(
    ("arrays", "options", "reason"),
    [
        ({"a": X, "b": X, "fs": RATE}, {}, r"several arrays that may be vibration, a, b: say channels=NAME"),
        ({"vib": X}, {}, "states no sampling rate: say sampling_rate=HZ"),
        ({"vib": X, "fs": RATE, "sample_rate": 3.0}, {}, "several sampling rates"),
        ({"vib": X, "fs": RATE, "tacho": WAVE, "encoder": WAVE}, {}, "several arrays that may be the tachometer"),
        ({"vib": X, "fs": RATE, "tacho": WAVE[:77]}, {}, "say tacho_kind="),
        ({"vib": X, "fs": RATE}, {"channels": "acc"}, r"holds no array 'acc' for vibration; it holds vib \[4000\]"),
        ({"vib": X, "time": np.cumsum(np.abs(X) + 0.01)}, {}, "not evenly spaced"),
        ({"fs": RATE}, {}, "holds no arrays of numbers"),
        ({"vib": X, "fs": -1.0}, {}, "sampling rate must be a positive number"),
        ({"vib": X, "fs": RATE}, {"chanels": "vib"}, "options of reading must be among"),
        ({"vib": X, "fs": RATE}, {"tacho_kind": "laser"}, "tacho_kind must be one of"),
    ],
)
def test_what_cannot_be_told_is_asked_for(tmp_path, arrays, options, reason):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=reason) as caught:
        read_record(tmp_path / "a.npz", **options)
    assert "a.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["mat", "csv", "parquet", "h5", "tdms", "uff", "mf4", "wav", "npz", "npy"])
@pytest.mark.parametrize("content", [b"", b"nonsense\x00\xff" * 7])
def test_damaged_and_empty_files(tmp_path, suffix, content):
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"broken\.{suffix}: "):
        read_record(path)


def test_files_that_are_not_there_or_not_known(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_record(tmp_path / "none.mat")
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.docx: the suffix of a recording must be one of"):
        read_record(tmp_path / "a.docx")


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", vibration=np.array([{"a": 1}], dtype=object), fs=RATE)
    with pytest.raises(InputError, match=r"a\.npz: not a readable"):
        read_record(tmp_path / "a.npz")


def test_a_missing_package_names_its_extra():
    with pytest.raises(MissingDependencyError, match=r"pip install 'toothwise\[tdms\]'"):
        raw.needed("no_such_package", "tdms", "TDMS")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".mat", ".parquet", ".npz"]),
    kind=st.sampled_from(["waveform", "times", "angle", None]),
    rate=st.floats(1.0, 1e6),
    pulses=st.integers(1, 1024),
    unit=st.sampled_from(["g", "m/s^2"]),
    dtype=st.sampled_from([np.float32, np.float64, np.int16]),
)
def test_what_was_written_is_read_back(tmp_path, suffix, kind, rate, pulses, unit, dtype):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    values = {"waveform": WAVE, "times": PULSES, "angle": np.linspace(0, 3, N), None: None}[kind]
    tacho = None if kind is None else Tachometer(kind, values, pulses, "carrier", 2.5)
    channels = {"first": (100 * X).astype(dtype), "second": (50 * X).astype(dtype)}
    record = VibrationRecord(channels, rate, tacho, unit, "2024-05-01T10:00:00", {"load": 0.5}, {"by": "test"})
    path = write_record(record, tmp_path / f"r{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_record(path)
    for name, x in channels.items():
        np.testing.assert_array_equal(found.channel(name), x)
    assert (found.sampling_rate, found.unit, found.start_time) == (rate, unit, "2024-05-01T10:00:00")
    assert found.condition == {"load": 0.5}
    assert found.provenance["by"] == "test"
    if tacho is None:
        assert found.tacho is None
    else:
        assert (found.tacho.kind, found.tacho.pulses_per_revolution, found.tacho.shaft) == (kind, pulses, "carrier")
        assert found.tacho.ratio == 2.5
        np.testing.assert_array_equal(found.tacho.values, values)


def test_names_and_suffixes_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"written as \.mat, \.parquet or \.npz"):
        write_record(VibrationRecord({"x": X}, RATE), tmp_path / "a.csv")
    with pytest.raises(InputError, match="MATLAB takes no variable of the name 'my channel'"):
        write_record(VibrationRecord({"my channel": X}, RATE), tmp_path / "a.mat")
    with pytest.raises(InputError, match="cannot be called"):
        write_record(VibrationRecord({"tacho": X}, RATE), tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: VibrationRecord({}, RATE), "one channel or more"),
        (lambda: VibrationRecord({"a": X, "b": X[:-1]}, RATE), "one length"),
        (lambda: VibrationRecord({"a": X.reshape(2, -1)}, RATE), r"must be numbers \[n\]"),
        (lambda: VibrationRecord({"a": X.astype(complex)}, RATE), "real numbers"),
        (lambda: VibrationRecord({"a": X}, 0.0), "sampling rate must be a positive number"),
        (lambda: VibrationRecord({"a": X}, np.nan), "sampling rate must be a positive number"),
        (lambda: Tachometer("laser", X), "kind of a tachometer"),
        (lambda: Tachometer("times", PULSES, 0), "must be positive"),
    ],
)
def test_records_that_cannot_be(make, reason):
    with pytest.raises(InputError, match=reason):
        make()


def test_quality_of_known_faults():
    x = X.copy()
    x[100:110] = np.nan
    x[500] = np.inf
    clipped = np.clip(X, -1.0, 1.0)
    record = VibrationRecord(
        {"gap": x, "clipped": clipped, "dead": np.full(N, 2.0), "good": X}, RATE, Tachometer("waveform", np.ones(N))
    )
    found = {(f.kind, f.channel): f for f in check_record(record)}
    assert set(found) == {("nan", "gap"), ("clipped", "clipped"), ("constant", "dead"), ("flat tacho", "tacho")}
    assert found["nan", "gap"].share == 11 / N
    assert "11 NaN or infinite samples in 2 gaps, the longest 10 samples" in found["nan", "gap"].message
    share = found["clipped", "clipped"].share
    assert 0.002 < share < np.mean(np.abs(X) >= 1)
    assert check_record(VibrationRecord({"x": (1000 * X).astype(np.int16)}, RATE)) == []


def test_gaps_across_chunks_are_one():
    x = np.random.default_rng(1).standard_normal((1 << 20) + 100)
    x[(1 << 20) - 5 : (1 << 20) + 5] = np.nan
    (found,) = check_record(VibrationRecord({"x": x}, RATE))
    assert "10 NaN or infinite samples in 1 gaps, the longest 10 samples" in found.message
