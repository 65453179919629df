"""The report of a diagnosis: verdict, map and timeline first, then everything behind them, as HTML and PDF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toothwise.diagnosis.evidence import DiagnosisEvidence, read_diagnosis
from toothwise.errors import missing
from toothwise.files import atomic_file, check_writable
from toothwise.messages import Language
from toothwise.messages import language as language_of
from toothwise.progress import Progress, silent
from toothwise.reading import as_input_error
from toothwise.reporting.document import Document
from toothwise.reporting.evidence_part import evidence_part
from toothwise.reporting.explanation_part import explanation_part
from toothwise.reporting.first_part import first_part
from toothwise.reporting.html_page import to_html
from toothwise.reporting.method_part import data_and_versions, limits, method
from toothwise.reporting.pdf_pages import can_write_pdf, to_pdf
from toothwise.reporting.shown import Shown, shown


def write_report(
    folder: str | Path,
    language: str = "en",
    *,
    pdf: bool | None = None,
    output: str | Path | None = None,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Write the report of a diagnosis as ``report.html`` and ``report.pdf`` (``report.ko.html`` in Korean).

    Args:
        folder: The folder of a diagnosis, as ``toothwise diagnose --output`` writes it.
        language: Code of the language, "en" or "ko".
        pdf: Whether to write the PDF too; None writes it where fpdf2 (extra "report") is installed.
        output: Folder to write to; None writes beside the diagnosis.
        progress: Told what is being written.

    Returns:
        The files that were written.

    Raises:
        InputError: There is no such diagnosis, one of its files is damaged, or the language is unknown.
        OutputError: The files cannot be written.
        MissingDependencyError: A PDF is asked for and fpdf2 is not installed.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from toothwise.diagnosis.evidence import write_diagnosis
        >>> from toothwise.diagnosis.monitor import Monitor
        >>> from toothwise.model import Model
        >>> from toothwise.reporting.report import write_report
        >>> from toothwise.simulate.maps import generate
        >>> healthy, _ = generate(domain="C", n=60, faulty=False, seed=1, shape=(12, 17))
        >>> monitor = Monitor(Model.fit(healthy), {"sequence": False})
        >>> found = monitor.add(generate(domain="C", n=1, faulty=True, seed=2, shape=(12, 17))[0])
        >>> folder = Path(mkdtemp()) / "today"
        >>> write_diagnosis(folder, found, monitor.evidence())
        >>> [file.name for file in write_report(folder, pdf=False)]
        ['report.html']
    """
    if pdf and not can_write_pdf():
        raise missing("fpdf", "a PDF")
    place = Path(folder if output is None else output)
    check_writable(place)
    pdf = can_write_pdf() if pdf is None else pdf
    whole = 9 if pdf else 4  # times of the parts are about as 2 (drawing), 2 (HTML) and 5 (PDF)
    progress("drawing the report", 0.0)
    document = report_of_folder(Path(folder), language)
    stem = "report" if language == "en" else f"report.{language}"
    progress(f"writing {stem}.html", 2 / whole)
    content = {place / f"{stem}.html": to_html(document).encode()}
    if pdf:
        progress(f"writing {stem}.pdf", 4 / whole)
        content[place / f"{stem}.pdf"] = to_pdf(document)
    for path, written in content.items():
        with atomic_file(path) as temporary:
            temporary.write_bytes(written)
    return tuple(content)


def report_of_folder(folder: Path, code: str) -> Document:
    """The report of a folder that ``toothwise diagnose --output`` wrote.

    Args:
        folder: The folder of a diagnosis.
        code: Code of the language, "en" or "ko".

    Raises:
        InputError: There is no such diagnosis, one of its files is damaged, or the language is unknown.
    """
    language = language_of(code)
    data, evidence = read_diagnosis(folder)
    with as_input_error(folder, "diagnosis.json and evidence.npz do not belong together, or are of another version"):
        return report_of(data, evidence, language)


def report_of(data: Mapping[str, Any], evidence: DiagnosisEvidence, language: Language) -> Document:
    """The report of a diagnosis as blocks.

    Args:
        data: The contents of ``diagnosis.json``.
        evidence: The evidence that belongs to it.
        language: The language of the report.
    """
    report = shown(data, evidence, language)
    parts = (evidence_part, explanation_part, method, limits, data_and_versions)
    return Document(
        title=language.say("Gear tooth diagnosis"),
        subtitle=_subtitle(report),
        language=language.code,
        first=first_part(report),
        rest=[block for part in parts for block in part(report)],
        made=str(report.about["made"]),
        page=language.say("page {page} of {pages}", page="{page}", pages="{pages}"),
    )


def _subtitle(report: Shown) -> str:
    about, language = report.about, report.language
    rows, columns = (len(axis["labels"]) for axis in about["axes"])
    files = ", ".join(Path(entry["file"]).name or str(entry["file"]) for entry in about["files"][:3])
    files = (files or language.say("memory")) + (" ..." if len(about["files"]) > 3 else "")
    size = {"maps": about["maps"], "rows": rows, "columns": columns}
    judged = {"records": report.d["judged"], "healthy": report.d["healthy"]}
    what = {"files": files, "date": str(about["made"])[:10], "detector": about["detector"]["name"], **size, **judged}
    if report.d["sequence"]:
        return language.say(
            "{records} records from {files}, judged by {healthy} healthy ones; diagnosed on {date} with detector "
            "{detector}",
            **what,
        )
    if about["maps"] == 1:
        return language.say(
            "Map of {rows} x {columns} from {files}; diagnosed on {date} with detector {detector}", **what
        )
    return language.say(
        "{maps} maps of {rows} x {columns} from {files}; diagnosed on {date} with detector {detector}", **what
    )
