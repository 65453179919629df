"""What the documentation shows is run."""

from __future__ import annotations

import pkgutil
import re
import runpy
import sys
import tomllib
from pathlib import Path

import pytest

import toothwise_lab.cli
from toothwise import cli
from toothwise.cli import entry, terminal

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from measuring.walk import agrees, needs, steps, walk  # noqa: E402  (benchmarks are no package)

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = [page for page in PAGES if any(step.runs for step in steps(page))]
QUICK = {"own-rig.md", "howto-tachometer.md"}  # the others: make test-full, and benchmarks/stranger.py
SERVERS = {"deploy.md"}  # needs a server: tests/test_docs_service.py


@pytest.fixture
def rows(request, tmp_path, monkeypatch, walk_bash):
    """What the steps of a page did, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOOTHWISE_DATA", raising=False)
    return walk(request.param, walk_bash)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(page, marks=[] if page.name in QUICK else [pytest.mark.full], id=page.stem)
        for page in RUN
        if page.name not in SERVERS
    ],
    indirect=True,
)
def test_a_page_can_be_followed_from_an_empty_folder(rows):
    assert [row["error"] for row in rows if row["error"]] == []
    assert [row["said"] for row in rows if row["as_shown"] is False] == []


def test_the_example_of_the_readme_finds_the_tooth(capsys):
    (code,) = (step.code for step in steps(ROOT / "README.md") if step.kind == "python")
    assert len([line for line in code.splitlines() if line]) <= 14
    exec(code, {})
    said = capsys.readouterr().out
    colour, gear, found, truth = re.match(r"(\w+): (\w+) tooth (\d+), put in: tooth (\d+)", said).groups()
    assert (gear, found) == ("driving", truth)
    assert colour in ("AMBER", "RED")


def test_every_command_of_a_page_is_a_step_of_it():
    """A command that stands outside of the blocks that are run would not be noticed when it is wrong."""
    for page in PAGES:
        loose = re.findall(r"^ {4,}(?:toothwise|anomalib|pip|python) .*$", page.read_text(), flags=re.MULTILINE)
        assert [line for line in loose if "[" not in line] == [], page.name


def test_what_a_page_shows_is_compared_with_what_is_printed():
    assert agrees("fitted on 24 maps in ... s\n...\n95 %", "fitted on 24 maps in 2.5 s\nthreshold 6.3\n95 %: 1")
    assert agrees("score 6.29", "score 6.2861")
    assert not agrees("tooth 20", "tooth 21")
    assert not agrees("RED", "GREEN")


def test_a_page_says_what_it_needs(tmp_path):
    page = tmp_path / "page.md"
    page.write_text('# A page\n\n*Needs `.[train,lab]`. Minutes.*\n\n```bash title="not run here: no data"\nls\n```\n')
    assert needs(page) == ["train", "lab"]
    assert [(step.runs, step.code) for step in steps(page)] == [(False, "ls\n")]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for page in PAGES for extra in needs(page)} <= set(extras)


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


def test_the_synopses_of_the_page_name_options_that_exist(toothwise):
    text = (ROOT / "docs" / "command-line.md").read_text()
    lines = re.findall(r"^toothwise ([a-z ]*[a-z])((?: .*\n|\n)(?: +.*\n)*)", text, flags=re.MULTILINE)
    assert len(lines) > 15
    for verb, rest in lines:
        if verb in {*cli.VERBS, *toothwise_lab.cli.VERBS}:
            known = set(re.findall(r"--[a-z-]+", toothwise(*verb.split(), "--help").out))
            assert set(re.findall(r"--[a-z-]+", rest)) <= known, verb


def test_exit_codes_are_documented():
    text = (ROOT / "docs" / "command-line.md").read_text()
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)}
    codes = {value for name, value in (vars(entry) | vars(terminal)).items() if name.startswith("EXIT_")}
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


def test_the_page_of_the_plan_has_every_point_and_names_what_is_there():
    text = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (P\d+) \|", text, flags=re.MULTILINE) == [f"P{k}" for k in range(1, 37)]
    for named in re.findall(r"`([^`]+)`", text):
        if "/" in named:
            assert (ROOT / named).exists(), named
        if named.startswith("make "):
            assert f"\n{named.split()[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8"), named
        if named.startswith("toothwise "):
            verbs = [" ".join(named.split()[1 : k + 1]) for k in (1, 2)]
            assert {*verbs} & {*cli.VERBS, *toothwise_lab.cli.VERBS}, named


def test_pages_of_results_say_what_the_results_say(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pages", "--check"])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ROOT / "benchmarks" / "pages"), run_name="__main__")
    assert ending.value.code == 0, capsys.readouterr().out


def test_every_name_of_the_reference_is_there():
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        for name in re.findall(r"^::: ([\w.]+)$", page.read_text(), flags=re.MULTILINE):
            assert pkgutil.resolve_name(name), (page.name, name)
