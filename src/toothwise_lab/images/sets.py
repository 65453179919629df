"""Image sets of other fields: where their images are, and one fixed split by recording. No torch in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise_lab.images.recordings import (
    commutator_parts,
    join_alike,
    join_equal,
    magnetic_tiles,
    opened,
    same_pixels,
    thumbnails,
)

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class ImageSet:
    """Where a set's images are, below its folder.

    Attributes:
        abnormal: folders of faulty images; ``normal`` holds the others.
        masks: faulty images have a mask of the same name, .png, under mask/FOLDER.
        recordings: from the names of all files, without suffix, what each was taken of; None = each image counts for
            itself. Nearly equal images are found beside that.
        about: in words.
        train_share: of the recordings with normal images.
    """

    abnormal: tuple[str, ...]
    masks: bool
    recordings: Callable[[Sequence[str]], list[str]] | None
    about: str
    train_share: float = 0.7


PRESETS: dict[str, ImageSet] = {
    # every part has a crack, and the cracks of trained parts are not used: hence half
    "kolektor_sdd": ImageSet(
        ("crack",), True, commutator_parts, "commutators, thin line-like cracks (industrial)", train_share=0.5
    ),
    "magnetic_tile": ImageSet(
        ("blowhole", "break", "crack", "fray", "uneven"), True, magnetic_tiles, "magnetic tiles (industrial)"
    ),
    "brain_mri": ImageSet(("glioma", "meningioma", "pituitary"), False, None, "brain MRI, three tumours (medical)"),
    "rsscn7": ImageSet(("field", "grass", "river_lake"), False, None, "forest against other land (satellite)"),
}


@dataclass(frozen=True)
class SplitRule:
    """How images are split.

    Attributes:
        train_share: of the recordings with normal images; None = the layout's.
        alike: images whose small grey versions (32 x 32 pixels) correlate by this or more count as one recording;
            None = only equal images do.
        empty_masks: keep abnormal images whose mask is empty. Metrics of pixels would take them for normal, so they
            are left out unless this is set.
        seed: of the draw.
    """

    train_share: float | None = None
    alike: float | None = 0.97
    empty_masks: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.train_share is not None and not 0 < self.train_share < 1:
            raise InputError(f"train_share must be between 0 and 1, but got {self.train_share!r}")
        if self.alike is not None and not 0 < self.alike <= 1:
            raise InputError(f"alike must be a correlation above 0, up to 1, or None, but got {self.alike!r}")


def split_images(root: Path, layout: ImageSet, rule: SplitRule) -> pd.DataFrame:
    """All images of a set, each on one side, recordings whole.

    A share of the recordings (parts, tiles) is trained on, by their normal images; the others, normal and abnormal,
    are the test set. Abnormal images of a recording that is trained on are not used.

    Returns:
        One row per image: image_path, mask_path ("" = none), folder, label_index (1 = abnormal), recording, split
        ("train", "test", or "unused: why").

    Raises:
        InputError: a folder that is missing or empty, an image without its mask or that cannot be read, one picture
            that is normal and abnormal at once, or normal images of one recording only.
    """
    table = _listed(root, layout)
    paths = [Path(path) for path in table["image_path"]]
    told = (
        layout.recordings([p.stem for p in paths]) if layout.recordings else [str(p.relative_to(root)) for p in paths]
    )
    pixels = same_pixels(paths)
    _check_labels(table, pixels)
    groups = join_equal(told, pixels)
    if rule.alike is not None:
        groups = join_alike(groups, thumbnails(paths), rule.alike)
    table["recording"] = groups
    normal = table["label_index"] == 0
    unique = np.array(sorted(set(table.loc[normal, "recording"])))
    if len(unique) < 2:
        raise InputError(f"{root}: the normal images are of {len(unique)} recording, but a split needs 2 or more")
    share = layout.train_share if rule.train_share is None else rule.train_share
    count = min(max(round(share * len(unique)), 1), len(unique) - 1)
    rng = np.random.default_rng(rule.seed)
    trained = table["recording"].isin(rng.permutation(unique)[:count])
    table["split"] = np.where(trained, "train", "test")
    table.loc[trained & ~normal, "split"] = "unused: its recording is trained on"
    if layout.masks and not rule.empty_masks:
        test = table.index[~normal & ~trained]
        empty = [k for k in test if opened(Path(str(table.loc[k, "mask_path"])), "L", "mask").getbbox() is None]
        table.loc[empty, "split"] = "unused: its mask is empty"
    return table


def _listed(root: Path, layout: ImageSet) -> pd.DataFrame:
    """All images, their masks and labels."""
    rows = []
    for folder in ("normal", *layout.abnormal):
        faulty = folder != "normal"
        for path in _files(root / folder):
            mask = root / "mask" / folder / f"{path.stem}.png" if layout.masks and faulty else None
            if mask is not None and not mask.is_file():
                raise InputError(f"{path}: its mask {mask} is missing")
            place = {"image_path": str(path), "mask_path": str(mask or ""), "folder": folder}
            rows.append({**place, "label_index": int(faulty)})
    return pd.DataFrame(rows)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES)
    if not found:
        raise InputError(f"{folder}: holds no images ({', '.join(_SUFFIXES)})")
    return found


def _check_labels(table: pd.DataFrame, pixels: list[str]) -> None:
    """The same picture as normal and as abnormal is an error."""
    normal = table["label_index"] == 0
    known = {key: path for key, path, good in zip(pixels, table["image_path"], normal, strict=True) if good}
    for key, path, good in zip(pixels, table["image_path"], normal, strict=True):
        if not good and key in known:
            raise InputError(f"{path}: the same image is normal as {known[key]}; remove one of them")
