"""The contract of every detector: fit on healthy maps, predict, and what it can do."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from toothwise.detectors.outside import comparable, loudest_gear
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import Threshold
from toothwise.healthmap.core import HealthMap, HealthMapBatch
from toothwise.healthmap.logarithm import log_positive
from toothwise.progress import Progress, silent

FEW = 16  # healthy maps; of fewer no tail can be counted

Maps = np.ndarray | HealthMapBatch | Sequence[HealthMap]


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

    @property
    def lines(self) -> np.ndarray | None:
        """Evidence of all lines, rows first, ``[n, lines]``; None where there is none."""
        known = [part for part in (self.row_evidence, self.column_evidence) if part is not None]
        return np.concatenate(known, axis=1) if known else None

    def of(self, index: np.ndarray) -> Prediction:
        """The prediction of some of the maps: an index or a mask ``[n]``."""
        some: dict[str, Any] = {name: None if part is None else part[index] for name, part in vars(self).items()}
        return Prediction(**some)

    @classmethod
    def of_teeth(cls, rows: np.ndarray, columns: np.ndarray, anomaly_map: np.ndarray | None = None) -> Prediction:
        """From the evidence of rows and columns, the largest of which is the score; None = without anomaly maps."""
        pixels = np.empty((len(rows), 0, 0)) if anomaly_map is None else anomaly_map
        score = np.maximum(rows.max(axis=1), columns.max(axis=1))
        return cls(score, pixels.astype(np.float32), row_evidence=rows, column_evidence=columns)


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


@dataclass(frozen=True)
class Abilities:
    """What a detector can do, with its default options.

    Attributes:
        rows, columns: Gives evidence of rows, of columns.
        severity: Says the contrast or severity of damage.
        positive: Needs positive maps, because it takes their logarithm.
        photographs: Takes images of any kind through anomalib as well.
        export: How it is exported: "numpy" (as it is, it needs no network), "network" (as an engine's graph), "parts"
            (detectors exported each for itself), or "" (not at all).
        waveforms: Looks at the maps' mesh waveforms, which only maps from recordings have.
        fewest: Healthy maps that a threshold needs.
    """

    rows: bool = False
    columns: bool = False
    severity: bool = False
    positive: bool = False
    photographs: bool = False
    export: str = ""
    waveforms: bool = False
    fewest: int = FEW


class Detector(ABC):
    """Base of all detectors.

    A subclass sets ``name``, keeps its constructor's keyword options in ``self.options`` (JSON types), and implements
    ``_fit``, ``_predict``, ``_state`` and ``_restore``, and declares what it can in ``can``. ``toothwise.Model`` keeps
    it in a folder, with all that belongs to it.
    """

    name: ClassVar[str]
    can: ClassVar[Abilities] = Abilities()
    option_groups: ClassVar[tuple[type, ...]] = ()  # dataclasses whose fields are options too

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.shape: tuple[int, int] | None = None
        self.threshold: Threshold | None = None
        self.info: dict[str, Any] = {}
        self.source_fingerprint: str | None = None  # of an exported one: what the detector it came from is known by
        self.held_out: Prediction | None = None  # of the healthy maps by cross-validation; without maps, not saved
        self.drawn: Prediction | None = None  # of records drawn from the scatter of few healthy ones; not saved

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"

    def fit(self, maps: Maps, progress: Progress = silent) -> Detector:
        """Learn from healthy maps. Returns self."""
        values = self.input_of(maps)
        self._fit(values, progress)
        self.shape = (values.shape[1], values.shape[2])
        return self

    def predict(
        self, maps: Maps, progress: Progress = silent, *, not_learned: Sequence[str | None] | None = None
    ) -> Prediction:
        """Score maps of the shape that was fitted.

        A map at a speed or load that was not learned is judged by its teeth among each other, where the detector can
        (``among_teeth``): that is its evidence, and its score is above the threshold if a tooth stands out.

        Args:
            maps: As of ``as_array``.
            progress: Called with what is being done.
            not_learned: Per map which condition was not learned; None = as the table of a HealthMapBatch says.
        """
        if self.shape is None:
            raise InputError(f"{self.name} has not been fitted: call fit(maps), or open a fitted model")
        values = self.input_of(maps, shape=self.shape)
        found = self._predict(values, progress)
        if not_learned is None:
            not_learned = list(maps.table.get("not_learned", ())) if isinstance(maps, HealthMapBatch) else ()
        outside = np.flatnonzero([comparable(why) for why in not_learned])
        told = self.among_teeth(values[outside]) if len(outside) and self.can.waveforms else None
        if told is None or found.row_evidence is None or found.column_evidence is None:
            return found
        height = 0.0 if self.threshold is None else self.threshold.value
        found.row_evidence[outside], found.column_evidence[outside] = told
        found.score[outside] = [height + loudest_gear(gears)[1] for gears in zip(*told, strict=True)]
        return found

    def input_of(self, maps: Maps, *, shape: tuple[int, int] | None = None) -> np.ndarray:
        """What this detector looks at: the maps' values, or float32 ``[n, rows, columns, samples]`` of their waveforms.

        Raises:
            InputError: As ``as_array``; or maps that have no waveforms, where the detector needs them.
        """
        if not self.can.waveforms:
            return as_array(maps, shape=shape)
        if isinstance(maps, np.ndarray):
            waveforms = maps if maps.ndim == 4 else None
        else:
            as_array(maps, shape=shape)
            each = [maps.waveforms] if isinstance(maps, HealthMapBatch) else [one.waveforms for one in maps]
            known = [one for one in each if one is not None]
            waveforms = None if len(known) < len(each) else known[0] if known[0].ndim == 4 else np.stack(known)
        if waveforms is None:
            raise InputError(
                f"{self.name} needs the mesh waveforms of maps, which are built from recordings less a healthy "
                "waveform (MapBuilder.learn); these maps have none"
            )
        return np.asarray(waveforms, dtype=np.float32)

    def waveforms_of(self, maps: Maps) -> np.ndarray | None:
        """The waveforms of maps where this detector looks at them, else None; errors as of ``input_of``."""
        return self.input_of(maps) if self.can.waveforms else None

    @property
    def samples(self) -> int:
        """Samples of each mesh's waveform, 0 of a detector that does not look at waveforms."""
        return 0

    def rebuild(self, maps: Maps) -> np.ndarray | None:
        """Maps as this detector thinks they would look healthy, float32 ``[n, rows, columns]``.

        None where a detector rebuilds no maps: most judge without, and Dinomaly rebuilds features.
        """
        return None

    def scatter_ratio(self, values: np.ndarray) -> np.ndarray:
        """How many times as far as in any healthy map the cells of maps scatter, float64 ``[n]``; at least 1.

        1 of detectors that look at no cells.

        Args:
            values: Maps ``[n, rows, columns]``.
        """
        return np.ones(len(values))

    def from_few(self, maps: Maps) -> tuple[Prediction, Prediction]:
        """Of the few healthy maps that it was fitted on: each by all others, and records drawn from what they scatter.

        Raises:
            InputError: A detector that cannot be fitted on fewer than 16 maps.
        """
        raise InputError(f"{self.name} cannot be fitted on fewer than {FEW} healthy maps")

    def among_teeth(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """How far teeth stand out among those of their gear, where nothing that was learned holds.

        Log energies less the median of the gear, ``[n, rows]`` and ``[n, columns]``; None of detectors that cannot.

        Args:
            waveforms: Of maps at a condition that was not learned, ``[n, rows, columns, samples]``.
        """
        return None

    def along_line(self, waveforms: np.ndarray, axis: int, tooth: int) -> np.ndarray:
        """How surely a tooth's waveform is there at each of its meshes, of detectors that look at waveforms.

        float64 ``[places]``; its healthy spread is 1.

        Args:
            waveforms: Of one map, ``[rows, columns, samples]``.
            axis: 1 = the tooth is a row, 2 = a column.
            tooth: Which one.
        """
        raise NotImplementedError

    def amplitude(self, waveforms: np.ndarray, axis: int, tooth: int, whole: np.ndarray) -> float:
        """How large the waveform is that a tooth adds to all its meshes; arguments as of ``along_line``.

        ``whole``: waveforms of the map before anything was taken off it, which tell what the usual tooth holds.
        """
        raise NotImplementedError

    def damaged_teeth(self, waveforms: np.ndarray, axis: int) -> tuple[tuple[int, ...], int]:
        """Teeth that explain what is heard of a gear, in their order, and how many meshes they fill from the first on.

        () = not known: the one with most evidence. ``waveforms`` and ``axis`` as of ``along_line``.
        """
        return (), 1

    def without_line(self, waveforms: np.ndarray, axis: int, tooth: int, places: slice, wide: int = 1) -> np.ndarray:
        """One map's waveforms with a tooth, or so many from it on, sound at some of its places; as ``along_line``."""
        raise NotImplementedError

    @abstractmethod
    def _fit(self, values: np.ndarray, progress: Progress) -> None:
        """Fit on float32 ``[n, rows, columns]``."""

    @abstractmethod
    def _predict(self, values: np.ndarray, progress: Progress) -> Prediction: ...

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]:
        """Everything that was learned, as arrays."""

    @abstractmethod
    def _restore(self, state: dict[str, np.ndarray]) -> None: ...


class ArrayDetector(Detector):
    """A detector that learns a few arrays, those that ``learns`` names."""

    learns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._learned: dict[str, np.ndarray] = {}

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        """Maps as float64, their logarithms where the option asks for these."""
        x = values.astype(np.float64)
        return log_positive(x, self.name, "use log=false for such maps") if self.options["log"] else x

    def _state(self) -> dict[str, np.ndarray]:
        return dict(self._learned)

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self._learned = {name: state[name] for name in self.learns}


def fingerprint(detector: Detector) -> str:
    """SHA-256 of a fitted detector: name, options, shape and everything learned. Another fit, another fingerprint.

    An exported detector has that of the detector it came from.
    """
    if detector.source_fingerprint is not None:
        return detector.source_fingerprint
    fitted_as = [detector.name, detector.options, detector.shape]
    digest = hashlib.sha256(json.dumps(fitted_as, sort_keys=True).encode())
    for key, array in sorted(detector._state().items()):
        digest.update(key.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
