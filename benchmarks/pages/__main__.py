"""Write the pages of docs/ that state results, from the templates here and the files in benchmarks/results/.

python benchmarks/pages           # write them
python benchmarks/pages --check   # exit 1 where one is not what its results say
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import detector_options
import line_tables
import means
import study_curves
import study_figures
import study_pairs
import study_tables
from engine import ROOT, environment


def main() -> int:
    """Write or check the pages; pages that are written draw their figures anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    check = parser.parse_args().check
    pages = environment(
        line=line_tables,
        means=means,
        options=detector_options,
        pairs=study_pairs,
        studies=study_tables,
        figures=study_figures,
        curves=study_curves,
    )
    stale = []
    for template in sorted(Path(__file__).parent.glob("*.md.j2")):
        path = ROOT / "docs" / template.stem
        text = pages.get_template(template.name).render().rstrip("\n") + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(ROOT))
            if not check:
                path.write_text(text, encoding="utf-8")
    if not check:
        study_figures.draw_all()
        study_curves.draw_all()
        line_tables.draw_gains()
    word = "out of date" if check else "written"
    sys.stdout.write("".join(f"{word}: {name}\n" for name in stale))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
