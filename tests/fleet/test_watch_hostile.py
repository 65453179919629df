"""``toothwise watch`` goes on beside what hangs, what leads nowhere, and what asks for too much."""

from __future__ import annotations

import json
import os
import sqlite3
import sys

import numpy as np
import pytest

from toothwise.fleet.database import open_database
from toothwise.fleet.decoding import IncomingRecord
from toothwise.fleet.machine_monitor import MachineMonitor
from toothwise.fleet.options import FileLimits
from toothwise.healthmap import HealthMap
from toothwise.healthmap.io import write_map
from toothwise.model import Model

pytest.importorskip("sqlalchemy")


def reasons_in(path):
    with sqlite3.connect(path) as connection:
        return dict(connection.execute("select record, reason from errors").fetchall())


def put(folder, make, k, *, name=None):
    one = make.batch(make.noise(1, seed=1000 + k))
    folder.mkdir(parents=True, exist_ok=True)
    found = HealthMap(one.values[0], one.rows, one.columns, condition={"time": float(k)})
    return write_map(found, folder / (name or f"r{k:04d}.npz"))


def test_links_pipes_and_devices_are_error_rows_and_hide_nothing(saved, tmp_path, make, toothwise):
    inside, out = tmp_path / "in" / "mill", tmp_path / "outside.npz"
    for k in range(3):
        put(inside, make, k)
    put(tmp_path, make, 9, name=out.name)
    (inside / "a-dangling.npz").symlink_to(inside / "nothing.npz")
    (inside / "b-circle.npz").symlink_to(inside / "b-circle.npz")
    (inside / "c-endless.npz").symlink_to("/dev/zero")
    os.mkfifo(inside / "d-pipe.npz")
    (inside / "e-out.npz").symlink_to(out)
    (inside / "f-up").symlink_to(tmp_path)
    words = ("--to", tmp_path / "d.db", "--poll", 0.05, "--idle", 0.3, "--json")
    run = toothwise("watch", saved, tmp_path / "in", *words)
    told = json.loads(run.out)
    assert (run.code, told["new"], told["bad"]) == (0, 3, 5), run.err
    reasons = reasons_in(tmp_path / "d.db")
    assert [reasons[name] for name in sorted(reasons)] == [
        "is a link that cannot be followed (No such file or directory)",
        "is a link that cannot be followed (Too many levels of symbolic links)",
        "is a link out of the watched folder",
        "is not a regular file",
        "is a link out of the watched folder",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the system bounds processes there")
def test_a_record_that_asks_for_too_much_is_an_error_row(saved, tmp_path, make):
    limits = FileLimits(max_bytes=50_000_000, worker_megabytes=128)
    keeper = MachineMonitor(Model.open(saved), open_database(str(tmp_path / "d.db")), limits=limits)
    np.savez_compressed(tmp_path / "bomb.npz", values=np.zeros((200_000, 9, 14)))
    (tmp_path / "large.npz").write_bytes(bytes(50_000_001))
    good = put(tmp_path / "m", make, 1)
    for name in ("bomb.npz", "large.npz"):
        assert keeper.take(IncomingRecord("m", name, name, tmp_path / name)) == "bad"
    assert keeper.take(IncomingRecord("m", "r1", "s", good)) == "new"
    keeper.close()
    reasons = reasons_in(tmp_path / "d.db")
    assert "MemoryError" in reasons["bomb.npz"]
    assert "more than 50000000" in reasons["large.npz"]
