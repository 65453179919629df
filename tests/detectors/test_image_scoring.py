from unittest import mock

import pytest

pytest.importorskip("anomalib")
import torch

from toothwise.detectors import image_scoring
from toothwise.errors import InputError


def test_devices():
    with mock.patch.object(torch.cuda, "is_available", return_value=False):
        assert image_scoring.pick_device("auto") == image_scoring.pick_device("cpu") == torch.device("cpu")
        image_scoring.check_device("cuda")  # a detector made for a GPU can be loaded and looked at without one
        with pytest.raises(InputError, match="no CUDA device is available"):
            image_scoring.pick_device("cuda")
    with mock.patch.object(torch.cuda, "is_available", return_value=True):
        assert image_scoring.pick_device("auto") == image_scoring.pick_device("cuda") == torch.device("cuda")
        assert image_scoring.pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device must be one of 'auto', 'cpu', 'cuda', but got 'tpu'"):
        image_scoring.pick_device("tpu")
