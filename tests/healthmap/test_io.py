import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from toothwise import GearPair, HealthMap, HealthMapBatch, PlanetaryStage, read_map, write_map
from toothwise.errors import InputError, OutputError, RangeWarning
from toothwise.healthmap.core import Axis


def _map(values, **more):
    rows, columns = np.shape(values)
    return HealthMap(np.asarray(values), Axis.teeth("driving tooth", rows), Axis.teeth("driven tooth", columns), **more)


def _batch(n=6, shape=(31, 95), seed=0, **more):
    values = np.random.default_rng(seed).uniform(0.1, 2.0, (n, *shape)).astype("f4")
    return HealthMapBatch(values, Axis.teeth("driving tooth", shape[0]), Axis.teeth("driven tooth", shape[1]), **more)


finite = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))


@settings(max_examples=30, deadline=None)
@given(arrays("f4", st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=finite))
@pytest.mark.filterwarnings("ignore::toothwise.errors.RangeWarning")
def test_npz_and_tiff_are_exact_to_the_bit(tmp_path_factory, values):
    if np.isnan(values).all():
        return
    folder = tmp_path_factory.mktemp("maps")
    for name in ("map.npz", "map.tiff"):
        found = read_map(write_map(_map(values), folder / name))
        assert found.values.dtype == np.float32
        np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize("gear", [GearPair(18, 35), PlanetaryStage(30, 30, 90, 4), None])
def test_npz_keeps_everything(tmp_path, gear):
    values = np.random.default_rng(0).uniform(size=(3, 4))
    values[1, 2] = np.nan
    original = _map(
        values,
        count=np.arange(12).reshape(3, 4),
        variance=np.linspace(0, 1, 12).reshape(3, 4),
        quantity="rms of difference",
        unit="g",
        gear=gear,
        condition={"load": 0.5, "session": "a"},
        provenance={"record": "x.mat", "steps": [1, 2], "ß": None},
    )
    found = read_map(write_map(original, tmp_path / "m.npz"))
    np.testing.assert_array_equal(found.values, original.values)
    np.testing.assert_array_equal(found.count, original.count)
    np.testing.assert_array_equal(found.variance, original.variance)
    for name in ("rows", "columns", "quantity", "unit", "gear", "condition", "provenance"):
        assert getattr(found, name) == getattr(original, name), name


def test_npz_keeps_a_batch_and_its_table(tmp_path):
    table = pd.DataFrame({"day": [1, 1, 2], "name": ["a", "b", "c"], "tooth": [1.0, np.nan, 2.0]})
    found = read_map(write_map(_batch(3, table=table, unit="g"), tmp_path / "m.npz"))
    assert isinstance(found, HealthMapBatch)
    pd.testing.assert_frame_equal(found.table, table)
    assert len(found[1:]) == 2
    assert found[np.array([True, False, True])].table["name"].tolist() == ["a", "c"]
    assert found[2].condition["name"] == "c"
    with pytest.raises(IndexError):
        found[3]
    assert len(list(found)) == 3


def test_png_is_exact_to_half_a_step_of_its_fixed_scale(tmp_path):
    values = np.random.default_rng(1).uniform(0, 1.9, (31, 95))
    found = read_map(write_map(_map(values), tmp_path / "m.png", scale=2.0))
    assert np.abs(found.values - values).max() <= 1.0 / 65535 + 1e-6


def test_png_never_clips(tmp_path):
    with pytest.raises(InputError, match=r"would be clipped.*TIFF"):
        write_map(_map([[0.5, 1.2]]), tmp_path / "m.png", scale=1.0)
    with pytest.raises(InputError, match="fixed scale"):
        write_map(_map([[0.5, 1.2]]), tmp_path / "m.png")
    with pytest.raises(InputError, match="NaN"):
        write_map(_map([[0.5, np.nan]]), tmp_path / "m.png", scale=1.0)
    assert list(tmp_path.iterdir()) == []


def test_research_png_without_a_scale_is_pixel_over_65535(tmp_path):
    Image.fromarray(np.array([[0, 32768, 13107]], dtype=np.uint16)).save(tmp_path / "m.png")
    np.testing.assert_allclose(read_map(tmp_path / "m.png").values, [[0, 32768 / 65535, 0.2]], rtol=1e-6)


