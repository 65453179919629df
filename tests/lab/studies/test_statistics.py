"""What tables and comparisons of a study say, from trials whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from toothwise.evaluation import auroc
from toothwise_lab.comparison import holm
from toothwise_lab.studies.config import read_study
from toothwise_lab.studies.opened import open_study, save_study
from toothwise_lab.studies.scores import all_metrics
from toothwise_lab.studies.statistics import NO_DIFFERENCE, Comparison, _verdict, comparisons, other_pairs, table
from toothwise_lab.studies.store import Entry, StudyFolder

STUDY = """title: Known truth
base: {detector: scan}
overrides: {good: {n_train: 40}, same: {n_train: 41}, poor: {n_train: 42}}
seeds: 3
metrics: [auroc, tpr_at_5_fpr_cold, fit_seconds]
reference: poor
compare: [[same, good]]
primary: {hypothesis: Good is better, better: good, than: poor, metric: auroc, group: C matched}
"""
SHIFT = {"good": 1.6, "same": 1.6, "poor": 0.4}


@pytest.fixture
def folder(tmp_path, write_study):
    """A study's folder as if it had been run, its scores drawn with known distances."""
    study = read_study(write_study(STUDY))
    store, entries = StudyFolder(tmp_path / "out"), []
    for k, trial in enumerate(study.trials()):
        entry = Entry(trial.part, trial.arm, trial.group, trial.settings.seed, trial.config_hash, f"k{k:02d}")
        entries.append(entry)
        maps = np.random.default_rng(entry.seed)  # the same for all arms
        own = np.random.default_rng(100 + k)
        base = maps.standard_normal((2, 120))
        scores = {
            "healthy": base[0] + 0.3 * own.standard_normal(120),
            "faulty": base[1] + SHIFT[trial.arm] + 0.3 * own.standard_normal(120),
            "warm": np.arange(120) % 2 == 1,
        }
        row = {
            "key": entry.key,
            "status": "done",
            "reason": None,
            "revision": "r0",
            "config_hash": trial.config_hash,
            "data_version": "simulated",
            "seconds": 1.0,
            "config": trial.config,
            "info": {"alpha": {"0": [0.5]}},
            "metrics": {**all_metrics(scores), "fit_seconds": 1.0 + 0.01 * own.random() + (trial.arm == "good")},
        }
        store.write(entry.key, row, scores, {}, {})
    save_study(tmp_path / "out", study, entries, "r0")
    return tmp_path / "out"


def test_a_table_has_mean_sd_and_interval(folder):
    opened = open_study(folder)
    rows = {(r.arm, r.metric): r for r in table(opened, resamples=200)}
    assert len(rows) == 9
    one = rows["good", "auroc"]
    values = [auroc(*_scores(opened, f"k{k:02d}")) for k in (0, 3, 6)]
    assert one.mean == pytest.approx(np.mean(values))
    assert one.sd == pytest.approx(np.std(values, ddof=1))
    assert one.low < one.mean < one.high
    assert (one.role, one.over, one.seeds) == ("primary", "seeds x maps", 3)
    assert rows["same", "auroc"].role == "exploratory"
    assert rows["good", "tpr_at_5_fpr_cold"].role == "exploratory"
    assert rows["good", "fit_seconds"].over == "seeds"


def _scores(opened, key):
    found = opened.store.scores(key)
    return np.concatenate([found["healthy"], found["faulty"]]), np.repeat([0, 1], 120)


def test_better_is_said_only_where_the_corrected_test_supports_it(folder):
    found = {(c.a, c.b, c.metric): c for c in comparisons(open_study(folder))}
    primary = found["good", "poor", "auroc"]
    assert (primary.role, primary.family, primary.verdict) == ("primary", 1, "good is better")
    assert primary.p_holm == primary.p_value
    assert found["same", "good", "auroc"].verdict == "no difference shown"
    assert found["same", "poor", "tpr_at_5_fpr_cold"].verdict == "same is better"
    assert found["good", "poor", "fit_seconds"].verdict == "poor is better"  # less time is better
    assert found["good", "poor", "fit_seconds"].method == "paired t over seeds"
    rest = [c for c in found.values() if c.role == "exploratory"]
    assert len(rest) == 8
    assert {c.family for c in rest} == {8}
    assert np.allclose([c.p_holm for c in rest], holm([c.p_value for c in rest]))
    for c in rest:
        assert ("better" in c.verdict) == (c.p_holm <= 0.05)


