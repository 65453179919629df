"""``toothwise diagnose``: single maps, sequences, a state that goes on, and input that cannot be used."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from toothwise.gears import GearPair
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map

ROWS, COLUMNS, N = 9, 14, 90


def values_of(n, seed, *, tooth=None, onset=0, end=0.8):
    rng = np.random.default_rng(seed)
    x = 0.2 * rng.standard_normal((n, ROWS, COLUMNS))
    if tooth is not None:
        x[:, tooth] += (end * np.clip((np.arange(n) - onset + 1.0) / (n - onset), 0, 1))[:, None]
    return np.exp(x).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def to(name, values, *, gear=None, **columns):
        rows, cols = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)
        table = pd.DataFrame(columns, index=range(len(values)))
        return write_map(HealthMapBatch(values, rows, cols, table, gear=gear), tmp_path / name)

    return to


@pytest.fixture(scope="module")
def fitted_file(tmp_path_factory):
    teeth = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)
    table = pd.DataFrame({"day": np.repeat([1, 2, 3, 4], 40)})
    return write_map(HealthMapBatch(values_of(160, 0), *teeth, table), tmp_path_factory.mktemp("fitted") / "fitted.npz")


@pytest.fixture
def run(once, fitted_file, tmp_path):
    return once(tmp_path / "scan", "fit", fitted_file)


def test_single_maps_verdict_first_then_evidence_confidence_and_next(toothwise, run, write):
    file = write("one.npz", values_of(1, 1, tooth=4))
    out = toothwise("diagnose", run, file).out.splitlines()
    assert out[0].startswith("RED: Driving tooth 4 stands out: ")
    assert out[1].split()[:2] == ["evidence", "p-value"]
    assert any(line.startswith("Confidence: ") for line in out)
    assert any(line.startswith("Next: ") for line in out)
    data = json.loads(toothwise("diagnose", run, file, "--json").out)
    (one,) = data["each"]
    assert (one["pattern"], one["lines"][0]["tooth"]) == ("one tooth", 4)
    assert {"p_value", "contrast", "interval", "first", "last", "neighbours"} <= set(one["lines"][0])
    several = toothwise("diagnose", run, write("many.npz", values_of(30, 2)), "--sequence", "false").out
    assert "of 30 maps show something; each was judged on its own." in several


def test_a_sequence_names_tooth_onset_growth_and_rates(toothwise, run, write):
    file = write("run.npz", values_of(N, 3, tooth=6, onset=40), record=np.arange(N))
    d = json.loads(toothwise("diagnose", run, file, "--json").out)
    assert (d["colour"], d["pattern"], d["tooth"]) == ("RED", "one tooth", 6)
    assert abs(d["since"]["number"] - 41) < 15
    assert d["rules"]["alarm"]["stated"] == 1.0
    out = toothwise("diagnose", run, file).out
    assert out.startswith("RED: Driving tooth 6 is going bad since about record")
    for word in ("slow growth", "stated per 1,000", "Confidence:", "Next:"):
        assert word in out
    loose = json.loads(toothwise("diagnose", run, file, "--rate", 20, "--json").out)
    assert loose["rules"]["alarm"]["stated"] == 20.0
    assert loose["rules"]["alarm"]["first"]["number"] <= d["rules"]["alarm"]["first"]["number"]
    each = json.loads(toothwise("diagnose", run, file, "--sequence", "false", "--json").out)
    assert len(each["each"]) == N


def test_a_state_takes_records_as_they_come_and_each_once(toothwise, run, write, tmp_path):
    values = values_of(N, 4, tooth=2, onset=30)
    whole = json.loads(toothwise("diagnose", run, write("w.npz", values, record=np.arange(N)), "--json").out)
    state = tmp_path / "state.json"
    for part in (slice(0, 30), slice(20, 70), slice(0, 70), slice(70, N)):
        file = write("part.npz", values[part], record=np.arange(N)[part])
        done = toothwise("diagnose", run, file, "--state", state, "--json")
        assert done.code == 0, done.err
        assert done.err == ""
    found = json.loads(done.out)
    assert (found["records"], found["added"]) == (N, 20)
    for key in ("rules", "teeth", "since", "sentence", "growth"):
        assert found[key] == whole[key]
    before = state.read_bytes()
    again = json.loads(toothwise("diagnose", run, file, "--state", state, "--json").out)
    assert again["added"] == 0
    assert state.read_bytes() == before


def test_rebaselining_is_an_act_with_a_reason(toothwise, run, write, tmp_path):
    state = tmp_path / "state.json"
    first = write("a.npz", values_of(40, 5), record=np.arange(40))
    after = write("b.npz", values_of(60, 6, tooth=3, onset=-1000), record=np.arange(40, 100))
    assert toothwise("diagnose", run, first, "--state", state).code == 0
    words = ("diagnose", run, after, "--state", state, "--rebaseline", "planet carrier replaced")
    done = toothwise(*words)
    assert done.code == 0, done.err
    assert "Re-baselined after record 39: planet carrier replaced" in done.out
    assert done.out.startswith("GREEN: No alarm")
    (reset,) = json.loads(state.read_text())["resets"]
    assert (reset["at"], reset["reason"]) == (40, "planet carrier replaced")
    assert toothwise(*words).code == 0  # the same command again changes nothing
    assert len(json.loads(state.read_text())["resets"]) == 1
    refused = toothwise(*words[:-1], "another reason")
    assert (refused.code, "are there already" in refused.err) == (2, True)


@pytest.fixture
def fails(toothwise):
    def check(*words):
        done = toothwise(*words)
        assert (done.code, done.out) == (2, "")
        lines = [line for line in done.err.splitlines() if not line.startswith("toothwise: warning: ")]
        assert len(lines) == 1, done.err
        assert lines[0].startswith("toothwise: error: ")
        return lines[0]

    return check


def test_records_out_of_order_duplicate_times_and_mixed_gears(fails, run, write, tmp_path):
    values = values_of(4, 7)
    line = fails("diagnose", run, write("o.npz", values, time=[0, 2, 1, 3]))
    assert "records out of order: o.npz[2] (time 1) comes after o.npz[1] (2)" in line
    line = fails("diagnose", run, write("d.npz", values, time=[0, 1, 1, 3]))
    assert "duplicate time: d.npz[1] and d.npz[2] both have time 1" in line
    planet, sun = (
        write_map(
            HealthMapBatch(values, Axis.teeth(f"{one} tooth", ROWS), Axis.teeth(f"{other} tooth", COLUMNS)),
            tmp_path / f"{one}.npz",
        )
        for one, other in (("planet", "ring"), ("sun", "planet"))
    )
    line = fails("diagnose", run, planet, sun)
    assert "sun.npz" in line
    assert "sun tooth" in line
    one = write("one.npz", values, gear=GearPair(9, 14))
    two = write("two.npz", values, gear=GearPair(18, 28))
    assert "two.npz" in fails("diagnose", run, one, two)


def test_mixed_gears_in_one_folder(fails, run, write, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, axis in (("a", "ring tooth"), ("b", "planet tooth")):
        batch = HealthMapBatch(values_of(2, 8), Axis.teeth(axis, ROWS), Axis.teeth("driven tooth", COLUMNS))
        write_map(batch, folder / f"{name}.npz")
    assert "b.npz" in fails("diagnose", run, folder)
    other = np.ones((2, ROWS + 1, COLUMNS), dtype=np.float32) + 0.1
    np.savez(tmp_path / "teeth.npz", values=other * np.arange(1, ROWS + 2)[None, :, None])
    line = fails("diagnose", run, tmp_path / "teeth.npz")
    assert "teeth.npz" in line
    assert "9 x 14" in line


def test_a_changed_sensor_is_said_and_names_no_tooth(toothwise, run, write):
    values = values_of(N, 9)
    values[50:] *= 1.6
    out = toothwise("diagnose", run, write("s.npz", values, record=np.arange(N))).out
    assert out.startswith("AMBER: Sensor or condition changed since about record")
    assert (
        json.loads(toothwise("diagnose", run, write("s.npz", values, record=np.arange(N)), "--json").out)["tooth"]
        is None
    )


def test_unsuitable_options(fails, run, write, tmp_path):
    file = write("m.npz", values_of(5, 1), record=np.arange(5))
    state = tmp_path / "state.json"
    for words, says in (
        (("--rebaseline", "x"), "--state"),
        (("--state", tmp_path / "s.txt"), ".txt"),
        (("--rate", 0), "rate"),
        (("--bins", "colour=1"), "--bins"),
        (("--bins", "load=1"), "load"),
        (("--sensors", "sensor"), "sensor"),
        (("--level", 0.5), "level"),
    ):
        assert says in fails("diagnose", run, file, *words)
    assert not state.exists()


def test_a_state_keeps_its_settings_and_its_detector(toothwise, fails, run, write, tmp_path):
    file = write("m.npz", values_of(5, 1), record=np.arange(5))
    state = tmp_path / "state.json"
    assert toothwise("diagnose", run, file, "--state", state, "--rate", 2).code == 0
    assert toothwise("diagnose", run, file, "--state", state).code == 0
    assert "was begun with rate 2.0, but got 3.0" in fails("diagnose", run, file, "--state", state, "--rate", 3)
    again = write("again.npz", values_of(160, 77))
    assert toothwise("fit", again, "--output", tmp_path / "other").code == 0
    assert "belongs to detector" in fails("diagnose", tmp_path / "other", file, "--state", state)
