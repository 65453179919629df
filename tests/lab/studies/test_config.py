"""A study's YAML: what it expands to, and how it is told that a word is none."""

from __future__ import annotations

import re

import pytest

from toothwise.errors import InputError
from toothwise_lab.studies.check import check_detectors
from toothwise_lab.studies.config import Primary, Resources, read_study

STUDY = """title: A study
base:
  detector: scan
  n_train: 40
  options: {lines: rows}
overrides:
  short: {options: {lengths: [4, 8]}}
  long:
    options:
      lengths: [32]
      clip: 1e1
  mean: {detector: mean}
crossed:
  few: {n_test: 32}
  many: {n_test: 64}
domains: [A, C]
modes: [matched, realistic]
seeds: 3
metrics: [auroc, tpr_at_1_fpr_cold_lines]
reference: short
compare: [[long/few, mean/many]]
"""


def told(path) -> str:
    def whole():
        study = read_study(path)
        study.trials()
        check_detectors(study)

    with pytest.raises(InputError) as caught:
        whole()
    return str(caught.value)


def test_it_is_base_and_override_and_crossed_for_every_group_and_seed(write_study):
    study = read_study(write_study(STUDY))
    trials = study.trials()
    assert len(trials) == 3 * 2 * 2 * 2 * 3
    assert len({t.config_hash for t in trials}) == len(trials)
    assert [t.settings.seed for t in trials] == sorted(t.settings.seed for t in trials)
    one = next(t for t in trials if (t.arm, t.group, t.settings.seed) == ("long/many", "C realistic", 2))
    cell = one.settings
    assert (cell.domain, cell.mode, cell.detector, cell.n_train, cell.n_test) == ("C", "realistic", "scan", 40, 64)
    assert cell.options == {"lines": "rows", "lengths": [32], "clip": 10.0}
    other = next(t for t in trials if t.arm == "mean/few")
    assert other.settings.options == {}  # options of the base are those of its detector
    assert one.name == "long/many, C realistic, seed 2"


def test_comparisons_stay_within_what_is_crossed(write_study):
    (part,) = read_study(write_study(STUDY)).parts
    assert part.comparisons == (
        ("long/few", "short/few"),
        ("mean/few", "short/few"),
        ("long/many", "short/many"),
        ("mean/many", "short/many"),
        ("long/few", "mean/many"),
    )


def test_parts_have_kinds_of_their_own_and_share_seeds_and_metrics(write_study):
    study = read_study(
        write_study(
            "seeds: [1, 4]\nmetrics: [auroc]\nparts:\n"
            "  images: {kind: images, sets: [rsscn7], base: {detector: scan, size: [32, 40]}}\n"
            "  run: {kind: run, runs: [simulated], overrides: {s: {detector: scan}}, metrics: [alarmed], seeds: 1}\n"
        )
    )
    assert [(t.part, t.arm, t.group, t.kind, t.settings.seed) for t in study.trials()] == [
        ("run", "s", "simulated", "run", 0),
        ("images", "base", "rsscn7", "images", 1),
        ("images", "base", "rsscn7", "images", 4),
    ]
    assert study.parts[0].arms[0].settings["size"] == (32, 40)


def test_the_tiny_version_changes_what_it_says_and_nothing_else(write_study):
    smoke = "smoke:\n  base: {n_train: 16}\n  overrides: {mean: null, long: {options: {clip: 3}}}\n  crossed: [few]\n"
    smoke += "  domains: [C]\n  seeds: 1\n  compare: []\n"
    path = write_study(STUDY + smoke)
    assert len(read_study(path).trials()) == 72
    tiny = read_study(path, smoke=True)
    assert [t.name for t in tiny.trials()] == [
        f"{arm}/few, C {mode}, seed 0" for mode in ("matched", "realistic") for arm in ("short", "long")
    ]
    settings = tiny.trials()[1].settings
    assert (settings.n_train, settings.options["lengths"], settings.options["clip"]) == (16, [32], 3)


