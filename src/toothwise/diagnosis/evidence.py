"""What a report needs beside the words of a diagnosis: maps, curves and thresholds, in one file of bounded size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.diagnosis.baseline import Baseline, Channel, healthy_course
from toothwise.diagnosis.explain import Attention, MapExplanation, ToothWaveform
from toothwise.diagnosis.history import Rules, TrackedRecords, things_of
from toothwise.diagnosis.summary import RecordSummary
from toothwise.errors import InputError
from toothwise.files import atomic_file
from toothwise.reading import as_input_error, parse_json, read_arrays
from toothwise.reference.healthy_reference import HealthyReference

FILE = "evidence.npz"
FORMAT = 1
_HEALTHY = 1000  # healthy records that are shown, the last ones
_MOST = 3000  # records whose course is kept, the last ones
_EXPLAINED = ("record", "healthy_by", "nearest_names", "kept", "grid", "token")
_ARRAYS = ("values", "anomaly", "nearest", "nearest_away")
_TOOTH = ("now", "mean", "sd")


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
        heights: on the ladder, of "warning" and "alarm".
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
    heights: dict[str, float]

    def channel(self, axis: int, tooth: int) -> int | None:
        """The channel of a tooth, None where it is not watched."""
        for k, c in enumerate(self.channels):
            if (c.kind, c.axis, c.tooth) == ("tooth", axis, tooth):
                return k
        return None

    def line(self, axis: int, tooth: int) -> np.ndarray:
        """Log contrast of a tooth along its whole line ``[n]``."""
        found: np.ndarray = self.contrast[:, np.flatnonzero(self.line_axis == axis)[tooth]]
        return found

    def position(self, place: Mapping[str, Any] | None) -> int | None:
        """Where a record, by its place in the diagnosis, stands among those kept; None = not among them."""
        found = np.flatnonzero(self.index == place["number"] - 1) if place is not None else np.zeros(0, dtype=int)
        return int(found[0]) if len(found) else None


def sequence_evidence(
    seen: Sequence[RecordSummary],
    course: TrackedRecords,
    baseline: Baseline,
    rules: Rules,
    *,
    before: int = 0,
) -> SequenceEvidence | None:
    """The course of a sequence, of its last 3,000 records; None where no record is judged.

    Args:
        before: records before those of ``seen`` that are no longer kept.
    """
    if not len(course.judged):
        return None
    last = slice(max(len(course.judged) - _MOST, 0), None)
    judged = course.judged[last]
    return SequenceEvidence(
        names=tuple(seen[k].name for k in judged),
        index=before + judged,
        statistic=rules.course.step[last].astype(np.float32),
        channels=things_of(baseline),
        contrast=course.contrast[last].astype(np.float32),
        line_axis=np.asarray(baseline.line_axis),
        level=course.level[last].astype(np.float32),
        score=np.array([seen[k].score for k in judged]),
        place=tuple(seen[k].place for k in judged),
        heights={"warning": 1.0, "alarm": 2.0},
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
    seen: Sequence[RecordSummary],
    reference: HealthyReference,
    baseline: Baseline,
    bins: Mapping[str, Sequence[float]],
    *,
    before: int = 0,
) -> ShownRecords:
    """What is shown of the last 3,000 records, and of the last 1,000 healthy maps.

    Args:
        seen: The records that are kept.
        reference, baseline, bins: That they were judged with.
        before: Records before those of ``seen`` that are no longer kept.
    """
    first = max(len(seen) - _MOST, 0)
    last = seen[first:]
    widths = {name: len(own) for one in last for name, own in one.shown.items()}
    numbers = {}
    for name, k in widths.items():
        unknown = (np.nan,) * k
        numbers[name] = np.array([one.shown.get(name, unknown) for one in last], dtype=np.float32)
    index, contrast, level = (part[-_HEALTHY:] for part in healthy_course(reference, baseline, bins))
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
        arrays = {f"healthy_best.{axis}": values for axis, values in self.healthy_best.items()}
        explained = []
        for k, one in enumerate(self.explained):
            about, own = _packed(one)
            explained.append(about)
            arrays |= {f"map{k}.{name}": array for name, array in own.items()}
        sequence = None
        if self.sequence is not None:
            s = self.sequence
            for name in ("index", "statistic", "contrast", "line_axis", "level", "score"):
                arrays[f"sequence.{name}"] = getattr(s, name)
            arrays["sequence.names"], arrays["sequence.place"] = np.array(s.names), np.array(s.place)
            sequence = {"heights": s.heights, "channels": [[c.kind, c.axis, c.tooth] for c in s.channels]}
        if self.records is not None:
            r = self.records
            for name in ("names", "times", "number", "judged", "place"):
                arrays[f"records.{name}"] = np.array(getattr(r, name))
            arrays |= {f"numbers.{name}": own for name, own in r.numbers.items()}
            arrays |= {f"healthy.{name}": own for name, own in r.healthy.items()}
        text = json.dumps({"format": FORMAT, "about": self.about, "explained": explained, "sequence": sequence})
        path = folder / FILE
        with atomic_file(path) as temporary:
            np.savez_compressed(temporary, about=np.array(text), **arrays)  # type: ignore[arg-type]
        return path


def _packed(one: MapExplanation) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    about = {name: getattr(one, name) for name in _EXPLAINED} | {"height": {str(a): h for a, h in one.height.items()}}
    about["attention"] = [
        {"layer": a.layer, "alpha": a.alpha, "entropy": a.entropy, "axes": list(a.weights)} for a in one.attention
    ]
    arrays = {name: getattr(one, name) for name in _ARRAYS}
    arrays |= {f"evidence{axis}": lines for axis, lines in one.evidence.items()}
    arrays |= {f"usual{axis}": lines for axis, lines in one.usual.items()}
    if one.healthy is not None:
        arrays["healthy"] = one.healthy
    about["tooth"] = None
    if one.tooth is not None:
        about["tooth"] = [one.tooth.axis, one.tooth.tooth]
        arrays |= {f"tooth.{name}": getattr(one.tooth, name) for name in _TOOTH}
    for a in one.attention:
        arrays |= {f"attention{a.layer}{axis}": weight for axis, weight in a.weights.items()}
    return about, arrays


def _unpacked(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> MapExplanation:
    def by_axis(name: str) -> dict[int, np.ndarray]:
        return {axis: arrays[f"{name}{axis}"] for axis in (1, 2) if f"{name}{axis}" in arrays}

    attention = tuple(
        Attention(
            int(a["layer"]),
            tuple(a["alpha"]),
            {axis: arrays[f"attention{a['layer']}{axis}"] for axis in a["axes"]},
            dict(a["entropy"]),
        )
        for a in about["attention"]
    )

    def pair(name: str) -> tuple[int, int] | None:
        return None if about[name] is None else (int(about[name][0]), int(about[name][1]))

    return MapExplanation(
        record=about["record"],
        healthy_by=about["healthy_by"],
        nearest_names=tuple(about["nearest_names"]),
        evidence=by_axis("evidence"),
        usual=by_axis("usual"),
        height={int(axis): float(h) for axis, h in about["height"].items()},
        healthy=arrays.get("healthy"),
        attention=attention,
        kept=pair("kept") or (0, 0),
        grid=pair("grid"),
        token=pair("token"),
        values=arrays["values"],
        anomaly=arrays["anomaly"],
        nearest=arrays["nearest"],
        nearest_away=arrays["nearest_away"],
        tooth=None
        if about.get("tooth") is None
        else ToothWaveform(
            int(about["tooth"][0]), int(about["tooth"][1]), *(arrays[f"tooth.{name}"] for name in _TOOTH)
        ),
    )


def _records(parts: Mapping[str, Mapping[str, np.ndarray]]) -> ShownRecords | None:
    own = parts.get("records")
    if own is None:
        return None
    texts = {name: tuple(map(str, own[name].tolist())) for name in ("names", "times", "place")}
    return ShownRecords(
        number=own["number"],
        judged=own["judged"],
        numbers=parts.get("numbers", {}),
        healthy=parts.get("healthy", {}),
        **texts,
    )


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
        if data["format"] != FORMAT:
            raise InputError(f"{path}: format {data['format']} is not {FORMAT}, the one this version reads")
        parts: dict[str, dict[str, np.ndarray]] = {}
        for name, array in arrays.items():
            head, _, rest = name.partition(".")
            parts.setdefault(head, {})[rest] = array
        explained = tuple(_unpacked(one, parts[f"map{k}"]) for k, one in enumerate(data["explained"]))
        sequence = None
        if data["sequence"] is not None:
            own = parts["sequence"]
            sequence = SequenceEvidence(
                names=tuple(map(str, own.pop("names").tolist())),
                place=tuple(map(str, own.pop("place").tolist())),
                channels=tuple(Channel(str(k), int(a), int(t)) for k, a, t in data["sequence"]["channels"]),
                heights=dict(data["sequence"]["heights"]),
                **own,
            )
        healthy_best = {int(axis): values for axis, values in parts.get("healthy_best", {}).items()}
        return DiagnosisEvidence(data["about"], explained, sequence, healthy_best, _records(parts))
