"""Evaluate a model on images or maps whose truth is known: metrics of images and of pixels, and overlays.

NORMAL and ANOMALOUS are folders of images (or maps) that were not fitted on; masks are images of the same names, where
everything above black is damaged. Overlays show each image with the anomaly map over it and the mask's outline.

examples:
  toothwise evaluate runs/model test/good test/crack
  toothwise evaluate runs/model test/good test/crack --masks masks/crack --overlays runs/overlays --json
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toothwise.cli.parser import Result
from toothwise.cli.terminal import table
from toothwise.errors import InputError
from toothwise.files import atomic_folder
from toothwise.progress import Progress

if TYPE_CHECKING:
    from toothwise.healthmap.core import HealthMapBatch


@dataclass(frozen=True)
class Options:
    """What to evaluate on what.

    Attributes:
        model (MODEL): A fitted or exported model.
        normal (NORMAL): Folder of normal images or maps.
        anomalous (ANOMALOUS): Folder of anomalous ones.
        masks (DIR): Folder of masks of the anomalous ones, by the same names.
        overlays (DIR): Write each image with its anomaly map to this folder.
    """

    model: Path
    normal: Path
    anomalous: Path
    _: KW_ONLY
    masks: Path | None = None
    overlays: Path | None = None


def run(options: Options, progress: Progress) -> Result:
    """Score both folders, measure, draw.

    Raises:
        InputError: A folder that cannot be used, a missing mask, or one of another shape.
        OutputError: The overlays cannot be written.
    """
    from toothwise.evaluation.metrics import aupr, auroc, f1_max, precision_at_recall
    from toothwise.healthmap.several import read_maps
    from toothwise.model import Model

    model = Model.open(options.model)
    sets = [read_maps([folder], progress=progress) for folder in (options.normal, options.anomalous)]
    masks = None if options.masks is None else _masks(options.masks, sets[1])
    progress("scoring")
    found = [model.predict(batch) for batch in sets]
    scores = np.concatenate([one.score for one in found])
    labels = np.repeat([0, 1], [len(batch) for batch in sets])
    data: dict[str, Any] = {
        "images": {"normal": len(sets[0]), "anomalous": len(sets[1])},
        "auroc": auroc(scores, labels),
        "aupr": aupr(scores, labels),
        "f1_max": f1_max(scores, labels),
        "precision_at_90_recall": precision_at_recall(scores, labels),
    }
    if model.detector.threshold is not None:
        above = scores > model.threshold.value
        data |= {"false_alarms": int(above[labels == 0].sum()), "found": int(above[labels == 1].sum())}
    if masks is not None:
        from toothwise_lab.pixels import aupro, pixel_auroc

        maps = np.concatenate([one.anomaly_map for one in found])
        truth = np.concatenate([np.zeros(sets[0].values.shape, dtype=bool), masks])
        data |= {"pixel_auroc": pixel_auroc(maps, truth), "aupro": aupro(maps, truth)}
    if options.overlays is not None:
        with atomic_folder(options.overlays) as folder:
            for batch, one, truth_of in zip(sets, found, (None, masks), strict=True):
                _overlays(folder, batch, one.anomaly_map, truth_of, progress)
        data["overlays"] = str(options.overlays)
    rows = [(name, f"{value:.4f}" if isinstance(value, float) else str(value)) for name, value in data.items()]
    return Result(data, lambda: table(("measure", "value"), rows))


def _masks(folder: Path, images: HealthMapBatch) -> np.ndarray:
    """The mask of each image, bool ``[n, height, width]``."""
    from toothwise.healthmap.formats import read_picture

    out = np.zeros(images.values.shape, dtype=bool)
    for k, file in enumerate(images.table["file"]):
        path = next(iter(sorted(folder.glob(f"{Path(file).stem}.*"))), None)
        if path is None:
            raise InputError(f"{folder}: holds no mask of {Path(file).name}")
        mask = read_picture(path).values > 0
        if mask.shape != out.shape[1:]:
            raise InputError(f"{path}: the mask is {mask.shape}, but its image {out.shape[1:]}")
        out[k] = mask
    return out


def _overlays(
    folder: Path, batch: HealthMapBatch, anomaly: np.ndarray, masks: np.ndarray | None, progress: Progress
) -> None:
    from matplotlib.figure import Figure

    low, high = (float(v) for v in np.nanquantile(anomaly, (0.5, 0.999)))
    for k, file in enumerate(batch.table["file"]):
        progress(f"drawing {Path(file).name}", (k + 1) / len(batch))
        height, width = batch.values.shape[1:]
        figure = Figure(figsize=(6.0, 6.0 * height / width), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(batch.values[k], cmap="gray")
        share = np.clip((np.nan_to_num(anomaly[k], nan=low) - low) / max(high - low, 1e-12), 0, 1)
        axes.imshow(share, cmap="inferno", alpha=0.6 * share, vmin=0, vmax=1)
        if masks is not None and masks[k].any():
            axes.contour(masks[k], levels=[0.5], colors="#009E73", linewidths=1.0)
        axes.set_axis_off()
        where = Path(file).parent.name
        figure.savefig(folder / f"{where}_{Path(file).stem}.png", dpi=100, metadata={"Software": None})