def test_research_mat(tmp_path):
    data = np.random.default_rng(2).uniform(size=(31, 95, 1, 4))
    scipy.io.savemat(tmp_path / "3_TSA_DIF_train.mat", {"Xdata": data})
    found = read_map(tmp_path / "3_TSA_DIF_train.mat", shape=(31, 95))
    np.testing.assert_allclose(found.values[2], data[:, :, 0, 2].astype("f4"))


@pytest.mark.parametrize(("suffix", "scale"), [(".tiff", None), (".png", 2.5)])
def test_research_folder_layout(tmp_path, write_folder, suffix, scale):
    table = pd.DataFrame({"split": ["train"] * 3 + ["test"] * 3, "label": [0, 0, 0, 0, 1, 1]})
    batch = _batch(6, table=table)
    write_folder(batch, tmp_path / "domain_C", suffix=suffix, scale=scale)
    assert (tmp_path / "domain_C/test/fault" / f"000001{suffix}").is_file()
    found = read_map(tmp_path / "domain_C")
    assert found.table["label"].tolist() == [0, 0, 0, 0, 1, 1]
    assert found.table["split"].tolist() == ["train"] * 3 + ["test"] * 3
    np.testing.assert_allclose(found.values, batch.values, atol=2.5 / 65535)


def test_a_plain_folder_of_maps(tmp_path):
    for i, single in enumerate(_batch(3)):
        write_map(single, tmp_path / f"{i}.tiff")
    (tmp_path / "notes.txt").write_text("not a map")
    assert read_map(tmp_path).table["file"].tolist() == ["0.tiff", "1.tiff", "2.tiff"]


def test_ranges_that_hide_something_are_warned_about(tmp_path):
    clipped = np.minimum(np.random.default_rng(3).uniform(0, 1.3, (31, 95)), 1.0)
    with pytest.warns(RangeWarning, match="clipped"):
        read_map(write_map(_map(clipped), tmp_path / "clipped.npz"))
    each = _batch(5).values.copy()
    each -= each.min(axis=(1, 2), keepdims=True)
    each /= each.max(axis=(1, 2), keepdims=True)
    rows, columns = Axis.teeth("r", 31), Axis.teeth("c", 95)
    with pytest.warns(RangeWarning, match="image by image"):
        read_map(write_map(HealthMapBatch(each, rows, columns), tmp_path / "each.npz"))
    with pytest.warns(RangeWarning, match="constant"):
        read_map(write_map(_map(np.ones((3, 3))), tmp_path / "dead.npz"))


def test_ordinary_maps_are_not_warned_about(tmp_path, recwarn):
    read_map(write_map(_batch(20), tmp_path / "m.npz"))
    assert not [w for w in recwarn if issubclass(w.category, RangeWarning)]


@pytest.mark.parametrize("share", [0.0001, 0.01])
def test_a_few_clipped_values_are_enough(tmp_path, share):
    values = np.random.default_rng(4).lognormal(size=(20, 31, 95)).astype("f4")
    values = np.minimum(values, np.quantile(values, 1 - share))
    with pytest.warns(RangeWarning, match="clipped"):
        read_map(write_map(_as_batch(values), tmp_path / "m.npz"))


def test_whole_numbers_and_a_dead_map_do_not_hide_or_pretend_clipping(tmp_path, recwarn):
    rng = np.random.default_rng(5)
    read_map(write_map(_as_batch(rng.integers(0, 200, (10, 31, 95))), tmp_path / "counts.npz"))
    read_map(write_map(_as_batch(rng.random((10, 31, 95)) < 0.1, "f4"), tmp_path / "binary.npz"))
    assert not [w for w in recwarn if issubclass(w.category, RangeWarning)]
    values = np.minimum(rng.lognormal(size=(5, 31, 95)), 2.0)
    values[2] = 0.5
    with pytest.warns(RangeWarning) as caught:
        read_map(write_map(_as_batch(values), tmp_path / "both.npz"))
    assert [("constant" in str(w.message), "clipped" in str(w.message)) for w in caught] == [
        (True, False),
        (False, True),
    ]


def _as_batch(values, dtype="f4"):
    return HealthMapBatch(
        np.asarray(values, dtype), Axis.teeth("driving tooth", values.shape[1]), Axis.teeth("driven tooth", 95)
    )


