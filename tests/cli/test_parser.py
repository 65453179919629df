from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toothwise.cli.parser import key_values, make_parser, parse
from toothwise.errors import InputError


def make():
    parser = make_parser("judge", "Judge things.\n\nexamples:\n  toothwise judge")
    parser.add_argument("things", nargs="+", type=str)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--options", type=dict, default={})
    return parser


def test_a_configuration_file_sets_options_and_words_win_wherever_they_stand(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("rate: 0.5\nthings: [a, b]\noptions: {lines: rows}\n")
    options = parse(make(), ["--config", str(file)])
    assert (options["rate"], options["things"], options["options"]) == (0.5, ["a", "b"], {"lines": "rows"})
    before = parse(make(), ["--rate", "0.2", "x", "--config", str(file)])
    after = parse(make(), [f"--config={file}", "x", "--rate", "0.2"])
    for options in (before, after):
        assert (options["rate"], options["things"]) == (0.2, ["x"])


def test_words_may_stand_between_options():
    options = parse(make(), ["a", "--rate", "0.5", "b", "--json", "c", "--options.k", "1", "--", "--d"])
    assert options["things"] == ["a", "b", "c", "--d"]
    assert (options["rate"], options["json"], options["options"]) == (0.5, True, {"k": "1"})


def test_of_two_configuration_files_the_later_wins(tmp_path):
    (tmp_path / "a.yaml").write_text("rate: 0.1\nthings: [a]\n")
    (tmp_path / "b.yaml").write_text("rate: 0.2\n")
    options = parse(make(), ["--config", str(tmp_path / "a.yaml"), "--config", str(tmp_path / "b.yaml")])
    assert (options["rate"], options["things"]) == (0.2, ["a"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("rat: 0.1\n", "options must be among debug, json, options, rate, things, but got rat"),
        ("things: [a\n", "not YAML"),
        ("", "must hold options by name"),
        ("- rate\n", "must hold options by name"),
    ],
)
def test_a_bad_configuration_file_is_named(tmp_path, content, says):
    file = tmp_path / "c.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        parse(make(), ["--config", str(file)])
    assert str(file) in str(caught.value)


def test_a_missing_configuration_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        parse(make(), ["--config", str(tmp_path / "none.yaml")])


def test_a_bad_value_tells_the_option_the_value_and_where_to_look(tmp_path):
    with pytest.raises(InputError, match=r"option \"rate\".*number.*high.*toothwise judge --help"):
        parse(make(), ["x", "--rate", "high"])
    (tmp_path / "c.yaml").write_text("rate: high\n")
    with pytest.raises(InputError, match=r"rate.*c\.yaml"):
        parse(make(), ["x", "--config", str(tmp_path / "c.yaml")])


def test_an_unknown_option_is_refused():
    with pytest.raises(InputError, match="--rat"):
        parse(make(), ["x", "--rat", "1"])


def test_help_and_the_printed_configuration_end_without_options(capsys, tmp_path):
    assert parse(make(), ["--help"]) is None
    out = capsys.readouterr().out
    assert "Judge things." in out
    assert "  toothwise judge\n" in out
    assert parse(make(), ["x", "--rate", "0.3", "--print-config"]) is None
    (tmp_path / "c.yaml").write_text(capsys.readouterr().out)
    options = parse(make(), ["--config", str(tmp_path / "c.yaml")])
    assert (options["rate"], options["things"]) == (0.3, ["x"])


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
