"""Write the report of a diagnosis: one HTML file that needs nothing else, and a PDF to hand over.

DIAGNOSIS is the folder that 'toothwise diagnose ... --output FOLDER' or 'toothwise demo' wrote. The first screen and
the first page hold the verdict, what to do, the map and the alarm timeline; then come evidence, reasons, method,
limits, data and versions. The PDF needs the extra 'report', see 'Install' in the README.

examples:
  toothwise report runs/today
  toothwise report runs/today --language ko --pdf true
  toothwise report runs/today --pdf false --output handover/
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from toothwise.cli.parser import Result
from toothwise.cli.terminal import Progress
from toothwise.errors import missing


@dataclass(frozen=True)
class Options:
    """Which diagnosis to report, and how.

    Attributes:
        diagnosis (DIAGNOSIS): Folder of a diagnosis.
        pdf: Whether to write a PDF too; without this option, where the extra 'report' is installed.
        language: Language of the report, English or Korean.
        output (DIR): Folder of the files, in place of DIAGNOSIS.
    """

    diagnosis: Path
    _: KW_ONLY
    pdf: bool | None = None
    language: Literal["en", "ko"] = "en"
    output: Path | None = None


def run(options: Options, progress: Progress) -> Result:
    """Read the diagnosis, draw, write."""
    from toothwise.reporting.report import write_report

    files = write_report(options.diagnosis, options.language, pdf=options.pdf, output=options.output, progress=progress)
    without = len(files) == 1 and options.pdf is None
    note = f"No PDF: {missing('fpdf', 'a PDF')}" if without else None
    named = [str(file) for file in files]
    data = {"diagnosis": str(options.diagnosis), "language": options.language, "files": named, "no_pdf": note}
    return Result(data, lambda: "".join(f"{line}\n" for line in [*named, *([note] if note else [])]))
