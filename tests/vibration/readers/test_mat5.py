"""The one reader of MAT 5 to 7.2, for recordings and for maps."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from toothwise.errors import InputError
from toothwise.healthmap.io import read_map
from toothwise.vibration.readers import mat5, read_record

TYPES = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


def read_array(path):
    return mat5.load(path, mat5.find_array(path, "Xdata"))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(TYPES).flatmap(lambda t: arrays(t, array_shapes(min_dims=2, max_dims=4, max_side=6))), st.booleans()
)
def test_reads_what_scipy_reads(tmp_path_factory, values, packed):
    path = tmp_path_factory.mktemp("mat") / "m.mat"
    others = {"text": "Xdata", "cell": np.array([{"Xdata": 1}], dtype=object), "long": np.ones((3, 300)), "one": 1}
    scipy.io.savemat(path, others | {"Xdata": values, "z": 2.0}, do_compression=packed)
    found = read_array(path)
    expected = scipy.io.loadmat(path)["Xdata"]
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, expected)


def test_numbers_stored_in_a_smaller_type_and_the_other_byte_order(tmp_path):
    """MATLAB stores doubles that are small whole numbers as bytes; old machines wrote the high byte first."""

    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    body = element(6, struct.pack(">II", 6, 0))  # class double
    body += element(5, struct.pack(">iii", 2, 3, 1)) + element(1, b"Xdata") + element(2, bytes([1, 2, 3, 4, 5, 250]))
    path = tmp_path / "m.mat"
    path.write_bytes(b"old".ljust(124) + struct.pack(">H", 0x0100) + b"MI" + element(14, body))
    expected = np.array([1, 2, 3, 4, 5, 250]).reshape(2, 3, 1, order="F")
    np.testing.assert_array_equal(read_array(path), expected)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"other": 1, "Ydata": 2}, "lacks the variable 'Xdata', found other, Ydata"),
        ({"Xdata": np.array([{"a": 1}], dtype=object)}, "lacks the variable"),
        ({"Xdata": "text"}, "is a text"),
        ({"Xdata": {"field": 1}}, "found Xdata.field"),
        ({"Xdata": scipy.sparse.eye(3).tocsc()}, "is sparse"),
        ({"Xdata": np.ones((2, 2)) * 1j}, "is complex"),
        ({"Xdata": np.ones((2, 2), bool)}, "is logical"),
        ({"Xdata": np.ones((2, 2, 3, 4))}, r"\[rows, columns, 1, n\]"),
        ({"Xdata": np.ones((0, 3))}, "non-empty"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_variables(tmp_path, variables, message, packed):
    scipy.io.savemat(tmp_path / "m.mat", variables, do_compression=packed)
    with pytest.raises(InputError, match=message) as caught:
        read_map(tmp_path / "m.mat")
    assert str(caught.value).startswith(str(tmp_path / "m.mat"))


def test_version_73_is_named(tmp_path):
    (tmp_path / "m.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(InputError, match=r"7\.3 \(HDF5\).*-v7.*h5py"):
        read_map(tmp_path / "m.mat")


def _claim(shape, data, packed):
    """A file whose variable claims a shape."""

    def element(kind, payload):
        return struct.pack("<II", kind, len(payload)) + payload + bytes(-len(payload) % 8)

    body = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    body += element(1, b"Xdata") + struct.pack("<II", 9, 8 * int(np.prod(shape)) % 2**32) + data
    whole = struct.pack("<II", 14, len(body)) + body
    whole = struct.pack("<II", 15, len(zlib.compress(whole))) + zlib.compress(whole) if packed else whole
    return b"small".ljust(124) + b"\x00\x01IM" + whole


@pytest.mark.parametrize("packed", [False, True])
def test_sizes_are_checked_before_memory_is_taken(tmp_path, packed):
    path = tmp_path / "m.mat"
    for shape in ((30000, 30000), (9000, 9000), (-2, 3)):
        path.write_bytes(_claim(shape, bytes(16), packed))
        with pytest.raises(InputError, match=r"claims|too early"):
            read_map(path)
    path.write_bytes(_claim((1, 2), np.array([3.0, 4.0]).tobytes(), packed))
    np.testing.assert_array_equal(read_array(path), [[3.0, 4.0]])


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_was_cut(tmp_path, packed):
    path = tmp_path / "m.mat"
    scipy.io.savemat(path, {"Xdata": np.random.default_rng(0).standard_normal((3, 4, 50))}, do_compression=packed)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"too early"):
        read_map(path)


def test_objects_beside_the_arrays_are_left_out(tmp_path):
    """MATLAB saves datetime, table and string as objects of a newer kind, and what they hold without a name."""

    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    path = tmp_path / "m.mat"
    x = np.random.default_rng(0).standard_normal(500)
    scipy.io.savemat(path, {"vibration": x, "fs": 1000.0, "Xdata": np.ones((3, 4))})
    ids = element(6, struct.pack("<II", 13, 0)) + element(5, struct.pack("<ii", 6, 1)) + element(1, b"")
    ids = element(14, ids + element(6, struct.pack("<6I", 0xDD000000, 2, 1, 1, 1, 1)))
    named = element(6, struct.pack("<II", 17, 0)) + element(1, b"start") + element(1, b"MCOS") + element(1, b"datetime")
    inside = element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack("<ii", 1, 8)) + element(1, b"")
    whole = element(14, named + ids) + element(14, inside + element(2, bytes(8)))
    path.write_bytes(path.read_bytes() + whole)
    record = read_record(path, tacho="none")
    np.testing.assert_array_equal(record.channel(), x)
    assert list(record.channels) == ["vibration"]
    assert mat5.read(path).left_out["start"] == "an object"
    assert read_map(path).values.shape == (1, 3, 4)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(3, 4, 1, 6), (3, 4, 6), (3, 4)])
def test_maps_in_every_shape_that_matlab_gives_them(tmp_path, shape, packed):
    values = np.random.default_rng(0).standard_normal(shape)
    scipy.io.savemat(tmp_path / "m.mat", {"Xdata": values}, do_compression=packed)
    expected = np.moveaxis(values.reshape(3, 4, -1), 2, 0).astype(np.float32)
    np.testing.assert_array_equal(read_map(tmp_path / "m.mat").values, expected)
