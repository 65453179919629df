"""Files that cannot be used: one clear line that names the file, whatever is wrong with it."""

import resource
import sys
import zlib

import asammdf
import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile
from nptdms import ChannelObject, TdmsWriter
from scipy.io import savemat

from toothwise.errors import InputError, MissingDependencyError
from toothwise.vibration.readers import SUFFIXES, read_record
from toothwise.vibration.readers.contents import need

ACC = np.random.default_rng(0).standard_normal(300)


def refused(path, words="", **options):
    with pytest.raises(InputError, match=words or None) as caught:
        read_record(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()


def write(path, suffix):
    """A sound file of a suffix."""
    if suffix == ".mat":
        savemat(path, {"acc": ACC, "fs": 100.0, "s": {"a": "text"}})
    elif suffix == ".packed.mat":
        savemat(path, {"acc": ACC, "fs": 100.0, "s": {"a": "text"}}, do_compression=True)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["acc"], file["fs"] = ACC, 100.0
    elif suffix == ".csv":
        pd.DataFrame({"t": np.arange(300) / 100, "acc": ACC}).to_csv(path, index=False)
    elif suffix == ".parquet":
        pd.DataFrame({"t": np.arange(300) / 100, "acc": ACC}).to_parquet(path)
    elif suffix == ".tdms":
        with TdmsWriter(path) as file:
            file.write_segment([ChannelObject("g", "acc", ACC, {"wf_increment": 0.01})])
    elif suffix == ".mf4":
        with asammdf.MDF() as file:
            file.append([asammdf.Signal(ACC, np.arange(300) / 100, name="acc")])
            file.save(path)
    elif suffix in (".wav", ".flac"):
        soundfile.write(path, ACC / 8, 100)
    else:
        np.savez(path, acc=ACC, fs=100.0)


def test_no_such_file(tmp_path):
    refused(tmp_path / "a.mat", "no such file")


def test_a_folder(tmp_path):
    refused(tmp_path, "is a folder")


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.gz", "a.tar.gz", "a.mat.gz"])
def test_another_suffix_lists_those_that_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"1")
    refused(tmp_path / name, r"the suffix must be one of \.mat, .*\.npy, but is '")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_files_and_noise(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    refused(path, "the file is empty")
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    refused(path, sampling_rate=100)


@pytest.mark.filterwarnings("ignore:.*is taken as vibration")
@pytest.mark.parametrize("suffix", [".mat", ".packed.mat", ".h5", ".parquet", ".tdms", ".mf4", ".wav", ".flac", ".npz"])
def test_a_file_that_ends_too_early_is_refused_or_read_as_far_as_it_goes(tmp_path, suffix):
    whole = tmp_path / f"whole{suffix}"
    write(whole, suffix)
    raw = whole.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path = tmp_path / f"{share}{suffix}"
        path.write_bytes(raw[: int(share * len(raw))])
        if suffix in (".tdms", ".flac", ".wav"):  # streams: what is there is sound
            assert survives(path)
        else:
            refused(path)


def survives(path):
    """Read, or refused in one line; any other error fails the test."""
    try:
        return read_record(path).samples <= 300
    except InputError as error:
        return str(error).startswith(f"{path}: ") and str(error).isprintable()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".mat", ".packed.mat", ".h5", ".csv", ".tdms", ".wav", ".npz"])
def test_damaged_bytes_never_bring_more_than_an_input_error(tmp_path, suffix):
    whole = tmp_path / f"whole{suffix}"
    write(whole, suffix)
    raw = np.frombuffer(whole.read_bytes(), np.uint8)
    rng = np.random.default_rng(1)
    for k in range(60):
        damaged = raw.copy()
        where = rng.integers(0, min(len(raw), 600), 3)  # where formats keep their sizes
        damaged[where] = rng.integers(0, 256, 3)
        path = tmp_path / f"{k}{suffix}"
        path.write_bytes(damaged.tobytes())
        assert survives(path), path.name


def test_a_mat_file_that_claims_too_much(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"acc": ACC})
    raw = bytearray(path.read_bytes())
    at = raw.index(np.array([300], "<i4").tobytes())
    raw[at : at + 4] = np.array([2**31 - 1], "<i4").tobytes()
    path.write_bytes(raw)
    refused(path, "damaged: 'acc' claims the shape.*but holds 300 numbers")
    head = raw[:128]
    path.write_bytes(head + np.array([15, 50], "<u4").tobytes() + zlib.compress(b"\0" * 10**6)[:50])
    refused(path, "holds no signal")


