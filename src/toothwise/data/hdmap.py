"""The research data as an anomalib datamodule: fixed splits, fixed scale, nothing clipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from anomalib.data import AnomalibDataModule, AnomalibDataset, ImageItem
from anomalib.data.utils import LabelName, Split, TestSplitMode, ValSplitMode
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import Transform
from torchvision.tv_tensors import Image

from toothwise.errors import InputError
from toothwise.healthmap.research import DOMAIN_MAPPING, MAXIMUM, MapSource, check_leaks, find_domain


class HDMapDataset(AnomalibDataset):
    """Maps of one split as images of three equal channels.

    Args:
        sources: where they are; a MAT file is read once and kept.
        scales: by domain: values are divided by it, every map alike.
    """

    def __init__(self, sources: Sequence[MapSource], scales: dict[str, float]) -> None:
        super().__init__()
        self.sources, self.scales = list(sources), scales
        self._packed = {k: source.read() for k, source in enumerate(self.sources) if source.packed}
        tables = []
        for k, source in enumerate(self.sources):
            count = len(self._packed[k]) if source.packed else len(source.files)
            columns = {
                "image_path": [str(path) for path in source.files] * (count // len(source.files)),
                "source": k,
                "index": range(count),
                "domain": source.domain,
                "split": Split.TRAIN if source.split == "train" else Split.TEST,
                "label": "fault" if source.label else "good",
                "label_index": int(LabelName.ABNORMAL if source.label else LabelName.NORMAL),
                "mask_path": "",
            }
            tables.append(pd.DataFrame(columns))
        samples = pd.concat(tables, ignore_index=True)
        samples.attrs["task"] = "classification"
        self.samples = samples

    def named(self) -> Iterator[tuple[str, np.ndarray]]:
        """The maps as they are stored, one after the other, with the names of their files."""
        for k, source in enumerate(self.sources):
            yield from source.named(self._packed.get(k))

    def __getitem__(self, index: int) -> ImageItem:
        """One map as an item; pixels without a pair get the map's median."""
        row = self.samples.iloc[index]
        source = self.sources[row.source]
        values = self._packed[row.source][row["index"]] if source.packed else source.read_one(row["index"])
        values = np.where(np.isnan(values), np.nanmedian(values), values) / self.scales[source.domain]
        image = Image(torch.from_numpy(values.astype(np.float32)).expand(3, -1, -1))
        if self.augmentations:
            image = self.augmentations(image)
        path = f"{row.image_path}#{row['index']}" if source.packed else row.image_path
        return ImageItem(image=image, gt_label=torch.tensor(row.label_index), image_path=path)


class HDMapDataModule(AnomalibDataModule):
    """Maps in the layout ``root/domain_X/{train/good,test/good,test/fault}``, or as the laboratory's MAT files.

    The splits are those of the recordings: nothing is drawn at random, and no threshold or checkpoint is chosen on the
    test maps (there is no validation set). Training and test maps go through the same transforms. A map that stands in
    training and in test is an error.

    Args:
        root: folder of the domains, or the one that holds ``Normal`` and ``Planet_fault_ring``.
        domain: trained and tested on: "A", "B", "C", "D", a folder below root, or several of them.
        test_domain: tested on instead, to see what carries over; None = those that are trained on.
        scale: every value is divided by it; None = 1 for converted files, the domain's fixed maximum for MAT files.
        test_session: only test maps of this recording session, where a manifest says it: "fault" compares faulty maps
            with healthy ones of their own session. None = all.
        check: look for maps that are in both training and test (reads every map once).
        train_batch_size, eval_batch_size, num_workers: of the data loaders.
        augmentations: applied to training and test maps alike.
        seed: of the order in training.

    Raises:
        InputError: the folder is not there or holds no maps, or a map is on both sides.
    """

    def __init__(
        self,
        root: str | Path,
        domain: str | list[str] = "C",
        scale: float | None = None,
        train_batch_size: int = 16,
        eval_batch_size: int = 16,
        num_workers: int = 0,
        augmentations: Transform | None = None,
        seed: int | None = 0,
        test_domain: str | list[str] | None = None,
        check: bool = True,
        test_session: str | None = None,
    ) -> None:
        if scale is not None and not scale > 0:
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
        train = [domain] if isinstance(domain, str) else list(domain)
        test = train if test_domain is None else [test_domain] if isinstance(test_domain, str) else list(test_domain)
        found = {
            name: find_domain(root, name, test_session=test_session if name in test else None)
            for name in dict.fromkeys([*train, *test])
        }
        self._train = [s for name in train for s in found[name] if s.split == "train"]
        self._test = [s for name in test for s in found[name] if s.split == "test"]
        self.scales = {name: scale or (MAXIMUM[name] if sources[0].packed else 1.0) for name, sources in found.items()}
        self.check = check
        self.metadata: dict[str, Any] = {"domain_mapping": DOMAIN_MAPPING, "train": train, "test": test}
        self.metadata |= {"scales": self.scales, "test_session": test_session}
        self._category = "+".join(train) if test == train else f"{'+'.join(train)}-to-{'+'.join(test)}"

    def _setup(self, _stage: str | None = None) -> None:
        self.train_data = HDMapDataset(self._train, self.scales)
        self.test_data = HDMapDataset(self._test, self.scales)
        if self.check:
            self.metadata["duplicates"] = check_leaks(self.train_data.named(), self.test_data.named())

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
