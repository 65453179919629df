"""The guard against regressions tells what moved, and nothing else."""

import importlib.util
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{Path(name).stem}", BENCHMARKS / name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


guard = load("quick/guard.py")
paired = load("measuring/paired.py")


def test_what_moved_is_told_worst_first():
    before = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0, "gone": 2.0}
    now = {"a": 1.3, "b": 0.7, "c": 1.1, "d": 1.5, "new": 4.0}
    moved = guard.compare(before, now)
    assert [m.name for m in moved] == ["gone", "d", "a", "b", "new"]
    assert [m.worse for m in moved[:4]] == [True, True, True, False]
    text = guard.told(before, now)
    assert "d: 1 -> 1.5 (+50%)" in text
    assert "c:" not in text


@given(st.dictionaries(st.text(min_size=1), st.floats(0.01, 100), min_size=1), st.floats(1.0, 1.19))
def test_within_the_tolerance_nothing_is_told(ratios, factor):
    now = {name: value * (factor if k % 2 else 1 / factor) for k, (name, value) in enumerate(ratios.items())}
    assert guard.compare(ratios, now) == []
    assert guard.told(ratios, now).startswith("No ratio")


def test_a_ratio_is_the_median_over_rounds_and_not_of_medians():
    fast = paired.Times(wall=(1.0, 10.0, 1.0), cpu=(1.0, 2.0, 4.0))
    slow = paired.Times(wall=(2.0, 20.0, 2.0), cpu=(2.0, 4.0, 8.0))
    assert slow.facts(fast)["ratio"] == 2.0
    assert slow.facts(fast, clock="wall")["ratio"] == 2.0
    assert fast.facts(slow)["ratio"] == 0.5
    assert fast.facts(fast)["ratio_quartiles"] == [1.0, 1.0]


def test_ways_run_in_turns_and_none_always_begins():
    order = []
    taken = paired.paired({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, warm_up=1)
    assert order == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert all(len(t.cpu) == len(t.wall) == 3 for t in taken.values())
