"""What a person sees while a study runs, and the pictures of a trial."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from toothwise.detectors.curves import recorded_curves, recorder
from toothwise_lab.cli.study_progress import Board, duration
from toothwise_lab.trial_picture import draw_examples


class FakeTrial(NamedTuple):
    name: str


DONE = {"status": "done", "reason": None, "metrics": {"auroc": 0.91234}, "seconds": 1.25}
FAILED = {"status": "failed", "reason": "no luck", "metrics": {}, "seconds": None}


def play(board: Board) -> None:
    with board:
        board.begin(4, 1, 0, 2)
        for name, row in (("a, seed 0", DONE), ("b, seed 0", FAILED)):
            board.started(FakeTrial(name))
            board.finished(FakeTrial(name), row)
        board.idle()
        board.say("a word")


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    play(Board("auroc", stream=stream))
    assert stream.getvalue().splitlines() == [
        "4 trials: 1 done, 0 failed before, 3 to run, 2 at once",
        "[2/4] a, seed 0: auroc 0.9123 (1.2 s)",
        "[3/4] b, seed 0: FAILED: no luck",
        "a word",
    ]


def test_a_live_table_on_a_terminal():
    stream = io.StringIO()
    board = Board("auroc", live=True, stream=stream)
    play(board)
    assert "FAILED: no luck" in stream.getvalue()
    assert "a word" in stream.getvalue()
    table = board._table()
    assert table.row_count == 3 + 2  # done, failed, time, and the trials that ended


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.24, "1.2 s"), (59.4, "59 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_curves_are_thinned_to_their_end():
    assert recorder() is None
    with recorded_curves() as curves:
        assert recorder() is curves
        for step in range(1, 1001):
            curves.add("loss", step, 1.0 / step)
    thin = curves.thinned(100)["loss"]
    assert len(thin) == 100
    assert thin[-1] == (1000, 0.001)
    assert len({b[0] - a[0] for a, b in pairwise(thin)}) == 1


def test_a_picture_of_a_trial():
    rng = np.random.default_rng(0)
    maps = rng.random((2, 6, 12))
    masks = np.zeros(maps.shape, dtype=bool)
    masks[:, 2, 3:9] = True
    for examples in ({"maps": maps, "anomaly": maps**2}, {"maps": maps, "anomaly": maps**2, "masks": masks}):
        assert draw_examples(examples).startswith(b"\x89PNG")
