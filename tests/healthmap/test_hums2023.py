import os
from pathlib import Path

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.healthmap.hums2023 import FILE, read_hums2023

DATA = os.environ.get("TOOTHWISE_DATA", "")


def _write(path, **replace):
    rng = np.random.default_rng(0)
    arrays = {
        "vibration": rng.standard_normal((4, 4095)).astype(np.float32),
        "name": np.array(["Day017_a", "Day017_b", "Day021_c", "Day022_d"]),
        "part": np.array(["train", "train", "test", "test"]),
    } | replace
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


def test_a_small_file_of_the_layout(tmp_path):
    _write(tmp_path / FILE)
    records = read_hums2023(tmp_path)
    assert len(records) == 4
    assert records.day.tolist() == [17, 17, 21, 22]
    assert records.number.tolist() == [0, 0, 1, 2]
    assert read_hums2023(tmp_path / FILE).teeth == 35


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"vibration": None}, "lacks the array 'vibration'"),
        ({"name": np.array(["x", "y", "z", "w"])}, "does not start with Day"),
        ({"name": np.array(["Day018_a", "Day017_b", "Day021_c", "Day022_d"])}, "time order"),
        ({"vibration": np.ones((4, 4095))}, "constant"),
        ({"vibration": np.full((4, 4095), np.nan)}, "NaN"),
        ({"vibration": np.random.default_rng(0).standard_normal((4, 4096))}, "multiple of 35"),
        ({"part": np.array(["train"] * 3)}, "one entry per record"),
        ({"name": np.array([{"a": 1}] * 4, dtype=object)}, "npz"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path, replace, message):
    _write(tmp_path / FILE, **replace)
    with pytest.raises(InputError, match=message) as caught:
        read_hums2023(tmp_path)
    assert FILE in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated"])
def test_broken_files(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match="not readable as an npz"):
        read_hums2023(tmp_path)


def test_missing_file_says_what_to_set(tmp_path):
    with pytest.raises(InputError, match="TOOTHWISE_DATA"):
        read_hums2023(tmp_path)


@pytest.mark.skipif(not (Path(DATA) / "hums2023" / FILE).is_file(), reason="TOOTHWISE_DATA holds no hums2023")
def test_the_real_run():
    records = read_hums2023(Path(DATA) / "hums2023")
    assert records.vibration.shape == (808, 4095)
    assert int((records.number > 0).sum()) == 526
    assert int(np.isin(records.day, (17, 18)).sum()) == 133
