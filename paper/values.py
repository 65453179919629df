"""Every number of the running text, by the name that the text calls it."""

from __future__ import annotations

import statistics
import sys

import numpy as np
from claims import Verdict, read_claims, summary
from tex import ROOT, Data, MissingResultError, number, p_value, percent, read

sys.path.append(str(ROOT / "benchmarks" / "pages"))
from line_tables import closed
from means import family_comparisons

ALPHA = 0.05


def all_values(studies: dict[str, Data], verdicts: dict[str, Verdict]) -> dict[str, str]:
    """Name to LaTeX."""
    return {
        **_primary(studies["direction"]),
        **{f"claim.{name}.verdict": rf"\textbf{{{v.verdict}}}" for name, v in verdicts.items()},
        **{f"claim.{name}.why": v.why for name, v in verdicts.items()},
        **{f"claim.{c['name']}.margin": number(c["margin"], 2) for c in read_claims()},
        "claims.summary": summary(verdicts),
        "study.commits": ", ".join(
            sorted({c[:10] for s in studies.values() for c in s["result"]["trials"]["commits"]})
        ),
        **_family(read("family")),
        **_detectability(read("detectability")),
        **_severity(read("severity")),
        **_benchmark(read("benchmark")),
        **_pooling(read("coherent_pooling")),
        **_limit(studies.get("line_limit")),
        **_encoder(read("encoder")),
        **_hums(read("hums2023")),
        **_diagnosis(read("diagnosis")),
    }


def _primary(study: Data) -> dict[str, str]:
    found = next((c for c in study["result"]["comparisons"] if c["role"] == "primary"), None)
    if found is None:
        raise MissingResultError("results/studies/direction.json: the primary comparison has not been run")
    return {
        **{f"primary.{k}": number(found[k], signed=True) for k in ("difference", "low", "high")},
        **{f"primary.{k}": number(found[k]) for k in ("mean_a", "mean_b")},
        "primary.p": p_value(found["p_value"]),
        "primary.seeds": str(found["seeds"]),
        "study.direction.steps": "/".join(map(str, study["config"]["steps"])),
        "study.direction.train": "/".join(str(n) for n, _ in study["config"]["sizes"]),
    }


def _family(found: Data) -> dict[str, str]:
    out = {"family.steps": str(found["config"]["options"]["dinomaly"]["max_steps"])}
    for cell in found["result"]["cells"]:
        key = f"family.{cell['domain']}.{cell['mode']}.{cell['detector']}.auroc"
        same = [c for c in found["result"]["cells"] if all(c[k] == cell[k] for k in ("domain", "mode", "detector"))]
        out[key] = number(float(np.mean([c["auroc"] for c in same])))
    pairs = [c for c in family_comparisons(found) if c["pair"] == ["dinomaly_directional", "dinomaly"]]
    for c in pairs:
        if c["score"] == "own":
            key = f"family.{c['domain']}.{c['mode']}.directional_plain"
            out |= {f"{key}.{k}": number(c[k], signed=True) for k in ("difference", "low", "high")}
    out["family.pairs"] = str(len(pairs))
    out["family.better"] = str(sum(c["p_holm"] <= ALPHA and c["difference"] > 0 for c in pairs) or "none")
    out["family.worse"] = str(sum(c["p_holm"] <= ALPHA and c["difference"] < 0 for c in pairs) or "none")
    return out


def ratios(found: Data) -> list[float]:
    """Logarithmic contrast that the scan with learned noise needs, over that of the averaged likelihood ratio."""
    by = {(r["domain"], r["length"], r["detector"]): r["contrast"] for r in found["result"]["contrasts"]}
    places = sorted({key[:2] for key in by})
    bound, ours = "limit, one of these lengths", "scan, rows, learned noise"
    return [float(np.log(by[*p, ours]) / np.log(by[*p, bound])) for p in places]


def _detectability(found: Data) -> dict[str, str]:
    each = ratios(found)
    return {
        "detect.ratio.smallest": number(min(each), 2),
        "detect.ratio.largest": number(max(each), 2),
        "detect.ratio.median": number(statistics.median(each), 2),
    }


