"""The detector behind a service: maps in, answers out. Knows nothing of HTTP."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toothwise import __version__
from toothwise.detectors.base import Detector, Prediction, as_array
from toothwise.diagnosis.findings import MapDiagnosis
from toothwise.diagnosis.single import diagnose_maps
from toothwise.errors import InputError, ToothwiseError
from toothwise.exported.export import check_maps
from toothwise.healthmap.core import Axis, gear_as_json
from toothwise.healthmap.map_builder import MapBuilder
from toothwise.model import Model
from toothwise.reference.healthy_reference import HealthyReference, evidence_of, fingerprint

__all__ = ["Job", "Service", "open_service"]

RATE = 0.01  # chance that a healthy map is called anything
INCLUDE = ("evidence", "anomaly_map", "map")


@dataclass(frozen=True, eq=False)
class Job:
    """Maps of one request.

    Attributes:
        values: float32 ``[k, rows, columns]``, NaN where no pair meshes, of the service's shape.
        records: a name per map.
        include: what the answers hold besides the verdict, of ``INCLUDE``.
    """

    values: np.ndarray
    records: tuple[str, ...]
    include: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Expected:
    """What maps of a model are like.

    Attributes:
        shape: Rows and columns.
        positive: Whether the diagnosis takes their logarithm.
    """

    shape: tuple[int, int]
    positive: bool

    def check(self, found: Any) -> np.ndarray:
        """Maps as the detector takes them, float32 ``[k, rows, columns]``.

        Raises:
            InputError: another shape, infinite values, a map without any value, values that are not positive.
        """
        values = np.asarray(getattr(found, "values", found))
        maps = as_array(values[None] if values.ndim == 2 else values, shape=self.shape)
        if self.positive and np.nanmin(maps) <= 0:
            raise InputError(f"maps must be positive, but the smallest value is {float(np.nanmin(maps)):.4g}")
        return maps


@dataclass(frozen=True, eq=False)
class Service:
    """A detector with what it needs to tell which tooth.

    Attributes:
        run: name of its folder, without the path.
        detector, reference: that belong together; None = scores and thresholds only.
        rows, columns: axes of its maps.
        gear: of the maps, as JSON, or None.
        files: sha256 of each file of an exported folder.
        alone: held while the detector works: not every engine takes two threads at once.
    """

    run: str
    detector: Detector
    reference: HealthyReference | None
    rows: Axis
    columns: Axis
    gear: dict[str, Any] | None
    files: dict[str, str] = field(default_factory=dict)
    builder: Any = None
    alone: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def expected(self) -> Expected:
        """What its maps are like."""
        return Expected((len(self.rows), len(self.columns)), positive=self.reference is not None)

    def answer(self, jobs: Sequence[Job]) -> list[list[dict[str, Any]] | Exception]:
        """Answers of all jobs, scored together; where that fails, each alone, so that one spoils no other."""
        try:
            return list(self._together(jobs))
        except ToothwiseError as error:
            if len(jobs) == 1:
                return [error]
        return [answer for job in jobs for answer in self.answer([job])]

    def _together(self, jobs: Sequence[Job]) -> list[list[dict[str, Any]]]:
        values = np.concatenate([job.values for job in jobs])
        records = [record for job in jobs for record in job.records]
        judged: list[MapDiagnosis | None] = [None] * len(values)
        with self.alone:
            found = self.detector.predict(values)
            if self.reference is not None:
                judged = list(
                    diagnose_maps(
                        values,
                        self.detector,
                        self.reference,
                        rate=RATE,
                        rows=self.rows,
                        columns=self.columns,
                        records=records,
                        first=found,
                    )
                )
        rows, columns = evidence_of(found)
        answers, at = [], 0
        for job in jobs:
            part = range(at, at + len(job))
            answers.append(
                [self._one(k, records[k], values, found, judged[k], rows, columns, job.include) for k in part]
            )
            at += len(job)
        return answers

    def _one(
        self,
        k: int,
        record: str,
        values: np.ndarray,
        found: Prediction,
        judged: MapDiagnosis | None,
        rows: np.ndarray | None,
        columns: np.ndarray | None,
        include: frozenset[str],
    ) -> dict[str, Any]:
        threshold = None if self.detector.threshold is None else float(self.detector.threshold.value)
        score = float(found.score[k])
        answer: dict[str, Any] = {
            "record": record,
            "score": score,
            "threshold": threshold,
            "alarm": None if threshold is None else score > threshold,
            "row": None if rows is None else int(np.argmax(rows[k])),
            "column": None if columns is None else int(np.argmax(columns[k])),
            "severity": None if found.severity is None else _number(found.severity[k]),
            "p_value": None if found.p_value is None else _number(found.p_value[k]),
            "diagnosis": None if judged is None else judged.as_json(),
        }
        if judged is None:
            over = "no threshold is known" if threshold is None else f"threshold {threshold:.4g}"
            answer["verdict"] = (
                f"Score {score:.4g}, {over}; the detector has no healthy reference, so no tooth is named."
            )
        else:
            answer["verdict"] = judged.verdict
        if "evidence" in include:
            answer["row_evidence"] = None if rows is None else _numbers(rows[k])
            answer["column_evidence"] = None if columns is None else _numbers(columns[k])
        if "anomaly_map" in include:
            answer["anomaly_map"] = _numbers(found.anomaly_map[k])
        if "map" in include:
            answer["map"] = _numbers(values[k])
        return answer

    def about(self) -> dict[str, Any]:
        """What ``GET /v1/model`` tells."""
        threshold = self.detector.threshold
        return {
            "run": self.run,
            "detector": self.detector.name,
            "options": {key: value for key, value in self.detector.options.items() if key != "weights"},
            "shape": list(self.expected.shape),
            "rows": self.rows.name,
            "columns": self.columns.name,
            "gear": self.gear,
            "threshold": None if threshold is None else asdict(threshold) | {"interval": list(threshold.interval)},
            "healthy_maps": None if self.reference is None else len(self.reference),
            "false_alarms_per_map": None if self.reference is None else RATE,
            "fingerprint": fingerprint(self.detector),
            "exported": bool(self.files),
            "files": self.files,
            "toothwise": __version__,
        }

    def example(self) -> np.ndarray:
        """A made-up map ``[rows, columns]`` with one bright row, on the level of the healthy maps; always the same."""
        if self.reference is None:
            return np.asarray(check_maps(self.detector, 1)[0])
        rng = np.random.default_rng(0)
        noise = self.reference.segment_scatter(1, 1)
        rows, columns = self.expected.shape
        values = float(np.median(self.reference.level)) + noise * rng.standard_normal(self.expected.shape)
        values[rows // 3, columns // 6 : columns // 6 + max(columns // 2, 2)] += 3.0 * noise
        return np.exp(values).astype(np.float32)


def _number(value: Any) -> float | None:
    """A float, None where it is not finite: JSON has no word for it."""
    value = float(value)
    return value if np.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[Any]:
    """Nested lists, None where a value is not finite."""
    plain = np.asarray(values, dtype=np.float64)
    if np.isfinite(plain).all():
        return list(plain.tolist())
    known = plain.astype(object)
    known[~np.isfinite(plain)] = None
    return list(known.tolist())


def open_service(run: str | Path, *, threads: int | None = None) -> Service:
    """A service of a fitted or exported model.

    Raises:
        InputError, MissingDependencyError: As ``Model.open``.
    """
    model = Model.open(run, threads=threads)
    about, builder = model.about, model.builder
    if builder is None and about.gear is not None:
        builder = MapBuilder(about.gear)
    return Service(
        run=Path(run).resolve().name,
        detector=model.detector,
        reference=model.reference,
        rows=about.rows,
        columns=about.columns,
        gear=None if about.gear is None else gear_as_json(about.gear),
        builder=builder,
        files=model.files if model.exported else {},
    )
