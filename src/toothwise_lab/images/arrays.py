"""Image sets as plain arrays, for detectors that take maps; neither torch nor anomalib is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise_lab.images.recordings import opened
from toothwise_lab.images.sets import PRESETS, SplitRule, split_images


@dataclass(frozen=True, eq=False)
class ImageArrays:
    """An image set, grey, values 0 to 1.

    Attributes:
        train: normal images, float32 ``[n_train, height, width]``.
        test: float32 ``[n_test, height, width]``.
        labels: of the test images, int64 ``[n_test]``, 1 = abnormal.
        masks: where they are abnormal, bool ``[n_test, height, width]``, or None for a set without masks.
        files: of the test images: image_path, mask_path, folder, recording, one row each.
    """

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None
    files: pd.DataFrame


def load_images(
    name: str, root: str | Path, *, size: tuple[int, int] | None = None, rule: SplitRule | None = None
) -> ImageArrays:
    """Read an image set with the same split as its data module has.

    Args:
        name: one of ``PRESETS``.
        root: folder of the sets, ``TOOTHWISE_DATA`` for example.
        size: height and width that all images are resized to (averaging, masks by any pixel); None = as they are,
            which must be one size.
        rule: how to split; None = the defaults, which are those of ``image_set``.

    Raises:
        InputError: an unknown name, images of several sizes, or as ``split_images``.
    """
    if name not in PRESETS:
        raise InputError(f"image set must be one of {', '.join(PRESETS)}, but got {name!r}")
    if size is not None and not (len(size) == 2 and min(size) >= 1):
        raise InputError(f"size must be (height, width) in pixels, 1 or more each, but got {size!r}")
    layout = PRESETS[name]
    table = split_images(Path(root) / name, layout, rule or SplitRule())
    test = table[table["split"] == "test"].reset_index(drop=True)
    images = _stack(test["image_path"], size)
    train = _stack(table.loc[table["split"] == "train", "image_path"], size)
    if train.shape[1:] != images.shape[1:]:
        raise InputError(
            f"{root}/{name}: training images are {train.shape[1:]}, test images {images.shape[1:]}: give size"
        )
    masks = None
    if layout.masks:
        masks = np.zeros(images.shape, dtype=bool)
        for k, path in enumerate(test["mask_path"]):
            if path:
                found = _grey(Path(path), size) > 0
                if found.shape != images.shape[1:]:
                    raise InputError(f"{path}: the mask is {found.shape}, but its image {images.shape[1:]}")
                masks[k] = found
    return ImageArrays(train, images, test["label_index"].to_numpy(np.int64), masks, test.drop(columns=["split"]))


def _grey(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    """One image, float32 ``[height, width]``, 0 to 1."""
    from PIL.Image import Resampling

    grey = opened(path, "L").convert("F")  # float first: resizing must not round a thin mask away
    if size is not None:
        grey = grey.resize((size[1], size[0]), Resampling.BOX)
    return np.asarray(grey, dtype=np.float32) / np.float32(255.0)


def _stack(files: pd.Series, size: tuple[int, int] | None) -> np.ndarray:
    images = [_grey(Path(file), size) for file in files]
    for image, file in zip(images, files, strict=True):
        if image.shape != images[0].shape:
            raise InputError(f"{file}: is {image.shape}, but those before it are {images[0].shape}: give size")
    return np.stack(images)
