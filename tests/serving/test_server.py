"""The service as a process: many clients at once, SIGTERM under load, refusals at the door. ``full``: minutes of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from toothwise.cli import main

httpx = pytest.importorskip("httpx")
pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
CLIENTS = 32


def body(rng):
    return json.dumps({"values": np.exp(0.2 * rng.standard_normal((9, 14))).tolist()}).encode()


def memory(pid):
    """Resident memory in MB."""
    status = Path(f"/proc/{pid}/status")
    return int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) / 1024 if status.exists() else 0.0


async def load(address, stop, *, watch=None):
    """32 clients that ask one map after the other; (status or error, seconds) of each request."""
    seen: list[tuple[object, float]] = []
    rng = np.random.default_rng(0)
    bodies = [body(rng) for _ in range(50)]

    async def client(k):
        async with httpx.AsyncClient(base_url=address, timeout=60, verify=False) as http:
            while not stop():
                began = time.perf_counter()
                try:
                    answer = await http.post(
                        "/v1/diagnose", content=bodies[k % 50], headers={"content-type": "application/json"}
                    )
                except httpx.ConnectError:
                    seen.append(("refused", 0.0))
                    return
                except httpx.TransportError as error:
                    seen.append((type(error).__name__, 0.0))
                    return
                seen.append((answer.status_code, time.perf_counter() - began))
                if answer.status_code == 200:
                    assert len(answer.json()["results"]) == 1
                elif answer.status_code == 429:
                    assert int(answer.headers["retry-after"]) >= 1
                    await asyncio.sleep(0.05)
                if watch is not None:
                    watch(len(seen))

    await asyncio.gather(*(client(k) for k in range(CLIENTS)))
    return seen


def under_load(serving, run, seconds, words=()):
    with serving(run, *words) as (process, address):
        httpx.get(f"{address}/readyz").raise_for_status()
        begin = time.monotonic()
        grown: list[float] = []
        asked = iter(range(CLIENTS))  # each client asks once at least, however slow the machine
        seen = asyncio.run(
            load(
                address,
                lambda: next(asked, None) is None and time.monotonic() - begin > seconds,
                watch=lambda n: grown.append(memory(process.pid)) if n % 50 == 0 else None,
            )
        )
        counted = httpx.get(f"{address}/metrics").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    return seen, grown, counted, time.monotonic() - begin


def check_load(seen, grown, counted):
    statuses = {status for status, _ in seen}
    assert statuses <= {200, 429}, statuses
    served = [seconds for status, seconds in seen if status == 200]
    maps = float(re.search(r"^toothwise_maps_total (\S+)", counted, re.MULTILINE)[1])
    assert maps == len(served)
    batches = float(re.search(r"^toothwise_batch_maps_count (\S+)", counted, re.MULTILINE)[1])
    assert batches < maps  # scored together
    return served


def test_many_clients_at_once_get_answers_or_429(serving, scan):
    seen, grown, counted, _ = under_load(serving, scan.exported, 2.0)
    assert len(check_load(seen, grown, counted)) >= CLIENTS
    seen, _, _, _ = under_load(serving, scan.exported, 1.5, ("--queue", 4))
    assert {status for status, _ in seen} == {200, 429}


@pytest.mark.full
def test_two_minutes_of_load_leave_the_memory_flat(serving, network, scan):
    for run in (scan.exported, network.exported):
        seen, grown, counted, took = under_load(serving, run, float(os.environ.get("TOOTHWISE_LOAD_SECONDS", "120")))
        served = sorted(check_load(seen, grown, counted))
        early, late = statistics.median(grown[len(grown) // 5 : len(grown) // 3]), statistics.median(grown[-10:])
        sys.stdout.write(
            f"{run.parent.name}: {len(served) / took:.0f} maps/s, p50 {served[len(served) // 2] * 1e3:.0f} ms, "
            f"p95 {served[int(0.95 * len(served))] * 1e3:.0f} ms, {len(seen) - len(served)} x 429, "
            f"memory {early:.0f} -> {late:.0f} MB\n"
        )
        assert late < 1.1 * early + 10


def terminated(serving, run, after):
    """SIGTERM while 32 clients ask: what they saw, and what the service says it did."""
    with serving(run, "--seconds", 20) as (process, address):
        first, sent = [], []

        def watch(count):
            first.append(time.monotonic())
            if not sent and count >= CLIENTS and time.monotonic() - first[0] > after:
                process.send_signal(signal.SIGTERM)
                sent.append(True)

        seen = asyncio.run(load(address, lambda: False, watch=watch))  # until the service refuses to be asked
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    maps = int(re.search(r"and (\d+) maps; ended", out)[1])
    return seen, maps


def check_terminated(seen, maps):
    statuses = {status for status, _ in seen}
    # a connection that idled when the service ended is closed: nothing of the next request was taken
    assert statuses <= {200, 429, 503, "refused", "RemoteProtocolError", "ReadError", "WriteError"}
    answered = sum(status == 200 for status, _ in seen)
    assert answered == maps  # every map that was taken and worked on was answered: none was lost
    assert answered > 0


def test_sigterm_under_load_loses_no_request_that_was_taken(serving, scan):
    check_terminated(*terminated(serving, scan.exported, 0.0))


@pytest.mark.full
@pytest.mark.parametrize("after", [0.5, 1.0, 2.0, 4.0])
def test_sigterm_at_any_moment_loses_nothing(serving, network, scan, after):
    for run in (scan.exported, network.exported):
        check_terminated(*terminated(serving, run, after))


def test_at_the_door(scan, tmp_path, capsys):
    run = str(scan.exported)

    def refused(*words):
        assert main(["serve", run, *map(str, words)]) == 2
        return capsys.readouterr().err

    assert "give a bearer token with --token-file" in refused("--host", "0.0.0.0")
    assert "TLS needs both" in refused("--certificate", tmp_path / "c.pem")
    (tmp_path / "c.pem").write_text("nothing")
    assert "cannot be used for TLS" in refused("--certificate", tmp_path / "c.pem", "--key", tmp_path / "c.pem")
    assert "port must lie in" in refused("--port", 70000)
    assert "queue must be positive" in refused("--queue", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot be listened on" in refused("--port", taken.getsockname()[1])
    assert "not a healthy waveform" in refused("--baseline", tmp_path / "none.npz")


def test_tls_and_a_token_from_the_environment(serving, scan, tmp_path):
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "k.pem", "-out", tmp_path / "c.pem"),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl is not installed")
    words = ["--certificate", tmp_path / "c.pem", "--key", tmp_path / "k.pem"]
    import ssl

    trust = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
    with serving(scan.exported, *words, env={"TOOTHWISE_TOKEN": "x" * 20}) as (_, address):
        assert address.startswith("https://")
        with httpx.Client(base_url=address, verify=trust) as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/v1/model").status_code == 401
            assert client.get("/v1/model", headers={"authorization": "Bearer " + "x" * 20}).status_code == 200
