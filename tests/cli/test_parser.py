from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.cli.parser import key_values, parse
from toothwise.errors import InputError


@dataclass(frozen=True)
class Base:
    """Options of several verbs.

    Attributes:
        options: Options of the detector.
    """

    _: KW_ONLY
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Options(Base):
    """What to judge.

    Attributes:
        things (THINGS): What is judged,
            one or more.
        false_rate (RATE): False alarms per thing: 100 % is all.
        span (LOW HIGH): Between what.
    """

    things: list[str]
    _: KW_ONLY
    false_rate: float = 0.01
    keep: list[str] = field(default_factory=list)
    span: tuple[float, float] | None = None
    format: Literal["html", "pdf"] | None = None
    fast: bool = False


ABOUT = "Judge things.\n\nexamples:\n  toothwise judge"


def read(*words):
    found = parse("judge", ABOUT, Options, words)
    return found and found[0]


def test_a_configuration_file_sets_options_and_words_win_wherever_they_are(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("false_rate: 0.5\nthings: [a, b]\noptions: {lines: rows}\nspan: [1, 2]\n")
    options = read("--config", str(file))
    assert options == Options(things=["a", "b"], false_rate=0.5, options={"lines": "rows"}, span=(1.0, 2.0))
    before = read("--false-rate", "0.2", "x", "--config", str(file))
    after = read(f"--config={file}", "x", "--false-rate", "0.2")
    for options in (before, after):
        assert (options.false_rate, options.things) == (0.2, ["x"])


def test_words_may_come_between_options_and_options_be_repeated():
    words = "a --keep k l --false-rate 0.5 b --json c --span -2 3.5 --keep=m --fast -- --d"
    options, shared = parse("judge", ABOUT, Options, words.split())
    assert options == Options(
        things=["a", "b", "c", "--d"],
        false_rate=0.5,
        keep=["k", "l", "m"],
        span=(-2.0, 3.5),
        fast=True,
    )
    assert (shared.json, shared.debug) == (True, False)


def test_of_two_configuration_files_the_later_wins(tmp_path):
    (tmp_path / "a.yaml").write_text("false_rate: 0.1\nthings: [a]\n")
    (tmp_path / "b.yaml").write_text("false_rate: 0.2\n")
    options = read("--config", str(tmp_path / "a.yaml"), "--config", str(tmp_path / "b.yaml"))
    assert (options.false_rate, options.things) == (0.2, ["a"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("rat: 0.1\n", "unknown option 'rat'.*things"),
        ("things: [a\n", "not YAML"),
        ("", "must hold options by name"),
        ("- rate\n", "must hold options by name"),
    ],
)
def test_a_bad_configuration_file_is_named(tmp_path, content, says):
    file = tmp_path / "c.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        read("--config", str(file))
    assert str(file) in str(caught.value)


def test_a_missing_configuration_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        read("--config", str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x", "--false-rate", "high"], "--false-rate must be a number, but got 'high'; see toothwise judge --help"),
        (["x", "--span", "1", "b"], "--span must be a number, but got 'b'"),
        (["x", "--format", "doc"], "--format must be one of html, pdf, but got 'doc'"),
        (["x", "--false-rat", "1"], "there is no option --false-rat; did you mean '--false-rate'?"),
        (["--things", "x"], "there is no option --things: THINGS is given without a name before it"),
        (["--fast"], "THINGS is required"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(words, says):
    with pytest.raises(InputError) as caught:
        read(*words)
    assert str(caught.value).startswith(says)


def test_a_bad_value_of_a_configuration_file_names_the_file(tmp_path):
    (tmp_path / "c.yaml").write_text("false_rate: high\n")
    with pytest.raises(InputError, match=r"c\.yaml: false_rate must be a number"):
        read("x", "--config", str(tmp_path / "c.yaml"))


def test_the_docstring_is_the_help(capsys):
    assert read("--help") is None
    out = " ".join(capsys.readouterr().out.split())
    for part in ("Judge things.", "THINGS What is judged, one or more.", "--false-rate RATE", "100 % is all"):
        assert part in out
    assert "(default: 0.01)" in out
    assert "--format html|pdf" in out
    assert "Options of the detector." in out
    assert out.endswith("examples: toothwise judge")


def test_the_printed_configuration_can_be_read_again(capsys, tmp_path):
    assert read("x", "--false-rate", "0.3", "--print-config") is None
    (tmp_path / "c.yaml").write_text(capsys.readouterr().out)
    assert read("--config", str(tmp_path / "c.yaml")) == Options(things=["x"], false_rate=0.3)


def test_key_values_take_json_and_yaml():
    pairs = ["lines=rows", "lengths=[8, 16]", "lr=1e-4", "log=false", "weights=null", "axes=[rows, columns]", "a=b=c"]
    assert key_values(pairs) == {
        "lines": "rows",
        "lengths": [8, 16],
        "lr": 1e-4,
        "log": False,
        "weights": None,
        "axes": ["rows", "columns"],
        "a": "b=c",
    }


@pytest.mark.parametrize("word", ["lines", "=rows", "a b=1", "a-b=1"])
def test_a_word_that_is_no_pair_is_refused(word):
    with pytest.raises(InputError, match="NAME=VALUE"):
        key_values([word])


def test_a_value_that_is_neither_json_nor_yaml_is_refused():
    with pytest.raises(InputError, match="lengths"):
        key_values(["lengths=[1, 2"])


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none())
def test_plain_values_survive(value):
    import json

    back = key_values([f"x={json.dumps(value)}"])["x"]
    assert back == value
    assert type(back) is type(value)
