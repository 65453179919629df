"""What ``toothwise diagnose --output FOLDER`` leaves for ``toothwise report``: the diagnosis and its evidence.

Evidence is what a report needs beside the words: maps, curves and thresholds, in one file of bounded size.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toothwise.detectors.base import Detector
from toothwise.diagnosis.baseline import Baseline, Channel, healthy_course
from toothwise.diagnosis.explain import MapExplanation, explain_map, tooth_waveform
from toothwise.diagnosis.history import Rules, TrackedRecords
from toothwise.diagnosis.summary import RecordSummary
from toothwise.diagnosis.verdict import Diagnosis, MapDiagnosis
from toothwise.errors import InputError
from toothwise.fields import from_mapping, packed, unpacked
from toothwise.files import atomic_file, atomic_folder, check_replaceable, check_writable, finite, write_json
from toothwise.gears import PlanetaryStage
from toothwise.healthmap.core import HealthMapBatch
from toothwise.healthmap.manifest import sha256_of
from toothwise.progress import Progress, silent
from toothwise.reading import as_input_error, parse_json, read_arrays, read_json
from toothwise.reference.healthy_maps import HealthyMaps
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.reference.records import time_column
from toothwise.results import versions

FILE = "evidence.npz"
FORMAT = 2
HEIGHTS = {"warning": 1.0, "alarm": 2.0}  # on the ladder
_HEALTHY = 1000  # healthy records that are shown, the last ones
_MOST = 3000  # records whose course is kept, the last ones


@dataclass(frozen=True, eq=False)
class SequenceEvidence:
    """The course of the n judged records.

    Attributes:
        names: one per judged record; ``index``: place of each among all records, int ``[n]``.
        statistic: Where everything that is watched stands on the ladder (1 = AMBER, 2 = RED, of the channel that is
            highest), float32 ``[n, things]``; ``channels``: what they are.
        contrast: log contrast of every line, float32 ``[n, lines]``; ``line_axis``: int ``[lines]``, 1 rows, 2 columns.
        level: log level over healthy, float32 ``[n]``; ``score``: of the detector, float64 ``[n]``.
        place: condition bin of each record.
    """

    names: tuple[str, ...]
    index: np.ndarray
    statistic: np.ndarray
    channels: tuple[Channel, ...]
    contrast: np.ndarray
    line_axis: np.ndarray
    level: np.ndarray
    score: np.ndarray
    place: tuple[str, ...]

    def channel(self, axis: int, tooth: int) -> int | None:
        """The channel of a tooth, None where it is not watched."""
        for k, c in enumerate(self.channels):
            if (c.kind, c.axis, c.tooth) == ("tooth", axis, tooth):
                return k
        return None

    def line(self, axis: int, tooth: int) -> np.ndarray:
        """Log contrast of a tooth along its whole line ``[n]``."""
        return self.contrast[:, np.flatnonzero(self.line_axis == axis)[tooth]]

    def position(self, place: Mapping[str, Any] | None) -> int | None:
        """Where a record, by its place in the diagnosis, stands among those kept; None = not among them."""
        found = np.flatnonzero(self.index == place["number"] - 1) if place is not None else np.zeros(0, dtype=int)
        return int(found[0]) if len(found) else None


def sequence_evidence(course: TrackedRecords, baseline: Baseline, rules: Rules) -> SequenceEvidence | None:
    """The course of a sequence, of its last 3,000 records; None where no record is judged."""
    if not len(course):
        return None
    last = slice(-_MOST, None)
    return SequenceEvidence(
        names=tuple(one.name for one in course.records[last]),
        index=len(course.past) + course.judged[last],
        statistic=rules.course.step[last].astype(np.float32),
        channels=baseline.things,
        contrast=course.contrast[last].astype(np.float32),
        line_axis=np.asarray(baseline.line_axis),
        level=course.level[last].astype(np.float32),
        score=np.array([one.score for one in course.records[last]]),
        place=tuple(one.place for one in course.records[last]),
    )


@dataclass(frozen=True, eq=False)
class ShownRecords:
    """Numbers beside the judgement: of the n last records, judged or not, and of the healthy ones before them.

    Attributes:
        names, times: One per record, "" where a time is not known; ``number``: from 1 in the whole run, int ``[n]``.
        judged: Bool ``[n]``; ``place``: the condition bin, or why the record could not be judged.
        numbers: By name, ``[n, k]`` (``reference.shown.numbers_shown``), NaN where not known.
        healthy: The same of h healthy maps ``[h, k]``, with their ``contrast`` ``[h, lines]`` and ``level`` ``[h, 1]``
            as the course has them of the records: held out.
    """

    names: tuple[str, ...]
    times: tuple[str, ...]
    number: np.ndarray
    judged: np.ndarray
    place: tuple[str, ...]
    numbers: Mapping[str, np.ndarray]
    healthy: Mapping[str, np.ndarray]


def shown_records(
    seen: Sequence[RecordSummary], reference: HealthyReference, baseline: Baseline, *, before: int
) -> ShownRecords:
    """What is shown of the last 3,000 records, and of the last 1,000 healthy maps.

    Args:
        seen: The records that are kept.
        reference, baseline: That they were judged with.
        before: Records before those of ``seen`` that are no longer kept.
    """
    first = max(len(seen) - _MOST, 0)
    last = seen[first:]
    unknown = {name: (np.nan,) * len(own) for one in last for name, own in one.shown.items()}
    numbers = {
        name: np.array([one.shown.get(name, nan) for one in last], dtype=np.float32) for name, nan in unknown.items()
    }
    index, contrast, level = (part[-_HEALTHY:] for part in healthy_course(reference, baseline))
    healthy = {name: part[index] for name, part in reference.shown.items() if not name.startswith("waveform_")}
    return ShownRecords(
        names=tuple(one.name for one in last),
        times=tuple("" if one.time is None else str(one.time) for one in last),
        number=before + first + 1 + np.arange(len(last)),
        judged=np.array([bool(one.channels) for one in last]),
        place=tuple(one.place for one in last),
        numbers=numbers,
        healthy=healthy | {"contrast": contrast.astype(np.float32), "level": level[:, None].astype(np.float32)},
    )


@dataclass(frozen=True, eq=False)
class DiagnosisEvidence:
    """Everything in ``evidence.npz``.

    Attributes:
        about: of maps, data, detector and versions, JSON types.
        explained: maps that are explained, those that matter most first.
        sequence: the course, None of single maps.
        healthy_best: by axis, the best line's evidence of every held-out healthy map ``[m]``.
        records: numbers beside the judgement, None of single maps.
    """

    about: Mapping[str, Any]
    explained: tuple[MapExplanation, ...]
    sequence: SequenceEvidence | None = None
    healthy_best: dict[int, np.ndarray] = field(default_factory=dict)
    records: ShownRecords | None = None

    def save(self, folder: Path) -> Path:
        """Write ``evidence.npz`` into a folder, whole or not at all."""
        data, arrays = packed(self)
        path = folder / FILE
        with atomic_file(path) as temporary:
            np.savez_compressed(temporary, about=np.array(json.dumps({"format": FORMAT} | data)), **arrays)  # type: ignore[arg-type]
        return path


def load_evidence(folder: Path) -> DiagnosisEvidence:
    """Read ``evidence.npz`` of a folder that ``toothwise diagnose --output`` wrote.

    Raises:
        InputError: no such file, a damaged one, or another format.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            f"{folder}: holds no {FILE}; a diagnosis is the folder of 'toothwise diagnose ... --output FOLDER'"
        )
    arrays = read_arrays(path, "evidence")
    with as_input_error(path, "not readable as evidence"):
        data = parse_json(str(arrays.pop("about")), path)
        if data.pop("format") != FORMAT:
            raise InputError(f"{path}: written by another version of toothwise: diagnose the maps again")
        return from_mapping(DiagnosisEvidence, unpacked(data, arrays), str(path))


