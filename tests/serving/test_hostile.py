"""Small inputs that ask for much work: each is refused while the service goes on answering others."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("h5py")
httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.full

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hostile.py"


def test_others_are_answered_beside_every_kind_and_memory_and_time_keep_their_bounds(tmp_path):
    """benchmarks/hostile.py says what is sent, and exits with 1 where an answer or a bound is not kept."""
    command = [sys.executable, "-W", "ignore", SCRIPT, "--mutations", "20", "--output", tmp_path / "hostile.json"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads((tmp_path / "hostile.json").read_text())["result"]
    assert len(found["kinds"]) > 12
    assert min(found["asked_meanwhile"].values()) > 20


def test_ready_means_that_a_worker_answers_and_sigterm_ends_what_hangs(serving, building):
    words = ("--worker-cpu-seconds", 60, "--workers", 1, "--seconds", 8)
    endless = {"record": ("r.csv.gz", gzip.compress(b"12;" * 9_000_000))}
    with serving(building, *words) as (process, address), httpx.Client(base_url=address, timeout=90) as client:
        assert client.get("/readyz").json() == {"status": "ready"}

        def hang():
            with pytest.raises(httpx.HTTPError):
                client.post("/v1/diagnose", files=endless)

        threading.Thread(target=hang, daemon=True).start()
        time.sleep(1.5)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "busy"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(14) is not None


def test_half_a_head_is_not_waited_for(serving, building):
    with serving(building, "--seconds", 12) as (_, address):
        host, _, port = address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), 20) as half:
            half.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
            half.settimeout(15)
            begin = time.monotonic()
            assert half.recv(10) == b""
            assert 5 < time.monotonic() - begin < 14
