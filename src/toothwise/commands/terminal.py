"""What a person at a terminal sees: a line of progress on stderr, tables on stdout."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

__all__ = ["Tell", "progress", "table"]

Tell = Callable[[str], None]


@contextmanager
def progress() -> Iterator[Tell]:
    """A function that shows what is being done, on a terminal only: logs stay free of it."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(f"{text} ...")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> str:
    """A plain table as text; names in ``right`` are columns of numbers. Never cut where it is not a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        result.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        result.add_row(*row)
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    text = io.StringIO()
    console = Console(file=text, width=wide, color_system=None, markup=False, highlight=False)
    console.print(result)
    lines = (line[1:].rstrip() for line in text.getvalue().splitlines())
    return "".join(f"{line}\n" for line in lines if line)
