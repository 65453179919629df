"""What every way in and every way out says of one input: one Diagnosis, word for word."""

from __future__ import annotations

import html
import io
import json
import re
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from toothwise import HealthMap, Model, Monitor, write_map
from toothwise.diagnosis.evidence import read_diagnosis, write_diagnosis
from toothwise.healthmap import Axis
from toothwise.messages import language, messages_from
from toothwise.reporting.document import Verdict
from toothwise.reporting.drawing import Picture
from toothwise.reporting.pdf_pages import to_pdf
from toothwise.reporting.report import report_of_folder, write_report

pytest.importorskip("sqlalchemy")
TestClient = pytest.importorskip("starlette.testclient").TestClient
ROWS, COLUMNS, N = Axis.teeth("driving tooth", 9), Axis.teeth("driven tooth", 14), 8


def maps(seed: int, *, tooth: int | None = None, factor: float = 1.0, level: float = 1.0) -> np.ndarray:
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((N, 9, 14))) * level
    if tooth is not None:
        values[N // 2 :, tooth] *= factor
    return values.astype(np.float32)


KINDS = {
    "one tooth": (maps(1, tooth=4, factor=2.5), "RED"),
    "nothing": (maps(2), "GREEN"),
    "level": (maps(3, level=1.6), "AMBER"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    healthy = np.exp(0.2 * np.random.default_rng(0).standard_normal((60, 9, 14))).astype(np.float32)
    return Model.fit(healthy, detector="scan").save(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def client(saved):
    from toothwise.serving.app import create_app
    from toothwise.serving.service import Service

    with TestClient(create_app(Service.open(saved)), base_url="http://127.0.0.1:8000") as found:
        yield found


def core(data):
    return {key: data[key] for key in ("colour", "sentence", "gear", "tooth", "since")}


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", html.unescape(re.sub(r"<[^>]+>", "", text)))


@pytest.mark.parametrize("kind", [k if k == "one tooth" else pytest.param(k, marks=pytest.mark.full) for k in KINDS])
def test_all_outputs_say_the_same_of_one_input(kind, saved, client, toothwise, tmp_path, monkeypatch):
    monkeypatch.setattr(Picture, "png", b"")
    monkeypatch.setattr(Picture, "narrow", b"")
    values, colour = KINDS[kind]
    folder, files = tmp_path / "in" / "mill", []
    folder.mkdir(parents=True)
    for k, one in enumerate(values):
        said = {"time": float(k)}
        files.append(write_map(HealthMap(one, ROWS, COLUMNS, condition=said), folder / f"r{k}.npz"))
    # the library
    found = Monitor(Model.open(saved)).add(files)
    expected = core(found.as_json())
    assert expected["colour"] == colour
    assert (expected["since"] is None) == (colour == "GREEN")
    # the command line: terminal, JSON, folder
    run = toothwise("diagnose", saved, *files, "--output", tmp_path / "today")
    assert run.out.startswith(f"{colour}: {found.sentence}\n")
    data, _ = read_diagnosis(tmp_path / "today")
    assert core(data) == expected
    # the report: page, and page in Korean, whose sentence is rendered from the same messages
    (page,) = write_report(tmp_path / "today", pdf=False)
    assert squeezed(f"{found.sentence}") in squeezed(page.read_text())
    (page,) = write_report(tmp_path / "today", "ko", pdf=False)
    korean = language("ko").sentences(messages_from(found.as_json())["messages"]["verdict"])
    assert squeezed(korean) in squeezed(page.read_text())
    document = report_of_folder(tmp_path / "today", "en")
    assert type(document.first[0]) is Verdict
    assert document.first[0].tone == colour.lower()
    # the service: answer and report
    sent = [("file", (file.name, file.read_bytes())) for file in files]
    answer = client.post("/v1/diagnose", files=sent, data={"include": "sequence"})
    assert answer.status_code == 200, answer.text
    said = core(answer.json()["diagnosis"])
    # files that were sent say no time
    said["since"] = said["since"] and said["since"] | {"time": expected["since"]["time"]}
    assert said == expected
    answer = client.post("/v1/report", files=sent, data={"include": "sequence"})
    assert squeezed(found.sentence) in squeezed(answer.text)
    # the database of a fleet
    run = toothwise("watch", saved, tmp_path / "in", "--to", tmp_path / "d.db", "--poll", 0.05, "--idle", 1.0, "--json")
    assert run.code == 0, run.err
    with sqlite3.connect(tmp_path / "d.db") as connection:
        words = "select colour, sentence, gear, tooth, diagnosis from diagnoses order by position desc limit 1"
        (row,) = connection.execute(words).fetchall()
    assert row[:4] == (colour, found.sentence, found.gear, found.tooth)
    assert core(json.loads(row[4])) == expected


def test_the_pdf_says_the_same_sentence(saved, tmp_path):
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("fpdf")
    monitor = Monitor(Model.open(saved))
    found = monitor.add(KINDS["one tooth"][0])
    write_diagnosis(tmp_path / "today", found, monitor.evidence())
    document = report_of_folder(tmp_path / "today", "en")
    words = replace(document, first=[document.first[0]], rest=[])
    text = pypdf.PdfReader(io.BytesIO(to_pdf(words))).pages[0].extract_text()
    assert squeezed(found.sentence) in squeezed(text)
    assert found.colour in text
