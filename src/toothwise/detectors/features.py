"""Feature maps of frozen encoders for detectors that compare patches: CNNs and vision transformers of timm, offline."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from anomalib.models.components import TimmFeatureExtractor
from torch import Tensor, nn
from torch.nn import functional

from toothwise.detectors.encoder import (
    RANDOM,
    FrozenEncoder,
    WeightsSource,
    encode_groups,
    find_weights,
    from_hub,
    hash_state,
    read_weights,
)
from toothwise.detectors.encoder_cache import EncoderCache, shared_cache
from toothwise.errors import InputError, WeightsError


class VitFeatures(nn.Module):
    """Feature maps of a vision transformer: means over groups of its blocks, each token brought to mean 0, spread 1.

    Args:
        encoder_name, weights, seed: see FrozenEncoder.

    Attributes:
        layers: names of the maps; source: WeightsSource; dims: channels of each map.
    """

    def __init__(self, encoder_name: str, *, weights: str | Path | None = None, seed: int = 0) -> None:
        super().__init__()
        self.encoder = FrozenEncoder(encoder_name, weights=weights, seed=seed)
        half = len(self.encoder.target_layers) // 2
        self.groups = [list(range(half)), list(range(half, 2 * half))]
        self.layers = ("early", "late")
        self.dims = [self.encoder.dim] * 2
        self.source, self.network, self.hashed_by_file = self.encoder.source, self.encoder.vit, True

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[b, dim, h, w]`` of each layer for images ``[b, 3, H, W]``."""
        h, w = self.encoder.grid(images)
        _, *tokens = encode_groups(self.encoder, images, self.groups, cache=None)
        maps = {}
        for name, item in zip(self.layers, tokens, strict=True):
            patches = functional.layer_norm(item[:, item.shape[1] - h * w :], (self.encoder.dim,))
            maps[name] = patches.transpose(1, 2).reshape(images.shape[0], -1, h, w)
        return maps


class CnnFeatures(nn.Module):
    """Feature maps of stages of a CNN, as PatchCore and PaDiM take them.

    Args:
        encoder_name: timm's name of a CNN, for example "resnet18".
        layers: names of its stages.
        weights: a .safetensors file; None = the file in TOOTHWISE_WEIGHTS; "hub" = timm's hub; "random" = seeded.
        seed: of random weights.

    Attributes:
        layers, source, dims: as of VitFeatures.

    Raises:
        InputError: no such network or stages.
        WeightsError: weights missing or of another network.
    """

    def __init__(
        self, encoder_name: str, layers: Sequence[str], *, weights: str | Path | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        self.layers = tuple(layers)
        path = None if weights == RANDOM else find_weights(encoder_name, weights)
        with torch.random.fork_rng(devices=[]), contextlib.redirect_stderr(io.StringIO()):
            torch.manual_seed(seed)
            self.extractor = _extractor(encoder_name, self.layers, pre_trained=weights != RANDOM and path is None)
        if path is not None:
            self._load(encoder_name, path)
            self.source = WeightsSource("file", path.name, hash_state(self.extractor))
        elif weights == RANDOM:
            self.source = WeightsSource(RANDOM, f"seed {seed}", hash_state(self.extractor))
        else:
            self.source = WeightsSource("hub", encoder_name, hash_state(self.extractor))
        self.dims, self.hashed_by_file = list(self.extractor.out_dims), False
        self.requires_grad_(False).eval()

    @property
    def network(self) -> nn.Module:
        """The network without what belongs to its extractor."""
        return self.extractor.feature_extractor

    def train(self, mode: bool = True) -> CnnFeatures:
        """Stays in evaluation mode."""
        return super().train(False)

    def _load(self, encoder_name: str, path: Path) -> None:
        given, own = read_weights(path), self.network.state_dict()
        lacking = [k for k in own if k not in given and not k.endswith("num_batches_tracked")]
        wrong = [k for k in own if k in given and given[k].shape != own[k].shape]
        if lacking or wrong:
            raise WeightsError(
                f"{path}: these weights are not those of {encoder_name!r} up to {self.layers[-1]}: "
                f"{(lacking + wrong)[0]} is missing or of another shape"
            )
        self.network.load_state_dict({k: v.float() for k, v in given.items() if k in own}, strict=False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[b, channels, h, w]`` of each layer, for images ``[b, 3, H, W]``."""

        def encode(part: Tensor) -> list[Tensor]:
            found = self.extractor(part)
            return [found[name] for name in self.layers]

        cache: EncoderCache | None = shared_cache()
        maps = encode(images) if cache is None else cache.of(images, encode, f"{self.source.sha256}{self.layers}")
        return dict(zip(self.layers, maps, strict=True))


def make_features(
    encoder_name: str, layers: Sequence[str] | None, *, weights: str | Path | None = None, seed: int = 0
) -> VitFeatures | CnnFeatures:
    """Feature maps of a vision transformer (a name with "vit" in it; no layers to choose) or of a CNN."""
    if "vit" in encoder_name:
        if layers is not None:
            raise InputError(f"layers are of CNNs; of {encoder_name!r} leave them out, but got {list(layers)}")
        return VitFeatures(encoder_name, weights=weights, seed=seed)
    return CnnFeatures(encoder_name, layers or ("layer2", "layer3"), weights=weights, seed=seed)


def _extractor(encoder_name: str, layers: tuple[str, ...], *, pre_trained: bool) -> TimmFeatureExtractor:
    import timm

    if encoder_name not in timm.list_models():
        raise InputError(f"encoder_name must be a network of timm, but got {encoder_name!r}")
    stages = [info["module"] for info in timm.create_model(encoder_name, features_only=True).feature_info]
    strange = [layer for layer in layers if layer not in stages]
    if strange or not layers:
        raise InputError(f"layers of {encoder_name!r} must be among {', '.join(stages)}, but got {list(layers)}")
    with from_hub(encoder_name) if pre_trained else contextlib.nullcontext():
        return TimmFeatureExtractor(encoder_name, list(layers), pre_trained=pre_trained)