def test_one_dead_map_among_many_is_named(tmp_path):
    values = _batch(3).values.copy()
    values[1] = np.nan
    (tmp_path / "m.npz").write_bytes(_npz(values=values))
    with pytest.raises(InputError, match=r"m\.npz: map 1 holds NaN only"):
        read_map(tmp_path / "m.npz")


def test_numbers_of_a_table_are_exact_and_what_is_missing_stays_out(tmp_path):
    table = pd.DataFrame(
        {
            "contrast": [1 / 3, np.nan],
            "tooth": pd.array([4, None], dtype="Int64"),
            "time": pd.to_datetime(["2024-05-01T10:00", "2024-05-02T00:00"]),
        }
    )
    batch = _batch(2, table=table)
    found = read_map(write_map(batch, tmp_path / "all.npz"))
    assert found.table["contrast"][0] == 1 / 3
    assert found.table["time"].tolist() == ["2024-05-01T10:00:00", "2024-05-02T00:00:00"]
    assert set(batch[1].condition) == {"time"}
    for i in range(2):  # one by one and together again
        write_map(batch[i], tmp_path / "each" / f"{i}.npz")
    each = read_map(tmp_path / "each")
    assert each.table["tooth"][0] == 4
    assert np.isnan(each.table["tooth"][1])
    assert each.table["file"].tolist() == ["0.npz", "1.npz"]


def test_a_domain_of_npz_files_keeps_the_table(tmp_path, write_folder):
    table = pd.DataFrame({"split": ["test", "train"], "label": [1, 0], "tooth": [7, np.nan]})
    found = read_map(write_folder(_batch(2, table=table), tmp_path / "d", suffix=".npz"))
    assert found.table["label"].tolist() == [0, 1]  # train comes first
    assert found.table["tooth"].tolist()[1] == 7


def test_files_of_one_folder_must_be_of_one_kind(tmp_path):
    write_map(_batch(1, unit="g")[0], tmp_path / "a.npz")
    write_map(_batch(1, unit="m/s2")[0], tmp_path / "b.npz")
    with pytest.raises(InputError, match=r"b\.npz: the unit of this map differ.*'m/s2', but 'g'"):
        read_map(tmp_path)


def test_a_tiff_of_many_images_is_not_cut_to_its_first(tmp_path):
    tifffile.imwrite(tmp_path / "m.tiff", np.ones((3, 8, 9), "f4"), photometric="minisblack")
    with pytest.raises(InputError, match="holds 3 images"):
        read_map(tmp_path / "m.tiff")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["npz", "tiff", "png", "mat"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0.0, 1.0),
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path_factory, suffix, changes, end):
    path = tmp_path_factory.mktemp("damaged") / f"m.{suffix}"
    batch = _batch(1, (5, 7))
    if suffix == "mat":
        scipy.io.savemat(path, {"Xdata": batch.values.transpose(1, 2, 0)}, do_compression=len(changes) % 2 == 0)
    else:
        write_map(batch[0], path, scale=3.0)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    path.write_bytes(bytes(content[: max(int(end * 2 * len(content)), 1)]))
    try:
        read_map(path)
    except InputError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - both ways are right, any other error is not
        assert "\n" not in str(error)  # noqa: PT017


def _npz(**named):
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def _lying_npz():
    """A file of a hundred bytes that claims ten billion numbers."""
    buffer = io.BytesIO()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (100000, 100000)})
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("values.npy", header.getvalue() + b"1234")
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".npz", ".tiff", ".png", ".mat"])
@pytest.mark.parametrize("content", [b"", b"garbage" * 20], ids=["empty", "garbage"])
def test_broken_files_are_one_line_that_names_them(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="broken") as caught:
        read_map(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".npz", ".tiff", ".png", ".mat"])
