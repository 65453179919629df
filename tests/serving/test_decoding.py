"""Files that mean harm, or claim more than they hold: each is refused with its own words, before it costs anything."""

from __future__ import annotations

import gzip
import io
import resource
import stat
import struct
import zipfile
import zlib

import numpy as np
import pytest

from toothwise.serving.decoding import MAP_SUFFIXES, decode_map, decode_record, suffix_of
from toothwise.serving.limits import ApiError, Limits

LIMITS = Limits(max_values=100_000, max_maps=10)


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
    "claims 10 GB": (".npz", archive({"values.npy": npy_that_claims((50000, 50000))}), 422, "more than its .* bytes"),
    "too many numbers": (".npz", archive({"values.npy": npy(np.ones((30, 60, 60)))}), 413, "unpacks to|holds 108000"),
    "bomb": (".npz", archive({"values.npy": npy(np.zeros(2_000_000))}, zipfile.ZIP_DEFLATED), 413, "unpacks to 16"),
    "pickle": (".npz", archive({"values.npy": npy(np.array([{"a": 1}], object))}), 422, "Python objects"),
    "zip-slip": (".npz", archive({"values.npy": npy(GOOD), "../../etc/cron.npy": npy(GOOD)}), 422, "leads out"),
    "drive": (".npz", archive({"C:\\x.npy": npy(GOOD)}), 422, "leads out"),
    "link": (
        ".npz",
        archive({"values.npy": npy(GOOD), "l.npy": b"/etc/passwd"}, attributes={"l.npy": LINK}),
        422,
        "link",
    ),
    "many": (".npz", archive({f"{k}.npy": npy(GOOD) for k in range(70)}), 422, "70 entries, more than 64"),
    "no zip": (".npz", b"PK\x03\x04 nothing", 422, "not a readable npz"),
    "bare pickle": (".npz", npy(np.array([{}], object)), 422, "not a readable npz"),
    "many maps": (".npz", archive({"values.npy": npy(np.ones((11, 3, 4)))}), 413, "11 maps, more than 10"),
    "billion pixels": (".tiff", tiff_that_claims(50000, 50000), 413, "claims 50000 x 50000 pixels"),
    "tiff of nothing": (".tif", tiff_that_claims(200, 200, stored=160_000), 422, "more than the file holds"),
    "no tiff": (".tiff", b"II*\0 and then", 422, "not a readable TIFF"),
    "large png": (".png", png_that_claims(2**31 - 1, 2**31 - 1), 413, "claims 2147483647 x 2147483647 pixels"),
    "no png": (".png", b"\x89PNG", 422, "not a readable PNG"),
    "no mat": (".mat", b"\0" * 200, 422, "x.mat"),
    "empty": (".npz", b"", 422, "x.npz"),
}
RECORDS = {
    "claims 10 GB": (".npy", npy_that_claims((2_500_000_000,)), 422, "more than its .* bytes"),
    "pickle": (".npy", npy(np.array([{"a": 1}], object)), 422, r"Python objects \(pickle\), which are never read"),
    "too long": (".npy", npy(np.zeros(200_000, np.float32)), 413, "holds 200000 numbers"),
    "flac": (".flac", flac_that_claims(2**36 - 1), 413, "claims 68719476735 samples"),
    "gzip bomb": (".csv.gz", gzip.compress(b"1,2\n" * 1_000_000), 413, "unpacks to more than 1600000 bytes"),
    "no gzip": (".csv.gz", b"\x1f\x8b nothing", 422, "not a readable gzip"),
    "no wav": (".wav", b"RIFF" + b"\0" * 60, 422, "x.wav"),
    "no hdf5": (".h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100, 422, "x.h5"),
    "npz bomb": (".npz", archive({"v.npy": npy(np.zeros(2_000_000))}, zipfile.ZIP_DEFLATED), 413, "unpacks to 16"),
}


def refused(read, tmp_path, case):
    suffix, content, status, words = case
    path = tmp_path / f"upload{suffix}"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ApiError, match=words) as told:
        read(path, f"x{suffix}")
    assert told.value.status == status
    assert told.value.code == {413: "too_large", 422: "invalid"}[status]
    assert str(tmp_path) not in told.value.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB; what it claims is far more
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", MAPS)
def test_a_file_of_maps_that_means_harm_is_refused(name, tmp_path):
    refused(lambda path, shown: decode_map(path, shown, LIMITS), tmp_path, MAPS[name])


@pytest.mark.parametrize("name", RECORDS)
def test_a_recording_that_means_harm_is_refused(name, tmp_path):
    suffix = RECORDS[name][0]
    if suffix in (".flac", ".h5"):
        pytest.importorskip({".flac": "soundfile", ".h5": "h5py"}[suffix])
    refused(lambda path, shown: decode_record(path, shown, LIMITS, {}), tmp_path, RECORDS[name])


def test_good_files_are_read(tmp_path):
    (tmp_path / "upload.npz").write_bytes(archive({"values.npy": npy(GOOD)}))
    assert decode_map(tmp_path / "upload.npz", "x", LIMITS).values.shape == (2, 3, 4)
    with (tmp_path / "r.csv.gz").open("wb") as file:
        file.write(gzip.compress(b"time,vibration\n" + b"".join(b"%d,%d\n" % (k, k % 7) for k in range(2000))))
    record = decode_record(tmp_path / "r.csv.gz", "x", LIMITS, {"tacho": "none", "sampling_rate": 1.0})
    assert len(record.channel(None)) == 2000
    with pytest.raises(ApiError, match=r"read takes .* but got folder"):
        decode_record(tmp_path / "r.csv.gz", "x", LIMITS, {"folder": "/"})


def test_of_a_name_only_the_suffix_counts():
    assert suffix_of("../../etc/passwd.NPZ", MAP_SUFFIXES) == ".npz"
    with pytest.raises(ApiError, match="must be one of") as told:
        suffix_of("a.npz.exe", MAP_SUFFIXES)
    assert told.value.status == 415
