"""What a person sees while a study runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.table import Table

    from toothwise_lab.studies.trial import Trial

__all__ = ["Board", "duration"]

_LAST = 5


def duration(seconds: float) -> str:
    """``75`` -> ``1 min 15 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Board:
    """The watcher of a study, on stderr.

    Args:
        metric: shown of each trial that ends.
        live: draw a table; None = where stderr is a terminal.
        stream: in place of stderr.
    """

    def __init__(self, metric: str, *, live: bool | None = None, stream: TextIO | None = None) -> None:
        self._metric, self._stream = metric, stream or sys.stderr
        self._live_wanted = self._stream.isatty() if live is None else live
        self._live: Any = None
        self._total = self._done = self._failed = self._ended = 0
        self._places = 1
        self._running: dict[str, float] = {}
        self._last: list[str] = []
        self._began = time.monotonic()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def begin(self, total: int, done: int, failed: int, places: int) -> None:
        """Before the first trial."""
        self._total, self._done, self._failed, self._places = total, done, failed, places
        self._began = time.monotonic()
        if self._live_wanted:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, markup=False, highlight=False)
            self._live = Live(console=console, get_renderable=self._table, refresh_per_second=2, transient=True)
            self._live.start()
        else:
            left = total - done - failed
            self.say(f"{total} trials: {done} done, {failed} failed before, {left} to run, {places} at once")

    def started(self, trial: Trial) -> None:
        """A trial was handed over."""
        self._running[trial.name] = time.monotonic()

    def finished(self, trial: Trial, row: dict[str, Any]) -> None:
        """A trial ended."""
        self._running.pop(trial.name, None)
        self._ended += 1
        good = row["status"] == "done"
        self._done, self._failed = self._done + good, self._failed + (not good)
        value = row["metrics"].get(self._metric)
        shown = f"{self._metric} {value:.4g}" if isinstance(value, int | float) else "done"
        result = shown if good else f"FAILED: {row['reason']}"
        seconds = "" if row["seconds"] is None else f" ({duration(row['seconds'])})"
        line = f"[{self._done + self._failed}/{self._total}] {trial.name}: {result}{seconds}"
        if self._live is None:
            self.say(line)
        else:
            self._last = [*self._last[1 - _LAST :], line]
            if not good:
                self._live.console.print(line)

    def idle(self) -> None:
        """Nothing ended for a while: the live table counts by itself."""

    def say(self, text: str) -> None:
        """A line for people."""
        if self._live is not None:
            self._live.console.print(text)
        else:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        spent = time.monotonic() - self._began
        left = self._total - self._done - self._failed
        rest = f", about {duration(left * spent / self._ended)} left" if self._ended and left else ""
        table.add_row("done", f"{self._done} of {self._total}")
        table.add_row("failed", str(self._failed))
        table.add_row("time", f"{duration(spent)}{rest}")
        now = time.monotonic()
        for name, since in list(self._running.items())[: self._places]:
            table.add_row("running", f"{name} ({duration(now - since)})")
        for line in self._last:
            table.add_row("", line)
        return table
