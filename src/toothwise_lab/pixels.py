"""Metrics of anomaly maps against masks: how well the damaged cells are found, not only the damaged maps."""

from __future__ import annotations

import numpy as np

from toothwise.checks import check_choice, check_range
from toothwise.errors import InputError
from toothwise.evaluation.metrics import auroc


def pixel_auroc(anomaly_maps: np.ndarray, masks: np.ndarray, *, valid: np.ndarray | None = None) -> float:
    """AUROC over all cells of all maps.

    Args:
        anomaly_maps: ``[n, rows, columns]``, larger = more anomalous.
        masks: ``[n, rows, columns]``, true (1) = damaged.
        valid: bool ``[n, rows, columns]`` or ``[rows, columns]``, cells that count; None = all. Cells of pairs that
            never mesh are NaN in an anomaly map and must be left out here.

    Raises:
        InputError: other shapes, NaN in a cell that counts, or cells of one class only.
    """
    scores, damaged, keep = _check(anomaly_maps, masks, valid)
    return auroc(scores[keep], damaged[keep])


def aupro(
    anomaly_maps: np.ndarray,
    masks: np.ndarray,
    *,
    fpr_limit: float = 0.3,
    regions: str = "connected",
    valid: np.ndarray | None = None,
) -> float:
    """Area under the per-region overlap up to a false positive rate, divided by that rate: 1 is perfect.

    At each threshold the overlap of every region (share of its cells that are flagged) is averaged over regions, so
    a short line counts as much as a long one (Bergmann et al., Int. J. Comput. Vis. 2021). Between thresholds the
    curve is straight, so that ties count half.

    Args:
        anomaly_maps, masks, valid: as in ``pixel_auroc``.
        fpr_limit: share of healthy cells that are flagged, in (0, 1].
        regions: "connected" = cells that touch, corners included, are a region; "map" = all damaged cells of a map
            are one region (a line with gaps is one tooth).

    Raises:
        InputError: as ``pixel_auroc``, and options out of range.
    """
    check_range("(0, 1]", fpr_limit=fpr_limit)
    check_choice(("connected", "map"), regions=regions)
    scores, damaged, keep = _check(anomaly_maps, masks, valid)
    region = _regions(damaged, regions)[keep]
    scores, damaged = scores[keep], damaged[keep]
    if damaged.all() or not damaged.any():
        raise InputError(f"damaged and healthy cells are needed, but all {damaged.size} are {int(damaged.all())}")
    size = np.bincount(region)
    share = np.where(region > 0, 1.0 / np.maximum(size[region], 1), 0.0) / np.count_nonzero(size[1:])
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    overlap = np.concatenate([[0.0], np.cumsum(share[order])[last]])
    false = np.concatenate([[0.0], np.cumsum(~damaged[order])[last] / np.sum(~damaged)])
    inside = false <= fpr_limit
    # where the curve jumps at the limit itself, the last of the equal rates is the one to end with
    end = overlap[inside][-1] if false[inside][-1] == fpr_limit else np.interp(fpr_limit, false, overlap)
    x, y = np.append(false[inside], fpr_limit), np.append(overlap[inside], end)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2.0) / fpr_limit)


def _check(
    anomaly_maps: np.ndarray, masks: np.ndarray, valid: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, masks = np.asarray(anomaly_maps, dtype=np.float64), np.asarray(masks)
    if scores.ndim != 3 or scores.shape != masks.shape:
        raise InputError(
            f"anomaly maps and masks must be [n, rows, columns] alike, but are {scores.shape} and {masks.shape}"
        )
    if not np.isin(masks, (0, 1)).all():
        raise InputError("masks must be 0 (healthy) or 1 (damaged) in every cell")
    keep = np.ones(scores.shape, dtype=bool)
    if valid is not None:
        valid = np.asarray(valid)
        if valid.dtype != bool or valid.shape not in (scores.shape, scores.shape[1:]):
            raise InputError(
                f"valid must be bool {scores.shape} or {scores.shape[1:]}, but is {valid.dtype} {valid.shape}"
            )
        keep &= valid
    if not np.isfinite(scores[keep]).all():
        raise InputError("anomaly maps must be finite in every valid cell, but NaN or infinities were found")
    return scores, masks == 1, keep


def _regions(damaged: np.ndarray, kind: str) -> np.ndarray:
    """Number of the region of each cell, 0 = healthy."""
    if kind == "map":
        return damaged * np.arange(1, len(damaged) + 1)[:, None, None]
    from scipy.ndimage import label

    touch = np.zeros((3, 3, 3), dtype=bool)
    touch[1] = True  # within a map only
    return label(damaged, structure=touch)[0]
