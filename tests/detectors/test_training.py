from unittest import mock

import pytest

pytest.importorskip("anomalib")
import torch

from toothwise.detectors import training
from toothwise.errors import InputError, TrainingError


def test_devices():
    with mock.patch.object(torch.cuda, "is_available", return_value=False):
        assert training.pick_device("auto") == training.pick_device("cpu") == torch.device("cpu")
        training.check_device("cuda")  # a detector made for a GPU can be loaded and looked at without one
        with pytest.raises(InputError, match="no CUDA device is available"):
            training.pick_device("cuda")
    with mock.patch.object(torch.cuda, "is_available", return_value=True):
        assert training.pick_device("auto") == training.pick_device("cuda") == torch.device("cuda")
        assert training.pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device must be 'auto', 'cpu' or 'cuda', but got 'tpu'"):
        training.pick_device("tpu")


def test_the_first_gradient_that_is_not_finite_is_named():
    layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    layers(torch.ones(1, 2)).sum().backward()
    training.check_gradients(layers.named_parameters(), 3, "stop it")
    layers[1].weight.grad[0, 1] = float("nan")
    with pytest.raises(TrainingError, match=r"the gradient of 1\.weight is not finite at step 3: stop it"):
        training.check_gradients(layers.named_parameters(), 3, "stop it")
