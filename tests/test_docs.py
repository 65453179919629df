"""What the documentation shows is run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import toothwise_lab.cli
from toothwise import cli
from toothwise.detectors import load

ROOT = Path(__file__).parents[1]


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)


def commands(name: str) -> list[list[str]]:
    """Indented lines that call toothwise with words that stand for themselves."""
    lines = re.findall(r"^    toothwise (.*)$", (ROOT / name).read_text(), flags=re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_the_example_of_the_readme_finds_the_tooth(capsys):
    (code,) = python_blocks("README.md")
    assert len([line for line in code.splitlines() if line]) <= 12
    exec(code, {})
    found, truth = re.findall(r"\d+", capsys.readouterr().out)
    assert abs(int(found) - int(truth)) <= 1


def test_the_first_fit_works_as_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for code in python_blocks("docs/first-fit.md"):
        exec(code, {})
    for words in commands("docs/first-fit.md"):
        assert cli.main(words) == 0, capsys.readouterr().err
    assert load("scan").threshold is not None
    assert len((tmp_path / "scores.csv").read_text().splitlines()) > 700


def test_the_way_from_a_recording_to_the_tooth(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first, second = python_blocks("docs/vibration.md")
    names: dict[str, object] = {}
    exec(first, names)
    for words in commands("docs/vibration.md"):
        assert cli.main(words) == 0, capsys.readouterr().err
    capsys.readouterr()
    exec(second, names)
    *found, truth = capsys.readouterr().out.splitlines()
    for line in found:
        gear, tooth, score, threshold = re.match(
            r"(\w+) tooth (\d+), score ([\d.]+), alarm above ([\d.]+)", line
        ).groups()
        assert gear == truth.split()[2]
        assert abs(int(tooth) - int(truth.split()[-1])) <= 1
        assert float(score) > float(threshold)
    assert len(found) == 3
    assert (tmp_path / "today.png").stat().st_size > 10_000


def test_the_diagnosis_works_as_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = python_blocks("docs/diagnosis.md")
    exec(code, {})
    answers = []
    for words in commands("docs/diagnosis.md"):
        assert cli.main(words) == 0, capsys.readouterr().err
        answers.append(capsys.readouterr().out)
    _, one, sequence, _, again = answers
    assert one.startswith("Driving tooth 7 stands out")
    assert sequence.startswith("Driving tooth 7 is going bad since about record")
    assert again.splitlines()[0] == sequence.splitlines()[0]
    assert "50 records added to gearbox.json, 100 in all" in again


def test_the_report_is_written_as_told(tmp_path, monkeypatch, capsys):
    pytest.importorskip("fpdf")
    monkeypatch.chdir(tmp_path)
    (code,) = python_blocks("docs/diagnosis.md")
    exec(code, {})
    fit = next(words for words in commands("docs/diagnosis.md") if words[0] == "fit")
    told = commands("docs/report.md")
    assert [words[0] for words in told] == ["diagnose", "report", "report"]
    for words in [fit, *told]:
        assert cli.main(words) == 0, capsys.readouterr().err
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file() and "scan" not in p.parts}
    assert written - {f"{name}.npz" for name in ("healthy", "later", "first", "today")} == {
        "runs/today/diagnosis.json",
        "runs/today/evidence.npz",
        "runs/today/report.html",
        "runs/today/report.pdf",
        "handover/report.ko.pdf",
    }
    assert "Driving tooth 7 is going bad since about record" in (tmp_path / "runs/today/report.html").read_text()


@pytest.mark.parametrize("name", ["howto-data", "howto-gears", "explain-attention"])
def test_code_and_commands_run_as_told(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(
        r"```python\n(.*?)```|^    toothwise ([^\n]*)$",
        (ROOT / f"docs/{name}.md").read_text(),
        flags=re.DOTALL | re.MULTILINE,
    )
    assert blocks
    for code, command in blocks:
        if code:
            exec(code, names)
        else:
            assert cli.main(shlex.split(command)) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["README.md", "docs/command-line.md"])
def test_every_verb_is_in_the_table(name):
    listed = set(
        re.findall(
            r"^\| `(?:toothwise )?([a-z]+(?: (?:maps|run|status|table|compare|export|attention))?)[ `]",
            (ROOT / name).read_text(),
            flags=re.MULTILINE,
        )
    )
    assert listed == {*cli.VERBS, *toothwise_lab.cli.VERBS}


def test_exit_codes_are_documented():
    text = (ROOT / "docs" / "command-line.md").read_text()
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)}
    codes = {value for name, value in vars(cli).items() if name.startswith("EXIT_")}
    assert listed == codes


def test_every_target_of_make_that_is_mentioned_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "CHANGELOG.md"):
        for target in re.findall(r"(?:`|^    |, `)make ([a-z-]+)", (ROOT / name).read_text(), flags=re.MULTILINE):
            assert target in targets, f"{name}: make {target}"


def test_every_link_between_files_leads_somewhere():
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"(?<!!)\[[^\]]+\]\(([^)#]+)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_pages_of_results_say_what_the_results_say():
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "pages"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
