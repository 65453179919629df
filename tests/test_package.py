"""What a user installs: versions, start-up, public names, constraints."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import toothwise

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
TORCH = {"torch", "torchvision", "lightning", "anomalib", "timm"}
TRIALS = {"ray", "mlflow", "sqlalchemy"}


def modules_after(code: str) -> set[str]:
    """Top-level modules that a new interpreter holds after some code."""
    code += "\nimport sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_version_is_that_of_the_installed_package():
    assert importlib.metadata.version("toothwise") == toothwise.__version__


def test_import_loads_nothing_heavy():
    heavy = {"numpy", "scipy", "pandas", "matplotlib", "rich", "jsonargparse", *TORCH, *TRIALS}
    assert modules_after("import toothwise") & heavy == set()


def test_no_package_loads_torch_before_it_is_asked_for():
    packages = [path.parent.relative_to(ROOT / "src") for path in (ROOT / "src").glob("toothwise*/*/__init__.py")]
    assert len(packages) > 15
    names = ", ".join(".".join(path.parts) for path in packages)
    assert modules_after(f"import {names}") & TORCH == set()


def test_the_scan_works_without_torch():
    code = (
        "import numpy as np; from toothwise import detectors\n"
        "maps = np.exp(np.random.default_rng(0).standard_normal((20, 5, 6)))\n"
        "assert np.isfinite(detectors.create('scan').fit(maps).predict(maps).score).all()"
    )
    assert modules_after(code) & TORCH == set()


def test_every_public_name_can_be_had():
    for name in toothwise.__all__:
        assert getattr(toothwise, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'toothless'"):
        _ = toothwise.toothless


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", line) for line in lines]
    assert all(pairs), [line for line, pair in zip(lines, pairs, strict=True) if not pair]
    names = [canonicalize_name(pair[1]) for pair in pairs if pair]
    assert len(set(names)) == len(names)
    return dict(zip(names, [pair[2] for pair in pairs if pair], strict=True))


def declared() -> list[Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    return [r for r in map(Requirement, lines) if r.name != "toothwise"]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_is_constrained_to_a_version_that_it_allows(requirement):
    assert constraints()[canonicalize_name(requirement.name)] in requirement.specifier


def closure(names: list[str]) -> set[str]:
    """What is installed because of these, for this machine and Python."""
    found: set[str] = set()
    queue = [Requirement(line) for line in names]
    while queue:
        requirement = queue.pop()
        key = canonicalize_name(requirement.name) + "".join(sorted(requirement.extras))
        if key in found or canonicalize_name(requirement.name) == "toothwise":
            continue
        found.add(key)
        try:
            needs = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in (*requirement.extras, "")):
                queue.append(need)
    return {name for name in found if "[" not in name}


def test_what_our_dependencies_bring_is_constrained_too():
    readers = [line for extra in ("hdf5", "parquet", "tdms", "uff", "mf4", "audio") for line in EXTRAS[extra]]
    serving = [line for extra in ("export", "runtime", "openvino", "serve") for line in EXTRAS[extra]]
    others = [line for extra in ("train", "lab", "dev") for line in EXTRAS[extra]]
    wanted = closure([*PROJECT["dependencies"], *others, *serving, *readers])
    installed = {canonicalize_name(d.metadata["Name"]) for d in importlib.metadata.distributions()}
    assert len(wanted) > len(declared())
    assert sorted((wanted & installed) - set(constraints())) == []


def test_the_licence_is_the_whole_apache_2():
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    for part in ("Version 2.0, January 2004", "3. Grant of Patent License", "END OF TERMS AND CONDITIONS"):
        assert part in text


def test_a_base_install_names_the_extra_that_is_missing(tmp_path):
    np.savez(tmp_path / "maps.npz", values=np.exp(0.2 * np.random.default_rng(0).standard_normal((40, 7, 12))))
    code = """if True:
        import sys
        from importlib.machinery import PathFinder
        from toothwise.errors import is_optional

        honest = PathFinder.find_spec
        PathFinder.find_spec = lambda name, *rest: None if is_optional(name) else honest(name, *rest)

        from toothwise.cli import main

        for words, code in (
            ("fit maps.npz --output run", 0),
            ("predict run maps.npz --json", 0),
            ("diagnose run maps.npz --output diagnosis", 0),
            ("score run maps.npz --output scores", 2),
            ("watch run . --to diagnoses.db", 2),
            ("serve run", 2),
            ("fit maps.npz --detector dinomaly --output deep", 2),
            ("report diagnosis --pdf true", 2),
        ):
            print(words, file=sys.stderr)
            assert main(words.split()) == code, words
        """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    hints = re.findall(r"needs (\w+): pip install '\.\[(\w+)\]'", run.stderr)
    assert [extra for _, extra in hints] == ["fleet", "fleet", "serve", "train", "report"], run.stderr
    assert {extra for _, extra in hints} <= set(EXTRAS)