def test_the_primary_hypothesis_and_resources_are_data(write_study):
    more = "primary: {hypothesis: 'It is', better: long/few, than: short/few, metric: auroc, group: C matched}\n"
    more += "resources: {cpus: 2, gpus: 0.5, memory_mib: 500}\n"
    study = read_study(write_study(STUDY + more))
    assert study.primary == Primary("It is", "long/few", "short/few", "auroc", "C matched")
    assert study.resources == Resources(cpus=2.0, gpus=0.5, memory_mib=500.0)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("domains:", "domain:", 16, "'domain' is no key of a study; did you mean 'domains'?"),
        ("[A, C]", "[A, E]", 16, "'E' is no domain"),
        ("realistic]", "realistc]", 17, "'realistc' is no mode; did you mean 'realistic'?"),
        ("n_train: 40", "ntrain: 40", 4, "'ntrain' is no setting of a trial; did you mean 'n_train'?"),
        ("n_train: 40", "n_train: many", 4, "n_train must be a whole number, but is 'many'"),
        ("n_train: 40", "n_train: 4", 4, "n_train must be a whole number, 10 or more"),
        ("detector: mean", "detector: meen", 12, "'meen' is no detector; did you mean 'mean'?"),
        ("detector: scan", "detector: scann", 3, "'scann' is no detector; did you mean 'scan'?"),
        ("      clip: 1e1", "      clp: 1e1", 11, "'clp' is no option of detector 'scan'; did you mean 'clip'?"),
        ("{lines: rows}", "{lines: raws}", 5, "lines must be one of 'rows', 'columns', 'both', but got 'raws'"),
        ("lengths: [4, 8]", "lengths: [0]", 7, "lengths must be a whole number"),
        ("tpr_at_1_fpr_cold_lines", "tpr_at_1_fpr_cold_line", 19, "did you mean 'tpr_at_1_fpr_cold_lines'?"),
        ("reference: short", "reference: shrt", 20, "'shrt' is no arm; did you mean 'short/few'?"),
        ("mean/many]]", "mean/mony]]", 21, "'mean/mony' is no arm; did you mean 'mean/many'?"),
        ("seeds: 3", "seeds: [1, 1]", 18, "seeds must be their number, or a list of different ones"),
        ("seeds: 3", "seeds: 0", 18, "seeds must be their number"),
        ("few: {n_test: 32}", "few: {n_test: 32}\n  few: {}", 15, "duplicate key 'few'"),
        ("few: {n_test: 32}", "few: {corruption: fog}", 14, "corruption must be one of None, 'gaussian'"),
        ("seeds: 3", "seeds: 3\nresources: {cpu: 1}", 19, "'cpu' is no resource; did you mean 'cpus'?"),
        ("seeds: 3", "seeds: 3\nresources: {cpus: -1}", 19, "cpus must be a number, but is -1"),
        ("seeds: 3", "seeds: 3\nkind: imges", 19, "'imges' is no kind of trial; did you mean 'images'?"),
        ("seeds: 3", "seeds: 3\nsets: [rsscn7]", 19, "'sets' does not go with kind 'maps'"),
        ("seeds: 3", "seeds: 3\nprimary: {better: long/few}", 19, "needs hypothesis, than, metric, group"),
        ("title: A study", "title: [", 3, "not YAML"),
    ],
)
def test_a_word_that_is_none_is_named_with_its_line_and_the_nearest_one(write_study, old, new, line, words):
    assert old in STUDY
    path = write_study(STUDY.replace(old, new))
    text = told(path)
    assert text.startswith(f"{path}, line {line}: "), text
    assert words in text
    assert "\n" not in text


def test_a_line_of_the_tiny_version_is_its_own(write_study):
    path = write_study(STUDY + "smoke:\n  seeds: 1\n  base:\n    n_tran: 3\n")
    with pytest.raises(InputError, match=re.escape(f"{path}, line 25: 'n_tran' is no setting")):
        read_study(path, smoke=True)
    with pytest.raises(InputError, match="has no smoke section"):
        read_study(write_study(STUDY), smoke=True)


def test_files_that_are_no_studies(tmp_path, write_study):
    assert "no such file" in told(tmp_path / "none.yaml")
    assert "must hold names and values" in told(write_study("- a\n- b\n"))
    assert "'base' has no detector" in told(write_study("domains: [C]\n"))


def test_options_of_a_deep_detector_are_known_too(write_study):
    pytest.importorskip("anomalib")
    text = STUDY.replace("detector: mean", "detector: dinomaly_severity, options: {severity_wight: 1}")
    assert "'severity_wight' is no option of detector 'dinomaly_severity'; did you mean 'severity_weight'?" in told(
        write_study(text)
    )


def test_a_detector_of_ones_own_that_is_none(write_study, toys):
    text = STUDY.replace("detector: mean", "detector: 'study_toys:Quack'")
    assert re.search("line 12: 'mean/few': detector 'study_toys:Quack': cannot be imported", told(write_study(text)))
    text = STUDY.replace("detector: mean", "detector: 'study_toys:os'")
    assert "is not a subclass of toothwise.detectors.base.Detector" in told(write_study(text))
    text = STUDY.replace("detector: mean", "detector: 'study_toys:Quick', options: {powr: 2}")
    assert "did you mean 'power'?" in told(write_study(text))
