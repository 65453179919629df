"""The fastest way is measured once for a processor and remembered; a damaged memory is measured anew."""

from __future__ import annotations

import json
import time

import pytest

from toothwise import processor


@pytest.fixture
def remembered(tmp_path, monkeypatch):
    """A memory of its own for each test."""
    monkeypatch.setattr(processor, "choices_file", lambda: tmp_path / "toothwise" / "choices.json")
    monkeypatch.setattr(processor, "_here", {})
    return processor.choices_file()


class Way:
    def __init__(self, seconds):
        self.seconds, self.runs = seconds, 0

    def __call__(self):
        self.runs += 1
        time.sleep(self.seconds)


def test_the_fastest_way_is_chosen_and_remembered_for_the_next_process(remembered, monkeypatch):
    ways = {"slow": Way(0.02), "fast": Way(0.001)}
    best, ms = processor.fastest(ways, "key", seconds=0.02)
    assert best == "fast"
    assert ms["slow"] > 15 > ms["fast"] > 0.9
    monkeypatch.setattr(processor, "_here", {})  # as in another process
    assert processor.recall("key") == (best, ms)
    assert processor.recall("another key") is None


def test_a_way_that_is_hardly_faster_does_not_replace_the_preferred_one(remembered, monkeypatch):
    times = {"preferred": 1.00, "other": 0.98}
    now = [0.0]
    ways = {name: lambda t=t: now.__setitem__(0, now[0] + t) for name, t in times.items()}
    monkeypatch.setattr(processor.time, "perf_counter", lambda: now[0])
    assert processor.fastest(ways, "key")[0] == "preferred"
    ways["other"] = lambda: now.__setitem__(0, now[0] + 0.9)
    assert processor.fastest(ways, "key")[0] == "other"


def test_ways_that_are_near_each_other_are_run_for_longer(remembered, monkeypatch):
    now, runs = [0.0], []

    def way(name, taken):
        def run():
            runs.append(name)
            # the first rounds of "fast" are disturbed
            now[0] += taken + (0.08 if name == "fast" and runs.count(name) < 4 else 0.0)

        return run

    monkeypatch.setattr(processor.time, "perf_counter", lambda: now[0])
    ways = {"preferred": way("preferred", 1.0), "fast": way("fast", 0.95)}
    assert processor.fastest(ways, "near", seconds=1.5)[0] == "fast"
    near = len(runs)
    assert processor.fastest({"one": way("one", 1.0), "two": way("two", 2.0)}, "far", seconds=1.5)[0] == "one"
    assert len(runs) - near < near


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "choices": {"key": 3}}', "\x00"])
def test_a_damaged_memory_counts_as_none_and_is_written_anew(remembered, monkeypatch, content):
    remembered.parent.mkdir()
    remembered.write_text(content)
    assert processor.recall("key") is None
    assert processor.fastest({"only": Way(0)}, "key") == ("only", {})
    assert json.loads(remembered.read_text())["choices"]["key"] == {"choice": "only", "ms": {}}


def test_a_memory_that_cannot_be_written_lasts_for_the_process(remembered):
    remembered.parent.write_text("no folder")
    processor.fastest({"only": Way(0)}, "key")
    assert processor.recall("key") == ("only", {})


def test_the_mark_depends_on_processor_versions_and_facts(monkeypatch):
    one = processor.mark("model", 1, packages=("numpy",))
    assert one == processor.mark("model", 1, packages=("numpy",))
    assert len({one, processor.mark("model", 2, packages=("numpy",)), processor.mark("model", 1)}) == 3
    monkeypatch.setattr(processor, "flags", lambda: ("amx_bf16",))
    assert processor.mark("model", 1, packages=("numpy",)) != one