def test_a_mat_file_of_version_4(tmp_path):
    savemat(tmp_path / "a.mat", {"acc": ACC}, format="4")
    refused(tmp_path / "a.mat", "not a MAT file of version 5 to 7.3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,word\na,b\nc,d\n", "holds no table of numbers"),
        ("acc,word\n1,b\n2,d\n", r"no sampling rate"),
        ("fs=10\nword,acc\nb,1\n", "holds no vibration|column of text|no signal"),
        ("fs=10\nacc,tacho\n1,2\n2,x\n3,4\n", "could not convert|cannot be read"),
        ("a,b,c\n1,2\n3,4\n", "line 1 names 3 columns, but the rows have 2"),
    ],
)
def test_tables_of_text(tmp_path, text, words):
    (tmp_path / "a.csv").write_text(text)
    refused(tmp_path / "a.csv", words)


def test_gaps_are_read_and_left_to_the_check(tmp_path):
    np.savez(tmp_path / "a.npz", acc=np.where(ACC > 1, np.nan, ACC), fs=100)
    assert np.isnan(read_record(tmp_path / "a.npz").channel()).sum() == (ACC > 1).sum()


@pytest.mark.parametrize(
    ("suffix", "module", "extra"),
    [
        (".h5", "h5py", "hdf5"),
        (".parquet", "pyarrow.parquet", "parquet"),
        (".tdms", "nptdms", "tdms"),
        (".uff", "pyuff", "uff"),
        (".mf4", "asammdf", "mf4"),
        (".flac", "soundfile", "audio"),
    ],
)
def test_a_package_that_is_not_installed_names_its_extra(tmp_path, monkeypatch, suffix, module, extra):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"something")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"{extra}\]'") as caught:
        read_record(path)
    assert str(caught.value).startswith(f"{path}: reading this file needs {module.partition('.')[0]}")


def test_need_gives_the_module():
    assert need("h5py", "hdf5") is h5py


def test_hdf5_reads_nothing_from_other_files(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"password" * 100)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["acc"] = ACC
    layout = h5py.VirtualLayout((300,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "acc", (300,))
    makes = {
        "external": lambda file: file.create_dataset("acc", (800,), "i1", external=[(str(secret), 0, 800)]),
        "one": lambda file: file.create_dataset("acc", (1,), "i1", external=[(str(secret), 0, 1)]),
        "virtual": lambda file: file.create_virtual_dataset("acc", layout),
        "link": lambda file: file.__setitem__("acc", h5py.ExternalLink(str(tmp_path / "other.h5"), "acc")),
    }
    for name, make in makes.items():
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as file:
            make(file)
            file["fs"] = 100.0
        refused(path, "holds no signal$" if name == "link" else "acc is in another file")


def test_hdf5_that_claims_what_nobody_stored(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("acc", (2 * 10**9,), "f4", chunks=(1000,))
    refused(
        tmp_path / "a.h5", r"damaged: acc claims the shape \(2000000000,\), but 0 bytes are stored", sampling_rate=1
    )


def test_hdf5_with_a_text_that_claims_to_be_endless(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["acc"], file["fs"], file["unit"] = ACC, 100.0, "m/s^2"
        at = file["unit"].id.get_offset()
    assert read_record(path).unit == "m/s^2"
    with path.open("r+b") as raw:
        raw.seek(at)
        raw.write(b"\xff\xff\xff\x7f")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    record = read_record(path)
    assert (record.unit, list(record.provenance["left_out"])) == ("unknown", ["unit"])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_mf4_that_claims_too_much_is_refused_and_leaves_nothing_behind(tmp_path, monkeypatch):
    write(tmp_path / "whole.mf4", ".mf4")
    raw = (tmp_path / "whole.mf4").read_bytes()
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(own))
    at = raw.index(np.array([300], "<u8").tobytes(), raw.index(b"##CG"))  # cycles of the channel group
    (tmp_path / "a.mf4").write_bytes(raw[:at] + np.array([10**9], "<u8").tobytes() + raw[at + 8 :])
    refused(tmp_path / "a.mf4", "damaged: group 0 claims 16000000000 bytes")
    (tmp_path / "b.mf4").write_bytes(raw[:200])
    refused(tmp_path / "b.mf4", "cannot be read")
    assert list(own.iterdir()) == []