@pytest.mark.full
def test_a_pair_of_ones_own_joins_the_family(folder):
    opened = open_study(folder)
    (own,) = comparisons(opened, pair=("good", "same"), metrics=("auroc",))
    assert own.family == 8  # the study has it the other way round
    listed = next(c for c in comparisons(opened) if (c.a, c.b, c.metric) == ("same", "good", "auroc"))
    assert (own.p_value, own.difference) == pytest.approx((listed.p_value, -listed.difference))
    more = comparisons(opened, pair=("good", "same"), metrics=("aupr",))
    assert {c.metric for c in more} == {"aupr"}
    assert more[0].family == 11


def test_pairs_beside_the_study_are_a_family_of_their_own(folder):
    opened = open_study(folder)
    found = other_pairs(opened, "auroc", [("good", "poor"), ("good", "same"), ("good", "no such arm")])
    assert [(c.a, c.b, c.role, c.family) for c in found] == [
        ("good", "poor", "exploratory", 2),  # not the primary test once more
        ("good", "same", "exploratory", 2),
    ]
    assert [c.verdict for c in found] == ["good is better", "no difference shown"]
    assert np.allclose([c.p_holm for c in found], holm([c.p_value for c in found]))


@pytest.mark.full
def test_the_words_on_the_command_line(folder, toothwise, tmp_path):
    text = toothwise("study", "table", folder, "--resamples", "100").out
    assert "* primary, written down before the runs: Good is better" in text
    assert "exploratory: all else" in text
    text = toothwise("study", "compare", folder).out
    assert "good is better" in text
    assert "p corrected together for 8 comparisons (Holm)" in text
    data = json.loads(toothwise("study", "compare", folder, "good", "poor", "--metrics", "auroc", "--json").out)
    assert [c["verdict"] for c in data["comparisons"]] == ["good is better"]
    bad = toothwise("study", "compare", folder, "good")
    assert (bad.code, "takes two arms, but got 1" in bad.err) == (2, True)
    bad = toothwise("study", "compare", folder, "good", "none")
    assert "must be two arms of one part: good, poor, same" in bad.err
    bad = toothwise("study", "table", folder, "--metrics", "aurok")
    assert "'aurok' is no metric; did you mean 'auroc'?" in bad.err
    assert "holds no study" in toothwise("study", "status", tmp_path).err


def test_a_missing_seed_leaves_the_pairs_that_there_are(folder):
    opened = open_study(folder)
    opened.store.forget("k00")  # good, seed 0
    found = next(c for c in comparisons(opened) if (c.a, c.b, c.metric) == ("good", "poor", "auroc"))
    assert (found.seeds, found.verdict) == (2, "no difference shown (2 of 3 seeds needed)")
    assert [e.key for e in opened.missing()] == ["k00"]
    for key in ("k03", "k06"):
        opened.store.forget(key)
    assert not [c for c in comparisons(opened) if "good" in (c.a, c.b)]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_results_are_written_to_one_file(folder, toothwise, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"all{suffix}"
    assert toothwise("study", "export", folder, "--output", path).code == 0
    if suffix == ".json":
        rows = json.loads(path.read_text())
        assert rows[0]["info"]["alpha"] == {"0": [0.5]}
        assert rows[0]["arm"] == "good"
        return
    read = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert list(read.columns[:4]) == ["part", "arm", "group", "seed"]
    assert len(read) == 9
    assert read["auroc"].between(0, 1).all()


def test_an_export_to_nowhere(folder, toothwise, tmp_path):
    assert (
        "the suffix must be one of .csv, .parquet, .json"
        in toothwise("study", "export", folder, "--output", tmp_path / "x.txt").err
    )


def test_more_entropy_is_called_more_and_not_better():
    numbers = dict.fromkeys(("mean_a", "mean_b", "low", "high", "p_value", "effect"), 0.0)
    words = dict.fromkeys(("part", "group", "method", "verdict"), "") | {"role": "exploratory", "a": "both", "b": "y"}
    one = Comparison(metric="attention_entropy_y", seeds=3, difference=-0.1, p_holm=0.01, family=1, **words, **numbers)
    assert _verdict(one) == "y has more"
    assert _verdict(replace(one, metric="auroc")) == "y is better"
    assert _verdict(replace(one, p_holm=0.2)) == NO_DIFFERENCE
