"""Follows a page of the documentation as a reader does: its commands and its Python, in order, in the current folder.

    python benchmarks/measuring/walk.py docs/tutorial-pair.md     # prints a JSON line per step

A step is a fenced block of ``bash`` or ``python``. A block of ``text`` right below shows what it prints: ``...`` stands
for anything, numbers may differ in their third digit. A step whose title begins with "not run" is counted, not run.
Needs the standard library alone, so that it runs in whatever environment a page asks for.
"""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r'^```(bash|python)(?: title="([^"]*)")?\n(.*?)^```\n(?:\n?```text\n(.*?)^```$)?', flags=re.DOTALL | re.MULTILINE
)
_NEEDS = re.compile(r"^\*Needs [^*]*`\.\[([a-z0-9,]+)\]`", flags=re.MULTILINE)
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


@dataclass(frozen=True)
class Step:
    """A block of a page.

    Attributes:
        kind: "bash" or "python".
        code: What is run.
        title: What the page writes over it, or "".
        shown: What the page says that it prints, or "".
    """

    kind: str
    code: str
    title: str
    shown: str

    @property
    def runs(self) -> bool:
        """Whether a reader without data, hours or other servers can run it."""
        return not self.title.startswith("not run")


def steps(page: Path) -> list[Step]:
    """The blocks of a page, in order."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Step(kind, code, title, shown) for kind, title, code, shown in found]


def needs(page: Path) -> list[str]:
    """The extras that a page says it needs; none = the base install."""
    found = _NEEDS.search(page.read_text(encoding="utf-8"))
    return found[1].split(",") if found else []


def agrees(shown: str, said: str) -> bool:
    """Whether what a page shows is what a step printed, up to ``...`` and the third digit of numbers.

    Examples:
        >>> agrees("fitted on 24 maps in ... s", "fitted on 24 maps in 2.53 s")
        True
    """
    pieces = [re.split(f"({_NUMBER})", piece.strip()) for piece in shown.split("...")]
    wanted = [float(part) for piece in pieces for part in piece[1::2]]
    pattern = ".*?".join("".join(map(_pattern, piece)) for piece in pieces)
    found = re.search(pattern, said, flags=re.DOTALL)
    if found is None:
        return False
    pairs = zip(wanted, map(float, found.groups()), strict=True)
    return all(math.isclose(one, other, rel_tol=0.01, abs_tol=1e-9) for one, other in pairs)


def _pattern(part: str) -> str:
    """What a piece of a page's output matches: a number any number, other text itself up to white space."""
    if re.fullmatch(_NUMBER, part):
        return f"({_NUMBER})"
    return r"\s+".join(map(re.escape, re.split(r"\s+", part)))


def _bash(code: str) -> str:
    done = subprocess.run(["bash", "-e", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
    return done.stdout


def walk(page: Path, bash: Callable[[str], str] = _bash) -> list[dict[str, object]]:
    """Run the steps of a page until one fails.

    Args:
        page: A Markdown file.
        bash: Runs commands and returns what they print.

    Returns:
        For every step ``code``, ``title``, ``run``, ``seconds``, ``said``, ``as_shown`` (None where the page shows
        nothing) and ``error`` (None where there is none).
    """
    rows: list[dict[str, object]] = []
    names: dict[str, object] = {}
    for step in steps(page):
        said, error, begin = "", None, time.perf_counter()
        followed = step.runs and not any(row["error"] for row in rows)
        if followed:
            try:
                if step.kind == "bash":
                    said = bash(step.code)
                else:
                    with redirect_stdout(io.StringIO()) as out:
                        exec(step.code, names)  # noqa: S102  what a reader would run
                    said = out.getvalue()
            except (Exception, SystemExit) as problem:
                error = "".join(traceback.format_exception_only(problem)).strip()
        row = {"kind": step.kind, "code": step.code, "title": step.title, "run": step.runs, "error": error}
        row |= {"seconds": round(time.perf_counter() - begin, 2), "said": said}
        row["as_shown"] = agrees(step.shown, said) if step.shown and followed and not error else None
        rows.append(row)
    return rows


if __name__ == "__main__":
    for line in walk(Path(sys.argv[1])):
        sys.stdout.write(json.dumps(line) + "\n")
