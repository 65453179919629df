"""What the frozen encoder gives for training images, held on disk: the encoder runs once, whatever the epochs."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toothwise.detectors.encoder_cache import EncoderCache, shared_cache
from toothwise.errors import OutputError
from toothwise.files import atomic_file

if TYPE_CHECKING:
    from torch import Tensor

VARIABLE = "TOOTHWISE_CACHE"
_HEADER = 128  # bytes of an npy file before its values


class EncodingFiles(EncoderCache):
    """An EncoderCache of files, float16, read through a memory map: one per image, named by the hash of its content.

    The hash covers the image as the encoder gets it (data and transform), the encoder's weights, the layers and
    the versions of the packages that compute it, so that nothing stale can be found. Files appear whole or not at all;
    processes may share a folder.

    Values are halved whether they were held or not, so that a training does not depend on what was.

    Args:
        folder: made where it is missing.
        max_bytes: what this folder may hold. When it is full, files go that nobody has used since this object was made,
            the oldest first; where there are none, nothing more is held: among images that are all needed again, to
            drop one for another gains nothing.
    """

    halved = True

    def __init__(self, folder: Path, max_bytes: int = 8 * 2**30) -> None:
        super().__init__(max_bytes)
        self.folder, self.began = folder, time.time()
        self._full = False

    def get(self, key: bytes) -> list[Tensor] | None:
        """What is held for a key, as float16."""
        import torch

        path = self._path(key)
        try:
            # private pages: torch wants an array that may be written to
            held = np.load(path, mmap_mode="c", allow_pickle=False)
            os.utime(path)
        except (OSError, ValueError):  # missing, or cut short by a disk that was full: computed again
            return None
        return list(torch.from_numpy(held).unbind(0))

    def put(self, key: bytes, value: list[Tensor]) -> None:
        """Hold tensors of one shape for a key."""
        array = np.stack([t.detach().cpu().numpy() for t in value])
        if not np.isfinite(array).all() or not self._room(array.nbytes + _HEADER):
            return
        try:
            with atomic_file(self._path(key)) as temporary, temporary.open("wb") as stream:
                np.save(stream, array)
        except OutputError:  # a full disk costs time, not the training
            self._full = True
            return
        self.bytes += array.nbytes + _HEADER

    def _path(self, key: bytes) -> Path:
        name = key.hex()
        return self.folder / name[:2] / f"{name}.npy"

    def _room(self, size: int) -> bool:
        """Whether so much more may be held, now that old files are gone where needed."""
        if self._full:
            return False
        old = self._old
        while self.bytes + size > self.max_bytes and old:
            _, freed, path = old.pop()
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < self.began:
                    path.unlink()
                    self.bytes -= freed
        self._full = self.bytes + size > self.max_bytes
        return not self._full

    @cached_property
    def _old(self) -> list[tuple[float, int, Path]]:
        """Age, size and path of what nobody has used since, with the oldest last; looked up before the first is put."""
        found = []
        for path in self.folder.glob("*/*.npy"):
            with contextlib.suppress(OSError):  # another process has just removed it
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        self.bytes = sum(size for _, size, _ in found)
        return sorted((one for one in found if one[0] < self.began), reverse=True)


@contextmanager
def training_encodings() -> Iterator[EncoderCache]:
    """A cache for the training images of one fit, which must be a fixed set.

    Returns:
        That of the surrounding ``shared_encodings`` block; else files in the folder that TOOTHWISE_CACHE names, which
        stay for the next fit; else files in a temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="toothwise-", ignore_cleanup_errors=True) as temporary:
        yield shared_cache() or EncodingFiles(Path(os.environ.get(VARIABLE) or temporary))
