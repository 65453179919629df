"""Some of the healthy maps that a detector was fitted on, kept beside it to be looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toothwise.errors import InputError
from toothwise.files import atomic_file
from toothwise.reading import as_input_error, parse_json, read_arrays

__all__ = ["FILE", "HealthyMaps", "keep_healthy", "load_healthy_maps"]

FILE = "healthy_maps.npz"
FORMAT = 1
_MOST = 60  # maps
_BYTES = 8 * 2**20  # of their values


@dataclass(frozen=True, eq=False)
class HealthyMaps:
    """Healthy maps, evenly spread over those that a detector was fitted on.

    Attributes:
        detector: fingerprint of the detector.
        values: float32 ``[n, rows, columns]``; names: one per map.
        of: healthy maps that the detector was fitted on.
    """

    detector: str
    values: np.ndarray
    names: tuple[str, ...]
    of: int

    def nearest(self, one: np.ndarray, known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The maps most like a given one, the level of both taken off.

        Args:
            one: map ``[rows, columns]``, positive.
            known: bool of that shape, the cells that are compared (those outside of a finding).
            count: how many.

        Returns:
            Indices, nearest first, and the root mean square difference of the logarithms of each.
        """
        with np.errstate(all="ignore"):
            x, y = np.log(one.astype(np.float64)), np.log(self.values.astype(np.float64))
        cells = known & np.isfinite(x)[None] & np.isfinite(y)
        away = np.full(len(y), np.inf)
        for k, mask in enumerate(cells):
            if mask.any():
                gap = (x - y[k])[mask]
                away[k] = float(np.sqrt(np.mean((gap - np.median(gap)) ** 2)))
        order = np.argsort(away, kind="stable")[:count]
        order = order[np.isfinite(away[order])]
        return order, away[order]

    def save(self, folder: str | Path) -> Path:
        """Write ``healthy_maps.npz`` into the folder of the saved detector, whole or not at all."""
        path = Path(folder) / FILE
        about = json.dumps({"format": FORMAT, "detector": self.detector, "of": self.of})
        with atomic_file(path) as temporary:
            np.savez_compressed(temporary, about=np.array(about), values=self.values, names=np.array(self.names))
        return path


def keep_healthy(detector: str, values: np.ndarray, names: np.ndarray) -> HealthyMaps:
    """Choose the maps to keep: at most 60, and at most 8 MiB of them.

    Args:
        detector: fingerprint of the detector.
        values: the healthy maps ``[n, rows, columns]``, in time order.
        names: one per map.
    """
    count = max(1, min(_MOST, len(values), _BYTES // max(values[0].size * 4, 1)))
    index = np.unique(np.linspace(0, len(values) - 1, count).round().astype(int))
    return HealthyMaps(detector, values[index].astype(np.float32), tuple(map(str, names[index])), len(values))


def load_healthy_maps(folder: str | Path, detector: str) -> HealthyMaps | None:
    """The healthy maps beside a saved detector, None where none are kept (fitted before there were any).

    Raises:
        InputError: a damaged file, or one that belongs to another detector.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    arrays = read_arrays(path, "healthy maps")
    with as_input_error(path, "not readable as healthy maps"):
        about, values, names = parse_json(str(arrays["about"]), path), arrays["values"], arrays["names"]
        if values.ndim != 3 or values.dtype != np.float32 or names.shape != values.shape[:1]:
            raise InputError(f"{path}: healthy maps must be float32 [n, rows, columns] with a name each")
        found = HealthyMaps(str(about["detector"]), values, tuple(map(str, names.tolist())), int(about["of"]))
    if found.detector != detector:
        raise InputError(f"{path}: belongs to another detector than {Path(folder) / 'model.json'}: fit it again")
    return found
