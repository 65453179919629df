"""The service as a process: many clients at once, SIGTERM under load, refusals at the door. ``full``: minutes of it."""

from __future__ import annotations

import asyncio
import importlib.util
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

pytest.importorskip("httpx")
pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
import httpx

from toothwise.serving.closing import GRACE

CLIENTS = 32
_spec = importlib.util.spec_from_file_location(
    "measuring_clients", Path(__file__).parents[2] / "benchmarks" / "measuring" / "clients.py"
)
clients = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = clients  # dataclasses look their module up
_spec.loader.exec_module(clients)
Asked = clients.Asked


def bodies():
    values = np.exp(0.2 * np.random.default_rng(0).standard_normal((50, 9, 14)))
    return [json.dumps({"values": one.tolist()}).encode() for one in values]


def memory(pid):
    """Resident memory in MB."""
    status = Path(f"/proc/{pid}/status")
    return int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) / 1024 if status.exists() else 0.0


def under_load(serving, run, seconds, words=()):
    with serving(run, *words) as (process, address):
        httpx.get(f"{address}/readyz").raise_for_status()
        begin = time.monotonic()
        grown: list[float] = []
        times = iter(range(2 * CLIENTS))  # a client looks twice before it asks first: each asks once, however slowly
        asked, refused = asyncio.run(
            clients.ask_all(
                address,
                bodies(),
                clients=CLIENTS,
                stop=lambda: next(times, None) is None and time.monotonic() - begin > seconds,
                watch=lambda n: grown.append(memory(process.pid)) if n % 50 == 0 else None,
            )
        )
        took = time.monotonic() - begin
        counted = httpx.get(f"{address}/metrics").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert refused == 0
    return asked, grown, counted, took


def check_load(asked, counted):
    assert {one.status for one in asked} <= {200, 429}
    assert all(int(one.headers["retry-after"]) >= 1 for one in asked if one.status == 429)
    served = [one.seconds for one in asked if one.status == 200]
    maps = float(re.search(r"^toothwise_maps_total (\S+)", counted, re.MULTILINE)[1])
    assert maps == len(served)
    batches = float(re.search(r"^toothwise_batch_maps_count (\S+)", counted, re.MULTILINE)[1])
    assert batches < maps  # scored together
    return served


@pytest.mark.full
def test_many_clients_at_once_get_answers_or_429(serving, scan):
    asked, _, counted, _ = under_load(serving, scan.exported, 2.0)
    assert len(check_load(asked, counted)) >= CLIENTS
    asked, _, counted, _ = under_load(serving, scan.exported, 1.5, ("--queue", 4))
    check_load(asked, counted)
    assert {one.status for one in asked} == {200, 429}


