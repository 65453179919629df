"""A watch that goes on from file to file: nothing twice, nothing lost, nothing mixed up."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from toothwise.diagnosis.history import RecordSummary, summarize_records
from toothwise.diagnosis.memory import fold
from toothwise.diagnosis.state import WatchState, read_state
from toothwise.diagnosis.verdict import Reset, WatchSettings
from toothwise.diagnosis.watch import judge
from toothwise.errors import GuessWarning, InputError, OutputError
from toothwise.reference.records import bin_names, order_records, parse_bins, record_ids


@pytest.fixture(scope="module")
def seen(fitted):
    x = fitted.log_maps(30, 31)
    table = pd.DataFrame({"record": np.arange(30), "time": np.arange(30) * 2.0})
    return summarize_records(fitted.as_maps(x), table, fitted.detector, fitted.reference, fitted.baseline)[0]


@pytest.fixture
def state(tmp_path, fitted):
    return WatchState(tmp_path / "s.json", fitted.reference.detector, WatchSettings())


def test_one_by_one_is_as_all_at_once_and_twice_changes_nothing(state, seen, fitted, tmp_path):
    assert state.append(seen) == 30
    state.write()
    whole = (tmp_path / "s.json").read_bytes()
    for record in seen:
        again = read_state(tmp_path / "t.json", fitted.reference.detector)
        again = again or WatchState(tmp_path / "t.json", fitted.reference.detector, WatchSettings())
        assert again.append([record]) == 1
        assert again.append([record]) == 0
        again.write()
    assert (tmp_path / "t.json").read_bytes() == whole
    again = read_state(tmp_path / "t.json", fitted.reference.detector)
    assert again.append(seen) == 0
    assert again.records == list(seen)


def test_another_detector_is_refused(state, seen, tmp_path):
    state.append(seen[:2])
    state.write()
    with pytest.raises(InputError, match=r"s\.json: belongs to detector"):
        read_state(tmp_path / "s.json", "0" * 64)


def test_a_record_of_the_same_name_with_other_values_is_told_and_left_out(state, seen):
    from dataclasses import replace

    state.append(seen[:3])
    with pytest.warns(GuessWarning, match="record 1 is there with other values"):
        assert state.append([replace(seen[1], digest="other")]) == 0
    assert state.records == list(seen[:3])


def test_records_that_come_late_or_at_the_same_time_are_refused(state, seen):
    from dataclasses import replace

    state.append(seen[:3])
    with pytest.raises(InputError, match=r"s\.json: records out of order: early"):
        state.append([replace(seen[0], name="early", time=1.0)])
    with pytest.raises(InputError, match=r"s\.json: duplicate time: 2 and again"):
        state.append([replace(seen[0], name="again", time=4.0)])
    assert len(state.records) == 3


def test_a_reset_keeps_its_reason_and_needs_one(state, seen, fitted, tmp_path):
    state.append(seen[:3])
    state.rebaseline(" bearing replaced ")
    state.write()
    (reset,) = read_state(tmp_path / "s.json", fitted.reference.detector).resets
    assert (reset.at, reset.reason, reset.after) == (3, "bearing replaced", "2")
    with pytest.raises(InputError, match="reason"):
        state.rebaseline("  ")


def test_two_processes_do_not_overwrite_each_other(state, seen, fitted, tmp_path):
    state.append(seen[:1])
    state.write()
    one, two = (read_state(tmp_path / "s.json", fitted.reference.detector) for _ in range(2))
    one.append(seen[1:2])
    one.write()
    two.append(seen[2:3])
    with pytest.raises(OutputError, match="another process"):
        two.write()
    assert len(read_state(tmp_path / "s.json", fitted.reference.detector).records) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not readable as JSON"),
        ("[]", "not a state"),
        ('{"format": 9}', "format 9"),
        ('{"format": 1}', "not a state"),
    ],
)
def test_a_damaged_state(tmp_path, text, says):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match=rf"s\.json: .*{says}"):
        read_state(tmp_path / "s.json", "x")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["settings"].update(run=2.5), "run must be a whole number"),
        (lambda d: d["settings"].update(runs=5), "WatchSettings has no 'runs'"),
        (lambda d: d.update(bins="load"), "not a state"),
        (lambda d: d["records"][1].update(channels=[0.5]), "channels of different lengths"),
        (lambda d: d["records"].append(d["records"][0]), "holds a record twice"),
        (lambda d: d["resets"].append({"at": 99, "reason": "x", "after": None}), "re-baselined at"),
        (lambda d: d["heights"].update(healthy={"cusum": {}, "row": {}}), "not a state"),
    ],
)
def test_a_state_that_contradicts_itself(tmp_path, change, says):
    path = tmp_path / "s.json"
    state = WatchState(path, "d", WatchSettings())
    state.append(
        [
            RecordSummary(f"r{k}", float(k), "all", "x", (0.5,) * 3, (0.1,) * 3, 0.0, 1.0, False, "nothing", None)
            for k in (0, 1)
        ]
    )
    state.write()
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=rf"{says}"):
        read_state(path, "d")


_WRITER = """
import sys
from pathlib import Path
from toothwise.diagnosis.state import WatchState, read_state
from toothwise.diagnosis.history import RecordSummary
from toothwise.diagnosis.verdict import WatchSettings
path = Path(sys.argv[1])
k = 0
while True:
    state = read_state(path, "d") or WatchState(path, "d", WatchSettings())
    values = (0.5,) * 300, (0.1,) * 300, 0.0, 1.0
    state.append([RecordSummary(str(k), float(k), "all", "x", *values, False, "nothing", None)])
    state.write()
    print(k, flush=True)
    k += 1