RESULT = "diagnosis.json"
_RECENT = 50  # maps of a sequence among which one is looked for
_HASHED = 256 * 2**20  # bytes; larger files are not hashed


def wants_folder(output: Path | None) -> bool:
    """Whether the output is a folder: a name without a suffix, or a folder that is there."""
    return output is not None and (output.is_dir() or not output.suffix)


def check_output(output: Path | None) -> None:
    """Refuse an output before any work.

    Raises:
        InputError: a file of another kind.
        OutputError: a folder that holds something else, or cannot be written.
    """
    if output is None:
        return
    if wants_folder(output):
        check_replaceable(output, RESULT, "a diagnosis")
    elif output.suffix.lower() != ".json":
        raise InputError(f"{output}: the suffix must be .json, but is {output.suffix!r} (a folder's name has none)")
    else:
        check_writable(output.parent)


def about_maps(batch: HealthMapBatch, detector: Detector, reference: HealthyReference) -> dict[str, Any]:
    """Data, maps, detector and versions, JSON types."""
    gear, last = batch.gear, batch.table.iloc[-1]
    named = []
    for name in dict.fromkeys(batch.table["file"].astype(str)) if "file" in batch.table else ():
        path = Path(name)
        known = path.is_file() and path.stat().st_size <= _HASHED
        named.append({"file": name, "sha256": sha256_of(path) if known else None})
    zeros = {str(name): value for name, value in last.items() if str(name).startswith("tooth_zero_")}
    return {
        "made": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        "files": named,
        "maps": len(batch),
        "axes": [{"name": axis.name, "labels": list(axis.labels)} for axis in (batch.rows, batch.columns)],
        "by_record": reference.by_record,
        "quantity": batch.quantity,
        "unit": batch.unit,
        "gear": None if gear is None else str(gear),
        "planets": gear.planets if isinstance(gear, PlanetaryStage) else batch.provenance.get("planets"),
        "times": time_column(batch.table),
        "tooth_zero": finite({name: value for name, value in zeros.items() if pd.notna(value)}),
        "waveforms": batch.waveforms is not None,
        "detector": {
            "name": detector.name,
            "options": detector.options,
            "info": detector.info,
            "threshold": None if detector.threshold is None else asdict(detector.threshold),
            "fingerprint": reference.detector,
        },
        "healthy": {"maps": len(reference), "effective": reference.effective},
        "versions": versions(),
    }