def _severity(found: Data) -> dict[str, str]:
    by, with_time = found["result"]["simulated"], found["result"]["hums2023"]["spearman_with_time"]
    return {
        "severity.head": number(by["lines"]["mae"]),
        "severity.measured": number(by["measured_along_the_scans_line"]["mae"]),
        "severity.constant": number(by["always_the_mean"]["mae"]),
        "severity.hums": number(with_time["severity"], 2, signed=True),
        "severity.hums.rms": number(with_time["RMS of the record"], 2, signed=True),
    }


def _benchmark(found: Data) -> dict[str, str]:
    """The one seed with the ViT-S, domain C."""
    out = {}
    for cell in found["result"]["cells"]:
        if cell["detector"] in ("dinomaly", "dinomaly_directional") and cell["domain"] == "C":
            name = cell["detector"].removeprefix("dinomaly").strip("_") or "plain"
            for key in ("auroc", "auroc_lines", "tpr_at_1_fpr_lines"):
                out[f"vit.{cell['mode']}.{name}.{key}"] = number(cell[key])
    return out


def _pooling(found: Data) -> dict[str, str]:
    rows = found["result"]["scores"]

    def mean(pooling: str) -> float:
        return float(np.mean([r["auroc"] for r in rows if r["pooling"] == pooling]))

    longest = max(r["length"] for r in found["result"]["gain"])
    gain = [r["as_they_are"] for r in found["result"]["gain"] if r["length"] == longest]
    return {
        "pooling.own": number(mean("own")),
        "pooling.segments": number(mean("segments")),
        "pooling.coherent": number(mean("coherent")),
        "pooling.length": str(longest),
        "pooling.gain": number(float(np.mean(gain)), 2),
    }


def _limit(study: Data | None) -> dict[str, str]:
    if study is None:
        raise MissingResultError("results/studies/line_limit.json: missing; run the study 'line_limit' first")
    net, scan = closed(study), closed(study, "scan_learned")
    trials = study["result"]["trials"]
    return {
        "limit.cells": str(net["cells"]),
        "limit.trials": f"{trials['done']} of {trials['planned']}",
        "limit.network": f"{100 * net['share']:.0f}",
        "limit.scan": f"{100 * scan['share']:.0f}",
        "limit.above": str(net["above"]),
        "limit.worst": number(net["least"], 4, signed=True),
    }


def _encoder(found: Data) -> dict[str, str]:
    result = found["result"]
    return {
        "encoder.ratio": number(result["speed"]["ratio"]["median"], 1),
        "encoder.kolektor.student": number(result["kolektor_sdd"]["student"]),
        "encoder.kolektor.teacher": number(result["kolektor_sdd"]["teacher"]),
    }


def _place(value: int | None) -> str:
    return "never" if value is None else str(value)


def _hums(found: Data) -> dict[str, str]:
    """The largest tooth of the coherent map, at the height that one in a hundred held-out records exceeds."""
    none, one = found["result"]["alarms"]["coherent"][:2]
    return {
        "hums.first": _place(one["first"]),
        "hums.first.none": _place(none["first"]),
        "hums.consistent": _place(one["consistent"]),
        "hums.tooth": str(one["first_tooth"]),
        "hums.tooth.consistent": str(one["consistent_tooth"]),
        "hums.independent": number(one["independent"], 1),
        "hums.upper": percent(one["interval"][1], 0),
    }


def _diagnosis(found: Data) -> dict[str, str]:
    red, exact = found["result"]["rates"]["red"], found["result"]["exact"]
    return {
        "diagnosis.records": number(red["records"], 0),
        "diagnosis.alarm.found": number(red["per_1000"], 2),
        "diagnosis.alarm.low": number(red["interval"][0], 2),
        "diagnosis.alarm.high": number(red["interval"][1], 2),
        "diagnosis.tooth": percent(exact["share"], 0),
        "diagnosis.cases": number(exact["of"], 0),
    }
