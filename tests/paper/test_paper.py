"""The paper's input comes from results alone, its claims are judged by their written tests."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "paper"
sys.path.append(str(PAPER))

import claims  # noqa: E402


def comparison(a, b, difference, half, *, p, seeds=5, group="C matched", role="exploratory", metric="auroc", base=0.6):
    better = p <= 0.05 and seeds >= 3
    verdict = f"{a if difference > 0 else b} is better" if better else "no difference shown"
    return {
        "part": "",
        "group": group,
        "metric": metric,
        "role": role,
        "a": a,
        "b": b,
        "seeds": seeds,
        "mean_a": base + difference,
        "mean_b": base,
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
        "p_value": p,
        "p_holm": p,
        "effect": 1.0,
        "family": 1,
        "method": "",
        "verdict": verdict,
    }


def row(arm, metric, mean):
    return {
        "part": "",
        "group": "C matched",
        "arm": arm,
        "metric": metric,
        "role": "exploratory",
        "seeds": 5,
        "failed": 0,
        "mean": mean,
        "sd": 0.02,
        "low": mean - 0.04,
        "high": mean + 0.04,
        "over": "seeds x maps",
    }


def direction_study(primary, axes, direction=None):
    metrics = ("tpr_at_1_fpr_cold_lines", "tpr_at_1_fpr_cold", "auroc_cold_lines", "auroc_cold")
    arms = ("none", "x", "y", "both_learned")
    return {
        "config": {
            "study": "direction",
            "smoke": False,
            "title": "Direction of the attention",
            "question": "Does it help?",
            "primary": {"hypothesis": "It helps."},
            "seeds": [0, 1, 2, 3, 4],
            "sizes": [[300, 400]],
            "steps": [100],
        },
        "result": {
            "trials": {"planned": 20, "done": 20, "failed": {}, "seconds": 1.0, "commits": ["abc"], "code": ["r"]},
            "table": [row(arm, m, 0.6 + 0.01 * k) for k, arm in enumerate(arms) for m in metrics],
            "comparisons": [primary],
            "direction": direction or {},
            "axes": [axes],
            "alpha": {},
        },
        "revision": "abc",
    }


def primary(difference, half, p, seeds=5):
    return comparison("both_learned", "none", difference, half, p=p, seeds=seeds, role="primary")


def judged(difference, half, p, seeds=5):
    axes = comparison("y", "x", 0.0, 0.01, p=1.0)
    return claims.judge({"direction": direction_study(primary(difference, half, p, seeds), axes)})


@pytest.mark.parametrize(
    ("difference", "half", "p", "seeds", "verdict"),
    [
        (0.08, 0.05, 0.01, 5, claims.SUPPORTED),
        (-0.08, 0.05, 0.01, 5, claims.CONTRADICTED),
        (0.01, 0.02, 0.3, 5, claims.EQUIVALENT),
        (0.01, 0.08, 0.8, 5, claims.UNDECIDED),
        (0.08, 0.05, 0.01, 2, claims.UNDECIDED),
    ],
)
def test_the_primary_claim(difference, half, p, seeds, verdict):
    assert judged(difference, half, p, seeds)["attention"].verdict == verdict


def test_the_second_claim_is_corrected_for_both():
    axes = comparison("y", "x", 0.1, 0.09, p=0.04)
    found = claims.judge({"direction": direction_study(primary(0.0, 0.01, 0.9), axes)})
    assert found["physics"].verdict == claims.UNDECIDED  # .08 after correction
    found = claims.judge({"direction": direction_study(primary(0.1, 0.01, 0.001), axes)})
    assert found["physics"].verdict == claims.SUPPORTED  # the other test passed first


def with_pairs(differences, bases=(0.6, 0.6, 0.6, 0.6), half=0.02):
    pairs = [
        comparison("both", "plain", d, half, p=0.001 if abs(d) > half else 0.9, group=g, base=b)
        for d, g, b in zip(differences, claims.FIELDS, bases, strict=False)
    ]
    return direction_study(primary(0, 0.1, 1.0), comparison("y", "x", 0, 0.1, p=1), {"plain, auroc": pairs})


@pytest.mark.parametrize(
    ("differences", "bases", "half", "verdict"),
    [
        ((0.1, 0.1, 0.0, 0.0), (0.6,) * 4, 0.02, claims.SUPPORTED),
        ((0.1, 0.1, -0.1, 0.0), (0.6,) * 4, 0.02, claims.UNDECIDED),
        ((0.1, 0.1, -0.1, 0.0), (0.6, 0.6, 0.4, 0.6), 0.02, claims.SUPPORTED),  # below chance: no evidence either way
        ((0.001, 0.0, 0.0, 0.002), (0.6,) * 4, 0.01, claims.EQUIVALENT),
        ((0.1, 0.1, 0.1), (0.6,) * 3, 0.02, claims.UNDECIDED),  # one set was not run
    ],
)
def test_the_claim_for_other_fields(differences, bases, half, verdict):
    study = with_pairs(differences, bases, half)
    assert claims.judge({"direction": study, "generalisation": study})["breadth"].verdict == verdict


@pytest.mark.parametrize(("level", "verdict"), [(0.1, claims.SUPPORTED), (0.001, claims.EQUIVALENT)])
def test_the_claim_for_all_studies_rests_on_one_model(level, verdict):
    names = ("direction", "generalisation", "layers", "transfer")
    studies = {name: with_pairs([level + 0.002 * k - 0.001 * j for k in range(4)]) for j, name in enumerate(names)}
    assert claims.judge(studies)["consistency"].verdict == verdict
    assert claims.judge({"direction": studies["direction"]})["consistency"].verdict == claims.UNDECIDED


def test_nothing_is_said_before_all_planned_seeds_have_run():
    study = with_pairs(())
    for seeds, verdict in ((4, claims.UNDECIDED), (5, claims.EQUIVALENT)):
        deciding = direction_study(primary(0.0, 0.01, 0.9, seeds), comparison("y", "x", 0, 0.1, p=1))
        assert claims.judge({"direction": study, "alpha": deciding})["mix"].verdict == verdict


def test_every_claim_has_a_margin_and_says_when_it_was_written():
    for claim in claims.read_claims():
        assert claim["margin"] > 0
        assert claim["written"]


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    shutil.copytree(ROOT / "benchmarks" / "results", folder)
    for file in (folder / "studies").iterdir():
        # the text has figures of these studies themselves
        if file.stem not in (
            "line_limit",
            "alpha_curves",
            "baselines",
            "line_vibration",
            "line_rivals",
            "line_unet",
            "line_deep",
            "crossover",
            "direction_vit",
            "domain_shift",
        ):
            file.unlink()
    study = direction_study(primary(0.0123, 0.02, 0.31), comparison("y", "x", 0.02, 0.03, p=0.2))
    (folder / "studies" / "direction.json").write_text(json.dumps(study))
    return folder


def build(results, tmp_path):
    command = [
        sys.executable,
        str(PAPER / "build.py"),
        "--no-pdf",
        "--results",
        str(results),
        "--build",
        str(tmp_path / "build"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_input_is_made_from_the_results(results, tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "older.tex").write_text("of a result that is gone")
    done = build(results, tmp_path)
    assert not (tmp_path / "build" / "older.tex").exists()  # nothing in the paper is older than its results
    assert done.returncode == 0, done.stderr
    values = (tmp_path / "build" / "values.tex").read_text()
    assert r"val@primary.difference\endcsname{$+0.012$}" in values
    assert "0.31" in values
    rows = json.loads((results / "studies" / "baselines.json").read_text())["result"]["table"]
    scan = next(r["mean"] for r in rows if (r["group"], r["arm"], r["metric"]) == ("C matched", "scan", "auroc"))
    assert rf"val@detectors.C.scan\endcsname{{${scan:.3f}$}}" in values
    for name in ("maps", "direction", "detect", "hums", "method"):
        assert (tmp_path / "build" / f"{name}.pdf").stat().st_size > 5000
    included = re.findall(
        r"\\input\{build/([a-z_]+)\}",
        "".join(p.read_text() for p in [*PAPER.glob("sections/*.tex"), PAPER / "main.tex"]),
    )
    for name in included:
        assert (tmp_path / "build" / f"{name}.tex").is_file(), name


@pytest.mark.full
def test_a_missing_result_stops_the_build(results, tmp_path):
    (results / "encoder.json").unlink()
    done = build(results, tmp_path)
    assert done.returncode == 1
    assert "results/encoder.json: missing" in done.stderr
    shutil.rmtree(results / "studies")
    assert "direction.json: missing" in build(results, tmp_path).stderr


@pytest.mark.full
def test_a_number_that_no_result_has_stops_the_build(results, tmp_path):
    path = results / "studies" / "baselines.json"
    found = json.loads(path.read_text())
    found["result"]["table"] = [r for r in found["result"]["table"] if r["arm"] != "patchcore"]
    path.write_text(json.dumps(found))
    done = build(results, tmp_path)
    assert done.returncode == 1
    assert "No result for: detectors.C.patchcore" in done.stderr


def test_the_style_of_the_venue_is_used_where_it_is(tmp_path):
    spec = importlib.util.spec_from_file_location("paper_build", PAPER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    style, folder = module.style, tmp_path / "style"
    assert r"\usepackage[letterpaper,textwidth=5.5in" in style(folder)
    folder.mkdir()
    for name in ("iclr2025_conference.sty", "iclr2025_conference.bst", "iclr2026_conference.sty"):
        (folder / name).write_text("")
    made = style(folder)
    assert r"\usepackage{style/iclr2026_conference,times}" in made
    assert r"\newcommand{\references}{plainnat}" in made
    assert "geometry" not in made
    (folder / "iclr2026_conference.bst").write_text("")
    assert r"\newcommand{\references}{style/iclr2026_conference}" in style(folder)


def test_every_citation_is_in_the_bibliography():
    text = "".join(p.read_text() for p in PAPER.glob("sections/*.tex"))
    cited = {k.strip() for keys in re.findall(r"\\cite[tp]\{([^}]+)\}", text) for k in keys.split(",")}
    known = set(re.findall(r"^@\w+\{(\w+),", (PAPER / "references.bib").read_text(), flags=re.MULTILINE))
    assert cited == known


def test_the_text_itself_holds_no_figures():
    """Results in the running text are \\val{...}; what stays are sizes of the protocol and published figures."""
    text = (PAPER / "sections" / "results.tex").read_text() + (PAPER / "sections" / "abstract.tex").read_text()
    assert set(re.findall(r"(?<![\d.])0?\.\d+|\d+\.\d+", re.sub(r"\\val\{[^}]*\}", "", text))) == set()
