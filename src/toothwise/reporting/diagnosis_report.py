"""The report of a run of ``toothwise diagnose``: verdict, map and timeline first, then everything behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toothwise.diagnosis.evidence import RunEvidence
from toothwise.diagnosis.run_folder import read_run
from toothwise.messages import Language, messages_from
from toothwise.messages import language as language_of
from toothwise.reading import as_input_error
from toothwise.reporting.document import Block, Document
from toothwise.reporting.explanation_part import explanation_of
from toothwise.reporting.map_part import map_evidence, map_first
from toothwise.reporting.method_part import data_and_versions, limits, method
from toothwise.reporting.sensor_part import sensor_note
from toothwise.reporting.sequence_part import sequence_evidence_blocks, sequence_first
from toothwise.reporting.short_names import names_table, with_short_names

__all__ = ["report_of_folder", "report_of_run"]


def report_of_folder(folder: Path, code: str) -> Document:
    """The report of a folder that ``toothwise diagnose --output`` wrote.

    Args:
        folder: of the run.
        code: of the language, "en" or "ko".

    Raises:
        InputError: no such run, a damaged file, or an unknown language.
    """
    language = language_of(code)
    data, evidence = read_run(folder)
    with as_input_error(folder, "diagnosis.json and evidence.npz do not belong together, or are of another version"):
        return report_of_run(data, evidence, language)


def report_of_run(data: Mapping[str, Any], evidence: RunEvidence, language: Language) -> Document:
    """The report of a diagnosis.

    Args:
        data: what ``diagnosis.json`` holds.
        evidence: that belongs to it.
        tell: the language.
    """
    data = messages_from(data)
    data, evidence, renamed = with_short_names(data, evidence)
    about = evidence.about
    if "diagnosis" in data:
        first = sequence_first(data, evidence, language, numbered=bool(renamed))
        rest: list[Block] = sequence_evidence_blocks(data, evidence, language)
        explained = [data["explained_map"]]
    else:
        first = map_first(data, evidence, language)
        rest = map_evidence(data, evidence, language)
        by_record = {one["record"]: one for one in data["each"]}
        explained = [by_record[one.record] for one in evidence.explained]
    for one, why in zip(explained, evidence.explained, strict=True):
        rest += explanation_of(
            one,
            why,
            about,
            language,
            several=len(explained) > 1,
            in_sequence="diagnosis" in data,
            note=sensor_note(data, language),
        )
    rest += [*method(data, about, language), *limits(data, about, language), *data_and_versions(data, about, language)]
    rest += names_table(renamed, language)
    rows, columns = (len(axis["labels"]) for axis in about["axes"])
    made = str(about["made"])
    files = ", ".join(Path(entry["file"]).name or str(entry["file"]) for entry in about["files"][:3])
    place: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "files": files + (" ..." if len(about["files"]) > 3 else ""),
        "date": made[:10],
        "detector": about["detector"]["name"],
    }
    if about["maps"] == 1:
        subtitle = language.say(
            "Map of {rows} x {columns} from {files}; diagnosed on {date} with detector {detector}", **place
        )
    elif "diagnosis" in data and data.get("fitted_on"):  # a run of the main job tells no maps that were fitted on
        subtitle = language.say(
            "{maps} maps of {rows} x {columns} from {files}, the first {known} of them known as healthy and not "
            "judged; diagnosed on {date} with detector {detector}",
            maps=about["maps"],
            known=data["fitted_on"],
            **place,
        )
    else:
        subtitle = language.say(
            "{maps} maps of {rows} x {columns} from {files}; diagnosed on {date} with detector {detector}",
            maps=about["maps"],
            **place,
        )
    return Document(
        title=language.say("Gear tooth diagnosis"),
        subtitle=subtitle,
        language=language.code,
        first=first,
        rest=rest,
        made=made,
        page=language.say("page {page} of {pages}", page="{page}", pages="{pages}"),
    )
