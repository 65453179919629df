import pytest

pytest.importorskip("anomalib")
import torch

from toothwise.detectors import training
from toothwise.errors import TrainingError


def test_the_first_gradient_that_is_not_finite_is_named():
    layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    layers(torch.ones(1, 2)).sum().backward()
    training.check_gradients(layers.named_parameters(), 3, "stop it")
    layers[1].weight.grad[0, 1] = float("nan")
    with pytest.raises(TrainingError, match=r"the gradient of 1\.weight is not finite at step 3: stop it"):
        training.check_gradients(layers.named_parameters(), 3, "stop it")


def test_the_largest_exploding_gradient_is_named():
    layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    layers(torch.ones(1, 2)).sum().backward()
    layers[0].bias.grad[0], layers[1].weight.grad[0, 1] = 2e6, 5e7
    with pytest.raises(TrainingError, match=r"the gradient of 1\.weight explodes \(norm 5e\+07\) at step 7: stop it"):
        training.check_gradients(layers.named_parameters(), 7, "stop it")