"""


def test_a_writer_that_is_killed_has_lost_no_record_that_it_had_written(tmp_path):
    path = tmp_path / "s.json"
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    told = [process.stdout.readline() for _ in range(12)]
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read().splitlines()
    process.wait()
    last = int(told[-1])
    records = read_state(path, "d").records
    assert [r.name for r in records[: last + 1]] == [str(k) for k in range(last + 1)]
    assert len(records) <= last + 2
    json.loads(path.read_text())


def test_records_get_their_names_from_table_or_file():
    assert record_ids(pd.DataFrame({"name": ["a", "b"]}), 2).tolist() == ["a", "b"]
    assert record_ids(pd.DataFrame(index=range(2)), 2).tolist() == ["map 0", "map 1"]
    files = pd.DataFrame({"file": ["x/a.npz", "x/a.npz", "y/b.tiff"], "index": [0, 1, 0]})
    assert record_ids(files, 3).tolist() == ["a.npz[0]", "a.npz[1]", "b.tiff"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"time": [0, 2, 1]}, "records out of order: c (time 1) comes after b (2)"),
        ({"time": [0, 1, 1]}, "duplicate time: b and c both have time 1"),
        ({"start_time": ["2024-01-02", "2024-01-01", "2024-01-03"]}, "out of order: b (start_time 2024-01-01)"),
        ({"start_time": ["then", "now", "soon"]}, "start_time must be numbers or times"),
        ({"name": ["a", "b", "a"]}, "duplicate record a"),
    ],
)
def test_records_in_disorder(columns, says):
    table = pd.DataFrame({"name": ["a", "b", "c"], **columns})
    with pytest.raises(InputError) as error:
        order_records(table, 3)
    assert says in str(error.value)


def test_bins_in_words():
    bins = parse_bins(["load=0.5,0.8", "speed=10"])
    condition = {"load": np.array([0.4, 0.5, 0.9]), "speed": np.array([5.0, 10.0, 11.0])}
    assert bin_names(condition, bins, 3).tolist() == [
        "load below 0.5, speed below 10",
        "load 0.5 to 0.8, speed 10 or more",
        "load 0.8 or more, speed 10 or more",
    ]
    for word in ("load", "load=", "load=b", "load=2,1", "colour=1"):
        with pytest.raises(InputError, match="--bins takes"):
            parse_bins([word])


@pytest.mark.parametrize("reset", [None, 40, 1400])
def test_letting_old_records_go_changes_nothing_that_is_said(fitted, heights, tmp_path, monkeypatch, reset):
    from dataclasses import replace

    monkeypatch.setattr("toothwise.diagnosis.memory.MOST", 1100)
    n, onset = 1900, 1650
    x = fitted.log_maps(n, 32)
    x[:, 3] += fitted.growing(n, onset, 0.6)[:, None]
    x[300:330, 8] += 0.5  # an early alarm that ends
    x[330:360, 8] -= 0.5
    table = pd.DataFrame({"record": np.arange(n), "time": np.arange(n) * 2.0})
    seen = summarize_records(fitted.as_maps(x), table, fitted.detector, fitted.reference, fitted.baseline)[0]
    settings, path = WatchSettings(), tmp_path / "s.json"
    resets = [] if reset is None else [Reset(reset, "new bearing", seen[reset - 1].name)]
    whole = judge(seen, fitted.baseline, settings, resets=resets, heights=heights)
    assert whole.state == "alarm"
    assert whole.onset > 1500
    if reset is None:
        assert whole.alarm.first < 400
        assert whole.alarm.episodes > 1
    ends = [700, 1250, 1260, 1500, 1899, 1900]
    for begin, end in zip([0, *ends], ends, strict=False):
        state = read_state(path, "d") or WatchState(path, "d", settings)
        assert state.append([replace(s) for s in seen[max(begin - 5, 0) : end]]) == end - begin
        if reset is not None and begin <= reset <= end and not state.resets:
            state.resets.extend(resets)
        found = judge(state.records, fitted.baseline, settings, resets=state.resets, past=state.past, heights=heights)
        rest = {"resets": state.resets, "past": state.past}
        state.records, state.past = fold(state.records, fitted.baseline, settings, found.heights, **rest)
        state.write()
    assert len(state) == n
    assert len(state.past) > (300 if reset != 1400 else -1)
    assert found.as_json() == whole.as_json()
    assert read_state(path, "d").append(seen[:50]) == 0  # known, though they are not kept
