from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import toothwise_lab.cli
from toothwise import __version__, cli
from toothwise.cli import detectors as detectors_command
from toothwise.errors import InputError, RangeWarning

HEAVY = ("numpy", "pandas", "scipy", "matplotlib", "torch", "anomalib", "jsonargparse")


def in_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_help_names_every_verb_and_goes_to_stdout(toothwise):
    run = toothwise("--help")
    assert run.code == 0
    assert run.err == ""
    for verb, (_, line) in cli.VERBS.items():
        assert verb in run.out
        assert line in run.out


def test_help_loads_nothing_heavy():
    code = "import sys; from toothwise.cli import main; main(['--help']); print(sorted(sys.modules))"
    loaded = in_new_process(code).splitlines()[-1]
    assert not [name for name in HEAVY if f"'{name}'" in loaded]


def test_help_of_a_verb_loads_neither_numpy_nor_torch():
    code = f"import sys; from toothwise.cli import main; [main([*verb.split(), '--help']) for verb in {[*cli.VERBS]}]"
    out = in_new_process(code + "; print(sorted(sys.modules))")
    for verb in cli.VERBS:
        assert f"usage: toothwise {verb}" in out
    assert not [name for name in HEAVY if f"'{name}'" in out.splitlines()[-1]]


def test_no_verb_is_bad_input_and_shows_the_help(toothwise):
    run = toothwise()
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("usage: toothwise VERB")


def test_version(toothwise):
    assert toothwise("--version") == (0, f"toothwise {__version__}\n", "")


def test_an_unknown_verb_is_told_with_the_nearest_one(toothwise):
    run = toothwise("predikt")
    assert run.code == 2
    assert run.err.count("\n") == 1
    assert "'predikt'" in run.err
    assert "did you mean 'predict'?" in run.err


def test_the_word_of_a_group_lists_its_verbs(toothwise):
    asked, missing, wrong = toothwise("study", "--help"), toothwise("study"), toothwise("study", "tabel")
    assert (asked.code, asked.err) == (0, "")
    assert (missing.code, missing.out, missing.err) == (2, "", asked.out)
    for verb, (_, line) in {**cli.VERBS, **toothwise_lab.cli.VERBS}.items():
        assert (f"  {verb:<17}{line}\n" in asked.out) == verb.startswith("study ")
    assert wrong == (
        2,
        "",
        "toothwise: error: the verb must be one of study run, study status, study table, study compare, study export, "
        "study attention, but got 'study tabel'; did you mean 'study table'?\n",
    )


def test_detectors_as_table_and_as_json(toothwise):
    data = json.loads(toothwise("detectors", "--json").out)["detectors"]
    table = toothwise("detectors").out
    assert "scan" in data
    for name, line in data.items():
        assert f"{name} " in table
        assert line in table


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (InputError("maps.npz: two\nlines"), 2, "toothwise: error: maps.npz: two lines\n"),
        (KeyboardInterrupt(), 130, "toothwise: error: interrupted\n"),
        (
            ZeroDivisionError("by zero"),
            1,
            "toothwise: error: internal error (please report): ZeroDivisionError: by zero (--debug shows where)\n",
        ),
    ],
)
def test_every_error_is_one_line_and_a_code(toothwise, monkeypatch, error, code, says):
    def fail(options, tell):
        raise error

    monkeypatch.setattr(detectors_command, "run", fail)
    assert toothwise("detectors") == (code, "", says)
    run = toothwise("detectors", "--debug")
    assert run.code == code
    assert "Traceback" in run.err


def test_what_a_library_prints_does_not_spoil_the_json(toothwise, monkeypatch):
    honest = detectors_command.run

    def chatty(options, tell):
        sys.stdout.write("GPU available: False\n")
        return honest(options, tell)

    monkeypatch.setattr(detectors_command, "run", chatty)
    run = toothwise("detectors", "--json")
    assert "scan" in json.loads(run.out)["detectors"]
    assert run.err == "GPU available: False\n"


def test_our_warnings_are_one_line_and_those_of_others_are_silent(toothwise, monkeypatch):
    honest = detectors_command.run

    def warn(options, tell):
        warnings.warn("m.npz: looks\nclipped", RangeWarning, stacklevel=1)
        warnings.warn("something about CUDA", UserWarning, stacklevel=1)
        return honest(options, tell)

    monkeypatch.setattr(detectors_command, "run", warn)
    assert toothwise("detectors").err == "toothwise: warning: m.npz: looks clipped\n"


def test_numbers_that_json_cannot_hold_become_null(toothwise, monkeypatch):
    from toothwise.cli.parser import Result

    data = {"a": float("nan"), "b": [1.5, float("-inf")], "c": {"d": float("inf")}}
    monkeypatch.setattr(detectors_command, "run", lambda options, tell: Result(data, lambda: ""))
    assert json.loads(toothwise("detectors", "--json").out) == {"a": None, "b": [1.5, None], "c": {"d": None}}


def test_a_reader_that_goes_away_is_no_error():
    command = [sys.executable, "-m", "toothwise", "detectors"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_the_installed_command_is_this_one():
    command = Path(sys.executable).with_name("toothwise")
    if not command.exists():
        pytest.skip("toothwise is on the path, but not installed in this environment")
    assert subprocess.run([command, "--version"], capture_output=True, text=True).stdout == f"toothwise {__version__}\n"