def test_truncated_files(tmp_path, suffix):
    path = tmp_path / f"cut{suffix}"
    batch = _batch(1)
    if suffix == ".mat":
        scipy.io.savemat(path, {"Xdata": batch.values.transpose(1, 2, 0)[:, :, None]})
    else:
        write_map(batch[0], path, scale=3.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cut"):
        read_map(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_npz(other=np.ones((2, 2))), "lacks the array 'values'"),
        (_npz(values=np.ones(4)), "shape is"),
        (_npz(values=np.array([["a"]])), "must be numbers"),
        (_npz(values=np.array([[{}]], dtype=object)), "Python objects"),
        (_npz(values=np.full((2, 2), np.nan)), "NaN only"),
        (_npz(values=np.array([[np.inf, 1.0]])), "infinities"),
        (_npz(values=np.ones((2, 2)), meta=np.array("{")), "metadata: not readable as JSON"),
        (_npz(values=np.ones((2, 2)), meta=np.array('{"format": 1}')), "metadata is damaged"),
        (_npz(values=np.ones((2, 2)), meta=np.array('{"format": 99}')), "format 99"),
        (_lying_npz(), "claims the shape"),
    ],
)
def test_wrong_contents_of_npz(tmp_path, content, message):
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_map(path)
    assert str(caught.value).startswith(str(path))


def test_wrong_contents_of_other_formats(tmp_path):
    tifffile.imwrite(tmp_path / "colour.tiff", np.zeros((3, 3, 3), np.float32), photometric="rgb")
    scipy.io.savemat(tmp_path / "key.mat", {"other": np.ones(3)})
    scipy.io.savemat(tmp_path / "shape.mat", {"Xdata": np.ones((2, 2, 3, 4))})
    for name, message in (
        ("colour.tiff", r"values must be \[rows, columns\]"),
        ("key.mat", "lacks the variable 'Xdata'"),
        ("shape.mat", r"\[rows, columns, 1, n\]"),
        ("none.npz", "no such file"),
        ("x.doc", "no such file"),
    ):
        with pytest.raises(InputError, match=message):
            read_map(tmp_path / name)
    (tmp_path / "x.doc").write_text("x")
    with pytest.raises(InputError, match="suffix must be one of"):
        read_map(tmp_path / "x.doc")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(InputError, match="holds no map files"):
        read_map(tmp_path / "hollow")


def test_wrong_teeth_and_mixed_folders(tmp_path):
    write_map(_batch(1)[0], tmp_path / "a.tiff")
    with pytest.raises(InputError, match="must be 18 x 35"):
        read_map(tmp_path / "a.tiff", shape=(18, 35))
    write_map(_batch(1, (18, 35))[0], tmp_path / "b.tiff")
    with pytest.raises(InputError, match=r"b\.tiff.*18 x 35"):
        read_map(tmp_path)


def test_outputs_that_cannot_be(tmp_path):
    single = _batch(1)[0]
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_map(single, tmp_path / "file" / "m.npz")
    with pytest.raises(InputError, match="suffix"):
        write_map(single, tmp_path / "m.doc")
    with pytest.raises(InputError, match=r"written to \.npz, but not to '\.tiff'"):
        write_map(_batch(2), tmp_path / "m.tiff")
    with pytest.raises(InputError, match="JSON"):
        write_map(_map([[1.0, 2.0]], provenance={"x": object()}), tmp_path / "m.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_map_is_frozen_and_checked():
    values = np.ones((2, 3))
    one = _map(values)
    values[0, 0] = 9
    assert one.values[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        one.values[0, 0] = 2
    with pytest.raises(InputError, match="2 labels, but the map has 3 columns"):
        HealthMap(np.ones((2, 3)), Axis.teeth("r", 2), Axis.teeth("c", 2))
    with pytest.raises(InputError, match="count"):
        _map(np.ones((2, 3)), count=np.ones((3, 2)))
    with pytest.raises(InputError, match="one row per map"):
        _batch(3, table=pd.DataFrame({"a": [1]}))


@pytest.mark.parametrize("top", [9.0, 1.5])
def test_overlapping_windows_count_each_pixel_once(tmp_path, recwarn, top):
    whole = np.minimum(np.random.default_rng(4).uniform(0.1, 2.0, (35, 120)), top)
    windows = np.lib.stride_tricks.sliding_window_view(whole, 32, axis=1).transpose(1, 0, 2)
    batch = HealthMapBatch(windows, Axis.teeth("tooth", 35), Axis.teeth("step", 32))
    read_map(write_map(batch, tmp_path / "w.npz"))
    said = ["clipped" in str(w.message) for w in recwarn if issubclass(w.category, RangeWarning)]
    assert said == ([True] if top < 2 else [])  # truly clipped windows are still told
