"""Whatever a file holds, each map comes out once: as values, or as the reason why not."""

from __future__ import annotations

import numpy as np
import pytest

from toothwise.fleet.options import ScoreOptions
from toothwise.fleet.reading import Reading, read_blocks
from toothwise.fleet.storage import locate

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

READING = Reading((2, 3), ScoreOptions(batch=2))
VALUES = np.arange(1, 31, dtype=np.float32).reshape(5, 2, 3)


def read(path, reading=READING):
    place = locate(str(path))
    (file,) = place.files()
    blocks = list(read_blocks(place, file, reading))
    index = np.concatenate([b.index for b in blocks])
    errors = [e for b in blocks for e in b.error]
    known = {name: [v for b in blocks for v in b.known[name]] for name in blocks[0].known}
    return index.tolist(), np.concatenate([b.values for b in blocks]), errors, known


def column(kind):
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(pa.array(VALUES.reshape(-1)), 6)
    if kind == "tensor":
        return pa.FixedShapeTensorArray.from_numpy_ndarray(VALUES)
    if kind == "float64":
        return pa.array([v.reshape(-1).astype(float).tolist() for v in VALUES])
    if kind == "nested":
        return pa.array([v.tolist() for v in VALUES])
    return pa.array([v.reshape(-1).astype(int).tolist() for v in VALUES], pa.large_list(pa.int32()))


@pytest.mark.parametrize("kind", ["fixed", "tensor", "float64", "nested", "whole"])
def test_every_kind_of_column_gives_the_same_maps(tmp_path, kind):
    pq.write_table(pa.table({"values": column(kind)}), tmp_path / "a.parquet", row_group_size=3)
    index, values, errors, _ = read(tmp_path / "a.parquet")
    assert index == [0, 1, 2, 3, 4]
    assert errors == [None] * 5
    np.testing.assert_array_equal(values, VALUES)


def test_a_bad_row_says_why_and_the_others_are_read(tmp_path):
    rows = [v.reshape(-1).tolist() for v in VALUES]
    rows[0], rows[1], rows[3] = None, [1.0, 2.0], [1.0, None, 3.0, 4.0, 5.0, 6.0]
    rows += [[1.0] * 5 + [float("inf")], [None] * 6, [1e300] * 6]
    pq.write_table(pa.table({"values": pa.array(rows, pa.list_(pa.float64()))}), tmp_path / "a.parquet")
    index, values, errors, _ = read(tmp_path / "a.parquet")
    assert index == list(range(8))
    assert errors[0] == "no values"
    assert errors[1] == "holds 2 values, but the detector takes 2 x 3"
    assert [e is None for e in errors] == [False, False, True, True, True, False, False, False]
    assert "infinite" in errors[5]
    assert "NaN only" in errors[6]
    assert "infinite" in errors[7]  # too large for float32
    np.testing.assert_array_equal(values[2], VALUES[2])
    np.testing.assert_array_equal(values[3], [[1, np.nan, 3], [4, 5, 6]])
    np.testing.assert_array_equal(values[4], VALUES[4])


def test_a_stated_shape_must_be_the_detectors(tmp_path):
    table = {"values": column("fixed"), "rows": [2, 3, 2, 2, None], "columns": [3, 2, 3, 3, 3]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    _, _, errors, _ = read(tmp_path / "a.parquet")
    assert [e is None for e in errors] == [True, False, True, True, False]
    assert errors[1] == "is 3 x 2 (rows x columns), but the detector takes 2 x 3"


def test_a_parquet_file_without_the_column_gives_a_row_per_map(tmp_path):
    pq.write_table(pa.table({"other": [1, 2, 3]}), tmp_path / "a.parquet")
    index, _, errors, _ = read(tmp_path / "a.parquet")
    assert index == [0, 1, 2]
    assert set(errors) == {"lacks the column 'values', found other"}
    pq.write_table(pa.table({"values": ["a", "b"]}), tmp_path / "a.parquet")
    index, _, errors, _ = read(tmp_path / "a.parquet")
    assert index == [0, 1]
    assert "must hold lists of numbers, but holds string" in errors[0]


def test_a_damaged_row_group_costs_its_own_rows_and_those_after_it(tmp_path):
    path = tmp_path / "a.parquet"
    values = np.random.default_rng(0).uniform(1, 2, (400, 6)).astype(np.float32)
    table = pa.table({"values": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), 6)})
    pq.write_table(table, path, row_group_size=100, compression="gzip", use_dictionary=False)
    column_of = pq.ParquetFile(path).metadata.row_group(2).column(0)
    data = bytearray(path.read_bytes())
    start = column_of.data_page_offset
    data[start : start + column_of.total_compressed_size] = b"\xff" * column_of.total_compressed_size
    path.write_bytes(data)
    index, got, errors, _ = read(path, Reading((2, 3), ScoreOptions(batch=50)))
    assert index == list(range(400))
    good = [e is None for e in errors]
    assert good == [True] * sum(good) + [False] * (400 - sum(good))
    assert 100 <= sum(good) <= 200
    np.testing.assert_array_equal(got[: sum(good)].reshape(-1, 6), values[: sum(good)])


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".tiff", ".mat"])
@pytest.mark.parametrize("content", [b"", b"not a map at all"])
def test_a_file_that_is_none_is_one_row_with_the_reason(tmp_path, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)
    index, _, errors, _ = read(tmp_path / f"a{suffix}")
    assert index == [0]
    assert errors[0]


def test_a_map_that_breaks_a_batch_of_npz_does_not_hide_the_others(tmp_path):
    values = VALUES.copy()
    values[2, 0, 0] = np.inf
    np.savez(tmp_path / "a.npz", values=values)
    index, got, errors, _ = read(tmp_path / "a.npz")
    assert index == [0, 1, 2, 3, 4]
    assert errors == [None, None, "holds infinite values", None, None]
    np.testing.assert_array_equal(got[4], VALUES[4])


def test_python_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", values=np.array([{"a": 1}], dtype=object))
    _, _, errors, _ = read(tmp_path / "a.npz")
    assert "Python objects" in errors[0]


def test_ids_and_kept_columns_come_as_text(tmp_path):
    pq.write_table(
        pa.table({"values": column("fixed"), "record": [7, 8, None, 10, 11], "load": [0.5] * 5}), tmp_path / "a.parquet"
    )
    _, _, _, known = read(tmp_path / "a.parquet", Reading((2, 3), ScoreOptions(keep=["load", "absent"])))
    assert known["id"] == ["7", "8", None, "10", "11"]
    assert known["load"] == ["0.5"] * 5
    assert known["absent"] == [None] * 5
