"""What the pages on services and fleets show is run; what needs containers or other servers is read closely."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

from toothwise import GearPair, MapBuilder, Model, cli
from toothwise.healthmap import Axis, HealthMapBatch
from toothwise.healthmap.io import write_map
from toothwise.vibration.readers import write_record
from toothwise.vibration.records import Tachometer, VibrationRecord

ROOT = Path(__file__).parents[1]
ROWS, COLUMNS, RATE, SPEED = 18, 35, 8192, 20.0
DEPLOY, FLEET = (ROOT / "docs" / name for name in ("deploy.md", "fleet.md"))


def shown(page: Path, verb: str) -> list[str]:
    """The first command of a verb on a page."""
    line = re.search(rf"^toothwise ({verb} [^|&\n]*?)(?: 2>.*)?$", page.read_text(), flags=re.MULTILINE)
    return shlex.split(line[1])


def block(page: Path, begin: str) -> str:
    """The block of a page that begins with a word."""
    return re.search(rf"^```\n({begin}.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)[1]


def rows_of(page: Path, header: str) -> list[list[str]]:
    """Words in code marks of the first cells of a table."""
    table = page.read_text().partition(f"| {header} |")[2].partition("\n\n")[0]
    return [re.findall(r"`([^`]+)`", line.split("|")[1]) for line in table.splitlines()[2:]]


def maps(n: int, seed: int) -> HealthMapBatch:
    values = np.exp(0.2 * np.random.default_rng(seed).standard_normal((n, ROWS, COLUMNS))).astype(np.float32)
    teeth = Axis.teeth("driving tooth", ROWS), Axis.teeth("driven tooth", COLUMNS)
    return HealthMapBatch(values, *teeth, gear=GearPair(driving=ROWS, driven=COLUMNS))


def vibration(seed: int) -> np.ndarray:
    t = np.arange(5 * RATE) / RATE
    rng = np.random.default_rng(seed)
    return (0.3 * np.sin(2 * np.pi * ROWS * SPEED * t) + 0.1 * rng.standard_normal(len(t))).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    builder = MapBuilder(GearPair(driving=ROWS, driven=COLUMNS))
    Model.fit(maps(60, 0), detector="scan", builder=builder).save(folder / "runs" / "scan")
    return folder / "runs"


@pytest.fixture
def here(tmp_path, monkeypatch, fitted):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(fitted, tmp_path / "runs")
    return tmp_path


def test_the_service_answers_as_told(here, capsys):
    pytest.importorskip("fastapi")
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    serve = shown(DEPLOY, "serve")
    assert cli.main(shown(DEPLOY, "export")) == 0, capsys.readouterr().err
    write_map(maps(1, 1), here / "today.npz")
    pulses = (np.arange(5 * RATE) * SPEED / RATE % 1.0 < 0.05).astype(np.float32)
    wavfile.write(here / "today.wav", RATE, np.stack([vibration(1), pulses], axis=1))
    command = [sys.executable, "-W", "ignore", "-m", "toothwise", *serve, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = next(m[1] for line in process.stderr if (m := re.search(r"on (http://\S+)/$", line)))
        asked = re.findall(r"^curl .*/v1/diagnose", DEPLOY.read_text(), flags=re.MULTILINE)
        asked = [line.replace("http://127.0.0.1:8750", address) for line in asked]
        asked[0] = re.sub(r"@\S+", "@today.npz", asked[0])
        assert len(asked) == 2
        for line in asked:
            done = subprocess.run(["bash", "-c", line.replace("curl", "curl -sS", 1)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            (answer,) = json.loads(done.stdout)["results"]
            assert answer["record"].startswith("today.")
            assert answer["verdict"]
        words = [word for (cell, *more) in rows_of(DEPLOY, "address") for word in (cell, *more)]
        assert "GET /v1/example" in words
        for word in (word for word in words if not word.startswith("POST")):
            path = word.removeprefix("GET ")
            done = subprocess.run(
                [curl, "-sS", "-o", os.devnull, "-w", "%{http_code}", address + path], capture_output=True
            )
            assert done.stdout == b"200", path
        told = json.loads(subprocess.run([curl, "-sS", f"{address}/openapi.json"], capture_output=True).stdout)
        posts = {path for path, ways in told["paths"].items() if "post" in ways}
        assert posts == {word.removeprefix("POST ") for word in words if word.startswith("POST")}
    finally:
        process.kill()
        process.communicate()


def test_maps_are_scored_as_told(here, capsys):
    pytest.importorskip("fsspec")
    pytest.importorskip("pyarrow")
    (here / "maps").mkdir()
    write_map(maps(5, 2), here / "maps" / "a.npz")
    table = {"values": [values.ravel() for values in maps(4, 3).values], "rows": ROWS, "columns": COLUMNS, "id": "x"}
    pd.DataFrame(table).to_parquet(here / "maps" / "b.parquet")
    assert cli.main(shown(FLEET, "score")) == 0, capsys.readouterr().err
    (form,) = re.findall(r"^(scores/\S+)$", FLEET.read_text(), flags=re.MULTILINE)
    form = re.sub(r"\b[0-9a-f]{8,}", lambda found: f"[0-9a-f]{{{len(found[0])}}}", form)
    written = [str(path.relative_to(here)) for path in (here / "scores").rglob("*.parquet")]
    assert written
    assert all(re.fullmatch(form, name) for name in written), (form, written)
    (read,) = re.findall(r"^scores = (pandas\.read_parquet.*)$", FLEET.read_text(), flags=re.MULTILINE)
    found = eval(read, {"pandas": pd})
    assert len(found) == 9
    assert {name for names in rows_of(FLEET, "column") for name in names if not name.startswith("--")} == set(found)


def test_machines_are_followed_as_told(here, capsys):
    pytest.importorskip("sqlalchemy")
    (here / "gears.yaml").write_text(f"driving: {ROWS}\ndriven: {COLUMNS}\n")
    for k in range(3):
        tacho = Tachometer(kind="times", values=np.arange(0, 5, 1 / SPEED))
        record = VibrationRecord({"acc": vibration(k)}, float(RATE), tacho, unit="g")
        (here / "incoming" / "m1").mkdir(parents=True, exist_ok=True)
        write_record(record, here / "incoming" / "m1" / f"r{k}.npz")
    assert cli.main([*shown(FLEET, "watch"), "--poll", "0.1", "--idle", "1"]) == 0, capsys.readouterr().err
    (query,) = re.findall(r"^(SELECT .*)$", FLEET.read_text(), flags=re.MULTILINE)
    with sqlite3.connect(here / "diagnoses.db") as database:
        database.execute(query).fetchall()
        assert database.execute("SELECT count(*) FROM diagnoses").fetchone() == (3,)
        for line in re.findall(r"^\| `(?:diagnoses|errors|watches)` \|.*$", FLEET.read_text(), flags=re.MULTILINE):
            name, *columns = re.findall(r"`(\w+)`", line)
            assert set(columns) <= {row[1] for row in database.execute(f"PRAGMA table_info({name})")}


def serve_options(capsys):
    cli.main(["serve", "--help"])
    return set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


def test_options_that_the_page_names_exist(capsys):
    text = DEPLOY.read_text().partition("## Serve")[2].partition("## OpenVINO")[0]
    named = set(re.findall(r"`(--[a-z-]+)", text))
    assert {"--queue", "--seconds", "--token-file"} <= named
    assert named <= serve_options(capsys)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_extras_that_a_page_names_exist(page):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for names in re.findall(r"toothwise\[([a-z,0-9]+)\]", page.read_text()):
        assert set(names.split(",")) <= set(extras)


def test_the_container_file_copies_what_is_there_and_starts_the_service(capsys):
    text = (ROOT / "deploy" / "Containerfile").read_text()
    lines = [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line and not line.startswith("#")]
    steps = [line.split(None, 1) for line in lines]
    assert {step for step, _ in steps} <= {
        *("FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT")
    }
    for step, words in steps:
        if step == "COPY" and not words.startswith("--from"):
            assert all((ROOT / name).exists() for name in words.split()[:-1]), words
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.search(r"\.\[([a-z0-9,]+)\]", text)[1].split(",")) <= set(extras)
    (entry,) = (json.loads(words) for step, words in steps if step == "ENTRYPOINT")
    assert entry[:2] == ["toothwise", "serve"]
    assert {word for word in entry if word.startswith("--")} <= serve_options(capsys)


def test_the_unit_is_one_that_systemd_takes(tmp_path, capsys):
    text = (ROOT / "deploy" / "toothwise.service").read_text()
    for command in re.findall(r"^#?ExecStart=(.*)$", text, flags=re.MULTILINE):
        words = shlex.split(command)
        assert words[1] == "serve"
        assert {word for word in words if word.startswith("--")} <= serve_options(capsys)
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    # the program is not where the unit has it: any other will do
    unit = tmp_path / "toothwise.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    done = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, check=False)
    about = [line for line in (done.stdout + done.stderr).splitlines() if "toothwise.service" in line]
    assert about == []


def test_the_other_servers_are_told_the_names_of_the_graph():
    docker, triton = block(DEPLOY, "docker"), block(DEPLOY, "name:")
    subprocess.run(["bash", "-n", "-c", docker], check=True)
    assert set(re.findall(r'name: "(\w+)"', triton)) == {"toothwise", "maps", "score", "anomaly_map"}
    assert triton.count("{") == triton.count("}")
    assert triton.count("[") == triton.count("]")
