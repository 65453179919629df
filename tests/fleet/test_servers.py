"""``toothwise watch`` with a real broker and a real PostgreSQL: nothing lost, nothing twice, whoever dies."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sqlalchemy")

pytestmark = pytest.mark.full


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_until(condition, process=None, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.1)


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def broker(tmp_path) -> Iterator[int]:
    """The port of a mosquitto of our own."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    pytest.importorskip("paho.mqtt")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    process = subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL of our own."""
    pytest.importorskip("psycopg")
    places = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), os.environ["PATH"]]
    found = {name: shutil.which(name, path=os.pathsep.join(places)) for name in ("initdb", "postgres")}
    if None in found.values():
        pytest.skip("PostgreSQL is not installed")
    user = None
    if os.geteuid() == 0:  # it refuses to run as root
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    data, port = folder / "data", free_port()
    if user:
        shutil.chown(folder, user)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": user}
    words = [found["initdb"], "-D", data, "-U", "toothwise", "--auth=trust", "-E", "UTF8"]
    subprocess.run(words, check=True, cwd=folder, **quiet)
    process = subprocess.Popen(
        [found["postgres"], "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder], cwd=folder, **quiet
    )
    try:
        wait_until(lambda: listens(port))
        time.sleep(1.0)
        yield f"postgresql://toothwise@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def content(make, tmp_path, k, *, damage=1.0) -> bytes:
    values = make.noise(1, seed=1000 + k)[0]
    values[4] *= damage
    path = tmp_path / "one.npz"
    np.savez(path, values=values)
    return path.read_bytes()


def publish(port, messages) -> None:
    """Topic, id, time and content of each, at least once."""
    from paho.mqtt import client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, name, when, payload in messages:
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("id", name), ("time", str(when))]
        client.publish(topic, payload, qos=1, properties=properties).wait_for_publish(30)
    client.loop_stop()
    client.disconnect()


def start(saved, source, database, *more):
    words = [sys.executable, "-m", "toothwise", "watch", saved, source, "--to", database, "--json", *more]
    return subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ask(database, words):
    if str(database).startswith("postgresql"):
        import psycopg

        with psycopg.connect(database) as connection:
            return connection.execute(words).fetchall()
    with sqlite3.connect(database) as connection:
        return connection.execute(words).fetchall()


def count(database) -> int:
    try:
        return ask(database, "select count(*) from diagnoses")[0][0]
    except Exception:
        return 0


ALL = "select machine, record, position from diagnoses order by machine, position"


def finish(process) -> dict:
    told, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return json.loads(told)


def test_a_topic_of_records_survives_kills_and_repetition(broker, saved, tmp_path, make):
    database, source = tmp_path / "d.db", f"mqtt://127.0.0.1:{broker}/plant/+/records"
    process = start(saved, source, database, "--idle", "2")  # makes the broker keep messages from here on
    assert finish(process)["new"] == 0
    messages = [
        (f"plant/{machine}/records", f"r{k:03d}", k, content(make, tmp_path, 300 * m + k, damage=1.6 if m else 1.0))
        for k in range(60)
        for m, machine in enumerate(("mill", "press"))
    ]
    publish(broker, messages[:70])  # while nobody is there
    for target in (25, 60):
        process = start(saved, source, database)
        try:
            wait_until(lambda target=target: count(database) >= target, process)
        finally:
            process.kill()
            process.communicate()
    broken = ("plant/mill/records", "broken", 5, b"no map at all")
    publish(broker, [*messages[70:], broken, *messages[-9:], broken, messages[0]])  # some of them again
    told = finish(start(saved, source, database, "--idle", "3"))
    assert told["bad"] == 2
    assert told["known"] >= 10
    expected = [(f"plant/{m}/records", f"r{k:03d}", k) for m in ("mill", "press") for k in range(60)]
    assert ask(database, ALL) == expected
    ((machine, record, reason),) = ask(database, "select machine, record, reason from errors")
    assert (machine, record) == ("plant/mill/records", "broken")
    assert "a message must hold a file" in reason
    colours = dict(ask(database, "select machine, colour from diagnoses where position = 59"))
    assert colours["plant/press/records"] == "RED"
    teeth = ask(
        database, "select distinct tooth from diagnoses where machine = 'plant/press/records' and colour = 'RED'"
    )
    assert teeth == [(4,)]


def test_sigterm_finishes_the_record_in_hand_and_the_rest_stays_with_the_broker(broker, saved, tmp_path, make):
    database, source = tmp_path / "d.db", f"mqtt://127.0.0.1:{broker}/a/records"
    finish(start(saved, source, database, "--idle", "2"))
    publish(broker, [("a/records", f"r{k:03d}", k, content(make, tmp_path, k)) for k in range(80)])
    process = start(saved, source, database)
    wait_until(lambda: count(database) >= 10, process)
    process.send_signal(signal.SIGTERM)
    first = finish(process)
    assert first["new"] == count(database) < 80
    second = finish(start(saved, source, database, "--idle", "3"))
    assert first["new"] + second["new"] == 80
    assert ask(database, ALL) == [("a/records", f"r{k:03d}", k) for k in range(80)]


def test_postgresql_holds_what_sqlite_holds_and_two_watches_share_it(postgres, saved, tmp_path, make):
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(40):
        (folder / f"r{k:03d}.npz").write_bytes(content(make, tmp_path, k, damage=1.0 if k < 20 else 1.6))
    (folder / "bad.npz").write_bytes(b"PK\x00\x00broken")
    both = [start(saved, folder, postgres, "--idle", "3", "--poll", "0.1") for _ in range(2)]
    try:
        told = [finish(process) for process in both]
    finally:
        for process in both:
            process.kill()
    assert sum(each["new"] for each in told) == 40
    finish(start(saved, folder, tmp_path / "d.db", "--idle", "1", "--poll", "0.1"))
    assert ask(postgres, ALL) == [("in", f"r{k:03d}.npz", k) for k in range(40)]
    words = "select record, colour, tooth, sentence, score, contrast, above from diagnoses order by position"
    for here, there in zip(ask(postgres, words), ask(tmp_path / "d.db", words), strict=True):
        assert here[:4] == there[:4]
        assert here[4:] == pytest.approx(there[4:])
    assert len(ask(postgres, "select reason from errors")) == 1


def test_a_database_that_restarts_is_waited_for(postgres, broker, saved, tmp_path, make):
    source = f"mqtt://127.0.0.1:{broker}/a/records"
    finish(start(saved, source, postgres, "--idle", "2"))
    process = start(saved, source, postgres)
    try:
        publish(broker, [("a/records", f"r{k:03d}", k, content(make, tmp_path, k)) for k in range(20)])
        wait_until(lambda: count(postgres) >= 5, process)
        ask(postgres, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
        publish(broker, [("a/records", f"r{k:03d}", k, content(make, tmp_path, k)) for k in range(20, 40)])
        wait_until(lambda: count(postgres) == 40, process)
        process.send_signal(signal.SIGTERM)
        assert finish(process)["bad"] == 0
    finally:
        process.kill()
    assert ask(postgres, ALL) == [("a/records", f"r{k:03d}", k) for k in range(40)]
