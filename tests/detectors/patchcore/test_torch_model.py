"""The bank, the context and the place of patches, and parity with anomalib's PatchCore."""

import os
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch
from anomalib.models.image.patchcore.torch_model import PatchcoreModel

from toothwise import detectors
from toothwise.detectors import PatchcoreContext
from toothwise.detectors.encoder import FrozenEncoder
from toothwise.detectors.encoder_cache import shared_encodings
from toothwise.detectors.features import CnnFeatures, VitFeatures, make_features
from toothwise.detectors.patchcore.torch_model import ContextPatchcoreModel
from toothwise.errors import InputError, WeightsError

CONFIG = Path(__file__).parents[3] / "configs" / "patchcore.yaml"
FORWARD = FrozenEncoder.forward


@pytest.fixture(scope="module")
def cnn():
    return CnnFeatures("resnet18", ("layer1", "layer2"), weights="random")


@pytest.fixture(scope="module")
def images():
    return torch.randn(6, 3, 32, 64, generator=torch.Generator().manual_seed(0))


def test_without_context_it_is_anomalibs_patchcore(cnn, images):
    theirs = PatchcoreModel(layers=["layer1", "layer2"], backbone="resnet18", pre_trained=False, num_neighbors=3)
    theirs.feature_extractor.feature_extractor.load_state_dict(cnn.extractor.feature_extractor.state_dict())
    ours = ContextPatchcoreModel(cnn, num_neighbors=3)
    theirs.train(), ours.collect(images[:4], count=4)
    theirs.feature_extractor.eval()
    theirs(images[:4])
    bank = torch.vstack(theirs.embedding_store)
    torch.testing.assert_close(ours.embedding_store[0], bank)
    theirs.memory_bank = bank[::7].contiguous()
    ours.memory_bank = theirs.memory_bank
    a, b = theirs.eval()(images[4:]), ours.eval()(images[4:])
    torch.testing.assert_close(a.pred_score, b.pred_score)
    torch.testing.assert_close(a.anomaly_map, b.anomaly_map)


@pytest.mark.parametrize(("context", "dim"), [("row", 3), ("column", 2)])
def test_context_joins_the_neighbours_of_the_line(cnn, context, dim):
    model = ContextPatchcoreModel(cnn, context=context, reach=2)
    maps = torch.randn(1, 5, 6, 7)
    joined = model.generate_embedding({"layer1": maps, "layer2": maps[:, :3]})
    assert joined.shape == (1, 8 * 5, 6, 7)
    own, before2 = joined[:, :5], joined[:, 8:13]
    torch.testing.assert_close(own, maps)
    torch.testing.assert_close(before2.narrow(dim, 2, 4), maps.narrow(dim, 0, 4))
    both = ContextPatchcoreModel(cnn, context="both").generate_embedding({"layer1": maps, "layer2": maps[:, :3]})
    assert both.shape[1] == 5 * 8


def test_place_keeps_patches_apart(cnn):
    model = ContextPatchcoreModel(cnn, position=1.0)
    maps = torch.zeros(1, 5, 4, 9)
    joined = model.generate_embedding({"layer1": maps, "layer2": maps})
    corner = joined[0, :, 0, 0]
    assert float(torch.dist(corner, joined[0, :, 0, 8])) == pytest.approx((2 * 10) ** 0.5, rel=1e-5)
    assert float(torch.dist(corner, joined[0, :, 3, 0])) == pytest.approx((2 * 10) ** 0.5, rel=1e-5)


def test_the_coreset_covers_better_than_chance(cnn):
    model = ContextPatchcoreModel(cnn)
    x = torch.randn(600, 4, generator=torch.Generator().manual_seed(1))
    model.embedding_store.append(x)
    model.choose(0.05)
    assert model.memory_bank.shape == (30, 4)
    assert model.embedding_store == []

    def radius(bank):
        return float(torch.cdist(x, bank).min(dim=1).values.max())

    assert radius(model.memory_bank) < 0.8 * min(radius(x[k::20]) for k in range(5))


