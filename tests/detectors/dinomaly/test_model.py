from contextlib import nullcontext
from unittest import mock

import pytest
import torch

pytest.importorskip("anomalib")
import anomalib.models.image.dinomaly.torch_model as upstream

from toothwise.detectors import encoder
from toothwise.detectors.dinomaly.torch_model import DirectionalDinomalyModel
from toothwise.errors import InputError

# a small stand-in whose name anomalib's table accepts: same blocks and dimension as the real one
NAME = "vit_small_patch14_dinov2"
TINY = {"encoder_name": "vit_tiny_patch16_224", "weights": "random"}


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 70, 98, generator=torch.Generator().manual_seed(0))


def test_plain_dinomaly_equals_anomalibs(images):
    """Same weights, same image: map and score to 1e-5.

    anomalib resamples position embeddings without antialiasing, we as timm does: here both do it as anomalib.
    """
    ours = DirectionalDinomalyModel(NAME, weights="random", directional_layers=()).eval()
    extractor = upstream.TimmFeatureExtractor
    with mock.patch.object(
        upstream, "TimmFeatureExtractor", lambda **options: extractor(**{**options, "pre_trained": False})
    ):
        theirs = upstream.DinomalyModel(encoder_name=NAME).eval()
    for part in ("bottleneck", "decoder"):
        getattr(theirs, part).load_state_dict(getattr(ours, part).state_dict())
    own = ours.encoder.vit.state_dict()
    state = theirs.encoder.state_dict()
    matched = 0
    for key in state:
        name = next((k for k in own if key.endswith(k) and key.count(".") - k.count(".") <= 2), None)
        if name is not None:
            state[key] = own[name]
            matched += 1
    assert matched > 100
    theirs.encoder.load_state_dict(state)
    with torch.no_grad(), mock.patch.object(encoder, "timm_as_it_is", nullcontext):
        for ours_tokens, theirs_tokens in zip(
            ours.encoder(images), [theirs.encoder(images)[f"blocks.{i}"] for i in theirs.target_layers], strict=True
        ):
            torch.testing.assert_close(ours_tokens, theirs_tokens, atol=1e-5, rtol=1e-5)
        a, b = ours(images), theirs(images)
    torch.testing.assert_close(a.anomaly_map, b.anomaly_map, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(a.pred_score, b.pred_score, atol=1e-5, rtol=1e-5)


def test_the_encoder_stays_frozen_and_in_evaluation():
    model = DirectionalDinomalyModel(**TINY).train()
    assert not model.encoder.vit.training
    assert not any(p.requires_grad for p in model.encoder.parameters())
    assert all(p.requires_grad for p in model.decoder.parameters())


def test_the_encoder_runs_no_further_than_its_last_used_block(images):
    model = DirectionalDinomalyModel(**TINY)
    model.encoder.target_layers = [1, 3, 1, 3, 1, 3, 1, 3]
    called = []
    for i, block in enumerate(model.encoder.vit.blocks):
        block.register_forward_hook(lambda *_, i=i: called.append(i))
    model.eval()(images[:, :, :64, :96])
    assert called == [0, 1, 2, 3]


def test_directional_layers_are_counted_from_the_bottleneck():
    model = DirectionalDinomalyModel(**TINY, directional_layers=[0, 5], alpha=0.7)
    names = [type(block).__name__ for block in model.decoder]
    assert [i for i, n in enumerate(names) if n == "DirectionalBlock"] == [0, 5]
    assert model.alphas() == {"0": [pytest.approx(0.7)], "5": [pytest.approx(0.7)]}


@pytest.mark.parametrize("prefix", ["context", "drop"])
@pytest.mark.parametrize("size", [(32, 160), (96, 48)])
def test_any_size_that_the_patch_divides(prefix, size):
    model = DirectionalDinomalyModel(**TINY, prefix=prefix).eval()
    x = torch.randn(1, 3, *size)
    assert model.token_map(x).shape == (1, 1, size[0] // 16, size[1] // 16)
    assert model(x).anomaly_map.shape == (1, 1, *size)
    model.train()(x, global_step=3).backward()


def test_training_needs_the_step_and_a_size_that_fits():
    model = DirectionalDinomalyModel(**TINY)
    with pytest.raises(InputError, match="global_step"):
        model.train()(torch.zeros(1, 3, 32, 32))
    with pytest.raises(InputError, match="multiples of 16 x 16"):
        model.eval()(torch.zeros(1, 3, 32, 33))


@pytest.mark.parametrize(
    "options",
    [
        {"directional_layers": [8]},
        {"decoder_depth": 1},
        {"encoder_name": "resnet18"},
        {"encoder_name": "nonsense"},
    ],
)
def test_impossible_architectures(options):
    with pytest.raises(InputError):
        DirectionalDinomalyModel(**{**TINY, **options})


def test_the_cache_gives_the_same_features_and_spares_the_encoder(images):
    from toothwise.detectors.encoder_cache import EncoderCache

    x = images[:, :, :64, :96]
    model = DirectionalDinomalyModel(**TINY)
    plain = model.encode(x)
    model.cache = EncoderCache()
    first = model.encode(x)
    with mock.patch.object(model.encoder, "forward", side_effect=AssertionError("the encoder ran")):
        second = model.encode(x.flip(0))
    for p, a, b in zip(plain, first, second, strict=True):
        torch.testing.assert_close(p, a, atol=1e-6, rtol=1e-6)
        assert torch.equal(a, b.flip(0))
    changed = x.clone()
    changed[0, 0, 0, 0] += 1e-6
    with mock.patch.object(model.encoder, "forward", side_effect=AssertionError("the encoder ran")):
        model.encode(x)
        with pytest.raises(AssertionError, match="encoder ran"):
            model.encode(changed)


def test_the_cache_is_bounded():
    from toothwise.detectors.encoder_cache import EncoderCache

    cache = EncoderCache(max_bytes=1000)
    for i in range(10):
        cache.put(bytes([i]), [torch.zeros(100)])
    assert cache.bytes <= 1000
    assert cache.get(bytes([0])) is None
    assert cache.get(bytes([9])) is not None
    cache.put(b"big", [torch.zeros(1000)])
    assert cache.get(b"big") is None


@pytest.mark.parametrize(
    ("name", "patch", "prefix"),
    [
        ("vit_small_patch14_reg4_dinov2", 14, 5),
        pytest.param("vit_base_patch14_dinov2", 14, 1, marks=pytest.mark.full),
        ("vit_small_patch16_dinov3", 16, 5),
        ("vit_small_patch16_224", 16, 1),
    ],
)
def test_encoders_with_and_without_registers_of_any_size_of_image(name, patch, prefix):
    model = DirectionalDinomalyModel(name, weights="random", decoder_depth=2, directional_layers=[0]).eval()
    assert model.encoder.prefix == prefix
    found = model(torch.randn(1, 3, 2 * patch, 5 * patch))
    assert found.anomaly_map.shape == (1, 1, 2 * patch, 5 * patch)
    assert torch.isfinite(found.anomaly_map).all()


def test_one_token_per_tooth_pair():
    model = DirectionalDinomalyModel("vit_tiny_patch16_224", weights="random", decoder_depth=2, directional_layers=[0])
    tokens = model.eval().token_map(torch.randn(1, 3, 31 * 16, 48 * 16))
    assert tokens.shape == (1, 1, 31, 48)
