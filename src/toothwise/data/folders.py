"""Image sets of other fields, to see what carries over: fixed seeded splits, nothing tuned on the test images."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anomalib.data import AnomalibDataModule, AnomalibDataset
from anomalib.data.utils import LabelName, Split, TestSplitMode, ValSplitMode
from torchvision.transforms.v2 import Transform

from toothwise.errors import InputError

__all__ = ["PRESETS", "FolderDataModule", "ImageSet", "image_set"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class ImageSet:
    """Where a set's images lie, below its folder.

    Attributes:
        abnormal: folders of faulty images; ``normal`` holds the others.
        masks: faulty images have a mask of the same name, .png, under mask/FOLDER.
        recording: pattern of a file's name whose first group tells images that were taken together; "" = each image
            stands for itself.
        about: in words.
    """

    abnormal: tuple[str, ...]
    masks: bool
    recording: str
    about: str


PRESETS: dict[str, ImageSet] = {
    "kolektor_sdd": ImageSet(("crack",), True, "", "commutators, thin line-like cracks (industrial)"),
    "magnetic_tile": ImageSet(
        ("blowhole", "break", "crack", "fray", "uneven"), True, r"_num_(\d+)", "magnetic tiles (industrial)"
    ),
    "brain_mri": ImageSet(("glioma", "meningioma", "pituitary"), False, "", "brain MRI, three tumours (medical)"),
    "rsscn7": ImageSet(("field", "grass", "river_lake"), False, "", "forest against other land (satellite)"),
}
_ANOMALIB = {"mvtec_ad": "MVTecAD", "visa": "Visa"}


def image_set(name: str, root: str | Path, **options: Any) -> AnomalibDataModule:
    """A data module of a known image set.

    Args:
        name: one of ``PRESETS`` (root holds its folder), or "mvtec_ad" or "visa" (anomalib's own modules; root is
            what they call so, and no download is tried).
        root: folder of the sets, ``TOOTHWISE_DATA`` for example.
        options: of FolderDataModule, or of anomalib's module (``category``).

    Raises:
        InputError: an unknown name, or a folder that is not there.
    """
    if name in PRESETS:
        return FolderDataModule(Path(root) / name, PRESETS[name], **options)
    if name not in _ANOMALIB:
        raise InputError(f"image set must be one of {', '.join([*PRESETS, *_ANOMALIB])}, but got {name!r}")
    import anomalib.data

    if not Path(root).is_dir():
        raise InputError(f"{root}: no such folder; {name} is not downloaded, put it there")
    # a validation set cut from the test images would be tuned on
    return getattr(anomalib.data, _ANOMALIB[name])(root=root, val_split_mode=ValSplitMode.NONE, **options)


class _Images(AnomalibDataset):
    """Images of one split; grey ones become three equal channels."""

    def __init__(self, samples: pd.DataFrame, augmentations: Transform | None) -> None:
        super().__init__(augmentations=augmentations)
        self.samples = samples


class FolderDataModule(AnomalibDataModule):
    """Normal and abnormal images in folders, split once by a seed.

    A share of the normal images is trained on; the rest and all abnormal ones are the test set. Images of one recording
    stay on one side. There is no validation set: neither threshold nor checkpoint is chosen on test images.

    Args:
        root: folder that holds ``normal`` and the abnormal folders.
        layout: which folders, masks and recordings.
        train_share: of the normal images (recordings).
        train_batch_size, eval_batch_size, num_workers: of the loaders.
        augmentations: applied to training and test images alike.
        seed: of the split.

    Raises:
        InputError: a folder that is missing or empty, an image without its mask, or one image on both sides.
    """

    def __init__(
        self,
        root: str | Path,
        layout: ImageSet,
        *,
        train_share: float = 0.7,
        train_batch_size: int = 16,
        eval_batch_size: int = 16,
        num_workers: int = 0,
        augmentations: Transform | None = None,
        seed: int = 0,
    ) -> None:
        if not 0 < train_share < 1:
            raise InputError(f"train_share must lie between 0 and 1, but got {train_share!r}")
        super().__init__(
            train_batch_size,
            eval_batch_size,
            num_workers,
            augmentations=augmentations,
            val_split_mode=ValSplitMode.NONE,
            test_split_mode=TestSplitMode.FROM_DIR,
            seed=seed,
        )
        self.root, self.layout, self.train_share = Path(root), layout, train_share
        self._category = self.root.name

    def table(self) -> pd.DataFrame:
        """One row per image: path, mask, folder, recording, split, label."""
        rng = np.random.default_rng(self.seed)
        normal = _files(self.root / "normal")
        groups = [self._recording(path) for path in normal]
        unique = np.array(sorted(set(groups)))
        count = round(self.train_share * len(unique))
        chosen = set(rng.permutation(unique)[: min(max(count, 1), len(unique) - 1)].tolist())
        rows = [
            self._row(path, "", "normal", group, Split.TRAIN if group in chosen else Split.TEST, LabelName.NORMAL)
            for path, group in zip(normal, groups, strict=True)
        ]
        for folder in self.layout.abnormal:
            for path in _files(self.root / folder):
                mask = ""
                if self.layout.masks:
                    place = self.root / "mask" / folder / f"{path.stem}.png"
                    if not place.is_file():
                        raise InputError(f"{path}: its mask {place} is missing")
                    mask = str(place)
                rows.append(self._row(path, mask, folder, self._recording(path), Split.TEST, LabelName.ABNORMAL))
        table = pd.DataFrame(rows)
        _check_leaks(table)
        return table

    def _recording(self, path: Path) -> str:
        if not self.layout.recording:
            return path.stem
        match = re.search(self.layout.recording, path.stem)
        return match[1] if match else path.stem

    @staticmethod
    def _row(path: Path, mask: str, folder: str, recording: str, split: Split, label: LabelName) -> dict[str, Any]:
        return {
            "image_path": str(path),
            "mask_path": mask,
            "folder": folder,
            "recording": recording,
            "split": split,
            "label": folder,
            "label_index": int(label),
        }

    def _setup(self, _stage: str | None = None) -> None:
        table = self.table()
        # anomalib asks for a mask of every image or of none
        table.attrs["task"] = "segmentation" if self.layout.masks else "classification"
        for split, name in ((Split.TRAIN, "train_data"), (Split.TEST, "test_data")):
            part = table[table["split"] == split].reset_index(drop=True)
            part.attrs["task"] = table.attrs["task"]
            setattr(self, name, _Images(part, None))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES)
    if not found:
        raise InputError(f"{folder}: holds no images ({', '.join(_SUFFIXES)})")
    return found


def _check_leaks(table: pd.DataFrame) -> None:
    """The same image, byte for byte, in training and test is an error."""
    hashes: dict[str, str] = {}
    train = table["split"] == Split.TRAIN
    for path in table.loc[train, "image_path"]:
        hashes[hashlib.sha256(Path(path).read_bytes()).hexdigest()] = path
    for path in table.loc[~train, "image_path"]:
        twin = hashes.get(hashlib.sha256(Path(path).read_bytes()).hexdigest())
        if twin is not None:
            raise InputError(f"{path}: the same image is trained on as {twin}; remove one of them")
