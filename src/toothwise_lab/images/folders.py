"""Image sets of other fields as data modules: fixed splits by recording, nothing tuned on the test images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from anomalib.data import AnomalibDataModule, AnomalibDataset
from anomalib.data.utils import LabelName, Split, TestSplitMode, ValSplitMode
from torchvision.transforms.v2 import Transform

from toothwise.errors import InputError
from toothwise_lab.images.sets import PRESETS, ImageSet, SplitRule, split_images

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
    """Normal and abnormal images in folders, split once by a seed, with whole recordings on one side.

    There is no validation set: neither threshold nor checkpoint is chosen on test images. How the split is made is
    said in ``toothwise_lab.images.sets.split_images``; ``table()`` shows it.

    Args:
        root: folder that holds ``normal`` and the abnormal folders.
        layout: which folders, masks and recordings.
        train_share, alike, empty_masks, seed: as in ``toothwise_lab.images.sets.SplitRule``.
        train_batch_size, eval_batch_size, num_workers: of the loaders.
        augmentations: applied to training and test images alike.

    Raises:
        InputError: a folder that is missing or empty, an image without its mask, or one picture that is normal and
            abnormal at once.
    """

    def __init__(
        self,
        root: str | Path,
        layout: ImageSet,
        *,
        train_share: float | None = None,
        alike: float | None = 0.97,
        empty_masks: bool = False,
        train_batch_size: int = 16,
        eval_batch_size: int = 16,
        num_workers: int = 0,
        augmentations: Transform | None = None,
        seed: int = 0,
    ) -> None:
        self.rule = SplitRule(train_share, alike, empty_masks, seed)
        super().__init__(
            train_batch_size,
            eval_batch_size,
            num_workers,
            augmentations=augmentations,
            val_split_mode=ValSplitMode.NONE,
            test_split_mode=TestSplitMode.FROM_DIR,
            seed=seed,
        )
        self.root, self.layout = Path(root), layout
        self._category = self.root.name

    def table(self) -> pd.DataFrame:
        """One row per image, those that are not used among them; see ``split_images``."""
        return split_images(self.root, self.layout, self.rule)

    def _setup(self, _stage: str | None = None) -> None:
        table = self.table()
        table["label"] = table["folder"]
        abnormal = table["label_index"] == 1
        table["label_index"] = abnormal.map({True: int(LabelName.ABNORMAL), False: int(LabelName.NORMAL)})
        for split, name in ((Split.TRAIN, "train_data"), (Split.TEST, "test_data")):
            part = table[table["split"] == split.value].reset_index(drop=True)
            # anomalib asks for a mask of every image or of none
            part.attrs["task"] = "segmentation" if self.layout.masks else "classification"
            setattr(self, name, _Images(part, None))
