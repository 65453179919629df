"""``toothwise watch``: records from a folder into SQLite, each once, whatever comes twice, late or broken."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from toothwise.errors import InputError
from toothwise.fleet.database import open_database
from toothwise.fleet.decoding import IncomingRecord, clean
from toothwise.fleet.live import follow
from toothwise.fleet.machine_monitor import MachineMonitor
from toothwise.fleet.sources import Folder, open_source
from toothwise.healthmap import HealthMap
from toothwise.healthmap.io import write_map
from toothwise.model import Model

pytest.importorskip("sqlalchemy")


def ask(path, words):
    with sqlite3.connect(path) as connection:
        return connection.execute(words).fetchall()


def put(folder, make, k, *, damage=1.0, name=None, **condition):
    """One map of a gearbox whose row 4 may be damaged."""
    values = make.noise(1, seed=1000 + k)[0]
    values[4] *= damage
    one = make.batch(values[None])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"r{k:04d}.npz")
    return write_map(HealthMap(values, one.rows, one.columns, condition={"time": float(k), **condition}), path)


def make_keeper(saved, where, settings=None):
    return MachineMonitor(Model.open(saved), open_database(str(where)), settings)


@pytest.fixture(scope="session")
def keeper_of(saved):
    """Keepers that share their control limits, which take a while to choose."""
    first = []

    def make(where, settings=None):
        keeper = make_keeper(saved, where, settings)
        if first:
            keeper._first._baselines, keeper._first._limits = first[0]._baselines, first[0]._limits
        else:
            keeper.prepare()
            first.append(keeper._first)
        return keeper

    return make


def test_a_folder_of_machines_becomes_rows_that_say_what_diagnose_says(saved, tmp_path, make, toothwise):
    for k in range(25):
        put(tmp_path / "in" / "mill-1", make, k, damage=1.0 if k < 10 else 1.6)
        if k < 5:
            put(tmp_path / "in" / "mill-2", make, 100 + k)
    (tmp_path / "in" / "mill-2" / "broken.npz").write_bytes(b"PK not a map")
    (tmp_path / "in" / ".hidden.npz").write_bytes(b"half of a copy")
    words = ("watch", saved, tmp_path / "in", "--to", tmp_path / "d.db", "--poll", 0.05, "--idle", 0.3, "--json")
    run = toothwise(*words)
    assert run.code == 0, run.err
    told = json.loads(run.out)
    assert (told["new"], told["known"], told["bad"]) == (30, 0, 1)
    assert told["alarms"] == ask(tmp_path / "d.db", "select count(*) from diagnoses where colour = 'RED'")[0][0]
    last = ask(
        tmp_path / "d.db", "select colour, gear, tooth, sentence, diagnosis from diagnoses where record='r0024.npz'"
    )
    (colour, gear, tooth, sentence, diagnosis) = last[0]
    assert (colour, gear, tooth) == ("RED", "driving", 4)
    # the same as `diagnose` of all records at once
    files = sorted((tmp_path / "in" / "mill-1").iterdir())
    whole = json.loads(toothwise("diagnose", saved, *files, "--sequence", "true", "--json").out)
    alone = json.loads(diagnosis)
    assert whole["sentence"] == sentence
    for name in ("since", "contrast", "rules", "teeth", "growth"):
        assert whole[name] == alone[name], name
    ((machine, record, reason),) = ask(tmp_path / "d.db", "select machine, record, reason from errors")
    assert (machine, record) == ("mill-2", "broken.npz")
    assert "not readable as maps" in reason
    again = json.loads(toothwise(*words).out)
    assert (again["new"], again["known"], again["bad"]) == (0, 30, 1)
    assert ask(tmp_path / "d.db", "select count(*) from diagnoses") == [(30,)]
    assert ask(tmp_path / "d.db", "select count(*) from errors") == [(1,)]


def test_recordings_are_built_by_their_gears(tmp_path, make, toothwise):
    series = tmp_path / "series.yaml"
    series.write_text("gears: {driving: 9, driven: 13}\nperiods: 2\nseries: {records: 20}\n")
    run = toothwise("simulate", series, "--output", tmp_path / "rec", "--format", "npz", "--seed", 0)
    assert run.code == 0, run.err
    gears = tmp_path / "rec" / "gears.yaml"
    records = sorted((tmp_path / "rec").rglob("*.npz"))
    run = toothwise("build", *records, "--gears", gears, "--output", tmp_path / "maps")
    assert run.code == 0, run.err
    healthy = toothwise("fit", tmp_path / "maps", "--output", tmp_path / "scan")
    assert healthy.code == 0, healthy.err
    folder = tmp_path / "in"
    folder.mkdir()
    for path in records[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    np.savez(folder / "other.npz", values=make.noise(1, seed=0)[0])  # a map where recordings are due
    words = ("watch", tmp_path / "scan", folder, "--to", tmp_path / "d.db", "--poll", 0.05, "--idle", 0.3, "--json")
    run = toothwise(*words, "--gears", gears)
    assert run.code == 0, run.err
    told = json.loads(run.out)
    assert (told["new"], told["bad"]) == (3, 1)
    assert ask(tmp_path / "d.db", "select distinct machine from diagnoses") == [("in",)]


def test_a_record_that_comes_again_changes_nothing(keeper_of, tmp_path, make):
    keeper = keeper_of(tmp_path / "d.db")
    first, second = (put(tmp_path / "m", make, k) for k in range(2))
    assert keeper.take(IncomingRecord("m", "a", "s", first)) == "new"
    assert keeper.take(IncomingRecord("m", "a", "s", first.read_bytes())) == "known"
    assert (
        keeper.take(IncomingRecord("m", "a", "s", second)) == "known"
    )  # other values under the name: the first ones stay
    assert keeper.take(IncomingRecord("other", "a", "s", first)) == "new"
    assert ask(tmp_path / "d.db", "select machine, record, position from diagnoses order by id") == [
        ("m", "a", 0),
        ("other", "a", 0),
    ]


def test_what_cannot_be_used_is_noted_with_its_reason_and_may_come_again_mended(keeper_of, tmp_path, make):
    keeper = keeper_of(tmp_path / "d.db")
    good = [put(tmp_path / "m", make, k) for k in range(3)]
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, values=np.ones((3, 4)))
    negative = tmp_path / "negative.npz"
    np.savez(negative, values=-make.noise(1, seed=0)[0])
    many = tmp_path / "many.npz"
    np.savez(many, values=make.noise(3, seed=0))
    for name, content in {
        "shape": wrong,
        "negative": negative,
        "many": many,
        "bytes": b"\x00\x01",
        "empty": b"",
        "gone": tmp_path / "no.npz",
    }.items():
        assert keeper.take(IncomingRecord("m", name, "s\x00", content)) == "bad", name
    assert keeper.take(IncomingRecord("m", "r1", "s", good[1])) == "new"
    assert keeper.take(IncomingRecord("m", "late", "s", good[0])) == "bad"
    assert keeper.take(IncomingRecord("m", "bytes", "s", good[2])) == "new"
    reasons = dict(ask(tmp_path / "d.db", "select record, reason from errors"))
    assert "3 x 4" in reasons["shape"]
    assert "positive maps" in reasons["negative"]
    assert "holds 3 maps, but a record is one" in reasons["many"]
    assert "a message must hold a file of" in reasons["bytes"]
    assert "out of order" in reasons["late"]
    assert not any("defect" in reason for reason in reasons.values())
    assert keeper.count == Counter(bad=7, new=2, alarms=0)


def test_two_processes_that_follow_one_machine_write_each_record_once(keeper_of, tmp_path, make):
    keepers = [keeper_of(tmp_path / "d.db") for _ in range(2)]
    files = [put(tmp_path / "m", make, k) for k in range(12)]
    for k, path in enumerate(files):  # by turns, so that each has an old picture of what is there
        assert keepers[k % 2].take(IncomingRecord("m", path.name, "s", path)) == "new"
        assert keepers[(k + 1) % 2].take(IncomingRecord("m", path.name, "s", path)) == "known"
    rows = ask(tmp_path / "d.db", "select record, position from diagnoses order by position")
    assert rows == [(path.name, k) for k, path in enumerate(files)]
    alone = keeper_of(tmp_path / "alone.db")
    for path in files:
        alone.take(IncomingRecord("m", path.name, "s", path))
    words = "select record, seen, diagnosis from diagnoses order by position"
    assert ask(tmp_path / "d.db", words) == ask(tmp_path / "alone.db", words)


def test_a_watch_keeps_its_detector_and_its_settings(keeper_of, saved, tmp_path, make):
    path = put(tmp_path / "m", make, 0)
    keeper_of(tmp_path / "d.db").take(IncomingRecord("m", "a", "s", path))
    other = keeper_of(tmp_path / "d.db", {"rate": 2.0, "warning": 20.0})
    with pytest.raises(InputError, match="the watch of m was begun with rate 1"):
        other.take(IncomingRecord("m", "b", "s", path))
    assert ask(tmp_path / "d.db", "select count(*) from errors") == [(0,)]  # it is no fault of the record


def test_maintenance_several_sensors_and_old_records_that_go(saved, tmp_path, make, monkeypatch):
    monkeypatch.setattr("toothwise.diagnosis.history.MOST", 20)
    monkeypatch.setattr("toothwise.diagnosis.history.KEPT", 5)
    keeper, files = (
        make_keeper(saved, tmp_path / "d.db", {"learn": 10}),
        [put(tmp_path / "m", make, k) for k in range(45)],
    )
    for k, path in enumerate(files):
        if k == 10:
            keeper.rebaseline("m", "bearing replaced")
        if k % 10 == 0:  # another process goes on
            limits = keeper._first._limits
            keeper = make_keeper(saved, tmp_path / "d.db", {"learn": 10})
            keeper._first._limits = limits
            keeper.rebaseline("m", "bearing replaced") if k == 40 else None
        assert keeper.take(IncomingRecord("m", path.name, "s", path)) == "new"
    state, version = keeper.database.state("m")
    assert [reset["at"] for reset in state["resets"]] == [10]
    assert len(state["past"]["names"]) + len(state["records"]) == 45
    assert len(state["records"]) < 25
    assert version < 12  # the state is not written with every record
    assert keeper.take(IncomingRecord("m", files[0].name, "s", files[0])) == "known"
    values = np.concatenate([make.noise(80, seed=s) for s in (0, 9)])
    table = {"record": [*range(80)] * 2, "sensor": ["left"] * 80 + ["right"] * 80}
    fused = MachineMonitor(
        Model.fit(make.batch(values, **table), sensors="sensor"),
        open_database(str(tmp_path / "f.db")),
        {"sensors": "sensor"},
    )
    write_map(make.batch(make.noise(2, seed=5), sensor=["left", "right"]), tmp_path / "two.npz")
    write_map(make.batch(make.noise(1, seed=6), sensor=["left"]), tmp_path / "one.npz")
    assert fused.take(IncomingRecord("m", "two", "s", tmp_path / "two.npz")) == "new"
    assert fused.take(IncomingRecord("m", "one", "s", tmp_path / "one.npz")) == "bad"
    assert "knows sensors left, right" in fused.reason


def test_where_nothing_can_be_used_the_exit_code_and_one_line_say_so(saved, tmp_path, toothwise):
    (tmp_path / "in").mkdir()
    for name in ("a.npz", "b.npz"):
        (tmp_path / "in" / name).write_bytes(b"PK not a map")
    run = toothwise("watch", saved, tmp_path / "in", "--to", tmp_path / "d.db", "--poll", 0.05, "--idle", 0.3)
    assert (run.code, run.err) == (3, "")
    (line,) = [line for line in run.out.splitlines() if line.startswith("the first that could not be used: ")]
    assert "a.npz" in line
    wrong = toothwise("watch", saved, tmp_path / "in", "--to", tmp_path / "d.db", "--rebaseline", "bearing")
    assert (wrong.code, "MACHINE=REASON" in wrong.err) == (2, True)


def test_a_file_is_taken_once_it_has_stopped_growing(tmp_path):
    stop = threading.Event()
    source = Folder(tmp_path, (".npz",), 0.01).records(stop)
    path = tmp_path / "a.npz"
    for size in (1, 2, 3):
        path.write_bytes(b"x" * size)
        assert next(source) is None
    arrived, written = next(source)
    assert (arrived.record, arrived.machine) == ("a.npz", tmp_path.name)
    assert next(source) is None
    assert next(source)[0].record == "a.npz"  # it was not written: it comes again
    written()
    assert [next(source) for _ in range(3)] == [None] * 3
    path.write_bytes(b"another")
    assert next(source) is None
    assert next(source)[0].record == "a.npz"
    stop.set()
    assert list(source) in ([], [None])


def test_while_the_database_is_away_a_record_waits(keeper_of, tmp_path, make, monkeypatch):
    from sqlalchemy.exc import OperationalError

    from toothwise.fleet import live

    monkeypatch.setattr(live, "_PAUSES", (0.01,))
    keeper = keeper_of(tmp_path / "d.db")
    put(tmp_path / "in", make, 0)
    real, away = keeper.database.append, [3]

    def append(*given):
        if away[0]:
            away[0] -= 1
            raise OperationalError("insert", {}, RuntimeError("connection refused"))
        return real(*given)

    monkeypatch.setattr(keeper.database, "append", append)
    told = []
    follow(keeper, Folder(tmp_path / "in", (".npz",), 0.01), threading.Event(), idle=0.2, progress=told.append)
    assert keeper.count == Counter(new=1, alarms=0)
    assert sum("connection refused" in line for line in told) == 3
    assert ask(tmp_path / "d.db", "select record from diagnoses") == [("r0000.npz",)]


def test_sources_and_databases_that_cannot_be(tmp_path):
    def source(words):
        return open_source(words, suffixes=(".npz",), poll=1.0, client="c")

    assert source("mqtts://me@broker/plant/+/#").topic == "plant/+/#"
    assert (source("mqtts://me@broker/a").port, source("mqtt://broker:99/a").port) == (8883, 99)
    for words, match in (
        ("mqtt://broker", "must be mqtt://host:port/topic"),
        ("mqtt://me:secret@broker/a", "a password does not belong"),
        ("mqtt://broker:x/a", "not an address"),
        (str(tmp_path / "absent"), "no such folder"),
    ):
        with pytest.raises(InputError, match=match):
            source(words)
    for words, match in (
        ("mysql://somewhere/x", "must be a file"),
        (str(tmp_path / "d.txt"), "must be a file"),
        (str(tmp_path / "absent" / "d.db"), "no such folder"),
        ("postgresql://nobody@127.0.0.1:1/x", "cannot be opened"),
    ):
        with pytest.raises(InputError, match=match):
            open_database(words)
    (tmp_path / "d.db").write_text("not a database, but a text that is long enough to be read as one" * 20)
    with pytest.raises(InputError, match="cannot be opened"):
        open_database(str(tmp_path / "d.db"))


@pytest.mark.parametrize("seen", ["'{'", "CAST(X'7B22FFFE227D' AS TEXT)"])  # half of JSON; text that is not UTF-8
def test_a_database_that_is_damaged_is_told(tmp_path, seen):
    path = tmp_path / "d.db"
    opened = open_database(str(path))
    row = {"record": "r", "position": 0, "seen": {"name": "r"}}
    opened.append("m", [row], 0, {"past": {"names": []}})
    opened.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE diagnoses SET seen = {seen}")
    again = open_database(str(path))
    with pytest.raises(InputError, match=r"d\.db: damaged"):
        again.state("m")
    again.close()


def test_names_that_a_database_would_not_take():
    assert clean("a\0b\udcff", 300) == "a\N{REPLACEMENT CHARACTER}b?"
    long = clean("x" * 5000, 300)
    assert len(long) == 300
    assert long != clean("x" * 5001, 300)


def start(saved, source, database, *more):
    words = [
        sys.executable,
        "-m",
        "toothwise",
        "watch",
        saved,
        source,
        "--to",
        database,
        "--poll",
        0.05,
        "--json",
        *more,
    ]
    return subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition, process=None, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)


def count(path: Path) -> int:
    try:
        return ask(path, "select count(*) from diagnoses")[0][0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.full
def test_sigterm_ends_it_gently_and_sigkill_costs_nothing(saved, tmp_path, make):
    folder, database = tmp_path / "in", tmp_path / "d.db"
    for k in range(150):
        put(folder, make, k)
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        process, before = start(saved, folder, database), count(database)
        try:
            wait_until(lambda before=before: count(database) >= before + 20, process)
            process.send_signal(number)
            told, said = process.communicate(timeout=60)
        finally:
            process.kill()
        if number == signal.SIGTERM:
            assert process.returncode == 0, said
            assert json.loads(told)["new"] == count(database) - before
    process = start(saved, folder, database, "--idle", "1")
    told, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    rows = ask(database, "select record, position from diagnoses order by position")
    assert rows == [(f"r{k:04d}.npz", k) for k in range(150)]
