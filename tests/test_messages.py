"""Messages and their catalogues: every template is translated, with the same places in it."""

from __future__ import annotations

import ast
import gettext
import json
import shutil
import string
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from toothwise.errors import InputError
from toothwise.messages import LANGUAGES, LOCALE, Message, both, language, listed, messages_from, read_catalogue, say

PACKAGE = Path(__file__).parents[1] / "src" / "toothwise"
SOURCES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "toothwise.messages" in path.read_text() or path.name == "messages.py"
]


def templates() -> dict[str, str]:
    """Every template that a source gives to ``say``, with the file it stands in."""
    found = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "say":
                template = node.args[0]
                assert isinstance(template, ast.Constant), f"{path}:{node.lineno}: a template must be a literal"
                found[template.value] = path.name
    return found


def places(template: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_catalogue_has_every_template_and_no_other(code):
    catalogue, used = read_catalogue(LOCALE / f"{code}.po"), templates()
    assert sorted(set(used) - set(catalogue)) == []
    assert sorted(set(catalogue) - set(used)) == []
    assert [template for template, told in catalogue.items() if not told.strip()] == []


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_translation_has_the_places_of_its_template_and_their_formats(code):
    for template, told in read_catalogue(LOCALE / f"{code}.po").items():
        assert places(told) == places(template), template


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="gettext is not installed")
def test_gettext_reads_the_same_out_of_the_catalogue(tmp_path):
    compiled = tmp_path / "ko.mo"
    subprocess.run(["msgfmt", "-c", "-o", compiled, LOCALE / "ko.po"], check=True, capture_output=True)
    with compiled.open("rb") as file:
        theirs = gettext.GNUTranslations(file)
    for template, told in read_catalogue(LOCALE / "ko.po").items():
        assert theirs.gettext(template) == told


def test_a_message_is_rendered_in_both_languages_with_messages_inside_it():
    tooth = say("{gear} tooth {tooth}", gear=say("driving"), tooth=7)
    message = say("Several teeth stand out: {teeth}.", teeth=listed([tooth, "x"]))
    assert str(message) == "Several teeth stand out: driving tooth 7, x."
    assert language("ko").text(message) == "여러 치가 두드러집니다: 구동 기어 7번 치, x."
    assert language("en").text(both(["a", "b", "c"])) == "a and b and c"
    assert language("en").sentences([tooth, "one", ""]) == "Driving tooth 7 One"


def test_messages_come_back_out_of_json():
    message = say("{what}; look at {teeth} and the teeth beside.", what=say("Record more often"), teeth=listed([1, 2]))
    data = json.loads(json.dumps({"messages": {"next_look": [asdict(message)]}, "n": 1}))
    assert messages_from(data) == {"messages": {"next_look": (message,)}, "n": 1}


def test_what_the_catalogue_lacks_is_rendered_in_english_and_what_cannot_be_rendered_is_an_error():
    assert language("ko").text(Message("no such {thing}", {"thing": "entry"})) == "no such entry"
    with pytest.raises(InputError, match="cannot be rendered"):
        language("en").text(Message("{contrast:.2f} x", {"contrast": "high"}))
    with pytest.raises(InputError, match="cannot be rendered"):
        language("en").text(Message("{missing}"))
    with pytest.raises(InputError, match=r"must be one of 'en', 'ko', but got 'fr'"):
        language("fr")


def test_strings_of_a_catalogue_may_go_on(tmp_path):
    path = tmp_path / "x.po"
    path.write_text('# note\nmsgid ""\nmsgstr ""\n"Language: x\\n"\n\nmsgid "a "\n"\\"b\\""\nmsgstr "c"\n"d"\n')
    assert read_catalogue(path) == {'a "b"': "cd"}
