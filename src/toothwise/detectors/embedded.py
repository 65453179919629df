"""The encoder of our own: a small vision transformer, distilled on simulated maps, that ships with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timm.models.vision_transformer import VisionTransformer

EMBEDDED = "toothwise_vit_tiny"
SIZE = (256, 256)  # of its training images: as many tokens as the teacher has at 224 x 224
_FOLDER = Path(__file__).parent / "weights"


def image_size_for(encoder_name: str) -> tuple[int, int]:
    """(height, width) of images where nothing else is asked for: 256 x 256 for this encoder, 224 x 224 for others."""
    return SIZE if encoder_name == EMBEDDED else (224, 224)


def map_size_for(encoder_name: str, shape: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """(height, width) of maps where nothing else is asked for: 14 x 10 patches for this encoder, else the square.

    Maps of a ``shape`` with more rows than columns get 10 x 14. With a little more than half of the square's 16 x 16
    tokens this encoder finds lines as well, in a little more than half of the time (studies fewer_tokens_even and
    fewer_tokens_tall). The ViT-S loses along columns (study fewer_tokens_vit_even).
    """
    if encoder_name != EMBEDDED:
        return image_size_for(encoder_name)
    return (160, 224) if shape[0] > shape[1] else (224, 160)


def make_embedded(**options: Any) -> VisionTransformer:
    """The network without weights: 8 blocks of dimension 192, patches of 16 pixels, 3.7 million parameters."""
    given = {"dynamic_img_size": True, **options, "num_classes": 0}
    vit = VisionTransformer(img_size=SIZE, patch_size=16, embed_dim=192, depth=8, num_heads=3, **given)
    vit.pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return vit


def packaged_weights() -> Path | None:
    """The file that ships with the package, or None where there is none."""
    path = _FOLDER / f"{EMBEDDED}_fp16.safetensors"
    return path if path.is_file() else None
