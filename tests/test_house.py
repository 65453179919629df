"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PYTHON = SOURCES + sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))
MAX_LINES = 400

# not among them: AttributeError and TypeError, which protocols (module __getattr__, JSON encoding) ask for
FOREIGN_ERRORS = {"ValueError", "KeyError", "IndexError", "OSError", "IOError", "RuntimeError", "Exception"}
# loading a file with these can run code that the file brings
UNSAFE = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_file_fits_in_a_head(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_errors_are_those_of_toothwise(path):
    raised = [node.exc for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise) and node.exc]
    calls = [error.func if isinstance(error, ast.Call) else error for error in raised]
    assert [call.id for call in calls if isinstance(call, ast.Name) and call.id in FOREIGN_ERRORS] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_unpickled(path):
    tree = ast.parse(path.read_text())
    assert imported(tree) & UNSAFE == set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        options = {word.arg: word.value for word in call.keywords}
        name = ast.unparse(call.func)
        if name in ("np.load", "numpy.load"):
            assert ast.unparse(options["allow_pickle"]) == "False", name
        if name == "torch.load":
            assert ast.unparse(options["weights_only"]) == "True", name
        assert name not in ("yaml.load", "yaml.unsafe_load", "eval", "exec"), name


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_chance_comes_in_as_a_seed_or_a_generator(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    for call in calls:
        name = ast.unparse(call.func)
        if name.endswith("random.default_rng"):
            assert call.args or call.keywords, f"{name}() is seeded by the clock"
        legacy = name.startswith(("np.random.", "numpy.random.")) and name.rpartition(".")[2].islower()
        assert not legacy or name.endswith("default_rng"), name


def test_every_test_file_mirrors_a_source():
    here = ROOT / "tests"
    own = {"cli", "paper", "benchmarks"}  # their sources are cli.py and commands/, and folders beside src/
    for path in here.rglob("test_*.py"):
        folder = path.parent.relative_to(here)
        if folder.parts and folder.parts[0] not in own:
            assert (ROOT / "src" / "toothwise" / folder).is_dir(), name_of(path)


def test_no_path_of_somebodys_machine():
    homes = tuple("/" + name + "/" for name in ("home", "root", "Users", "work"))
    for path in [*PYTHON, *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("configs/*.yaml"), ROOT / "Makefile"]:
        if path != Path(__file__):
            text = path.read_text()
            assert [home for home in homes if home in text] == [], name_of(path)
