"""Pairs of directional and plain arms, what is collected of them, and how templates of pages are filled."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError

from toothwise.evaluation import auroc
from toothwise_lab.seeds import compare_over_seeds
from toothwise_lab.studies.config import read_study
from toothwise_lab.studies.opened import open_study, save_study
from toothwise_lab.studies.scores import all_metrics, parse_metric
from toothwise_lab.studies.store import Entry, StudyFolder

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks" / "pages"))

import engine  # noqa: E402
import study_curves  # noqa: E402
import study_pairs  # noqa: E402
import study_tables  # noqa: E402

_spec = importlib.util.spec_from_file_location("collect_studies", ROOT / "benchmarks" / "studies.py")
assert _spec is not None
assert _spec.loader is not None
collected = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(collected)

STUDY = """title: Known truth
base: {n_train: 40}
overrides: {home: {}, on_C: {test_domain: C}}
crossed:
  plain: {detector: dinomaly_directional, options: {directional_layers: []}}
  middle: {detector: dinomaly_directional, options: {directional_layers: [3, 4]}}
  scan: {detector: scan}
domains: [A, C]
seeds: 3
metrics: [auroc]
reference: home
"""
# distance of faulty maps by own score and by lines; on_C in A costs the directional arm 0.5 more
OWN, LINES, MORE = {"plain": 1.5, "middle": 2.0, "scan": 2.5}, {"plain": 0.6, "middle": 0.6, "scan": 0.6}, 0.5


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A study as if it had been run; on_C in group C is home's very same trials."""
    place = tmp_path_factory.mktemp("known")
    (place / "known.yaml").write_text(STUDY)
    study = read_study(place / "known.yaml")
    store, entries = StudyFolder(place / "out"), []
    for trial in study.trials():
        head, _, kind = trial.arm.partition("/")
        cell, moved = trial.settings, head == "on_C" and trial.group.startswith("A")
        key = f"{trial.group[0]}{'moved' if moved else ''}-{kind}-{cell.seed}"
        entries.append(Entry(trial.part, trial.arm, trial.group, cell.seed, trial.config_hash, key))
        if store.row(key) is not None:
            continue
        rng = np.random.default_rng(cell.seed)
        maps, scores = rng.standard_normal((2, 80)), {"warm": np.arange(80) % 2 == 1}
        for pooled, shift in (("", OWN[kind] - MORE * (moved and kind == "middle")), ("_lines", LINES[kind])):
            scores |= {f"healthy{pooled}": maps[0], f"faulty{pooled}": maps[1] + shift}
        row = {
            "key": key,
            "status": "done",
            "reason": None,
            "revision": "r0",
            "git": "abc",
            "config_hash": trial.config_hash,
            "seconds": 1.0,
            "config": trial.config,
            "info": {},
            "metrics": all_metrics(scores),
        }
        store.write(key, row, scores, {}, {})
    save_study(place / "out", study, entries, "r0")
    return open_study(place / "out")


def picked(opened, group, kind, seed, ends=""):
    scores = opened.store.scores(f"{group}-{kind}-{seed}")
    return auroc(np.concatenate([scores[f"healthy{ends}"], scores[f"faulty{ends}"]]), np.repeat([0, 1], 80))


@pytest.mark.parametrize(
    ("name", "pairs", "of"),
    [
        ("direction", 5, "none"),
        ("layers", 6, "none"),
        ("alpha", 1, "none"),
        ("severity", 0, ""),
        ("baselines", 1, "dinomaly"),
    ],
)
def test_pairs_come_from_the_options_of_shipped_arms(name, pairs, of):
    found = study_pairs.pairs_in(study_pairs.plan(name), "plain")
    assert len(found) == pairs
    assert {b for _, b in found} == ({of} if of else set())


def test_a_pair_differs_in_the_direction_alone():
    found = study_pairs.pairs_in(study_pairs.plan("robustness"), "plain")
    assert ("rotation_3_degrees/both", "rotation_3_degrees/plain") in found
    assert all(a.partition("/")[0] == b.partition("/")[0] for a, b in found)
    scan = study_pairs.pairs_in(study_pairs.plan("robustness"), "scan")
    assert [(a, b.replace("scan", "plain")) for a, b in scan] == found


def test_the_same_trials_are_collected_once(opened):
    single = collected.distinct(opened)
    arms = {(part.groups[0][0], arm.name) for part in single.study.parts for arm in part.arms}
    assert ("A matched", "on_C/plain") in arms
    assert ("C matched", "home/plain") in arms
    assert ("C matched", "on_C/plain") not in arms
    found = collected.direction(single)
    assert [(c["group"], c["a"]) for c in found["plain, auroc"]] == [
        ("A matched", "home/middle"),
        ("A matched", "on_C/middle"),
        ("C matched", "home/middle"),
    ]
    assert len(found["scan, auroc"]) == 3


