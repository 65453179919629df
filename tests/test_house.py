"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PYTHON = SOURCES + sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))
MAX_LINES = 400

# not among them: AttributeError and TypeError, which protocols (module __getattr__, JSON encoding) ask for
FOREIGN_ERRORS = {"ValueError", "KeyError", "IndexError", "OSError", "IOError", "RuntimeError", "Exception"}
# loading a file with these can run code that the file brings
UNSAFE = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}


TREES = {path: ast.parse(path.read_text()) for path in SOURCES}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


NODES = [(path, node) for path, tree in TREES.items() for node in ast.walk(tree)]


def found(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of a kind in the sources, with its file and line."""
    return ((f"{name_of(path)}:{node.lineno}", node) for path, node in NODES if isinstance(node, kind))


@cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """Every call in the sources: file and line, the name called, the node."""
    return [(where, ast.unparse(call.func), call) for where, call in found(ast.Call)]


def test_a_file_fits_in_a_head():
    lines = {name_of(path): len(path.read_text().splitlines()) for path in PYTHON}
    assert {name: n for name, n in lines.items() if n > MAX_LINES} == {}


def test_a_module_says_what_it_is():
    assert [name_of(path) for path, tree in TREES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_errors_are_those_of_toothwise():
    raised = [(where, node.exc) for where, node in found(ast.Raise)]
    names = [(where, error.func if isinstance(error, ast.Call) else error) for where, error in raised]
    assert [(w, n.id) for w, n in names if isinstance(n, ast.Name) and n.id in FOREIGN_ERRORS] == []


def test_nothing_is_unpickled():
    modules = [(where, alias.name) for where, node in found(ast.Import) for alias in node.names]
    modules += [(where, node.module or "") for where, node in found(ast.ImportFrom)]
    assert [(where, name) for where, name in modules if name.partition(".")[0] in UNSAFE] == []
    for where, name, call in calls():
        options = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert name not in ("np.load", "numpy.load") or options.get("allow_pickle") == "False", where
        assert name != "torch.load" or options.get("weights_only") == "True", where
        assert name not in ("yaml.load", "yaml.unsafe_load", "eval", "exec"), where


def test_chance_comes_in_as_a_seed_or_a_generator():
    for where, name, call in calls():
        if name.endswith("random.default_rng"):
            assert call.args or call.keywords, f"{where}: {name}() is seeded by the clock"
        legacy = name.startswith(("np.random.", "numpy.random.")) and name.rpartition(".")[2].islower()
        assert not legacy or name.endswith("default_rng"), where


def test_every_test_file_mirrors_a_source():
    here = ROOT / "tests"
    own = {"lab", "paper", "benchmarks"}  # their sources are toothwise_lab, and folders beside src/
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
