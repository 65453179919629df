"""The report of a run of ``toothwise diagnose``: verdict, map and timeline first, then everything behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toothwise.diagnosis.evidence import RunEvidence
from toothwise.diagnosis.run_folder import read_run
from toothwise.messages import Language, language, messages_from
from toothwise.reading import understood
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
    tell = language(code)
    data, evidence = read_run(folder)
    with understood(folder, "diagnosis.json and evidence.npz do not belong together, or are of another version"):
        return report_of_run(data, evidence, tell)


def report_of_run(data: Mapping[str, Any], evidence: RunEvidence, tell: Language) -> Document:
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
        first = sequence_first(data, evidence, tell, numbered=bool(renamed))
        rest: list[Block] = sequence_evidence_blocks(data, evidence, tell)
        explained = [data["explained_map"]]
    else:
        first = map_first(data, evidence, tell)
        rest = map_evidence(data, evidence, tell)
        by_record = {one["record"]: one for one in data["each"]}
        explained = [by_record[one.record] for one in evidence.explained]
    for one, why in zip(explained, evidence.explained, strict=True):
        rest += explanation_of(
            one,
            why,
            about,
            tell,
            several=len(explained) > 1,
            in_sequence="diagnosis" in data,
            note=sensor_note(data, tell),
        )
    rest += [*method(data, about, tell), *limits(data, about, tell), *data_and_versions(data, about, tell)]
    rest += names_table(renamed, tell)
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
        subtitle = tell.say(
            "Map of {rows} x {columns} from {files}; diagnosed on {date} with detector {detector}", **place
        )
    elif "diagnosis" in data and data.get("fitted_on"):  # a run of the main job tells no maps that were fitted on
        subtitle = tell.say(
            "{maps} maps of {rows} x {columns} from {files}, the first {known} of them known as healthy and not "
            "judged; diagnosed on {date} with detector {detector}",
            maps=about["maps"],
            known=data["fitted_on"],
            **place,
        )
    else:
        subtitle = tell.say(
            "{maps} maps of {rows} x {columns} from {files}; diagnosed on {date} with detector {detector}",
            maps=about["maps"],
            **place,
        )
    return Document(
        title=tell.say("Gear tooth diagnosis"),
        subtitle=subtitle,
        language=tell.code,
        first=first,
        rest=rest,
        made=made,
        page=tell.say("page {page} of {pages}", page="{page}", pages="{pages}"),
    )
