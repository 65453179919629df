"""The studies that are shipped: every word of them is checked, and their tiny versions are run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from toothwise import detectors
from toothwise.detectors.registry import class_of
from toothwise_lab.studies.check import check_detectors
from toothwise_lab.studies.config import read_study

FOLDER = Path(__file__).parents[3] / "configs" / "studies"
STUDIES = {  # trials of the whole study
    "direction.yaml": 6 * 5,
    "alpha.yaml": 2 * 5,
    "direction_vit.yaml": 4 * 5,
    "direction_vit_y.yaml": 2 * 5,
    "crossover.yaml": 8 * 3,
    "layers.yaml": 7 * 3,
    "alpha_curves.yaml": 2,
    "resolution.yaml": 10 * 3,
    "fewer_tokens.yaml": 4 * 2 * 4,
    "fewer_tokens_vit.yaml": 2 * 3,
    "fewer_tokens_columns.yaml": 4 * 2 * 4,
    "fewer_tokens_even.yaml": 4 * 2 * 3,
    "fewer_tokens_vit_even.yaml": 6 * 3,
    "fewer_tokens_tall.yaml": 4 * 3,
    "fewer_layers.yaml": 6 * 3,
    "loss_input.yaml": 16 * 3,
    "grey.yaml": 4 * 3,
    "severity.yaml": 13 * 3,
    "robustness.yaml": 22 * 3 * 3,
    "resize.yaml": 5 * 3 * 3,
    "transfer.yaml": (4 * 3 + 4 * 3 + 2 * 3 + 3 * 2) * 3,
    "generalisation.yaml": (4 * 6 + 4) * 3,
    "baselines.yaml": 28 * 2 * 3,
    "line_direction.yaml": 2 * 5,
    "line_attention.yaml": 12 * 3,
    "line_limit.yaml": 7 * 8 * 3,
    "line_robustness.yaml": 24 * 2 * 3,
    "line_maps.yaml": 10 * 3,
    "line_hums2023.yaml": 3 * 3,
    "line_rivals.yaml": 5 * 3,
    "line_unet.yaml": 3 * 3,
    "line_deep.yaml": 7 * 3,
    "line_photographs.yaml": 2 * 4 * 3,
    "line_vibration.yaml": 6 * 3,
    "domain_shift.yaml": 4 * 5 * 5 * 3,
    "benchmark.yaml": (15 * 5 + 2) * 8 + 5 * 2,
}


@pytest.mark.parametrize("name", STUDIES)
def test_it_expands_as_told_and_every_detector_takes_its_options(name):
    pytest.importorskip("anomalib")
    for smoke in (False, True):
        study = read_study(FOLDER / name, smoke=smoke)
        check_detectors(study)
        trials = study.trials()
        assert len({(t.part, t.arm, t.group, t.settings.seed) for t in trials}) == len(trials)
        if not smoke:
            assert len(trials) == STUDIES[name]
        assert all(part.comparisons for part in study.parts), "a study that compares nothing"


def test_all_that_is_shipped_is_listed_here():
    assert {p.name for p in FOLDER.glob("*.yaml")} == set(STUDIES)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("direction.yaml", ("both_learned", "none", "tpr_at_1_fpr_cold_lines", "C matched")),
        ("alpha.yaml", ("both_learned", "none", "tpr_at_1_fpr_cold_lines", "C matched")),
        ("direction_vit.yaml", ("both", "none", "tpr_at_1_fpr_lines", "C matched")),
        ("direction_vit_y.yaml", ("y", "none", "tpr_at_1_fpr_lines", "C matched")),
        ("line_direction.yaml", ("both", "global", "tpr_at_1_fpr_cold", "C matched")),
        ("fewer_tokens.yaml", ("tokens_16x8/rows", "tokens_16x16/rows", "auroc", "C matched")),
        ("fewer_tokens_vit.yaml", ("tokens_16x8", "tokens_16x16", "auroc", "C matched")),
        ("fewer_tokens_even.yaml", ("tokens_14x10/columns", "tokens_16x16/columns", "auroc", "C matched")),
        ("fewer_tokens_vit_even.yaml", ("tokens_14x10/columns", "tokens_16x16/columns", "auroc", "C matched")),
        ("fewer_tokens_tall.yaml", ("tokens_10x14/columns", "tokens_16x16/columns", "auroc", "C matched")),
        ("fewer_layers.yaml", ("depth_2/columns", "depth_8/columns", "auroc", "C matched")),
        ("fewer_tokens_columns.yaml", ("tokens_16x8/strong", "tokens_16x16/strong", "auroc", "C matched")),
    ],
)
def test_the_primary_hypothesis_is_the_one_that_was_written_down(name, wanted):
    primary = read_study(FOLDER / name).primary
    assert primary is not None
    assert (primary.better, primary.than, primary.metric, primary.group) == wanted


def test_other_studies_explore():
    written_down = {"direction.yaml", "alpha.yaml", "direction_vit.yaml", "direction_vit_y.yaml", "line_direction.yaml"}
    others = {n for n in STUDIES if n not in written_down and not n.startswith("fewer_")}
    assert [n for n in others if read_study(FOLDER / n).primary is not None] == []


def test_the_baselines_are_everything_in_the_registry():
    (part,) = read_study(FOLDER / "baselines.yaml").parts
    # other tests enter detectors of their own, and drawn maps have no waveforms
    known = {name: class_of(name) for name in detectors.names()}
    own = {n for n, c in known.items() if c.__module__.startswith("toothwise.") and not c.can.waveforms}
    assert {arm.settings["detector"] for arm in part.arms} == {*own, "limit", "glr"}


@pytest.mark.full
@pytest.mark.parametrize("name", STUDIES)
def test_the_tiny_version_runs(name, local_ray, image_sets, monkeypatch, toothwise, tmp_path):
    pytest.importorskip("anomalib")
    monkeypatch.setenv("TOOTHWISE_DATA", str(image_sets))
    words = ("--smoke", "--output", tmp_path / "out", "--tracking", "none", "--json")
    run = toothwise("study", "run", FOLDER / name, *words)
    found = json.loads(run.out)
    assert (run.code, found["failures"]) == (0, {})
    rows = json.loads(toothwise("study", "table", tmp_path / "out", "--resamples", "100", "--json").out)["rows"]
    assert any(row["seeds"] for row in rows)
    said = json.loads(toothwise("study", "compare", tmp_path / "out", "--json").out)["comparisons"]
    assert said
    assert all("better" not in one["verdict"] for one in said)  # one seed shows nothing
    if read_study(FOLDER / name, smoke=True).resources.pictures:
        check_attention(rows, toothwise, tmp_path)


def check_attention(rows: list[dict], toothwise, tmp_path: Path) -> None:
    """What directional layers attend to is in the table, in the export and, as pictures, beside the trial."""
    told = {row["arm"] for row in rows if row["metric"] == "attention_entropy_y" and row["seeds"]}
    assert told == {"both_learned"}
    assert toothwise("study", "export", tmp_path / "out", "--output", tmp_path / "out.csv").code == 0
    table = pd.read_csv(tmp_path / "out.csv").set_index("arm")
    assert 0 < table.loc["both_learned", "attention_entropy_x_layer_0"] <= 1
    for arm, count in {"none": 1, "both_learned": 3}.items():
        assert len(list((tmp_path / "out" / "trials" / table.loc[arm, "key"]).glob("*.png"))) == count


def test_the_example_of_the_page_is_a_study(tmp_path):
    page = (FOLDER.parents[1] / "docs" / "studies.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "example.yaml").write_text(text)
    study = read_study(tmp_path / "example.yaml")
    check_detectors(study)
    assert len(study.trials()) == 3 * 2 * 2 * 5
    assert len(read_study(tmp_path / "example.yaml", smoke=True).trials()) == 3 * 2 * 2
    listed = page.partition("## The studies")[2]
    assert set(re.findall(r"^\| `(\w+\.yaml)`", listed, flags=re.MULTILINE)) == set(STUDIES)
