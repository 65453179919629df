"""The model behind a service: maps in, answers out. Knows nothing of HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise import __version__
from toothwise.detectors.base import Prediction, as_array
from toothwise.detectors.outside import mark_noise
from toothwise.detectors.pooling import evidence_of
from toothwise.diagnosis.monitor import Monitor, map_threshold
from toothwise.diagnosis.store import MemoryStore
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.errors import InputError, ToothwiseError
from toothwise.exported.export import check_maps
from toothwise.files import finite
from toothwise.healthmap.conditions import SWINGS
from toothwise.healthmap.core import HealthMapBatch, gear_as_json
from toothwise.model import MapsAbout, Model
from toothwise.reference.healthy_reference import HealthyReference, best_evidence

# what a job keeps of its maps' table
TOLD: dict[str, type] = {"not_learned": str, "gear_level": float, **dict.fromkeys(SWINGS, float)}


@dataclass(frozen=True, eq=False)
class Job:
    """Maps of one request.

    Attributes:
        values: What ``Expected.check`` made of them.
        records: A name per map.
        include: What the answers hold besides the verdict: "evidence", "anomaly_map", "map", "sequence".
        told: Per map what the columns ``TOLD`` of its table say, None = nothing.
        bad: Place, name and reason of each map of the request that cannot be used.
    """

    values: np.ndarray
    records: tuple[str, ...]
    include: frozenset[str] = frozenset()
    told: dict[str, list[Any]] = field(default_factory=dict)
    bad: tuple[tuple[int, str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def pack(self) -> bytes:
        """As bytes that ``unpack`` takes without unpickling anything."""
        about = [self.values.shape, self.records, sorted(self.include), self.told, self.bad]
        head = json.dumps(about).encode()
        return len(head).to_bytes(4, "big") + head + np.ascontiguousarray(self.values, "<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> Job:
        """The inverse of ``pack``."""
        end = 4 + int.from_bytes(data[:4], "big")
        shape, records, include, told, bad = json.loads(data[4:end])
        values = np.frombuffer(data, "<f4", offset=end).reshape(shape)
        bad = tuple(map(tuple, bad))
        return cls(values, tuple(records), frozenset(include), told, bad)


@dataclass(frozen=True)
class Expected:
    """What maps of a model are like.

    Attributes:
        about: Shape, axes, quantity, unit and gear.
        positive: Whether the diagnosis takes their logarithm.
        samples: Of each mesh's waveform, which the detector looks at; 0 = it looks at values alone.
    """

    about: MapsAbout
    positive: bool
    samples: int = 0

    def check(self, found: Any) -> np.ndarray:
        """Maps as the service takes them, float32 ``[k, rows, columns]``, NaN where no pair meshes.

        Where the detector looks at waveforms, ``[k, rows, columns, 1 + samples]``: the value and then the waveform.

        Args:
            found: A HealthMap, a HealthMapBatch, or an array ``[k, rows, columns]``.

        Raises:
            InputError: Another kind of maps or shape, infinite values, a map without any value, values that are not
                positive, or no waveforms where they are needed.
        """
        values = np.asarray(getattr(found, "values", found))
        if not isinstance(found, np.ndarray):
            self.about.check(MapsAbout.of(found))
        maps = as_array(values[None] if values.ndim == 2 else values, shape=self.about.shape)
        if self.positive and np.nanmin(maps) <= 0:
            raise InputError(f"maps must be positive, but the smallest value is {float(np.nanmin(maps)):.4g}")
        if not self.samples:
            return maps
        waveforms = getattr(found, "waveforms", None)
        if waveforms is None or waveforms.shape[-1] != self.samples:
            raise InputError(
                f"the model looks at waveforms of {self.samples} samples per mesh, which this map does not hold: send "
                "recordings, or .npz maps that the model's own MapBuilder built"
            )
        return np.concatenate([maps[..., None], waveforms.reshape(*maps.shape, self.samples)], axis=3)


@dataclass(frozen=True, eq=False)
class Service:
    """A model that answers.

    Attributes:
        model: What is served.
        alone: Held while the detector works: not every engine takes two threads at once.
    """

    model: Model
    alone: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _preparing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _monitors: dict[bool, Monitor] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def open(cls, folder: str | Path, *, threads: int | None = None) -> Service:
        """The service of a model's folder.

        Raises:
            InputError, MissingDependencyError: As ``Model.open``.
        """
        return cls(Model.open(folder, threads=threads))

    @property
    def expected(self) -> Expected:
        """What its maps are like."""
        return Expected(self.model.about, self.model.reference is not None, self.model.detector.samples)

    @cached_property
    def threshold(self) -> float | None:
        """The score above which a map alarms: where its verdict calls a tooth AMBER, if the score tells that."""
        if self.model.reference is None:
            return map_threshold(self.model)
        return self._monitor(in_order=False).threshold()

    def answer(self, jobs: Sequence[Job]) -> list[list[dict[str, Any]] | Exception]:
        """Answers of all jobs, scored together; where that fails, each alone, so that one spoils no other."""
        try:
            return list(self._together(jobs))
        except ToothwiseError as error:
            if len(jobs) == 1:
                return [error]
        return [answer for job in jobs for answer in self.answer([job])]

    def _together(self, jobs: Sequence[Job]) -> list[list[dict[str, Any]]]:
        model, maps = self.model, self._batch(jobs)
        said: list[Diagnosis | None] = [None] * len(maps)
        with self.alone:
            found = model.detector.predict(maps)
            maps = mark_noise(maps, model.detector, found.score, lambda: self.threshold)
            if model.reference is not None:
                said = list(self._monitor(in_order=False).alone(maps, found))
        each = iter(range(len(maps)))
        return [[self._one(k, maps, found, said[k], job.include) for k in islice(each, len(job))] for job in jobs]

    def _one(
        self, k: int, maps: HealthMapBatch, found: Prediction, said: Diagnosis | None, include: frozenset[str]
    ) -> dict[str, Any]:
        threshold, about = self.threshold, maps.table.iloc[k]
        score, (rows, columns) = float(found.score[k]), evidence_of(found)
        over = "no threshold is known" if threshold is None else f"threshold {threshold:.4g}"
        bare = f"Score {score:.4g}, {over}; the model has no healthy reference, so no tooth is named."
        answer: dict[str, Any] = {
            "record": about["name"],
            "score": score,
            "threshold": threshold,
            # the threshold holds at conditions that were learned
            "alarm": None if threshold is None or about.get("not_learned") else score > threshold,
            "row": None if rows is None else int(np.argmax(rows[k])),
            "column": None if columns is None else int(np.argmax(columns[k])),
            "severity": None if found.severity is None else float(found.severity[k]),
            "p_value": None if found.p_value is None else float(found.p_value[k]),
            "diagnosis": None if said is None else said.as_json(),
            "verdict": bare if said is None else said.sentence,
        }
        if "evidence" in include:
            answer["row_evidence"] = None if rows is None else rows[k].tolist()
            answer["column_evidence"] = None if columns is None else columns[k].tolist()
        if "anomaly_map" in include:
            answer["anomaly_map"] = found.anomaly_map[k].tolist()
        if "map" in include:
            answer["map"] = maps.values[k].tolist()
        return dict(finite(answer))

    def monitor(self, job: Job) -> tuple[Monitor, Diagnosis]:
        """What the Monitor says of maps together, and the Monitor, which has the evidence.

        Args:
            job: One map or more; names that come again are numbered. Where it asks for "sequence" they are records in
                time order; otherwise each is judged on its own.

        Raises:
            InputError: The model has no healthy reference, or too few healthy maps for a sequence.
        """
        batch = self._batch([job])
        names = batch.table["name"]
        again = names.groupby(names).cumcount()
        names = names.where(again == 0, names + " (" + (again + 1).astype(str) + ")")
        monitor = self._monitor(in_order="sequence" in job.include).beside(MemoryStore())
        with self.alone:
            return monitor, monitor.add(replace(batch, table=batch.table.assign(name=names)))

    def _monitor(self, *, in_order: bool) -> Monitor:
        """The monitor whose control limits all requests share."""
        with self._preparing:  # seconds for the control limits, once
            first = self._monitors.setdefault(in_order, Monitor(self.model, {"sequence": in_order}))
            first.limits()
        return first

    def _batch(self, jobs: Sequence[Job]) -> HealthMapBatch:
        """Maps of jobs as one batch."""
        about, waveforms = self.model.about, None
        values = np.concatenate([job.values for job in jobs])
        if values.ndim == 4:
            values, waveforms = values[..., 0], values[..., 1:]
        table = pd.DataFrame({"name": [record for job in jobs for record in job.records]}, dtype=str)
        for name in TOLD:
            told = [one for job in jobs for one in job.told.get(name, [None] * len(job))]
            if any(one is not None for one in told):
                table[name] = told
        kind = (about.rows, about.columns, table, about.quantity, about.unit, about.gear)
        return HealthMapBatch(values, *kind, waveforms=waveforms)

    def about(self) -> dict[str, Any]:
        """What ``GET /v1/model`` says."""
        model = self.model
        detector, reference, about = model.detector, model.reference, model.about
        known = detector.threshold
        return {
            "run": "" if model.folder is None else model.folder.resolve().name,
            "detector": detector.name,
            "options": {key: value for key, value in detector.options.items() if key != "weights"},
            "shape": list(about.shape),
            "rows": about.rows.name,
            "columns": about.columns.name,
            "quantity": about.quantity,
            "unit": about.unit,
            "gear": None if about.gear is None else gear_as_json(about.gear),
            "threshold": self.threshold,
            "detector_threshold": None if known is None else asdict(known) | {"interval": list(known.interval)},
            "healthy_maps": None if reference is None else len(reference),
            "healthy_evidence": None if reference is None else _healthy_band(reference),
            "fingerprint": model.fingerprint,
            "exported": model.exported,
            "files": model.files,
            "toothwise": __version__,
        }

    def warm_up(self) -> Job:
        """A map for the first run, which is slow."""
        values, detector = self.example()[None], self.model.detector
        if detector.samples:
            values = np.concatenate([values[..., None], check_maps(detector, 1)], axis=3)
        return Job(values, ("example",))

    def example(self) -> np.ndarray:
        """A simulated map ``[rows, columns]`` with a bright row, on the level of the healthy maps; always the same."""
        reference, (rows, columns) = self.model.reference, self.model.about.shape
        if reference is None:
            return np.asarray(check_maps(self.model.detector, 1)[0])
        rng = np.random.default_rng(0)
        noise = reference.segment_scatter(1, 1)
        values = float(np.median(reference.level)) + noise * rng.standard_normal((rows, columns))
        values[rows // 3, columns // 6 : columns // 6 + max(columns // 2, 2)] += 3.0 * noise
        return np.exp(values).astype(np.float32)


def _healthy_band(reference: HealthyReference) -> dict[str, list[float]]:
    """By axis, the evidence of the best line that all but 5 % of the held-out healthy maps lie between."""
    names = {1: "rows", 2: "columns"}
    best = best_evidence(reference)
    return {names[axis]: [float(v) for v in np.quantile(found, (0.025, 0.975))] for axis, found in best.items()}
