"""The HTTP API in one process: what it answers, what it refuses, what it leaves behind."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
from starlette.testclient import TestClient

from toothwise import GearPair, MapBuilder, Model, Monitor
from toothwise.diagnosis.single import diagnose_maps
from toothwise.errors import InputError
from toothwise.healthmap.build import build_map
from toothwise.serving.access import check_token, is_loopback, read_token
from toothwise.serving.app import create_app
from toothwise.serving.limits import Limits
from toothwise.serving.service import Service
from toothwise.vibration.readers import read_record
from toothwise.vibration.readers.write import write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

TOKEN = "0123456789abcdef-secret"
ADDRESS = "http://127.0.0.1"


def noise(n, seed, row=None):
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, 9, 14))).astype(np.float32)
    if row is not None:
        values[:, row] *= 2.0
    return values


@pytest.fixture(scope="module")
def service(scan):
    """Its model knows how recordings become maps."""
    model = Service.open(scan.exported).model
    return Service(dataclasses.replace(model, builder=MapBuilder(GearPair(9, 14), options={"signal": "residual"})))


@pytest.fixture(scope="module")
def client(service):
    limits = Limits(max_bytes=400_000, max_maps=20, max_values=200_000)
    with TestClient(create_app(service, limits), base_url=ADDRESS, raise_server_exceptions=False) as found:
        yield found


def npz(values):
    out = io.BytesIO()
    np.savez(out, values=values)
    return out.getvalue()


def error(answer, status, code, words=""):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()["error"]
    assert told["code"] == code
    assert words in told["message"]


def test_a_map_as_json_is_diagnosed_as_by_the_library(client, scan):
    values = noise(1, 5, row=4)
    values[0, 0, 0] = np.nan
    rows = [[None if np.isnan(v) else float(v) for v in row] for row in values[0]]
    answer = client.post("/v1/diagnose", json={"values": rows, "record": "monday", "include": ["evidence", "map"]})
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["results"]
    model = Model.open(scan.saved)
    detector = model.detector
    expected = detector.predict(values)
    assert one["score"] == pytest.approx(expected.score[0], rel=1e-9)
    assert one["alarm"] is True
    assert one["threshold"] == Monitor(model).threshold()  # as `predict` has it, and as the verdict has it
    assert (one["record"], one["row"]) == ("monday", 4)
    np.testing.assert_allclose(one["row_evidence"], expected.row_evidence[0])
    assert one["map"][0][0] is None
    assert "anomaly_map" not in one
    rate = one["diagnosis"]["limits"]["channels"]["single"]["warning"]["stated"] / 1000.0  # AMBER's, as in a sequence
    (said,) = diagnose_maps(values, detector, model.reference, rate=rate)
    assert one["diagnosis"]["each"] == [dataclasses.replace(said, record="monday").as_json()]
    assert (one["diagnosis"]["gear"], one["diagnosis"]["tooth"]) == ("driving", 4)
    assert one["verdict"].startswith("Driving tooth 4 stands out")


def test_a_batch_answers_every_map_and_says_which_are_bad(client):
    good = noise(3, 6, row=2).tolist()
    maps = [
        {"values": good[0], "record": "a"},
        {"values": [[1.0]]},
        {"values": good[1]},
        {"valves": 1},
        {"values": good[2]},
    ]
    results = client.post("/v1/diagnose/batch", json={"maps": maps}).json()["results"]
    assert [r.get("error", {}) and r["error"]["code"] for r in results] == [{}, "invalid", {}, "invalid", {}]
    assert [r["record"] for r in results] == ["a", "record 2", "record 3", "record 4", "record 5"]
    assert "9 x 14" in results[1]["error"]["message"]
    assert [results[k]["row"] for k in (0, 2, 4)] == [2, 2, 2]
    (alone,) = client.post("/v1/diagnose/batch", json={"maps": [{"values": [[1.0]]}]}).json()["results"]
    assert alone["error"]["code"] == "invalid"


def test_maps_in_order_have_one_diagnosis_more_which_is_that_of_the_monitor(client, scan):
    values = np.concatenate([noise(4, 11), noise(6, 12, row=4)])
    maps = [{"values": one} for one in values.tolist()]
    body = {"maps": [*maps[:4], {"values": [[1.0]]}, *maps[4:]], "include": ["sequence"]}
    answer = client.post("/v1/diagnose/batch", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()["diagnosis"]
    said = Monitor(Model.open(scan.saved), {"sequence": True}).add(values)
    assert found["sequence"] is True
    assert (found["colour"], found["tooth"], found["records"]) == (said.colour, said.tooth, 10) == ("RED", 4, 10)
    assert found["since"]["number"] == said.since.number
    form = client.post("/v1/diagnose", files={"file": ("a.npz", npz(values))}, data={"include": "sequence"}).json()
    assert (form["diagnosis"]["tooth"], form["diagnosis"]["records"]) == (4, 10)
    bad = client.post("/v1/diagnose/batch", json={"maps": [{"values": [[1.0]]}], "include": ["sequence"]}).json()
    assert bad["results"][0]["error"]["code"] == "invalid"


def test_a_large_body_is_decoded_in_a_worker(client):
    body = b" " * 300_000 + json.dumps({"maps": [{"values": one} for one in noise(3, 5, row=4).tolist()]}).encode()
    answer = client.post("/v1/diagnose/batch", content=body, headers={"content-type": "application/json"})
    assert [one["row"] for one in answer.json()["results"]] == [4, 4, 4]


def test_files_of_maps_are_diagnosed(client):
    files = [("file", ("a.npz", npz(noise(2, 7)))), ("file", ("../../b.npz", npz(noise(1, 8, row=6))))]
    results = client.post("/v1/diagnose", files=files, data={"include": "anomaly_map"}).json()["results"]
    assert [r["record"] for r in results] == ["a.npz[0]", "a.npz[1]", "b.npz"]
    assert results[2]["row"] == 6
    assert np.shape(results[0]["anomaly_map"]) == (9, 14)


def recording(folder):
    """A file of some hunting periods of a pair 9/14."""
    rate, seconds, speed = 4096.0, 20.0, 12.0
    t = np.arange(int(rate * seconds)) / rate
    vibration = np.sin(2 * np.pi * 9 * speed * t) + 0.3 * np.random.default_rng(0).standard_normal(len(t))
    tacho = Tachometer(values=np.arange(0, seconds, 1 / speed), kind="times")
    record = VibrationRecord({"acc": vibration.astype(np.float32)}, rate, tacho, unit="g")
    return write_record(record, folder / "r.npz")


def test_a_recording_is_built_and_diagnosed(client, tmp_path):
    path = recording(tmp_path)
    made = build_map(read_record(path), GearPair(driving=9, driven=14), signal="residual").values
    files = [("record", ("r.npz", path.read_bytes()))]
    answer = client.post("/v1/diagnose", files=files, data={"include": "map"})
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose(np.array(answer.json()["results"][0]["map"], float), made, rtol=1e-5)
    named = {"read": '{"channels": ["none"]}'}
    error(client.post("/v1/diagnose", files=files, data=named), 422, "invalid", "r.npz")
    for read in ('{"tacho_ratio": 3000}', "[1]", '{"sampling_rate": -1}', '{"channels": []}'):
        error(client.post("/v1/diagnose", files=files, data={"read": read}), 422, "invalid", "read")


def test_recordings_are_refused_where_maps_would_be_of_another_kind(service):
    files = [("record", ("r.npz", npz(noise(1, 1))))]
    for builder, words in ((None, "fitted on maps"), (MapBuilder(GearPair(9, 15)), "r.npz")):
        other = Service(dataclasses.replace(service.model, builder=builder))
        with TestClient(create_app(other), base_url=ADDRESS) as client:
            error(client.post("/v1/diagnose", files=files), 422, "invalid", words)
            assert client.get("/v1/model").json()["builds"] == (builder is not None)


def test_gears_of_a_request_are_for_models_that_hold_none(client, service, tmp_path):
    path = recording(tmp_path)
    files = [("record", ("r.npz", path.read_bytes()))]
    pair, wrong = '{"driving": 9, "driven": 14}', '{"sun": 9, "planet": 14}'
    error(client.post("/v1/diagnose", files=files, data={"gears": pair}), 422, "invalid", "leave out gears")
    other = Service(dataclasses.replace(service.model, builder=None))
    with TestClient(create_app(other), base_url=ADDRESS) as client:
        answer = client.post("/v1/diagnose", files=files, data={"gears": pair, "include": "map"})
        assert answer.status_code == 200, answer.text
        made = build_map(read_record(path), GearPair(driving=9, driven=14), signal="residual").values
        np.testing.assert_allclose(np.array(answer.json()["results"][0]["map"], float), made, rtol=1e-5)
        error(client.post("/v1/diagnose", files=files, data={"gears": wrong}), 422, "invalid", "gears")
        error(client.post("/v1/diagnose", files=files, data={"gears": '{"driving": 2}'}), 422, "invalid", "gears")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"values": [[NaN]]}', "finite number"),
        (b'{"values": [[Infinity]]}', "finite number"),
        (b'{"values": [[1e999]]}', "finite number"),
        (b'{"values": [[' + b"1e300," * 13 + b"1]]}", "finite"),
        (b'{"values": [[' + b"9" * 400 + b"]]}", "values.0.0"),
        (b'{"values": [["1"]]}', "values.0.0"),
        (b'{"values": [[true]]}', "values.0.0"),
        (b'{"values": [[1], [1, 2]]}', "ragged"),
        (b'{"values": [[1, 2]]}', "9 x 14"),
        (b'{"values": []}', "empty"),
        (b'{"values": [[1]], "path": "/etc/passwd"}', "path"),
        (b'{"value": 1}', "values"),
        (b'{"values": [[1]], "include": ["secrets"]}', "include"),
        (b'{"values": [[1]], "record": 5}', "record"),
        (b"[" * 300, "recursion limit"),
        (b"\xff\xfe", "JSON"),
        (b"", "JSON"),
        (b"null", "object"),
    ],
)
def test_json_that_cannot_be_used(client, body, words):
    answer = client.post("/v1/diagnose", content=body, headers={"content-type": "application/json"})
    error(answer, 422, "invalid", words)
    assert "\n" not in answer.json()["error"]["message"]


def test_maps_that_cannot_be_judged(client):
    values = noise(1, 0)[0]
    values[3, 3] = -1
    error(client.post("/v1/diagnose", json={"values": values.tolist()}), 422, "invalid", "must be positive")
    nothing = [[None] * 14] * 9
    error(client.post("/v1/diagnose", json={"values": nothing}), 422, "invalid", "NaN only")


def test_bodies_of_another_kind_or_size(client):
    error(client.post("/v1/diagnose", content=b"x", headers={"content-type": "text/plain"}), 415, "unsupported")
    error(client.post("/v1/diagnose"), 415, "unsupported", "none")
    error(client.post("/v1/diagnose/batch", files={"file": ("a.npz", b"")}), 415, "unsupported")
    error(client.post("/v1/diagnose", files={"file": ("a.exe", b"MZ")}), 415, "unsupported", ".npz")
    error(client.post("/v1/diagnose", files={"other": ("a.npz", b"")}), 422, "invalid", "'other'")
    error(client.post("/v1/diagnose", files={"file": ("a.npz", b"x")}), 422, "invalid", "a.npz")
    error(client.post("/v1/diagnose", data={"read": "{"}, files={"file": ("a.npz", b"x")}), 422, "invalid", "read")
    large = b'{"values": [[' + b"1," * 300_000 + b"1]]}"
    error(client.post("/v1/diagnose", content=large, headers={"content-type": "application/json"}), 413, "too_large")

    def slices():
        for _ in range(100):
            yield b" " * 10_000

    answer = client.post("/v1/diagnose", content=slices(), headers={"content-type": "application/json"})
    error(answer, 413, "too_large", "400000 bytes")
    lists = b'{"values": [' + b"[]," * 50_000 + b"[]]}"
    error(client.post("/v1/diagnose", content=lists, headers={"content-type": "application/json"}), 413, "too_large")
    maps = b'{"maps": [' + b"{}," * 50_000 + b"{}]}"
    error(
        client.post("/v1/diagnose/batch", content=maps, headers={"content-type": "application/json"}), 413, "too_large"
    )
    broken = {"content-type": "multipart/form-data; boundary=x"}
    error(client.post("/v1/diagnose", content=b"--y", headers=broken), 400, "bad_request")
    error(
        client.post("/v1/diagnose", content=b"--", headers={"content-type": "multipart/form-data"}), 400, "bad_request"
    )
    maps = [{"values": [[1]]}] * 21
    error(client.post("/v1/diagnose/batch", json={"maps": maps}), 413, "too_large", "21 maps, more than 20")
    error(client.get("/v1/nothing"), 404, "not_found")
    error(client.get("/v1/diagnose"), 405, "method_not_allowed")


def test_nothing_is_left_on_disk_and_nothing_outside_is_written(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    for name in ("../../../../tmp/evil.npz", "/etc/evil.npz", "..\\..\\evil.npz", "a\0b.npz", "~/evil.npz"):
        answer = client.post("/v1/diagnose", files={"file": (name, npz(noise(1, 1)))})
        assert answer.status_code in (200, 400), answer.text
    assert set(tmp_path.rglob("*")) == before
    from pathlib import Path

    held = [p for folder in Path(tempfile.gettempdir()).glob("toothwise-*") for p in folder.rglob("*upload*")]
    assert held == []


def test_the_model_and_its_state(client, service, scan):
    told = client.get("/v1/model").json()
    assert (told["detector"], told["shape"], told["exported"]) == ("scan", [9, 14], True)
    assert told["threshold"] == service.threshold  # what answers compare with
    assert told["detector_threshold"]["value"] == service.model.detector.threshold.value
    assert told["gear"]["driven"] == 14
    assert told["files"].keys() >= {"healthy.npz", "state.safetensors"}
    assert str(scan.exported.parent) not in json.dumps(told)
    assert [client.get(path).json()["status"] for path in ("/healthz", "/readyz")] == ["alive", "ready"]
    values = client.get("/v1/example").json()["values"]
    (one,) = client.post("/v1/diagnose", json={"values": values}).json()["results"]
    assert (one["diagnosis"]["pattern"], one["diagnosis"]["tooth"]) == ("one tooth", 3)


def test_metrics_count(client):
    def value(name):
        lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name + " ")]
        return float(lines[0].rpartition(" ")[2])

    before = value("toothwise_maps_total"), value("toothwise_alarms_total")
    client.post("/v1/diagnose", json={"values": noise(1, 5, row=4)[0].tolist()})
    assert (value("toothwise_maps_total"), value("toothwise_alarms_total")) == (before[0] + 1, before[1] + 1)
    client.get("/some/address/nobody/knows")
    text = client.get("/metrics").text
    assert 'path="other",status="404"' in text
    assert "nobody" not in text


def test_the_description_has_examples_that_work(client):
    told = client.get("/openapi.json").json()
    for path in ("/v1/diagnose", "/v1/diagnose/batch"):
        content = told["paths"][path]["post"]["requestBody"]["content"]
        example = content["application/json"]["examples"]["map"]["value"]
        assert client.post(path, json=example).status_code == 200
        assert {"400", "401", "413", "422", "429", "503"} <= told["paths"][path]["post"]["responses"].keys()


def test_the_report_is_one_page_of_what_was_sent_and_looks_nothing_up(client, tmp_path, monkeypatch):
    for drawn in ("png", "narrow"):
        monkeypatch.setattr(f"toothwise.reporting.drawing.Picture.{drawn}", b"")  # most of the time
    monkeypatch.chdir(tmp_path)
    (tmp_path / "<b>a.npz").write_bytes(b"a file of the server")
    files = [("file", ("<b>a.npz", npz(noise(1, 5, row=4)))), ("file", ("<b>a.npz", npz(noise(1, 6))))]
    answer = client.post("/v1/report", files=files)
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"]
    assert "Driving tooth 4 stands out" in answer.text
    assert "&lt;b&gt;a.npz (2)" in answer.text
    assert "<b>a" not in answer.text
    assert re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:|#)([^"'\s>]+)""", answer.text) == []
    assert answer.text.count("<svg") + answer.text.count("<img") >= 3
    assert hashlib.sha256(b"a file of the server").hexdigest()[:12] not in answer.text


