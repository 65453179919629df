from __future__ import annotations

import io
import sys

from toothwise.cli.terminal import progress, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_and_wiped_at_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    with progress() as tell:
        tell("reading maps.npz")
        tell("fit", 0.5)
    assert "fit" in screen.getvalue()
    assert screen.getvalue().rstrip().endswith("\x1b[2K")


def test_nothing_is_drawn_before_the_first_word(monkeypatch):
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    with progress():
        assert screen.getvalue() == ""


def test_logs_stay_free_of_it(capsys):
    with progress() as tell:
        tell("fit", 0.5)
    assert capsys.readouterr() == ("", "")


def test_a_table_is_plain_text_that_is_never_cut():
    name = "/very/long/" * 40 + "[red]x[/red].npz"
    lines = table(("file", "score"), [(name, "1.5"), ("b", "10.25")], right=("score",)).splitlines()
    assert lines[0].split() == ["file", "score"]
    assert set(lines[1]) == {"─"}
    assert lines[2].split() == [name, "1.5"]
    assert [line.rindex("5") for line in lines[2:]] == [len(lines[2]) - 1] * 2
