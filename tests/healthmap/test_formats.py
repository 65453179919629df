"""Map files that claim more than they hold, and the memory that others take."""

import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from toothwise.errors import InputError
from toothwise.healthmap import formats
from toothwise.healthmap.io import read_map


def test_png_that_claims_what_no_file_of_its_size_holds(tmp_path):
    path = tmp_path / "m.png"
    Image.fromarray(np.array([[1, 2]], dtype=np.uint16)).save(path)
    assert read_map(path).shape == (1, 2)
    raw = bytearray(path.read_bytes())
    raw[16:24] = np.array([9000, 9000], ">u4").tobytes()
    raw[29:33] = np.array([zlib.crc32(raw[12:29])], ">u4").tobytes()
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"m\.png: the image claims 9000 x 9000 pixels, more than"):
        read_map(path)


def test_maps_of_a_mat_file_are_read_one_at_a_time(tmp_path):
    path, maps = tmp_path / "maps.mat", np.random.default_rng(0).integers(0, 256, (64, 64, 1, 400))
    savemat(path, {"Xdata": maps.astype(float)}, do_compression=True)
    tracemalloc.start()
    values = formats.read_mat_values(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(values, np.moveaxis(maps[:, :, 0], -1, 0).astype(np.float32))
    assert most < 2 * values.nbytes
