"""The research data's folder layout as an anomalib datamodule: fixed splits, fixed scale, nothing clipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from anomalib.data import AnomalibDataModule, AnomalibDataset, ImageItem
from anomalib.data.utils import LabelName, Split, TestSplitMode, ValSplitMode
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import Transform
from torchvision.tv_tensors import Image

from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMapBatch
from toothwise.healthmap.io import SPLITS, read_map

__all__ = ["HDMapDataModule", "HDMapDataset"]

_SUFFIXES = (".tiff", ".tif", ".png")


class HDMapDataset(AnomalibDataset):
    """Maps of one split, one file each, as images of three equal channels.

    Args:
        folder: a domain folder with train/good, test/good, test/fault.
        split: "train" or "test".
        scale: values are divided by it, every file alike.
        augmentations: applied to every image.
    """

    def __init__(self, folder: Path, split: str, *, scale: float = 1.0, augmentations: Transform | None = None) -> None:
        super().__init__(augmentations=augmentations)
        self.scale = scale
        rows = [
            {
                "image_path": str(path),
                "split": Split.TRAIN if split == "train" else Split.TEST,
                "label": "fault" if place.endswith("fault") else "good",
                "label_index": int(LabelName.ABNORMAL if place.endswith("fault") else LabelName.NORMAL),
                "mask_path": "",
            }
            for place in SPLITS
            if place.startswith(split)
            for path in sorted((folder / place).glob("*"))
            if path.suffix.lower() in _SUFFIXES
        ]
        if not rows:
            raise InputError(f"{folder}: holds no map files ({', '.join(_SUFFIXES)}) of the split {split!r}")
        samples = pd.DataFrame(rows)
        samples.attrs["task"] = "classification"
        self.samples = samples

    def __getitem__(self, index: int) -> ImageItem:
        """One map as an item; pixels without a pair get the map's median."""
        row = self.samples.iloc[index]
        found = read_map(row.image_path)
        if isinstance(found, HealthMapBatch):
            raise InputError(f"{row.image_path}: holds {len(found)} maps, but the layout has one per file")
        values = np.where(np.isnan(found.values), np.nanmedian(found.values), found.values) / self.scale
        image = Image(torch.from_numpy(values.astype(np.float32)).expand(3, -1, -1))
        if self.augmentations:
            image = self.augmentations(image)
        return ImageItem(image=image, gt_label=torch.tensor(row.label_index), image_path=row.image_path)


class HDMapDataModule(AnomalibDataModule):
    """Maps of one domain in the layout ``root/domain_X/{train/good,test/good,test/fault}``.

    The splits are those of the folders: nothing is drawn at random, and no threshold or checkpoint is chosen on the
    test maps (there is no validation set). Training and test maps go through the same transforms.

    Args:
        root: folder of the domains.
        domain: "A", "B", "C", "D", or the name of a folder below root.
        scale: every value is divided by it (the research data's fixed maximum of a domain).
        train_batch_size, eval_batch_size, num_workers: of the data loaders.
        augmentations: applied to training and test maps alike.
        seed: of the order in training.

    Raises:
        InputError: the folder is not there or holds no maps.
    """

    def __init__(
        self,
        root: str | Path,
        domain: str = "C",
        scale: float = 1.0,
        train_batch_size: int = 16,
        eval_batch_size: int = 16,
        num_workers: int = 0,
        augmentations: Transform | None = None,
        seed: int | None = 0,
    ) -> None:
        if not scale > 0:
            raise InputError(f"scale must be positive, but got {scale}")
        super().__init__(
            train_batch_size,
            eval_batch_size,
            num_workers,
            augmentations=augmentations,
            val_split_mode=ValSplitMode.NONE,
            test_split_mode=TestSplitMode.FROM_DIR,
            seed=seed,
        )
        folder = Path(root) / f"domain_{domain}"
        self.folder = folder if folder.is_dir() else Path(root) / domain
        if not self.folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        self.scale = scale
        self._category = self.folder.name

    def _setup(self, _stage: str | None = None) -> None:
        self.train_data = HDMapDataset(self.folder, "train", scale=self.scale)
        self.test_data = HDMapDataset(self.folder, "test", scale=self.scale)

    def train_dataloader(self) -> DataLoader:
        """Training maps in an order that the seed fixes."""
        generator = None if self.seed is None else torch.Generator().manual_seed(self.seed)
        return DataLoader(
            self.train_data,
            batch_size=self.train_batch_size,
            shuffle=True,
            num_workers=self.num_workers,
            collate_fn=self.train_data.collate_fn,
            generator=generator,
        )

    def val_dataloader(self) -> list[object]:
        """None: choosing anything on the test maps would spoil them."""
        return []
