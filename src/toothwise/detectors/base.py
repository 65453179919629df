"""The contract of every detector: fit on healthy maps, predict, save, load."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from toothwise import __version__
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold, threshold_from_json
from toothwise.files import atomic_folder, check_replaceable, write_json
from toothwise.healthmap.core import HealthMap, HealthMapBatch
from toothwise.reading import as_input_error, read_json

__all__ = ["FILE", "Detector", "Maps", "Prediction", "as_array"]

Maps = np.ndarray | HealthMapBatch | Sequence[HealthMap]
FILE = "model.json"  # of a fitted detector
OLD_FILE = "detector.json"  # as version 0.1 wrote it
FORMAT = 2
_FORMATS = (1, 2)  # that this version reads; 1 lacks what a model adds to its detector


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a detector says of n maps.

    Attributes:
        score: float64 ``[n]``, raw and never clamped; larger = more anomalous.
        anomaly_map: float32 ``[n, rows, columns]`` in map pixels; NaN where the map is NaN.
        severity: float64 ``[n]`` or None.
        row_evidence: float64 ``[n, rows]`` or None, larger = this row (driving tooth) is more suspicious.
        column_evidence: float64 ``[n, columns]`` or None.
        p_value: float64 ``[n]`` or None, chance of such a score on a healthy map.
    """

    score: np.ndarray
    anomaly_map: np.ndarray
    severity: np.ndarray | None = None
    row_evidence: np.ndarray | None = None
    column_evidence: np.ndarray | None = None
    p_value: np.ndarray | None = None

    @property
    def row(self) -> np.ndarray:
        """Most suspicious row of each map, int ``[n]`` (from row_evidence, else the row mean of the anomaly map)."""
        evidence = np.nanmean(self.anomaly_map, axis=2) if self.row_evidence is None else self.row_evidence
        return np.nanargmax(evidence, axis=1)

    @property
    def column(self) -> np.ndarray:
        """Most suspicious column of each map, int ``[n]`` (from column_evidence, else the largest pixel's)."""
        evidence = self.column_evidence
        if evidence is None:
            # a column that no pair meshes in is NaN throughout and cannot be the worst one
            evidence = np.nan_to_num(self.anomaly_map, nan=-np.inf).max(axis=1)
        return np.argmax(evidence, axis=1)

    def of(self, index: np.ndarray) -> Prediction:
        """The prediction of some of the maps: an index or a mask ``[n]``."""
        names = ("severity", "row_evidence", "column_evidence", "p_value")
        known = {name: getattr(self, name)[index] for name in names if getattr(self, name) is not None}
        return Prediction(self.score[index], self.anomaly_map[index], **known)


def as_array(maps: Maps, *, shape: tuple[int, int] | None = None) -> np.ndarray:
    """The values of maps as float32 ``[n, rows, columns]``.

    Args:
        maps: an array ``[n, rows, columns]``, a HealthMapBatch, or a sequence of HealthMaps of one shape.
        shape: rows and columns that a fitted detector expects.

    Raises:
        InputError: wrong dimensions, mixed or unexpected shapes, infinite values, a map that is NaN only.
    """
    if isinstance(maps, HealthMap):
        raise InputError("expected a batch of maps [n, rows, columns], but got one map: pass it in a list")
    if isinstance(maps, HealthMapBatch):
        values = maps.values
    elif isinstance(maps, np.ndarray):
        values = maps
    else:
        shapes = {m.shape for m in maps}
        if len(shapes) != 1:
            raise InputError(f"maps of one batch must have one shape, but got {sorted(shapes) or 'no map'}")
        values = np.stack([m.values for m in maps])
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind not in "fiu":
        raise InputError(f"maps must be numbers [n, rows, columns], but got {values.dtype} {values.shape}")
    values = np.asarray(values, dtype=np.float32)
    if np.isinf(values).any():
        raise InputError("maps must be finite or NaN, but infinities were found")
    empty = np.isnan(values).all(axis=(1, 2))
    if empty.any():
        raise InputError(f"map {int(np.argmax(empty))} holds NaN only: no tooth pair was measured")
    if shape is not None and values.shape[1:] != tuple(shape):
        raise InputError(
            f"this detector was fitted on maps of {shape[0]} x {shape[1]} (rows x columns), "
            f"but got {values.shape[1]} x {values.shape[2]}: other teeth or another window"
        )
    return values


def given(scope: dict[str, Any]) -> dict[str, Any]:
    """The named arguments of a constructor, from its ``locals()`` at the beginning."""
    return {name: value for name, value in scope.items() if name not in ("self", "__class__", "options")}


