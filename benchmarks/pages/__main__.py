"""Write the pages of docs/ that state results, from the files in benchmarks/results/.

python benchmarks/pages           # write them
python benchmarks/pages --check   # exit 1 where one is not what its results say
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from benchmark import benchmark
from common import ROOT
from encoder import encoder
from family import family
from hums2023 import hums2023
from performance import performance
from service import service
from severity import severity
from studies import results

from diagnosis import diagnosis
from vibration import vibration_results

PAGES: dict[str, Callable[[], str]] = {
    "docs/hums2023.md": hums2023,
    "docs/vibration-results.md": vibration_results,
    "docs/benchmark.md": benchmark,
    "docs/severity.md": severity,
    "docs/family.md": family,
    "docs/encoder.md": encoder,
    "docs/results.md": results,
    "docs/diagnosis-results.md": diagnosis,
    "docs/performance.md": performance,
    "docs/service-results.md": service,
}


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page().rstrip("\n") + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    word = "out of date" if check else "written"
    sys.stdout.write("".join(f"{word}: {name}\n" for name in stale))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
