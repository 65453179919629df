"""JSON, YAML and npz are read, or refused in one line, whatever bytes they hold."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from toothwise.errors import InputError, OutputError
from toothwise.reading import as_input_error, parse_json, parse_yaml, read_arrays, read_json, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_errors_of_broken_content_are_of_the_file_and_ours_pass():
    with (
        pytest.raises(InputError, match=r"^f\.json: not a state \(KeyError: 'x'\)$"),
        as_input_error("f.json", "not a state"),
    ):
        {}["x"]
    with pytest.raises(InputError, match=r"^damaged \(IndexError"), as_input_error("", "damaged"):
        [][0]
    with pytest.raises(OutputError, match="full"), as_input_error("f", "damaged"):
        raise OutputError("full")
    with pytest.raises(KeyError), as_input_error("f", "damaged", KeyError):
        {}["x"]
    with pytest.raises(InputError) as told, as_input_error("f", "damaged"):
        {}["x" * 10_000]
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', "\ud800"])
def test_json_that_is_none(text):
    with pytest.raises(InputError, match=r"^f\.json: not readable as JSON"):
        parse_json(text, "f.json")


@pytest.mark.parametrize(
    "text", ["a: [", "[" * 5000, "a: 2024-13-45", "? [a]\n: b", "&a [*a]", BOMB, "!!python/name:os.system x", "\0"]
)
def test_yaml_that_is_none(text):
    with pytest.raises(InputError, match=r"^f\.yaml: (is )?not YAML") as told:
        parse_yaml(text, "f.yaml")
    assert len(str(told.value)) < 1000
    assert "\n" not in str(told.value)


def test_aliases_that_end_are_read():
    assert parse_yaml("a: &a [1]\nb: *a", "f") == {"a": [1], "b": [1]}


@pytest.mark.parametrize("read", [read_json, read_yaml])
def test_files_that_cannot_be_read(read, tmp_path):
    with pytest.raises(InputError, match="none: no such file"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "f").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="f: cannot be read"):
        read(tmp_path / "f")


def test_arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3.0), text=np.array("é"))
    found = read_arrays(path, "arrays")
    assert (found["x"].tolist(), str(found["text"])) == ([0.0, 1.0, 2.0], "é")
    np.savez(path, x=np.array([{}], object))
    with pytest.raises(InputError, match=r"a\.npz: not readable as arrays: the array 'x.npy' holds Python objects"):
        read_arrays(path, "arrays")
    head = b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"
    for shape in (b"1000000000,", b"-1, -1", b"("):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", (head % shape).ljust(79) + b"\n" + b"\0" * 24)
        with pytest.raises(InputError, match=r"a\.npz: not readable as arrays"):
            read_arrays(path, "arrays")
    path.write_bytes(json.dumps({}).encode())
    with pytest.raises(InputError, match=r"a\.npz: not readable as arrays"):
        read_arrays(path, "arrays")


@pytest.mark.parametrize("code", [0x110000, 0xD800, 0xFFFFFFFF])
@pytest.mark.parametrize("order", ["<", ">"])
def test_an_array_of_code_points_that_are_no_characters_is_refused(tmp_path, code, order):
    text = np.array([ord("a"), code], dtype=order + "u4").view(f"{order}U2")
    np.savez(tmp_path / "a.npz", name=text)
    with pytest.raises(InputError, match=r"a\.npz: .*the array 'name' holds code points that are no characters"):
        read_arrays(tmp_path / "a.npz", "arrays")