def test_the_bank_is_bounded_however_many_maps_come(cnn, images):
    model = ContextPatchcoreModel(cnn, max_patches=50)
    for _ in range(5):
        model.collect(images, count=30)
    assert sum(map(len, model.embedding_store)) == pytest.approx(50, abs=5)


def test_vit_features_have_one_unit_and_are_shared():
    features = VitFeatures("vit_tiny_patch16_224", weights="random")
    images = torch.randn(3, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    with shared_encodings(), mock.patch.object(FrozenEncoder, "forward", autospec=True) as encode:
        encode.side_effect = FORWARD
        first, again = features(images), features(images[:2])
        assert [len(call.args[1]) for call in encode.call_args_list] == [3]
    torch.testing.assert_close(again["late"], first["late"][:2])
    plain = features(images)
    for name in ("early", "late"):
        assert first[name].shape == (3, 192, 2, 4)
        torch.testing.assert_close(plain[name], first[name])
        assert float(first[name].std()) == pytest.approx(1.0, abs=0.01)


def test_encoders_share_within_a_block_and_only_with_their_like():
    maps = np.exp(0.2 * np.random.default_rng(0).standard_normal((8, 20, 40))).astype("f4")
    tiny = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48]}
    alone = detectors.create("patchcore", **tiny).fit(maps).predict(maps)
    with shared_encodings(), mock.patch.object(FrozenEncoder, "forward", autospec=True) as encode:
        encode.side_effect = FORWARD
        detectors.create("dinomaly", max_steps=2, **tiny).fit(maps)
        count = encode.call_count
        shared = detectors.create("patchcore", **tiny).fit(maps).predict(maps)
        assert encode.call_count == count
        detectors.create("patchcore", **{**tiny, "seed": 1}).fit(maps)  # other random weights
        assert encode.call_count > count
    np.testing.assert_allclose(shared.score, alone.score, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"context": "diagonal"}, "context must be one of 'none', 'row', 'column', 'both'"),
        ({"reach": 0}, "reach must be a whole number, 1 or more, but got 0"),
        ({"position": -1.0}, "position must be a number, 0 or more"),
        ({"coreset_ratio": 0.0}, r"coreset_ratio must be a number in \(0, 1\]"),
        ({"encoder_name": "resnet19"}, "encoder_name must be a network of timm, but got 'resnet19'"),
        ({"encoder_name": "resnet18", "layers": ["layer9"]}, "layers of 'resnet18' must be among"),
        ({"layers": ["layer2"]}, "leave them out"),
    ],
)
def test_wrong_options(options, reason):
    given = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 48], **options}
    with pytest.raises(InputError, match=reason):
        detectors.create("patchcore", **given).fit(np.ones((4, 20, 40)) + np.arange(40))


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="are not those of 'resnet18' up to layer2"):
        make_features("resnet18", ["layer2"], weights=tmp_path / "w.safetensors")


def test_weights_file_of_resnet18_is_loaded():
    folder = os.environ.get("TOOTHWISE_WEIGHTS")
    if not folder or not list(Path(folder).glob("resnet18*.safetensors")):
        pytest.skip("needs a ResNet-18 in TOOTHWISE_WEIGHTS")
    features = make_features("resnet18", ["layer2", "layer3"])
    assert features.source.kind == "file"
    assert features.dims == [128, 256]


@pytest.mark.full
def test_anomalib_train_with_the_shipped_config(anomalib_train):
    checkpoint, state = anomalib_train("patchcore.yaml", encoder_name="test_vit", weights="random")
    assert not any("feature_extractor" in key for key in state["state_dict"])
    loaded = PatchcoreContext.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    torch.testing.assert_close(loaded.model.memory_bank, state["state_dict"]["model.memory_bank"])
    assert torch.isfinite(loaded.model(torch.zeros(1, 3, 32, 32)).pred_score).all()
