"""Which images were taken together, so that a split keeps them on one side.

File names tell part of it. The rest is seen: copies, and pictures of one thing in another light or with another
exposure, are found by comparing small versions of all images. What was looked at is said beside each rule.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from toothwise.errors import InputError

_SIDE = 32  # pixels of a thumbnail's sides
_TILE_GAP = 400


def _number(name: str, pattern: str) -> int:
    found = re.search(pattern, name)
    if found is None:
        raise InputError(f"{name}: the file's name must hold a number as in {pattern!r}, which says what it shows")
    return int(found[1])


def commutator_parts(names: Sequence[str]) -> list[str]:
    """Part that each image of KolektorSDD shows, where its images are numbered 000 to 398 without the parts' names.

    The set shows 50 parts, eight images each, one of which is missing. Numbers follow the parts: images 0 to 7 are
    copies of 143 to 150, and 96 to 103 of 223 to 230, so eight belong together, and the missing one lies between 104
    and 142, in one of five parts. Every part has a crack; the last of the five has one only if it begins with image
    135, so one of the four parts before lacks the image. Which is not known: these four (104 to 134) count as one.
    """
    result = []
    for name in names:
        number = _number(name, r"^(\d+)$")
        block = number // 8 if number < 104 else 13 if number < 135 else (number + 1) // 8
        result.append(f"part {block:02d}")
    return result


def magnetic_tiles(names: Sequence[str]) -> list[str]:
    """Tile that each image of the magnetic tile set shows, from names such as ``exp3_num_45042``.

    ``exp`` is the exposure; one tile was taken with up to six of them, under numbers that lie close together but are
    never equal. Images up to 150 apart and of different exposure are nearly the same picture (median correlation
    .95 to .97 at 32 x 32 pixels), those farther apart are not (.43, as any two). Runs of numbers without a gap of more
    than 400 count as one tile.
    """
    numbers = np.array([_number(name, r"num_(\d+)") for name in names])
    order = np.argsort(numbers, kind="stable")
    tile = np.empty(len(numbers), dtype=np.int64)
    tile[order] = np.cumsum(np.diff(numbers[order], prepend=numbers[order[:1]]) > _TILE_GAP)
    return [f"tile {k:03d}" for k in tile]


def thumbnails(paths: Sequence[Path]) -> np.ndarray:
    """Small grey versions of image files, float32 ``[n, 32, 32]``.

    Raises:
        InputError: a file that is not a readable image.
    """
    from PIL.Image import Resampling

    small = (opened(path, "L").resize((_SIDE, _SIDE), Resampling.BOX) for path in paths)
    return np.array([np.asarray(image, dtype=np.float32) for image in small]).reshape(-1, _SIDE, _SIDE)


def same_pixels(paths: Sequence[Path]) -> list[str]:
    """A hash of each image's pixels: files that differ in their bytes can still hold the same picture.

    Raises:
        InputError: a file that is not a readable image.
    """
    pictures = (opened(path, "RGB") for path in paths)
    return [hashlib.sha256(repr(p.size).encode() + p.tobytes()).hexdigest() for p in pictures]


def opened(path: Path, mode: str, what: str = "image") -> Any:
    """The picture in a file, in a mode of PIL.

    Raises:
        InputError: a file that is none.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert(mode)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not a readable {what} ({error})") from None


def join_equal(groups: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Groups, joined where an image of one has the same key (see ``same_pixels``) as one of the other.

    Args:
        groups: of each image, n names.
        keys: of each image.

    Returns:
        n names; joined groups take the name of that which comes first in the alphabet.
    """
    first: dict[str, int] = {}
    links = [(first.setdefault(key, k), k) for k, key in enumerate(keys)]
    return _join(groups, np.array(links).reshape(-1, 2))


def join_alike(groups: Sequence[str], images: np.ndarray, threshold: float) -> list[str]:
    """Groups, joined where an image of one is nearly the same as one of the other.

    Args:
        groups: of each image, n names.
        images: ``[n, height, width]``, as of ``thumbnails``.
        threshold: correlation of two images' pixels from which they count as one picture. Two images without any
            contrast count as alike.

    Returns:
        As ``join_equal``.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    size = np.linalg.norm(flat, axis=1, keepdims=True)
    blank = size[:, 0] == 0
    flat = np.divide(flat, size, out=np.zeros_like(flat), where=size > 0)
    alike = (flat @ flat.T >= threshold) | (blank[:, None] & blank[None])
    return _join(groups, np.argwhere(np.triu(alike, 1)))


def _join(groups: Sequence[str], links: np.ndarray) -> list[str]:
    """Groups joined by pairs of images, int ``[pairs, 2]``, and by chains of them."""
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    pairs = group[links]
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(names), len(names)))
    _, joined = connected_components(graph, directed=False)
    lowest = np.full(joined.max() + 1, len(names))
    np.minimum.at(lowest, joined, np.arange(len(names)))
    return [str(names[lowest[joined[g]]]) for g in group]
