"""What a frozen encoder gave for an image is remembered, within one detector or among all that run in a block."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from toothwise.detectors.innermost import innermost

if TYPE_CHECKING:
    from torch import Tensor


class EncoderCache:
    """Remembers what was computed for an image, by the hash of the image itself, so that it cannot be stale.

    Args:
        max_bytes: the oldest entries go when more would be held.
    """

    halved: ClassVar[bool] = False  # what is held is float16

    def __init__(self, max_bytes: int = 2**30) -> None:
        self.max_bytes, self.bytes = max_bytes, 0
        self._held: OrderedDict[bytes, list[Tensor]] = OrderedDict()

    @staticmethod
    def key(image: Tensor, what: str = "") -> bytes:
        """Hash of one image's values and shape, and of what is computed from it."""
        array = image.detach().cpu().contiguous().numpy()
        digest = hashlib.blake2b(f"{array.shape}{what}".encode(), digest_size=16)
        digest.update(array.tobytes())
        return digest.digest()

    def get(self, key: bytes) -> list[Tensor] | None:
        """What is held for a key."""
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def put(self, key: bytes, value: list[Tensor]) -> None:
        """Hold tensors for a key."""
        size = sum(t.numel() * t.element_size() for t in value)
        if key in self._held or size > self.max_bytes:
            return
        while self.bytes + size > self.max_bytes:
            _, old = self._held.popitem(last=False)
            self.bytes -= sum(t.numel() * t.element_size() for t in old)
        self._held[key] = value
        self.bytes += size

    def of(self, images: Tensor, encode: Callable[[Tensor], list[Tensor]], what: str = "") -> list[Tensor]:
        """``encode(images)``, computed only for images ``[b, ...]`` that are not held yet.

        Args:
            images: one after the other along the first dimension.
            encode: gives float32 tensors ``[b, ...]``, image by image the same whatever is beside it.
            what: distinguishes results of different encoders.

        Returns:
            float32 tensors ``[b, ...]`` where the images are.
        """
        import torch

        keys = [self.key(image, what) for image in images]
        held = [self.get(key) for key in keys]
        missing = [i for i, item in enumerate(held) if item is None]
        if missing:
            fresh = encode(images[missing])
            for position, i in enumerate(missing):
                held[i] = new = [t[position].half() if self.halved else t[position].clone() for t in fresh]
                self.put(keys[i], new)
        found = [item for item in held if item is not None]
        with torch.autocast(images.device.type, enabled=False):  # it refuses to stack float16 on a CPU
            return [torch.stack(parts).to(images.device).float() for parts in zip(*found, strict=True)]


_shared: list[EncoderCache | None] = []


def shared_cache() -> EncoderCache | None:
    """The cache of the innermost ``shared_encodings`` block, or None."""
    return _shared[-1] if _shared else None


def shared_encodings(cache: EncoderCache | None = None) -> AbstractContextManager[EncoderCache | None]:
    """Detectors that run in this block share what their encoders give: each image is encoded once.

    Args:
        cache: one that holds something already, in place of a new one of 4 GiB; a 224 x 224 image takes 1.2 MB with
            ViT-S.
    """
    return innermost(_shared, cache or EncoderCache(2**32))


def unshared_encodings() -> AbstractContextManager[EncoderCache | None]:
    """Within a ``shared_encodings`` block: encoders run again, for timings."""
    return innermost(_shared, None)
