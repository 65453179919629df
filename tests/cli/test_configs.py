"""Every configuration file that is shipped is parsed by the verb that its name begins with."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from toothwise.cli import VERBS
from toothwise.cli.entry import read_options

CONFIGS = Path(__file__).parents[2] / "configs"
OURS = sorted(p for p in CONFIGS.glob("*.yaml") if p.stem.partition("_")[0] in VERBS)
# what the command line leaves to be given beside a configuration file
NEEDED = {"fit": ["maps.npz", "--output", "x"], "predict": ["run", "maps.npz"]}


@pytest.mark.parametrize("file", OURS, ids=lambda p: p.name)
def test_it_is_parsed_and_every_option_arrives(file):
    verb = file.stem.partition("_")[0]
    _, options, _ = read_options(verb, [*NEEDED.get(verb, []), "--config", str(file)])
    for name, value in yaml.safe_load(file.read_text()).items():
        assert getattr(options, name) == value, name


@pytest.mark.parametrize("file", [p for p in OURS if p.name.startswith("fit_scan")], ids=lambda p: p.name)
def test_its_detector_can_be_made_and_fitted(file, toothwise, healthy, tmp_path):
    run = toothwise("fit", healthy, "--config", file, "--output", tmp_path / "x")
    assert run.code == 0, run.err


def test_every_shipped_file_is_parsed_by_some_test():
    tests = "".join(p.read_text() for p in CONFIGS.parent.glob("tests/**/test_*.py"))
    rest = [p.name for p in CONFIGS.rglob("*.yaml") if p not in OURS]
    assert [name for name in rest if name not in tests] == []