def test_the_difference_of_differences_is_paired_over_seeds(opened):
    rows = collected.interactions(collected.distinct(opened))
    (one,) = [r for r in rows if r["metric"] == "auroc"]
    assert (one["group"], one["a"], one["reference"]) == ("A matched", "on_C/middle", "home/middle")
    each = [picked(opened, "Amoved", "middle", s) - picked(opened, "A", "middle", s) for s in range(3)]
    assert one["difference"] == pytest.approx(np.mean(each), abs=1e-5)  # plain does not move
    assert one["low"] < one["difference"] < one["high"] < 0


def comparison(a, b, difference, **other):
    found = {"part": "", "group": "C matched", "metric": "auroc", "role": "exploratory", "a": a, "b": b, "seeds": 3}
    found |= {"mean_a": 0.6 + difference, "mean_b": 0.6, "difference": difference, "effect": 2.0}
    found |= {"low": difference - 0.1, "high": difference + 0.1, "p_value": 0.5, "p_holm": 1.0}
    return found | {"verdict": "no difference shown"} | other


def study(name, comparisons, direction=None, **result):
    table = [
        {"part": c["part"], "group": c["group"], "arm": arm, "metric": c["metric"], "seeds": 3, "mean": 0.5, "sd": 0.1}
        for c in comparisons
        for arm in (c["a"], c["b"])
    ]
    found = {"comparisons": comparisons, "direction": direction or {}, "table": table}
    return {"config": {"study": name, "steps": [], "sizes": []}, "result": found | result}


def test_cold_maps_stand_in_where_no_other_auroc_was_kept():
    own = [comparison("layers_0-1", "none", -0.01, metric="auroc_cold"), comparison("all", "none", 0.02)]
    data = study("layers", own)
    assert [c["a"] for c in study_pairs.between(data)] == ["layers_0-1"]
    both = study("layers", own, {"plain, auroc": [comparison("layers_0-1", "none", 0.03)]})
    assert [c["difference"] for c in study_pairs.between(both)] == [0.03]


def test_an_arm_by_its_own_score_is_compared_with_its_best_line_once():
    direction = {
        "plain, auroc": [comparison("home/both", "home/plain", 0.1), comparison("home/x", "home/plain", 0.2)],
        "plain, auroc_lines": [comparison(f"home/{k}", "home/plain", -0.2, mean_b=0.4) for k in ("both", "x")],
    }
    (one,) = study_pairs.plain_less_lines(study("transfer", [], direction))
    assert one["difference"] == pytest.approx(0.6 - 0.4)


def test_the_bound_on_the_harm_of_rotation_holds_the_exact_interval():
    """Per seed: both clean, plain clean, both rotated, plain rotated."""
    from toothwise_lab.seeds import compare_values

    rng = np.random.default_rng(3)
    values = dict(zip(("clean/both", "clean/plain", "r/both", "r/plain"), rng.random((4, 3)), strict=True))

    def pair(a, b):
        each = values[a] - values[b]
        return comparison(a, b, float(each.mean()), effect=float(each.mean() / each.std(ddof=1)))

    names = {"r": "rotation_3_degrees"}
    renamed = {k.replace("r/", f"{names['r']}/") if k.startswith("r/") else k: v for k, v in values.items()}
    values.update(renamed)
    r = "rotation_3_degrees"
    own = [pair(f"{r}/{kind}", f"clean/{kind}") for kind in ("both", "plain")]
    direction = {"plain, auroc": [pair("clean/both", "clean/plain"), pair(f"{r}/both", f"{r}/plain")]}
    found = study_pairs.rotated(study("robustness", own, direction), r, "auroc")
    each = values[f"{r}/both"] - values[f"{r}/plain"] - (values["clean/both"] - values["clean/plain"])
    exact = compare_values(list(each), [0.0] * 3)
    assert found is not None
    difference, low, high, known = found
    assert difference == pytest.approx(each.mean())
    assert not known
    assert low <= exact.low
    assert high >= exact.high
    kept = {"metric": "auroc", "a": f"{r}/both", "reference": "clean/both", "difference": 1.0, "low": 0.5, "high": 1.5}
    assert study_pairs.rotated(study("robustness", own, direction, interactions=[kept]), r, "auroc") == (
        1,
        0.5,
        1.5,
        True,
    )


def test_no_detector_is_better_on_one_recording():
    run = comparison("scan", "plain", 35.0, part="hums2023", group="hums2023", metric="first_sustained_place")
    assert study_pairs.testable(study("generalisation", [run | {"verdict": "plain is better"}])) == []


def test_a_mean_of_fewer_seeds_says_so(monkeypatch):
    cells = [
        {"part": "", "group": "g", "arm": "plain", "metric": m, "seeds": n, "mean": 807.0, "sd": None}
        for m, n in (("consistent_place", 1), ("first_sustained_place", 3))
    ]
    monkeypatch.setattr(study_tables, "found", lambda: {"generalisation": {"result": {"table": cells}}})
    assert "| plain | 3 | 807 (1 of 3 seeds) | 807 |" in study_tables.arms("generalisation")