@pytest.mark.full
def test_two_minutes_of_load_leave_the_memory_flat(serving, network, scan):
    for run in (scan.exported, network.exported):
        seconds = float(os.environ.get("TOOTHWISE_LOAD_SECONDS", "120"))
        asked, grown, counted, took = under_load(serving, run, seconds)
        served = check_load(asked, counted)
        early, late = statistics.median(grown[len(grown) // 5 : len(grown) // 3]), statistics.median(grown[-10:])
        sys.stdout.write(
            f"{run.parent.name}: {len(served) / took:.0f} maps/s, p50 {np.quantile(served, 0.5) * 1e3:.0f} ms, "
            f"p95 {np.quantile(served, 0.95) * 1e3:.0f} ms, {len(asked) - len(served)} x 429, "
            f"memory {early:.0f} -> {late:.0f} MB\n"
        )
        assert late < 1.1 * early + 10


def terminated(serving, run, after):
    """SIGTERM while 32 clients ask: their requests, when it was sent, and what the service says it did."""
    with serving(run, "--seconds", 20) as (process, address):
        began, sent = [], []

        def watch(count):
            began.append(time.monotonic())
            if not sent and count >= CLIENTS and time.monotonic() - began[0] > after:
                sent.append(time.monotonic())
                process.send_signal(signal.SIGTERM)

        # until the service refuses to be asked
        asked, refused = asyncio.run(
            clients.ask_all(address, bodies(), clients=CLIENTS, stop=lambda: False, watch=watch)
        )
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert refused == CLIENTS
    answered, taken, maps = map(int, re.search(r"answered (\d+) of (\d+) requests, with (\d+) maps", out).groups())
    # one request is that of the fixture, which waits until the service answers
    return asked, sent[0], {"answered": answered - 1, "taken": taken - 1, "maps": maps}


def check_terminated(asked, ended, said):
    """No request that was taken is without its answer; and none that had left before connections were closed.

    A client whose kept connection is closed while it sends cannot tell whether its request was taken. The service can:
    it counts heads that it read. As many whole answers must have come as it counted.
    """
    whole = [one for one in asked if one.status is not None]
    assert len(whole) == said["answered"] == said["taken"]
    assert sum(one.status == 200 for one in whole) == said["maps"] > 0
    lost = [one for one in asked if one.status is None]
    assert all(one.received == 0 for one in lost)  # no half answer
    early = [one for one in lost if one.sent and one.at < ended + GRACE / 2]
    assert not early


def test_what_check_terminated_calls_lost():
    said = {"answered": 2, "taken": 2, "maps": 1}
    answered = [Asked(True, True, 200, at=1.0), Asked(False, True, 429, at=2.0)]
    check_terminated(answered, 2.0, said)
    idle = Asked(False, True, None, at=2.0 + GRACE)  # sent when its connection was closed as idle: never taken
    check_terminated([*answered, idle], 2.0, said)
    for asked, counts in (
        ([*answered, idle], {**said, "taken": 3}),  # taken and not answered
        (answered[:1], said),  # the service thinks that it answered
        ([*answered, Asked(False, True, None, received=9, at=9.0)], said),  # half an answer
        ([*answered, Asked(False, True, None, at=2.1)], said),  # left in time
    ):
        with pytest.raises(AssertionError):
            check_terminated(asked, 2.0, counts)


@pytest.mark.full
def test_sigterm_under_load_loses_no_request_that_was_taken(serving, scan):
    check_terminated(*terminated(serving, scan.exported, 0.0))


@pytest.mark.full
@pytest.mark.parametrize("after", [0.5, 1.0, 2.0, 4.0])
def test_sigterm_at_any_moment_loses_nothing(serving, network, scan, after):
    for run in (scan.exported, network.exported):
        check_terminated(*terminated(serving, run, after))


@pytest.mark.full
def test_a_kept_connection_may_send_once_more_when_the_service_ends(serving, scan):
    """A request that comes after SIGTERM on a connection that idles is answered, and told that it was the last."""
    with serving(scan.exported) as (process, address), httpx.Client(base_url=address) as client:
        assert client.get("/readyz").headers.get("connection") != "close"
        process.send_signal(signal.SIGTERM)
        time.sleep(0.4)  # uvicorn looks ten times a second whether it is to end
        answer = client.post("/v1/diagnose", content=bodies()[0], headers={"content-type": "application/json"})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        with pytest.raises(httpx.ConnectError):
            client.get("/readyz")
        assert process.wait(30) == 0


def test_at_the_door(scan, tmp_path, capsys):
    run = str(scan.exported)

    def refused(*words):
        assert main(["serve", run, *map(str, words)]) == 2
        return capsys.readouterr().err

    assert "give a bearer token with --token-file" in refused("--host", "0.0.0.0")
    assert "TLS needs both" in refused("--certificate", tmp_path / "c.pem")
    (tmp_path / "c.pem").write_text("nothing")
    assert "cannot be used for TLS" in refused("--certificate", tmp_path / "c.pem", "--key", tmp_path / "c.pem")
    assert "port must be a number in" in refused("--port", 70000)
    assert "queue must be a number, above 0" in refused("--queue", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot bind to 127.0.0.1:" in refused("--port", taken.getsockname()[1])


@pytest.mark.full
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
