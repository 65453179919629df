"""Build the paper: make paper, or python paper/build.py.

    python paper/build.py --no-pdf     # only the LaTeX input: values, tables, figures

Everything under paper/build is made anew from benchmarks/results, so nothing in the paper can be older than its results; a
number that has none stops the build. Needs latexmk (Debian: latexmk texlive-latex-recommended texlive-fonts-recommended lmodern).
The official ICLR style is used where iclr*_conference.sty and .bst lie in paper/style.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tex
from claims import judge, read_claims
from figures import write_figures
from method_figure import write_method_figure
from tables import write_tables
from tex import MissingResultError, read, write
from values import all_values

HERE = Path(__file__).parent
PAGES = 9
NEEDS = "latexmk texlive-latex-base texlive-latex-recommended texlive-fonts-recommended lmodern"
PLAIN = r"""\usepackage{lmodern}
\usepackage[letterpaper,textwidth=5.5in,textheight=9in,centering]{geometry}
\usepackage{natbib}
\setlength{\parindent}{0pt}\setlength{\parskip}{5.5pt}
\makeatletter
\renewcommand\section{\@startsection{section}{1}{\z@}{-2ex plus -.5ex minus -.2ex}{1ex}{\large\bfseries}}
\renewcommand\subsection{\@startsection{subsection}{2}{\z@}{-1.5ex plus -.4ex minus -.2ex}{.6ex}{\normalsize\bfseries}}
\renewcommand\paragraph{\@startsection{paragraph}{4}{\z@}{.5ex plus .3ex}{-1em}{\normalsize\bfseries}}
\makeatother
\newcommand{\references}{plainnat}
"""


def make_input() -> None:
    """Values, tables, figures and style in paper/build.

    Raises:
        MissingResultError: a result is missing.
    """
    shutil.rmtree(tex.BUILD, ignore_errors=True)
    tex.BUILD.mkdir()
    studies = {p.stem: read(f"studies/{p.stem}") for p in sorted((tex.RESULTS / "studies").glob("*.json"))}
    if "direction" not in studies:
        raise MissingResultError("results/studies/direction.json: missing; run the study 'direction' first")
    studies = {"direction": studies.pop("direction"), **studies}
    for name, data in studies.items():
        if data["config"]["smoke"]:
            raise MissingResultError(f"results/studies/{name}.json: is of a smoke run")
    claims, verdicts = read_claims(), judge(studies)
    values = all_values(studies, verdicts)
    write("values.tex", "".join(rf"\expandafter\def\csname val@{k}\endcsname{{{v}}}" + "\n" for k, v in values.items()))
    write_tables(studies, claims, verdicts)
    write_figures(studies)
    write_method_figure()
    write("style.tex", style())


def style(folder: Path = HERE / "style") -> str:
    """The venue's style where the user has put it, the newest of several; else the same text width."""
    found = sorted(folder.glob("iclr*_conference.sty"))
    if not found:
        return PLAIN
    name = f"{folder.name}/{found[-1].stem}"
    references = name if found[-1].with_suffix(".bst").is_file() else "plainnat"
    return f"\\usepackage{{{name},times}}\n\\usepackage{{natbib}}\n\\newcommand{{\\references}}{{{references}}}\n"


def missing_values() -> list[str]:
    """Names that the text uses and no result has; LaTeX would stop at the first."""
    known = set(re.findall(r"val@(.+?)\\endcsname\{", (tex.BUILD / "values.tex").read_text(encoding="utf-8")))
    used = {
        m for p in HERE.glob("sections/*.tex") for m in re.findall(r"\\val\{([^}]+)\}", p.read_text(encoding="utf-8"))
    }
    return sorted(used - known)


def typeset() -> Path:
    """Run latexmk; the PDF."""
    if shutil.which("latexmk") is None:
        sys.exit(f"latexmk is not installed; on Debian and Ubuntu: apt-get install {NEEDS}")
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-silent", "main.tex"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        log = HERE / "main.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        errors = [line for line in lines if line.startswith("!")]
        sys.exit("LaTeX failed: " + ("\n".join(errors) or done.stdout + done.stderr))
    return HERE / "main.pdf"


def main_text_pages() -> int:
    """Pages up to the end of the main text."""
    found = re.search(
        r"newlabel\{end-of-main-text\}\{\{[^}]*\}\{(\d+)\}", (HERE / "main.aux").read_text(encoding="utf-8")
    )
    return int(found[1]) if found else 0


def main() -> None:
    """Build, and check what the venue asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-pdf", action="store_true", help="only the LaTeX input")
    parser.add_argument("--results", type=Path, default=tex.RESULTS, help="folder of results files")
    parser.add_argument("--build", type=Path, default=tex.BUILD, help="folder of the LaTeX input; only with --no-pdf")
    args = parser.parse_args()
    tex.RESULTS, tex.BUILD = args.results, args.build
    try:
        make_input()
    except MissingResultError as error:
        sys.exit(str(error))
    if missing := missing_values():
        sys.exit(f"No result for: {', '.join(missing)}")
    if args.no_pdf:
        return
    path, pages = typeset(), main_text_pages()
    print(f"{path.relative_to(HERE.parent)}: main text {pages} pages")
    if not 0 < pages <= PAGES:
        sys.exit(f"The main text has {pages} pages; {PAGES} are allowed")


if __name__ == "__main__":
    main()
