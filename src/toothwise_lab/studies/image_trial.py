"""A trial on a set of images of another field: does what was made for gears find other lines and spots?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.checks import check_choice, check_whole
from toothwise.errors import InputError
from toothwise_lab.images import PRESETS
from toothwise_lab.studies import measures
from toothwise_lab.studies.cell import Measured, fit_most
from toothwise_lab.studies.own_detectors import make_detector
from toothwise_lab.studies.scores import all_metrics


def data_root() -> Path:
    """The folder of the data sets.

    Raises:
        InputError: TOOTHWISE_DATA is not set.
    """
    root = os.environ.get("TOOTHWISE_DATA")
    if not root:
        raise InputError("TOOTHWISE_DATA must name the folder of the data sets, but is not set")
    return Path(root)


@dataclass(frozen=True)
class ImageTrial:
    """What is run.

    Attributes:
        image_set: one of ``toothwise_lab.images.PRESETS``.
        detector: its name.
        seed: of the split by recordings, of images left out, and of the detector.
        options: of the detector; images hold zeros, so ``log`` must be off where there is one.
        size: height and width that images are resized to.
        n_train, n_test: images of a class at most; None = all.
    """

    image_set: str
    detector: str
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (96, 96)
    n_train: int | None = None
    n_test: int | None = None

    def __post_init__(self) -> None:
        check_choice(PRESETS, image_set=self.image_set)
        check_whole(8, n_train=8 if self.n_train is None else self.n_train)
        check_whole(8, n_test=8 if self.n_test is None else self.n_test)


def measure_images(trial: ImageTrial) -> Measured:
    """Fit on normal images of some recordings, score the others.

    Raises:
        InputError: TOOTHWISE_DATA is not set or does not hold the set.
    """
    from toothwise_lab.images import load_images
    from toothwise_lab.images.sets import SplitRule

    images = load_images(trial.image_set, data_root(), size=trial.size, rule=SplitRule(seed=trial.seed))
    rng = np.random.default_rng(trial.seed)
    train = images.train[np.sort(rng.permutation(len(images.train))[: trial.n_train])]
    parts = [np.flatnonzero(images.labels == label) for label in (0, 1)]
    normal, abnormal = (np.sort(rng.permutation(part)[: trial.n_test]) for part in parts)
    fitted = fit_most(make_detector(trial.detector, trial.options, trial.seed), train)
    detector = fitted.detector
    healthy, faulty = detector.predict(images.test[normal]), detector.predict(images.test[abnormal])
    lines = measures.pooled(trial.detector, fitted.kept, healthy, faulty)
    scores = {"healthy": healthy.score, "faulty": faulty.score} | {name: p.score for name, p in lines.items()}
    masks = None if images.masks is None else images.masks[abnormal]
    row = {
        "image_set": trial.image_set,
        "detector": trial.detector,
        "seed": trial.seed,
        "images_train": len(train),
        "images_normal": len(normal),
        "images_abnormal": len(abnormal),
        **measures.auroc_interval(healthy.score, faulty.score),
        **({"pixel_auroc": None, "aupro": None} if masks is None else measures.pixels(faulty, masks)),
        **all_metrics(scores),
        "fit_seconds": fitted.seconds,
        "peak_memory_mib": measures.peak_memory(),
        **measures.speed(detector, images.test[normal]),
    }
    examples = {"maps": images.test[abnormal][:3], "anomaly": faulty.anomaly_map[:3]}
    if masks is not None:
        examples["masks"] = masks[:3]
    return Measured(row, scores, detector.info, examples, detector)
