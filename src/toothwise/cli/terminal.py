"""What a person at a terminal sees: a progress bar on stderr, tables on stdout."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from toothwise.progress import Progress, silent

__all__ = ["EXIT_PARTLY", "Progress", "progress", "table"]

EXIT_PARTLY = 3  # some of several files or trials failed, the others did not


@contextmanager
def progress() -> Iterator[Progress]:
    """A function that shows what is being done, on a terminal only: logs stay free of it."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=None)

    def progress(text: str, share: float | None = None) -> None:
        bar.start()  # at the first word only: a verb may draw bars of its own
        bar.update(task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

    try:
        yield progress
    finally:
        bar.stop()


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