def explain(
    batch: HealthMapBatch,
    found: Diagnosis,
    detector: Detector,
    reference: HealthyReference,
    healthy: HealthyMaps | None,
    *,
    progress: Progress = silent,
) -> tuple[MapExplanation, ...]:
    """Explanations of the maps that a diagnosis names as those that matter most.

    Args:
        batch: The maps of the diagnosis.
        found: Their diagnosis.
        detector, reference: That belong together.
        healthy: Maps kept beside the detector, or None.
        progress: Called with what is being done.
    """
    out = []
    for k in found.explained:
        one = found.each[k]
        progress(f"explaining {one.record}")
        own = None if batch.waveforms is None else batch.waveforms[k]
        looked = own if detector.can.waveforms else None
        why = explain_map(batch.values[k], one.record, detector, reference, healthy, rate=one.rate, waveforms=looked)
        # the tooth of the verdict; where its number is unknown, or none is named, that of the map
        named = [(t.axis, t.tooth) for t in found.teeth if found.sequence and t.tooth is not None]
        named += [(line.axis, line.tooth) for line in one.lines if line.tooth_zero != "unknown"]
        if own is not None and named:
            why = replace(why, tooth=tooth_waveform(own, *named[0], reference))
        out.append(why)
    return tuple(out)


def telling_map(found: Diagnosis, each: Sequence[MapDiagnosis]) -> int:
    """The latest of the last 50 maps that shows the tooth in question by itself, else the last one."""
    last = range(len(each) - 1, max(len(each) - 1 - _RECENT, -1), -1)
    for tooth in found.teeth[:1]:
        for near in ({tooth.tooth}, {tooth.tooth, *tooth.leak}):  # the tooth itself, else one that it leaks into
            for k in last:
                if any(line.axis == tooth.axis and near & {line.tooth, None} for line in each[k].lines):
                    return k
    return len(each) - 1


def write_diagnosis(folder: Path, found: Diagnosis, evidence: DiagnosisEvidence) -> None:
    """Write ``diagnosis.json`` and ``evidence.npz``, the folder whole or not at all; an older one is replaced."""
    with atomic_folder(folder) as temporary:
        write_json(temporary / RESULT, finite(found.as_json()))
        evidence.save(temporary)


def read_diagnosis(folder: Path) -> tuple[dict[str, Any], DiagnosisEvidence]:
    """``diagnosis.json`` and the evidence of a folder that ``write_diagnosis`` wrote.

    Raises:
        InputError: a folder without them, or a damaged file.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; a diagnosis is the folder of 'toothwise diagnose ... --output FOLDER'"
        )
    evidence = load_evidence(folder)
    path = folder / RESULT
    data = read_json(path)
    if not isinstance(data, dict) or not {"colour", "each", "messages"} <= set(data):
        raise InputError(f"{path}: not a diagnosis of this version of toothwise: diagnose the maps again")
    return data, evidence
