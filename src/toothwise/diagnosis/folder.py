"""What ``toothwise diagnose --output FOLDER`` leaves for ``toothwise report``: the diagnosis and its evidence."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from toothwise.detectors.base import Detector
from toothwise.diagnosis.evidence import DiagnosisEvidence, load_evidence
from toothwise.diagnosis.explain import MapExplanation, explain_map, tooth_waveform
from toothwise.diagnosis.verdict import Diagnosis, MapDiagnosis
from toothwise.errors import InputError
from toothwise.files import atomic_folder, check_replaceable, check_writable, finite, write_json
from toothwise.gears import PlanetaryStage
from toothwise.healthmap.core import Axis, Gears
from toothwise.progress import Progress, silent
from toothwise.reading import read_json
from toothwise.reference.healthy_maps import HealthyMaps
from toothwise.reference.healthy_reference import HealthyReference
from toothwise.results import versions

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


def about_run(
    files: Sequence[str],
    detector: Detector,
    reference: HealthyReference,
    *,
    maps: int,
    rows: Axis,
    columns: Axis,
    by_record: bool,
    quantity: str = "unknown",
    unit: str = "1",
    gear: Gears | str | None = None,
    waveforms: bool = False,
    planets: int | None = None,
    times: str | None = None,
    tooth_zero: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Data, maps, detector and versions, JSON types.

    Args:
        files: that the maps came from, as they were named.
        detector, reference: that belong together.
        maps: how many.
        rows, columns, by_record, quantity, unit, gear, waveforms: what the maps are.
        planets: how many planets there are, of a planetary stage.
        times: column of the maps' table that tells when they were recorded.
        tooth_zero: what the table says of it (columns ``tooth_zero_...``) of the last map.
    """
    named = []
    for name in files:
        path = Path(name)
        known = path.is_file() and path.stat().st_size <= _HASHED
        named.append({"file": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest() if known else None})
    return {
        "made": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        "files": named,
        "maps": maps,
        "axes": [{"name": axis.name, "labels": list(axis.labels)} for axis in (rows, columns)],
        "by_record": by_record,
        "quantity": quantity,
        "unit": unit,
        "gear": None if gear is None else str(gear),
        "planets": gear.planets if isinstance(gear, PlanetaryStage) else planets,
        "times": times,
        "tooth_zero": dict(tooth_zero or {}),
        "waveforms": waveforms,
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
    healthy: HealthyMaps | None,
    maps: np.ndarray,
    found: Diagnosis,
    detector: Detector,
    reference: HealthyReference,
    *,
    waveforms: np.ndarray | None = None,
    progress: Progress = silent,
) -> tuple[MapExplanation, ...]:
    """Explanations of the maps that a diagnosis names as those that matter most.

    Args:
        healthy: Maps kept beside the detector, or None.
        maps: The maps of the diagnosis, ``[n, rows, columns]``.
        found: Their diagnosis.
        detector, reference: That belong together.
        waveforms: Of the maps, or None.
        progress: Called with what is being done.
    """
    out = []
    for k in found.explained:
        one = found.each[k]
        progress(f"explaining {one.record}")
        own = None if waveforms is None else waveforms[k]
        looked = own if detector.can.waveforms else None
        why = explain_map(maps[k], one.record, detector, reference, healthy, rate=one.rate, waveforms=looked)
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
