"""What the documentation shows is run."""

from __future__ import annotations

import pkgutil
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

import toothwise_lab.cli
from toothwise import cli

ROOT = Path(__file__).parents[1]


# pages that are run from top to bottom, each after the page that it goes on from
PAGES = {
    "README.md": None,
    "docs/first-fit.md": None,
    "docs/vibration.md": None,
    "docs/diagnosis.md": None,
    "docs/report.md": "docs/diagnosis.md",
    "docs/howto-data.md": None,
    "docs/howto-gears.md": None,
    "docs/explain-attention.md": None,
    "docs/line-network.md": None,
}
LONG = {"docs/line-network.md", "docs/vibration.md", "docs/diagnosis.md", "docs/report.md", "docs/explain-attention.md"}
# synopses, and pages whose servers and clusters have tests of their own
ELSEWHERE = {f"docs/{page}.md" for page in ("command-line", "deploy", "fleet", "howto-tachometer", "studies")}
STEPS = re.compile(r"```python\n(.*?)```|^    toothwise ([^\n]*)$", flags=re.DOTALL | re.MULTILINE)


def walk(page: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run the blocks and commands of a page in the order in which it shows them; what each printed."""
    said, names = [], {}
    for code, command in STEPS.findall((ROOT / page).read_text()):
        capsys.readouterr()
        if code:
            exec(code, names)
        else:
            assert cli.main(shlex.split(command)) == 0, (page, command, capsys.readouterr().err)
        said.append(capsys.readouterr().out)
    return said


@pytest.fixture
def said(request, tmp_path, monkeypatch, capsys):
    """What a page's steps print, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for page in filter(None, (PAGES[request.param], request.param)):
        found = walk(page, capsys)
    return found


@pytest.mark.parametrize(
    "said",
    [pytest.param(page, marks=[pytest.mark.full] * (page in LONG)) for page in PAGES if page != "README.md"],
    indirect=True,
)
def test_a_page_works_as_it_says(said):
    assert any(said)


@pytest.mark.parametrize("said", ["README.md"], indirect=True)
def test_the_example_of_the_readme_finds_the_tooth(said):
    ((code, _),) = STEPS.findall((ROOT / "README.md").read_text())
    assert len([line for line in code.splitlines() if line]) <= 14
    colour, gear, found, truth = re.match(r"(\w+): (\w+) tooth (\d+), put in: tooth (\d+)", said[0]).groups()
    assert (gear, found) == ("driving", truth)
    assert colour in ("AMBER", "RED")


@pytest.mark.full
@pytest.mark.parametrize("said", ["docs/vibration.md"], indirect=True)
def test_the_way_from_a_recording_to_the_tooth_finds_it(said, tmp_path):
    *found, truth = said[-1].splitlines()
    for line in found:
        gear, tooth, score, threshold = re.match(
            r"(\w+) tooth (\d+), score ([\d.]+), alarm above ([\d.]+)", line
        ).groups()
        assert gear == truth.split()[2]
        assert abs(int(tooth) - int(truth.split()[-1])) <= 1
        assert float(score) > float(threshold)
    assert len(found) == 3
    assert (tmp_path / "today.png").stat().st_size > 10_000


@pytest.mark.full
@pytest.mark.parametrize("said", ["docs/diagnosis.md"], indirect=True)
def test_the_diagnosis_page_names_the_tooth(said):
    _, _, one, sequence, _, again = said
    assert one.startswith("Driving tooth 7 stands out")
    assert sequence.startswith("Driving tooth 7 is going bad since about record")
    assert again.splitlines()[0] == sequence.splitlines()[0]


@pytest.mark.full
@pytest.mark.parametrize("said", ["docs/report.md"], indirect=True)
def test_the_report_page_writes_its_report(said, tmp_path):
    pytest.importorskip("fpdf")
    for name in ("runs/today/diagnosis.json", "runs/today/report.html", "handover/report.ko.pdf"):
        assert (tmp_path / name).is_file()
    assert "Driving tooth 7 is going bad since about record" in (tmp_path / "runs/today/report.html").read_text()


def test_every_page_with_something_to_run_is_run():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {str(page.relative_to(ROOT)) for page in pages if STEPS.search(page.read_text())}
    assert shown <= {*PAGES, *ELSEWHERE}


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


def test_pages_of_results_say_what_the_results_say(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pages", "--check"])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ROOT / "benchmarks" / "pages"), run_name="__main__")
    assert ending.value.code == 0, capsys.readouterr().out


def test_every_name_of_the_reference_is_there():
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        for name in re.findall(r"^::: ([\w.]+)$", page.read_text(), flags=re.MULTILINE):
            assert pkgutil.resolve_name(name), (page.name, name)
