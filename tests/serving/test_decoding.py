"""Files that mean harm, or claim more than they hold: each is refused with its own words, before it costs anything."""

from __future__ import annotations

import gzip
import io
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest

from toothwise.errors import InputError, LimitError
from toothwise.model import MapsAbout
from toothwise.serving.decoding import MAP_SUFFIXES, Decoder, Upload, suffix_of
from toothwise.serving.limits import ApiError, Limits
from toothwise.serving.schemas import FormFields
from toothwise.serving.service import Expected, Job
from toothwise.vibration.readers import RecordMapping
from toothwise.workers import WorkerPool

LIMITS = Limits(max_values=100_000, max_maps=10, worker_cpu_seconds=4, worker_megabytes=300)


def npy(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def npy_that_claims(shape, dtype="<f4") -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def archive(entries, method=zipfile.ZIP_STORED, attributes=None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (attributes or {}).get(name, 0o600) << 16
            file.writestr(info, content)
    return out.getvalue()


def tiff_that_claims(width, height, stored=4) -> bytes:
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 32),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, stored),
        (339, 3, 1, 3),
    ]
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + b"\0" * 4
    return b"II*\0" + struct.pack("<I", 12) + b"\0" * 4 + body


def png_that_claims(width, height) -> bytes:
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def flac_that_claims(samples) -> bytes:
    low = (44100 << 44) | (0 << 41) | (15 << 36) | samples
    info = struct.pack(">HH", 4096, 4096) + b"\0" * 6 + struct.pack(">Q", low) + b"\0" * 16
    return b"fLaC" + bytes([0x80]) + len(info).to_bytes(3, "big") + info


GOOD = np.ones((2, 3, 4), np.float32)
LINK = stat.S_IFLNK | 0o777
MAPS = {
    "claims 10 GB": (".npz", archive({"values.npy": npy_that_claims((50000, 50000))}), 422),
    "too many numbers": (".npz", archive({"values.npy": npy(np.ones((30, 60, 60)))}), 413),
    "bomb": (".npz", archive({"values.npy": npy(np.zeros(2_000_000))}, zipfile.ZIP_DEFLATED), 413),
    "pickle": (".npz", archive({"values.npy": npy(np.array([{"a": 1}], object))}), 422),
    "zip-slip": (".npz", archive({"values.npy": npy(GOOD), "../../etc/cron.npy": npy(GOOD)}), 422),
    "drive": (".npz", archive({"C:\\x.npy": npy(GOOD)}), 422),
    "link": (".npz", archive({"values.npy": npy(GOOD), "l.npy": b"/etc/passwd"}, attributes={"l.npy": LINK}), 422),
    "many": (".npz", archive({f"{k}.npy": npy(GOOD) for k in range(70)}), 422),
    "no zip": (".npz", b"PK\x03\x04 nothing", 422),
    "bare pickle": (".npz", npy(np.array([{}], object)), 422),
    "many maps": (".npz", archive({"values.npy": npy(np.ones((11, 3, 4)))}), 413),
    "billion pixels": (".tiff", tiff_that_claims(50000, 50000), 422),
    "tiff of nothing": (".tif", tiff_that_claims(200, 200, stored=160_000), 422),
    "no tiff": (".tiff", b"II*\0 and then", 422),
    "large png": (".png", png_that_claims(2**31 - 1, 2**31 - 1), 422),
    "no png": (".png", b"\x89PNG", 422),
    "no mat": (".mat", b"\0" * 200, 422),
    "empty": (".npz", b"", 422),
}
RECORDS = {
    "claims 10 GB": (".npy", npy_that_claims((2_500_000_000,)), 422),
    "pickle": (".npy", npy(np.array([{"a": 1}], object)), 422),
    "too long": (".npy", npy(np.zeros(200_000, np.float32)), 413),
    "flac": (".flac", flac_that_claims(2**36 - 1), 413),
    "gzip bomb": (".csv.gz", gzip.compress(b"1,2\n" * 1_000_000), 413),
    "no gzip": (".csv.gz", b"\x1f\x8b nothing", 422),
    "no wav": (".wav", b"RIFF" + b"\0" * 60, 422),
    "no hdf5": (".h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100, 422),
    "npz bomb": (".npz", archive({"v.npy": npy(np.zeros(2_000_000))}, zipfile.ZIP_DEFLATED), 413),
}


@dataclass
class Builder:
    """Makes one map of the first twelve samples of a recording."""

    reading: RecordMapping = field(default_factory=RecordMapping)

    def build(self, record):
        return record.channel(None)[:12].reshape(3, 4)


@pytest.fixture(scope="module")
def pool():
    found = WorkerPool(Decoder(Expected(MapsAbout.of_shape((3, 4)), positive=True), LIMITS, Builder()), 1, LIMITS.work)
    yield found
    found.close()


def refused(pool, tmp_path, case, *, recording):
    suffix, content, status = case
    path = tmp_path / f"0{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^x{re.escape(suffix)}: |maps, more than 10") as told:
        pool.run(([Upload(path, f"x{suffix}", recording)], FormFields(read='{"sampling_rate": 2048.0}')))
    assert isinstance(told.value, LimitError) == (status == 413)
    assert str(tmp_path) not in str(told.value)
    assert not re.search(r"Error\b|synchronously|NoneType", str(told.value)), "the words of another library"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", MAPS)
def test_a_file_of_maps_that_means_harm_is_refused(pool, name, tmp_path):
    refused(pool, tmp_path, MAPS[name], recording=False)


@pytest.mark.parametrize("name", RECORDS)
def test_a_recording_that_means_harm_is_refused(pool, name, tmp_path):
    suffix = RECORDS[name][0]
    if suffix in (".flac", ".h5"):
        pytest.importorskip({".flac": "soundfile", ".h5": "h5py"}[suffix])
    refused(pool, tmp_path, RECORDS[name], recording=True)


def test_good_files_are_read(pool, tmp_path):
    (tmp_path / "0.npz").write_bytes(archive({"values.npy": npy(GOOD)}))
    found = Job.unpack(pool.run(([Upload(tmp_path / "0.npz", "x.npz", False)], FormFields(include="map"))))
    assert (found.records, found.bad, found.include) == (("x.npz[0]", "x.npz[1]"), (), {"map"})
    np.testing.assert_array_equal(found.values, GOOD)
    (tmp_path / "1.csv.gz").write_bytes(
        gzip.compress(b"time,vibration\n" + b"".join(b"%d,%d\n" % (k, k + 1) for k in range(2000)))
    )
    found = Job.unpack(
        pool.run(([Upload(tmp_path / "1.csv.gz", "r.csv.gz", True)], FormFields(read='{"tacho": "none"}')))
    )
    assert found.records == ("r.csv.gz",)
    assert found.values.ravel().tolist() == list(range(1, 13))


def test_of_a_name_only_the_suffix_counts():
    assert suffix_of("../../etc/passwd.NPZ", MAP_SUFFIXES) == ".npz"
    with pytest.raises(ApiError, match="must be one of") as told:
        suffix_of("a.npz.exe", MAP_SUFFIXES)
    assert told.value.status == 415