@pytest.mark.full
def test_the_report_needs_no_torch(scan):
    code = (
        "import sys\nimport numpy as np\n"
        "from toothwise.serving.report import report_page\nfrom toothwise.serving.service import Job, Service\n"
        "print(report_page(Job(np.ones((1, 9, 14), np.float32) + np.eye(9, 14, dtype=np.float32) / 9, ('a',)),"
        " Service.open(sys.argv[1])))\nassert not {'torch', 'anomalib', 'timm'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, scan.exported], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("<!doctype html>")


def test_no_report_without_a_healthy_reference(service):
    bare = Service(dataclasses.replace(service.model, reference=None))
    with TestClient(create_app(bare), base_url=ADDRESS) as client:
        values = noise(1, 5)[0].tolist()
        assert client.post("/v1/diagnose", json={"values": values}).status_code == 200
        error(client.post("/v1/report", json={"values": values}), 422, "invalid", "no healthy reference")


def test_a_token_opens_what_is_protected(service):
    app = create_app(service, host="0.0.0.0", token=TOKEN)
    with TestClient(app, base_url="http://gearbox.example") as client:
        assert client.get("/healthz").status_code == client.get("/").status_code == 200
        for path in ("/v1/model", "/metrics", "/v1/example"):
            error(client.get(path), 401, "unauthorized", "Bearer")
            assert client.get(path).headers["www-authenticate"] == "Bearer"
            for wrong in (TOKEN[:-1], TOKEN + "x", "", "é"):
                answer = client.get(path, headers={"authorization": f"Bearer {wrong}".encode()})
                error(answer, 401, "unauthorized")
            error(client.get(path, headers={"authorization": f"Basic {TOKEN}"}), 401, "unauthorized")
            assert client.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        error(client.post("/v1/diagnose", json={"values": [[1]]}), 401, "unauthorized")


def test_tokens(tmp_path, monkeypatch):
    monkeypatch.delenv("TOOTHWISE_TOKEN", raising=False)
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("gearbox.example")
    assert read_token(None, "127.0.0.1") is None
    with pytest.raises(InputError, match="give a bearer token with --token-file"):
        read_token(None, "0.0.0.0")
    monkeypatch.setenv("TOOTHWISE_TOKEN", "short")
    with pytest.raises(InputError, match="16 or more"):
        read_token(None, "127.0.0.1")
    (tmp_path / "token").write_text(TOKEN + "\n")
    assert read_token(tmp_path / "token", "0.0.0.0") == TOKEN
    assert check_token(f"bearer {TOKEN}", TOKEN)
    assert not check_token(None, TOKEN)


def test_other_sites_and_other_names_are_refused(client):
    for host in ("evil.example", "[::1].evil.com", "127.0.0.1:evil.com", "localhost:1:2", "[::1", "127.0.0.1.evil.com"):
        error(client.get("/healthz", headers={"host": host}), 403, "forbidden")
    assert client.get("/healthz", headers={"host": "[::1]:8750"}).status_code == 200
    headers = {"origin": "https://evil.example"}
    error(client.post("/v1/diagnose", json={"values": [[1]]}, headers=headers), 403, "forbidden")
    assert client.get("/healthz", headers={"host": "127.0.0.1", "origin": "http://127.0.0.1"}).status_code == 200
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "://" not in page.text.replace("data:,", "")  # nothing from another host


def test_limits_must_be_positive():
    with pytest.raises(InputError, match="max-bytes must be a number, above 0"):
        Limits(max_bytes=0)
