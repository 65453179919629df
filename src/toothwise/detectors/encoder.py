"""The frozen encoder: where its weights come from and which layers it gives."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toothwise.detectors.embedded import EMBEDDED, make_embedded, packaged_weights
from toothwise.detectors.encoder_cache import EncoderCache, shared_cache
from toothwise.errors import InputError, WeightsError

RANDOM = "random"
HUB = "hub"
VARIABLE = "TOOTHWISE_WEIGHTS"
_FORMAT = 2  # of cached encodings; to be raised where this file gives other numbers for the same image and weights
_UNUSED = ("head.", "fc_norm.", "mask_token")  # of pre-training and classification: no part of an encoder


@dataclass(frozen=True)
class WeightsSource:
    """Where encoder weights came from: ``kind`` ("file", "hub", "random"), ``name`` and the sha256 of the weights."""

    kind: str
    name: str
    sha256: str

    def check(self, expected: str | None) -> None:
        """Refuse other weights than those that a saved detector was fitted with."""
        if expected != self.sha256:
            raise InputError(
                f"this detector was fitted with encoder weights {str(expected)[:12]}, but {self.name} has "
                f"{self.sha256[:12]}: give the same file"
            )


def find_weights(encoder_name: str, weights: str | Path | None) -> Path | None:
    """The weights file: the explicit path, else the file in TOOTHWISE_WEIGHTS whose name starts with the timm name.

    Returns:
        None where weights are "hub", which asks timm's hub.

    Raises:
        WeightsError: There is no such file, or no folder of the name in TOOTHWISE_WEIGHTS.
    """
    if weights == HUB:
        return None
    if weights is not None:
        path = Path(weights)
        if not path.is_file():
            raise WeightsError(f"{path}: no such weights file for the encoder {encoder_name!r}")
        return path
    folder = os.environ.get(VARIABLE)
    if folder and not Path(folder).is_dir():
        raise WeightsError(f"{folder}: {VARIABLE} must name a folder with encoder weights, but there is not")
    found = sorted(Path(folder).glob(f"{encoder_name}*.safetensors")) if folder else []
    packaged = packaged_weights() if encoder_name == EMBEDDED else None
    if not found and packaged is None:
        raise WeightsError(f"no weights for the encoder {encoder_name!r}: {_where_from(encoder_name)}, or weights=hub")
    return found[0] if found else packaged


def _where_from(encoder_name: str) -> str:
    return (
        f"give weights=FILE.safetensors, or set {VARIABLE} to a folder with a file whose name starts with "
        f"{encoder_name!r}"
    )


@contextmanager
def from_hub(encoder_name: str) -> Iterator[None]:
    """Asks the hub with one short request; where it does not answer, only files that it gave before count.

    Raises:
        WeightsError: What is done within fails.
    """
    import timm
    from huggingface_hub import HfApi, constants

    offline = constants.HF_HUB_OFFLINE
    try:
        if not offline:  # each file would be asked for six times otherwise, with pauses
            try:
                HfApi().model_info(timm.get_pretrained_cfg(encoder_name).hf_hub_id, timeout=10)
            except Exception:  # the hub's client raises many kinds when it is offline
                constants.HF_HUB_OFFLINE = True
        yield
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"no weights for the encoder {encoder_name!r}: the hub was tried and failed ({reason}); "
            f"{_where_from(encoder_name)}"
        ) from None
    finally:
        constants.HF_HUB_OFFLINE = offline


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file, and of no other kind."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix != ".safetensors":
        raise WeightsError(f"{path}: weights must be a .safetensors file; others may run code when they are loaded")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file, truncated? ({error})") from None


class FrozenEncoder(nn.Module):
    """A timm vision transformer that is never trained and runs no further than its last used block.

    Args:
        encoder_name: timm's name; any ViT with ``forward_intermediates``; or "toothwise_vit_tiny", the package's own.
        weights: a .safetensors file; None = the package's own or a file in TOOTHWISE_WEIGHTS; "hub" = timm's hub;
            "random" = seeded random weights.
        seed: of random weights.

    Attributes:
        target_layers: blocks whose tokens are given: those of Dinomaly for 12 and 24 blocks, else eight evenly spaced
            ones between a sixth and five sixths of the depth.
        dim, num_heads, patch: (h, w) in pixels, prefix: number of class and register tokens, source: WeightsSource.

    Raises:
        InputError: not a timm ViT.
        WeightsError: weights missing, truncated or of another architecture.
    """

    def __init__(self, encoder_name: str, *, weights: str | Path | None = None, seed: int = 0) -> None:
        super().__init__()
        import timm

        if encoder_name != EMBEDDED and not timm.is_model(encoder_name):
            raise InputError(f"encoder_name must be a model of timm, but got {encoder_name!r}")
        self.vit, self.source = _create(encoder_name, weights, seed)
        self.target_layers = _target_layers(len(self.vit.blocks))
        self.dim = int(self.vit.embed_dim)
        self.num_heads = int(self.vit.blocks[0].attn.num_heads)
        self.prefix = int(self.vit.num_prefix_tokens)
        self.patch: tuple[int, int] = tuple(self.vit.patch_embed.patch_size)
        config = self.vit.pretrained_cfg
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        for parameter in self.parameters():
            parameter.requires_grad = False
        self.eval()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stays in evaluation mode."""
        return super().train(False)

    def grid(self, images: Tensor) -> tuple[int, int]:
        """Token rows and columns of images ``[b, 3, h, w]``.

        Raises:
            InputError: sides that the patch does not divide.
        """
        h, w = images.shape[-2:]
        if h % self.patch[0] or w % self.patch[1]:
            raise InputError(f"image sides must be multiples of {self.patch[0]} x {self.patch[1]}, but are {h} x {w}")
        return h // self.patch[0], w // self.patch[1]

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Tokens of the target layers, float32, each ``[b, prefix + h*w, dim]``, for images ``[b, 3, h, w]``.

        Always in float32: what a cache holds must not depend on the precision that somebody trains with.
        """
        self.grid(images)
        layers = sorted(set(self.target_layers))
        with timm_as_it_is(), torch.autocast(images.device.type, enabled=False):
            found = self.vit.forward_intermediates(
                images,
                indices=layers,
                return_prefix_tokens=True,
                norm=False,
                stop_early=True,
                output_fmt="NLC",
                intermediates_only=True,
            )
        # patches and what precedes them, or patches alone
        joined = [torch.cat(item[::-1], dim=1) if isinstance(item, tuple) else item for item in found]
        return [joined[layers.index(i)] for i in self.target_layers]


@contextmanager
def timm_as_it_is() -> Iterator[None]:
    """timm's own interpolation of position embeddings, whatever ran before in this process.

    anomalib replaces it by one without antialiasing in the whole process once one of its ViT extractors is made; a
    detector would then score otherwise than in a process where none was.
    """
    from timm.models import vision_transformer

    found = vision_transformer.resample_abs_pos_embed
    vision_transformer.resample_abs_pos_embed = getattr(found, "__wrapped__", found)
    try:
        yield
    finally:
        vision_transformer.resample_abs_pos_embed = found


def encode_groups(
    encoder: FrozenEncoder, images: Tensor, groups: list[list[int]], *, cache: EncoderCache | None
) -> list[Tensor]:
    """The mean of all target layers, and of each group of them, for images ``[b, 3, h, w]``.

    Args:
        groups: indices into the encoder's target layers.
        cache: where results are held; None = that of the surrounding ``shared_encodings`` block, if any.

    Returns:
        1 + groups tensors ``[b, prefix + h*w, dim]``.
    """

    def encode(part: Tensor) -> list[Tensor]:
        tokens = encoder(part)
        return [average(tokens), *(average([tokens[i] for i in group]) for group in groups)]

    cache = cache or shared_cache()
    if cache is None:
        return encode(images)
    computed_by = f"{_FORMAT} torch {torch.__version__} timm {version('timm')}"  # files outlive an update
    return cache.of(images, encode, f"{encoder.source.sha256}{encoder.target_layers}{groups}{computed_by}")


def average(tensors: list[Tensor]) -> Tensor:
    """Mean over a list of tensors of one shape, added up in float32; without a copy of them all."""
    total = tensors[0].float()
    for t in tensors[1:]:
        total = total + t
    return (total / len(tensors)).to(tensors[0].dtype)


def _target_layers(depth: int) -> list[int]:
    if depth == 24:
        return [4, 6, 8, 10, 12, 14, 16, 18]
    first, last = depth // 6, max(depth - 1 - depth // 6, depth // 6)
    return [round(first + (last - first) * i / 7) for i in range(8)]


def _create(encoder_name: str, weights: str | Path | None, seed: int) -> tuple[Any, WeightsSource]:
    import timm

    def build(pretrained: bool) -> Any:
        if encoder_name == EMBEDDED:
            return make_embedded()
        with suppress(TypeError):
            vit = timm.create_model(encoder_name, pretrained=pretrained, num_classes=0, dynamic_img_size=True)
            if hasattr(vit, "blocks") and hasattr(vit, "forward_intermediates"):
                return vit
        raise InputError(f"encoder_name must be a vision transformer of timm, but {encoder_name!r} is not")

    if weights == RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            vit = build(False)
        return vit, WeightsSource(RANDOM, f"seed {seed}", hash_state(vit))
    path = find_weights(encoder_name, weights)
    if path is not None:
        state = {k: v.float() for k, v in read_weights(path).items() if not k.startswith(_UNUSED)}
        vit = build(False)
        try:
            vit.load_state_dict(state, strict=True)
        except RuntimeError as error:
            detail = " ".join(str(error).split())[:200]
            raise WeightsError(f"{path}: these weights are not those of {encoder_name!r} ({detail})") from None
        return vit, WeightsSource("file", path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    with from_hub(encoder_name):
        vit = build(True)
    return vit, WeightsSource("hub", str(vit.pretrained_cfg.get("hf_hub_id") or encoder_name), hash_state(vit))


def hash_state(module: nn.Module) -> str:
    """sha256 over all weights."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
