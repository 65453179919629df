"""The tail loss in closed form, and recentred features."""

import pytest

pytest.importorskip("anomalib")
import torch
from torch.nn import functional

from toothwise.detectors.dinomaly.loss import TopTailLoss
from toothwise.detectors.dinomaly.torch_model import DirectionalDinomalyModel
from toothwise.errors import InputError

ENCODER = {"encoder_name": "test_vit", "weights": "random", "decoder_depth": 2, "directional_layers": []}


def test_the_mean_of_the_worst_tokens_and_gradients_to_them_alone():
    encoder = torch.zeros(2, 2, 4, 5)
    encoder[:, 0] = 1
    decoder = encoder.clone()
    decoder[0, :, 1, 1] = torch.tensor([0.0, 1.0])  # distance 1
    decoder[1, :, 2, 3] = torch.tensor([-1.0, 0.0])  # distance 2
    decoder.requires_grad_()
    loss = TopTailLoss(0.1)([encoder], [decoder], 0)  # two tokens of 20 in each image
    assert float(loss.detach()) == pytest.approx((1 / 2 + 2 / 2) / 2)
    loss.backward()
    touched = decoder.grad.abs().sum(dim=1) > 0
    assert touched.sum() <= 4
    assert touched[0, 1, 1]
    whole = TopTailLoss(1.0)([encoder], [decoder], 0)
    expected = (1 - functional.cosine_similarity(encoder, decoder)).mean()
    torch.testing.assert_close(whole, expected)
    with pytest.raises(InputError, match=r"tail must be a number in \(0, 1\], but got 0"):
        TopTailLoss(0)


@pytest.mark.parametrize("prefix", ["context", "drop"])
def test_recentred_targets_share_nothing(prefix):
    images = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    grid = 2 * 3

    def targets(recentre):
        model = DirectionalDinomalyModel(**ENCODER, recentre=recentre, prefix=prefix)
        return model.encode(images)

    plain, mean, own = targets("none"), targets("mean"), targets("class")
    torch.testing.assert_close(plain[0], mean[0])  # the decoder's input is as it was
    for k in (1, 2):
        assert mean[k][:, -grid:].mean(dim=1).abs().max() < 1e-5
        difference = plain[k][:, -grid:] - own[k][:, -grid:]
        torch.testing.assert_close(difference, difference[:, :1].expand_as(difference), atol=1e-5, rtol=1e-4)
        assert plain[k].shape[1] == grid + (prefix == "context")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"loss": "soft"}, "loss must be one of 'hard', 'tail', but got 'soft'"),
        ({"recentre": "median"}, "recentre must be one of 'none', 'class', 'mean'"),
    ],
)
def test_wrong_names(options, reason):
    with pytest.raises(InputError, match=reason):
        DirectionalDinomalyModel(**ENCODER, **options)
