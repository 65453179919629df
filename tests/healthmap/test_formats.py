"""Map files that claim more than they hold."""

import zlib

import numpy as np
import pytest
from PIL import Image

from toothwise.errors import InputError
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
