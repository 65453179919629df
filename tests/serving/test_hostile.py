"""Small inputs that ask for much work: each is refused in one line while the service goes on answering others."""

from __future__ import annotations

import gzip
import io
import re
import signal
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from toothwise.vibration.readers.write import write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.full

WORDS = ("--worker-cpu-seconds", 3, "--worker-megabytes", 700, "--workers", 2, "--seconds", 12)
GOOD = np.exp(0.2 * np.random.default_rng(0).standard_normal((9, 14))).astype(np.float32)


def npz(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def recording(times=None, rate: float = 4096.0, **more) -> bytes:
    """20 s of a sine with one pulse per revolution, or what a stranger says of it."""
    vibration = np.sin(2 * np.pi * 108 * np.arange(20 * 4096) / 4096).astype(np.float32)
    tacho = Tachometer(values=np.arange(0, 20, 1 / 12) if times is None else times, kind="times", **more)
    record = VibrationRecord(channels={"acc": vibration}, sampling_rate=rate, tacho=tacho)
    with tempfile.TemporaryDirectory() as folder:
        return write_record(record, Path(folder) / "r.npz").read_bytes()


def nested_groups() -> bytes:
    h5py = pytest.importorskip("h5py")
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        group = file
        for _ in range(3000):
            group = group.create_group("g")
        for k in range(3000):
            group.create_group(f"g{k}")
        group["x"] = h5py.SoftLink("/")
    return out.getvalue()


KINDS = {
    "nested groups": ("r.h5", nested_groups),
    "one endless line": ("r.csv.gz", lambda: gzip.compress(b"12;" * 9_000_000)),
    "endless lines": ("r.csv.gz", lambda: gzip.compress(b"1\n" * 120_000_000, 1)),
    "letters": ("r.csv.gz", lambda: gzip.compress(b"a" * 500_000_000, 1)),
    "a billion revolutions": ("r.npz", lambda: recording(np.arange(3_000_000) * 6e-6)),
    "a sampling rate": ("r.npz", lambda: recording(rate=1e300)),
    "a ratio": ("r.npz", lambda: recording(ratio=9_000.0)),
    "pulses": ("r.npz", lambda: recording(pulses_per_revolution=1e-5)),
    "zeros": ("r.npz", lambda: npz(vibration=np.zeros(200_000_000, np.int8))),
}


@pytest.fixture(scope="module")
def service(serving, building):
    with serving(building, *WORDS) as (process, address), httpx.Client(base_url=address, timeout=60) as client:
        post(client, "a.wav", b"")
        client.post("/v1/diagnose", json={"values": GOOD.tolist()})  # whatever is loaded late is loaded now
        yield process, client


def family(pid: int) -> float:
    """Memory of a process and all below it, in MB; what they share is counted once."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            total += int(re.search(r"Pss: +(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text())[1]) / 1024
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def post(client, name: str, content: bytes):
    return client.post("/v1/diagnose", files=[("record", (name, content))])


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_answered_beside_it(service, kind):
    process, client = service
    name, make = KINDS[kind]
    content, before = make(), family(process.pid)
    done, alive, correct, most = [], [], [], [0.0]

    def ask():
        done.append(post(client, name, content))

    threads = [threading.Thread(target=ask) for _ in range(2)]  # as many as there are workers
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(alive) < 5:
        for path, times in (("/healthz", alive), (None, correct)):
            begin = time.monotonic()
            answer = client.get(path) if path else client.post("/v1/diagnose", json={"values": GOOD.tolist()})
            times.append(time.monotonic() - begin)
            assert answer.status_code == 200, answer.text
        most[0] = max(most[0], family(process.pid))
        time.sleep(0.05)
    for answer in done:
        assert answer.status_code in (413, 422, 503), answer.text
        message = answer.json()["error"]["message"]
        assert message
        assert "\n" not in message
        assert "Traceback" not in message
    assert statistics.median(alive) < 0.1
    assert max(alive) < 0.5
    assert max(correct) < 5
    assert most[0] < before + 2 * 700 + 200
    begin = time.monotonic()
    while family(process.pid) > before + 150 and time.monotonic() - begin < 5:
        time.sleep(0.1)
    assert family(process.pid) < before + 150
    assert client.get("/readyz").status_code == 200


def test_a_correct_recording_is_answered_beside_one_that_hangs(service):
    _, client = service
    name, make = KINDS["one endless line"]
    thread = threading.Thread(target=post, args=(client, name, make()))
    thread.start()
    time.sleep(0.3)
    begin = time.monotonic()
    answer = client.post("/v1/diagnose", files=[("file", ("a.npz", npz(values=GOOD)))])
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - begin < 5
    thread.join()


def test_ready_means_that_a_worker_answers_and_sigterm_ends_what_hangs(serving, building):
    words = ("--worker-cpu-seconds", 60, "--workers", 1, "--seconds", 8)
    name, make = KINDS["one endless line"]
    with serving(building, *words) as (process, address), httpx.Client(base_url=address, timeout=90) as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        thread = threading.Thread(target=lambda: pytest.raises(httpx.HTTPError, post, client, name, make()))  # noqa: RUF061
        thread.daemon = True
        thread.start()
        time.sleep(1.5)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "busy"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(14) is not None


def test_half_a_head_is_not_waited_for(service, monkeypatch):
    _, client = service
    with socket.create_connection((client.base_url.host, client.base_url.port), 20) as half:
        half.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        half.settimeout(15)
        begin = time.monotonic()
        assert half.recv(10) == b""
        assert 5 < time.monotonic() - begin < 14