def test_the_default_of_the_severity_head_is_as_stated():
    head = pytest.importorskip("toothwise.detectors.dinomaly.severity_head")
    severity = next(v for v in vars(head).values() if getattr(v, "head_pooling", None) == "lines")
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for words in (
        f"weight {severity.severity_weight:g} ",
        f"in {100 * severity.augment_share:.0f} % of",
        f"pooled along {severity.head_pooling}",
        "hidden layers of {} and {}".format(*severity.hidden),
    ):
        assert words in page


def test_a_template_is_filled_with_values_and_nothing_that_is_not_there():
    pages = engine.environment()
    text = (
        '{{ share | percent }}, {{ 1234.5 | as(",.1f") }}, {{ none | as(".3f") }}, {{ met(true) }}, {{ met(false) }}\n'
        '{{ table(["a", "b"], [[1, none]]) }}'
    )
    filled = pages.from_string(text).render(share=0.1234)
    assert filled == "12.3 %, 1,234.5, -, met, **missed**\n| a | b |\n| --- | --- |\n| 1 | None |"
    with pytest.raises(UndefinedError):
        pages.from_string("{{ results.severity.result.nothing.here }}").render()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks" / "results" / "studies").glob("*.npz")), ids=lambda p: p.stem
)
def test_a_primary_p_value_follows_from_the_scores_that_are_kept(path):
    result = json.loads(path.with_suffix(".json").read_text())["result"]
    one = next(c for c in result["comparisons"] if c["role"] == "primary")
    metric = parse_metric(one["metric"])
    with np.load(path) as kept:
        arms = [(one[k], [n for n in kept if n.startswith(f"{one[k]}/")]) for k in ("a", "b")]
        ran = [{int(n.removeprefix(f"{arm}/").split("/")[0]) for n in own} for arm, own in arms]
        seeds = sorted(set.intersection(*ran))
        names = {name.rpartition("/")[2] for name in kept}
        picked = [
            [metric.pick({n: kept[f"{arm}/{seed}/{n}"] for n in names}) for seed in seeds]
            for arm in (one["a"], one["b"])
        ]
    found = compare_over_seeds(metric.function, *picked)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (one["difference"], one["low"], one["high"]), abs=1e-5
    )


def test_curves_of_long_trainings_are_kept_by_seed_and_say_how_flat_they_are(tmp_path, monkeypatch):
    overrides = "overrides: {long: {options: {max_steps: 2000}}, short: {options: {max_steps: 100}}}"
    (tmp_path / "s.yaml").write_text(
        f"title: t\nbase: {{n_train: 40, detector: dinomaly_directional}}\n{overrides}\nseeds: 2\nmetrics: [auroc]\n"
    )
    study = read_study(tmp_path / "s.yaml")
    store, entries, steps = StudyFolder(tmp_path / "out"), [], np.arange(10, 2001, 10)
    for trial in study.trials():
        seed, key = trial.settings.seed, f"{trial.arm}-{trial.settings.seed}"
        entries.append(Entry(trial.part, trial.arm, trial.group, seed, trial.config_hash, key))
        row = {"key": key, "status": "done", "reason": None, "revision": "r0", "git": "abc", "seconds": 1.0, "info": {}}
        row |= {"config_hash": trial.config_hash, "config": trial.config, "metrics": {"auroc": 0.5}}
        loss = 1.0 + seed + (steps <= 1000)
        low, high = (0.5 + sign * 0.4 * np.minimum(steps / 1500, 1.0) for sign in (-1, 1))
        curves = {"train_loss": loss, "alpha/layer_0": (low + high) / 2, "gradient/decoder.0": loss}
        curves |= {"alpha/layer_0/head_0": low, "alpha/layer_0/head_1": high}
        curves |= {"entropy_y/layer_0": np.full(200, 0.9 + seed / 100), "entropy_x/layer_0": np.full(200, 0.99)}
        store.write(
            key, row, {}, {k: list(zip(steps.tolist(), v.tolist(), strict=True)) for k, v in curves.items()}, {}
        )
    save_study(tmp_path / "out", study, entries, "r0")
    kept = collected.curves(open_study(tmp_path / "out"))
    assert set(kept) == {"long"}
    assert "gradient/decoder.0" not in kept["long"]
    assert kept["long"]["train_loss"]["steps"][-1] == 2000
    assert kept["long"]["train_loss"]["values"] == [[2.0] * 25 + [1.0] * 25, [3.0] * 25 + [2.0] * 25]
    monkeypatch.setattr(study_curves, "of", lambda name: kept)
    flat = study_curves.flat("s")
    assert flat["loss"] == {"long": (1.5, 1.5)}
    assert flat["alpha"] == pytest.approx(0.4 / 1500 * (1500 - 1025), abs=0.003)
    assert (flat["low"], flat["high"]) == pytest.approx((0.1, 0.9))
    assert flat["entropy"] == pytest.approx((0.905, 0.99))
    lines = study_curves.draw(kept).axes[1].lines
    assert sorted({round(float(line.get_ydata()[-1]), 2) for line in lines}) == [0.1, 0.5, 0.9]