class Detector(ABC):
    """Base of all detectors.

    A subclass sets ``name``, keeps its constructor's keyword options in ``self.options`` (JSON types), and implements
    ``_fit``, ``_predict``, ``_state`` and ``_restore``. Saved = a folder with ``model.json`` (options, shape,
    threshold, version, info) and ``state.safetensors``; loading never runs code from the folder.
    """

    name: ClassVar[str]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.shape: tuple[int, int] | None = None
        self.threshold: Threshold | None = None
        self.info: dict[str, Any] = {}
        self.watch: Callable[[float], None] | None = None  # called with the share done of a long fit or predict
        self.source_fingerprint: str | None = None  # of an exported one: what the detector it came from is known by
        self.held_out: Prediction | None = None  # of the healthy maps by cross-validation; without maps, not saved

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"

    def fit(self, maps: Maps) -> Detector:
        """Learn from healthy maps. Returns self."""
        values = as_array(maps)
        self._fit(values)
        self.shape = (values.shape[1], values.shape[2])
        return self

    def predict(self, maps: Maps) -> Prediction:
        """Score maps of the shape that was fitted."""
        if self.shape is None:
            raise InputError(f"{self.name} has not been fitted: call fit(maps) or load a saved detector first")
        return self._predict(as_array(maps, shape=self.shape))

    def rebuild(self, maps: Maps) -> np.ndarray | None:
        """Maps as this detector thinks they would look healthy, float32 ``[n, rows, columns]``.

        None where a detector rebuilds no maps: most judge without, and Dinomaly rebuilds features.
        """
        del maps
        return None

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the state into a folder that is there; returns what ``model.json`` must say of it.

        Raises:
            InputError: It has not been fitted.
        """
        if self.shape is None:
            raise InputError(f"{self.name} has not been fitted: there is nothing to save")
        from safetensors.numpy import save_file

        path = folder / "state.safetensors"
        save_file({k: np.ascontiguousarray(v) for k, v in self._state().items()}, path)
        return {
            "format": FORMAT,
            "detector": self.name,
            "options": self.options,
            "shape": list(self.shape),
            "threshold": None if self.threshold is None else asdict(self.threshold),
            "info": self.info,
            "toothwise": __version__,
            "state_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }

    def save(self, folder: str | Path) -> Path:
        """Write the detector alone to a folder, whole or not at all; ``Model.save`` writes what a diagnosis needs too.

        Raises:
            InputError: It has not been fitted.
            OutputError: The folder cannot be written, or holds something other than a saved detector.
        """
        check_replaceable(Path(folder), FILE, "a model")
        with atomic_folder(Path(folder)) as temporary:
            write_json(temporary / FILE, self.write(temporary))
        return Path(folder)

    @classmethod
    def _load(cls, meta: dict[str, Any], folder: Path) -> Detector:
        from safetensors.numpy import load

        with as_input_error(folder / FILE, f"not the options of {cls.name}"):
            detector = cls(**meta["options"])
            detector.threshold = None if meta["threshold"] is None else threshold_from_json(meta["threshold"])
        detector.shape = (meta["shape"][0], meta["shape"][1])
        detector.info = meta["info"]
        path = folder / "state.safetensors"
        with as_input_error(path, "not a readable detector state"):
            content = path.read_bytes()
            state = load(content)
        if meta.get("state_sha256", digest := hashlib.sha256(content).hexdigest()) != digest:
            raise InputError(f"{path}: was changed after it was saved (its sha256 does not fit)")
        with as_input_error(path, f"not the state of {cls.name}"):
            detector._restore(state)
        return detector

    @abstractmethod
    def _fit(self, values: np.ndarray) -> None:
        """Fit on float32 ``[n, rows, columns]``."""

    @abstractmethod
    def _predict(self, values: np.ndarray) -> Prediction: ...

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]:
        """Everything that was learned, as arrays."""

    @abstractmethod
    def _restore(self, state: dict[str, np.ndarray]) -> None: ...


def read_meta(folder: Path) -> dict[str, Any]:
    """``model.json`` of a fitted model, or ``detector.json`` of version 0.1, checked."""
    path = next((folder / name for name in (FILE, OLD_FILE) if (folder / name).is_file()), None)
    if path is None:
        raise InputError(f"{folder}: not a model (it has no {FILE})")
    return check_meta(read_json(path), path)


def check_meta(meta: Any, path: Path) -> dict[str, Any]:
    """The content of a ``model.json``, if it is one.

    Raises:
        InputError: something is missing or of another type.
    """
    given = set(meta) if isinstance(meta, dict) else set()
    missing = {"format", "detector", "options", "shape", "threshold", "info"} - given
    if missing:
        raise InputError(f"{path}: lacks {', '.join(sorted(missing))}")
    if meta["format"] not in _FORMATS:
        raise InputError(
            f"{path}: unsupported format {meta['format']!r:.20}; this version reads {' and '.join(map(str, _FORMATS))}"
        )
    kinds = {"detector": str, "options": dict, "shape": list, "threshold": dict | None, "info": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(meta[name], kind)]
    if not wrong and not isinstance(meta["info"].get("maps", {}), dict):
        wrong = ["info.maps"]
    if wrong or len(meta["shape"]) != 2 or any(type(n) is not int or not 0 < n < 2**16 for n in meta["shape"]):
        raise InputError(f"{path}: misstates {', '.join(wrong) or 'shape'}")
    return meta
