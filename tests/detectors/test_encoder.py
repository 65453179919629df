import os
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("timm")
from safetensors.torch import save_file

from toothwise import detectors
from toothwise.detectors.embedded import EMBEDDED, SIZE, packaged_weights
from toothwise.detectors.encoder import FrozenEncoder, find_weights
from toothwise.detectors.features import make_features
from toothwise.errors import WeightsError
from toothwise.evaluation import auroc
from toothwise.simulate.maps import LineShape, generate

TINY = "vit_tiny_patch16_224"
WEIGHTS = os.environ.get("TOOTHWISE_WEIGHTS", "")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("TOOTHWISE_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def state():
    return FrozenEncoder(TINY, weights="random", seed=3).vit.state_dict()


def test_order_of_the_places(tmp_path, monkeypatch, state):
    explicit, folder = tmp_path / "mine.safetensors", tmp_path / "weights"
    folder.mkdir()
    save_file(state, explicit)
    save_file({k: v.half() for k, v in state.items()}, folder / f"{TINY}_any_name_fp16.safetensors")
    monkeypatch.setenv("TOOTHWISE_WEIGHTS", str(folder))
    assert find_weights(TINY, explicit) == explicit
    found = FrozenEncoder(TINY)
    assert found.source.kind == "file"
    assert found.source.name == f"{TINY}_any_name_fp16.safetensors"
    assert next(found.parameters()).dtype == torch.float32
    assert len(found.source.sha256) == 64
    assert found.source.sha256 != FrozenEncoder(TINY, weights=explicit).source.sha256
    assert find_weights("vit_small_patch14_dinov2", "hub") is None
    with pytest.raises(WeightsError, match="no weights for the encoder"):
        find_weights("vit_small_patch14_dinov2", None)


def test_random_weights_by_seed():
    a, b, c = (FrozenEncoder(TINY, weights="random", seed=s) for s in (1, 1, 2))
    assert a.source == b.source
    assert a.source.sha256 != c.source.sha256


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="no such weights file"):
        FrozenEncoder(TINY, weights=tmp_path / "none.safetensors")


def test_missing_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOTHWISE_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(WeightsError, match="must name a folder"):
        FrozenEncoder(TINY)


def test_truncated_file(tmp_path, state):
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="truncated") as caught:
        FrozenEncoder(TINY, weights=path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_architecture(tmp_path, state):
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    with pytest.raises(WeightsError, match="not those of 'vit_small_patch14_dinov2'") as caught:
        FrozenEncoder("vit_small_patch14_dinov2", weights=path)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(tmp_path, state):
    path = tmp_path / "w.pth"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"must be a \.safetensors"):
        FrozenEncoder(TINY, weights=path)


@pytest.fixture
def asked(monkeypatch):
    """What the hub was asked for; it never answers."""
    import timm
    from huggingface_hub import HfApi

    asked = []
    real = timm.create_model

    def offline(name, pretrained=False, **options):
        if pretrained:
            asked.append("files")
            raise OSError("no route to the hub")
        return real(name, pretrained=False, **options)

    def info(*args, **options):
        asked.append("info")
        raise OSError("no route to the hub")

    monkeypatch.setattr(timm, "create_model", offline)
    monkeypatch.setattr(HfApi, "model_info", info)
    return asked


def test_the_hub_is_asked_only_where_it_is_named_and_once(asked):
    with pytest.raises(WeightsError, match=r"set TOOTHWISE_WEIGHTS.*or weights=hub"):
        FrozenEncoder(TINY)
    with pytest.raises(WeightsError, match=r"or weights=hub"):
        make_features("resnet18", None)
    assert asked == []
    with pytest.raises(WeightsError, match="the hub was tried and failed") as caught:
        FrozenEncoder(TINY, weights="hub")
    assert "\n" not in str(caught.value)
    assert asked == ["info", "files"]  # the second with the hub's client offline: only what it holds already


@pytest.mark.skipif(
    not WEIGHTS or not list(Path(WEIGHTS).glob("vit_small_patch14_dinov2*")),
    reason="TOOTHWISE_WEIGHTS holds no vit_small_patch14_dinov2",
)
def test_the_real_weights(monkeypatch):
    monkeypatch.setenv("TOOTHWISE_WEIGHTS", WEIGHTS)
    encoder = FrozenEncoder("vit_small_patch14_dinov2")
    assert (encoder.dim, encoder.num_heads, encoder.patch, encoder.prefix) == (384, 6, (14, 14), 1)
    tokens = encoder(torch.zeros(1, 3, 28, 42))
    assert [tuple(t.shape) for t in tokens] == [(1, 7, 384)] * 8
    assert torch.isfinite(tokens[-1]).all()


def test_what_anomalib_does_to_timm_does_not_change_tokens():
    from anomalib.models.components import TimmFeatureExtractor

    images = torch.randn(1, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    encoder = FrozenEncoder("vit_tiny_patch16_224", weights="random")
    before = encoder(images)
    TimmFeatureExtractor("vit_tiny_patch16_224", ["blocks.1"], pre_trained=False)  # patches timm in the whole process
    for a, b in zip(before, encoder(images), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_packages_own_encoder_needs_no_file_and_no_hub():
    path = packaged_weights()
    assert path is not None
    assert path.stat().st_size < 12e6
    encoder = FrozenEncoder(EMBEDDED)
    assert (encoder.dim, encoder.num_heads, encoder.patch, encoder.prefix) == (192, 3, (16, 16), 1)
    assert encoder.source.name == path.name
    tokens = encoder(torch.zeros(1, 3, 32, 48))
    assert [tuple(t.shape) for t in tokens] == [(1, 7, 192)] * 8
    assert torch.isfinite(tokens[-1]).all()


@pytest.mark.full
def test_what_it_was_taught_is_worth_something_and_it_is_the_default():
    line = LineShape(length=(40, 94))
    train = generate("C", 48, False, seed=0)[0]
    test = [generate("C", 40, faulty, seed=5 + faulty, contrast=1.3, line=line)[0] for faulty in (False, True)]
    area = {}
    for weights in (None, "random"):
        detector = detectors.create("patchcore", max_patches=2000, weights=weights).fit(train)
        assert detector.options["encoder_name"] == EMBEDDED
        assert detector.options["image_size"] == list(SIZE)
        area[weights] = auroc(np.concatenate([detector.predict(t).score for t in test]), np.repeat([0, 1], 40))
    assert area[None] > 0.85
    assert area[None] > area["random"] + 0.1
