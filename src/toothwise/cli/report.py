"""Write the report of a diagnosis: one HTML file that needs nothing else, and a PDF to hand over.

RUN is the folder that 'toothwise diagnose ... --output FOLDER' wrote (or the folder 'watched' of 'toothwise demo'). The
first screen and the first page hold the verdict, what to do, the map and the alarm timeline; then come evidence,
reasons, method, limits, data and versions. The PDF needs the extra 'report': pip install '.[report]'.

examples:
  toothwise report runs/today
  toothwise report runs/today --language ko --format both
  toothwise report runs/today --format pdf --output handover/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.errors import MissingDependencyError
from toothwise.files import atomic_file, check_writable


@dataclass(frozen=True)
class Options:
    """Of what, as what.

    Attributes:
        run: folder of a diagnosis.
        format: "html", "pdf" or "both"; None = HTML, and the PDF where the extra is installed.
        language: code of the language.
        output: folder of the files, None = the run's own.
    """

    run: Path
    format: Literal["html", "pdf", "both"] | None = None
    language: Literal["en", "ko"] = "en"
    output: Path | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """RUN and the options above."""
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="folder of 'toothwise diagnose ... --output FOLDER'")
    add(
        "--format",
        type=Literal["html", "pdf", "both"] | None,
        metavar="html|pdf|both",
        help="default: both, or HTML alone where the extra 'report' is not installed",
    )
    add("--language", type=Literal["en", "ko"], default="en", metavar="en|ko", help="English or Korean")
    add("--output", type=Path | None, metavar="DIR", help="folder of the files (default: RUN)")


def run(options: Options, progress: Progress) -> Result:
    """Read, draw, write."""
    from toothwise.reporting.diagnosis_report import report_of_folder
    from toothwise.reporting.html_page import to_html
    from toothwise.reporting.pdf_pages import can_write_pdf, needs, to_pdf

    wanted = ("html", "pdf") if options.format in (None, "both") else (options.format,)
    left_out = None
    if "pdf" in wanted and not can_write_pdf():
        if options.format is not None:
            raise MissingDependencyError(needs())
        wanted, left_out = ("html",), needs()
    folder = options.run if options.output is None else options.output
    check_writable(folder)
    progress(f"reading {options.run}")
    document = report_of_folder(options.run, options.language)
    progress("writing")
    content = {"html": lambda: to_html(document).encode(), "pdf": lambda: to_pdf(document)}
    stem = "report" if options.language == "en" else f"report.{options.language}"
    made = {folder / f"{stem}.{kind}": content[str(kind)]() for kind in wanted}
    for path, written in made.items():
        with atomic_file(path) as temporary:
            temporary.write_bytes(written)
    files = [str(path) for path in made]
    data = {"run": str(options.run), "language": options.language, "files": files, "no_pdf": left_out}

    def text() -> str:
        return "".join(f"{file}\n" for file in files) + (f"No PDF: {left_out}\n" if left_out else "")

    return Result(data, text)
