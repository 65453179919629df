"""Every number of the running text, by the name that the text calls it."""

from __future__ import annotations

import statistics
import sys

import numpy as np
from claims import Verdict, read_claims, summary
from tex import ROOT, Data, MissingResultError, escape, number, p_value, percent, read

sys.path.append(str(ROOT / "benchmarks" / "pages"))
from line_tables import closed
from study_pairs import SEEDS, between, counts


def all_values(studies: dict[str, Data], verdicts: dict[str, Verdict]) -> dict[str, str]:
    """Name to LaTeX."""
    return {
        **_primary(studies["direction"]),
        **{f"claim.{name}.verdict": rf"\textbf{{{v.verdict}}}" for name, v in verdicts.items()},
        **{f"claim.{name}.why": v.why for name, v in verdicts.items()},
        **{f"claim.{c['name']}.margin": number(c["margin"], 2) for c in read_claims()},
        "claims.summary": summary(verdicts),
        "study.commits": ", ".join(sorted({c[:8] for s in studies.values() for c in s["result"]["trials"]["commits"]})),
        "study.changed": _changed(studies),
        **_detectors(studies.get("baselines")),
        **_everywhere(studies),
        **_attention(read("attention_view")),
        **_detectability(read("detectability")),
        **_severity(read("severity")),
        **_by_direction(studies.get("direction_vit")),
        **_pooling(read("coherent_pooling")),
        **_limit(studies.get("line_limit")),
        **_rivals(studies),
        **_halves(studies.get("crossover")),
        **_shifts(studies.get("domain_shift")),
        **_recordings(studies.get("line_vibration")),
        **_encoder(read("encoder")),
        **_hums(read("hums2023")),
        **_diagnosis(read("diagnosis")),
    }


def _changed(studies: dict[str, Data]) -> str:
    """Which studies have trials from a tree with changes, as the end of a sentence; "" = none."""
    trials = {name: study["result"]["trials"] for name, study in studies.items()}
    names = [rf"\emph{{{escape(n)}}}" for n, t in trials.items() if any("+changes" in c for c in t["commits"])]
    if not names:
        return ""
    return f"; some of {', '.join(names)} ran beside a result file that was not committed yet, with the same code"


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


def _detectors(study: Data | None) -> dict[str, str]:
    """AUROC of every arm in both domains, and what direction changes there."""
    if study is None:
        raise MissingResultError("results/studies/baselines.json: missing; run the study 'baselines' first")
    rows = [r for r in study["result"]["table"] if r["metric"] == "auroc" and r["mean"] is not None]
    out = {f"detectors.{r['group'].partition(' ')[0]}.{r['arm']}": number(r["mean"]) for r in rows}
    for c in between(study):
        key = f"detectors.{c['group'].partition(' ')[0]}.direction"
        out |= {f"{key}.{k}": number(c[k], signed=True) for k in ("difference", "low", "high")}
        out[f"{key}.p"] = p_value(c["p_holm"])
    return out | dict(
        zip(("detectors.steps", "detectors.draem.steps"), map(str, study["config"]["steps"]), strict=False)
    )


def _everywhere(studies: dict[str, Data]) -> dict[str, str]:
    """Pairs of directional and plain Dinomaly in all studies, by either score."""
    rows = [
        c
        for data in studies.values()
        for m in ("auroc", "auroc_lines")
        for c in between(data, m)
        if c["seeds"] >= SEEDS
    ]
    better, worse = counts(rows)
    return {"pairs.count": str(len(rows)), "pairs.better": str(better or "none"), "pairs.worse": str(worse or "none")}


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
    head, network, measured = by["ways"]
    return {
        "severity.head": number(by["ways"][head]["mae"]),
        "severity.network": number(by["ways"][network]["mae"]),
        "severity.held": f"{100 * by['spread']['held']:.0f}",
        "severity.measured": number(by["ways"][measured]["mae"]),
        "severity.constant": number(by["always_the_mean"]["mae"]),
        "severity.hums": number(with_time[head], 2, signed=True),
        "severity.hums.network": number(with_time[network], 2, signed=True),
        "severity.hums.measured": number(with_time[measured], 2, signed=True),
        "severity.hums.rms": number(with_time["RMS of the record"], 2, signed=True),
    }


def _by_direction(found: Data | None) -> dict[str, str]:
    """TPR of the best line with the ViT-S, by the directions of the attention."""
    rows = [] if found is None else found["result"]["table"]
    return {f"vits.{r['arm']}": number(r["mean"]) for r in rows if r["metric"] == "tpr_at_1_fpr_lines"}


def _attention(found: Data) -> dict[str, str]:
    entropies = [e for layer in found["result"]["layers"] for e in layer["entropy"].values()]
    return {"attention.entropy": number(min(entropies))}


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


def _rivals(studies: dict[str, Data]) -> dict[str, str]:
    out = {}
    for name in ("line_rivals", "line_unet", "line_deep"):
        if name not in studies:
            raise MissingResultError(f"results/studies/{name}.json: missing; run the study {name!r} first")
        found = studies[name]["result"]["table"]
        means = {row["arm"]: row["mean"] for row in found if row["metric"] == "auroc"}
        out |= {f"rivals.{name}.{arm}": number(mean) for arm, mean in means.items()}
    return out


def _halves(study: Data | None) -> dict[str, str]:
    """Attention along either axis for damage of either gear; for driven damage only whether it is seen."""
    if study is None:
        raise MissingResultError("results/studies/crossover.json: missing; run the study 'crossover' first")
    out, result = {"halves.seeds": str(len(study["config"]["seeds"]))}, study["result"]
    for name, a, b in (("rows", "driving/y", "driving/x"), ("excluded", "driving/y_exclude", "driving/x_exclude")):
        found = next(c for c in result["comparisons"] if (c["a"], c["b"], c["metric"]) == (a, b, "tpr_at_1_fpr_lines"))
        out |= {f"halves.{name}.{k}": number(found[k], signed=True) for k in ("difference", "low", "high")}
    seen = [r["mean"] for r in result["table"] if r["arm"].startswith("driven/") and r["metric"] == "auroc_lines"]
    return out | {"halves.driven.least": number(min(seen)), "halves.driven.most": number(max(seen))}


def _shifts(study: Data | None) -> dict[str, str]:
    """The twelve shifts between domains: direction, and detectors at home and elsewhere."""
    if study is None:
        raise MissingResultError("results/studies/domain_shift.json: missing; run the study 'domain_shift' first")
    pairs = [c for c in study["result"]["direction"]["plain, auroc"] if c["a"] != "home/both"]
    out = {
        f"shifts.{name}": number(best(c[key] for c in pairs), signed=True)
        for name, best, key in (
            ("least", min, "difference"),
            ("most", max, "difference"),
            ("low", min, "low"),
            ("high", max, "high"),
        )
    }
    out |= {"shifts.seeds": str(pairs[0]["seeds"])}
    for arm in ("scan", "line_network", "patchcore", "plain", "both"):
        for home in (True, False):
            own = [
                row["mean"]
                for row in study["result"]["table"]
                if row["metric"] == "auroc" and row["arm"].endswith(f"/{arm}") and row["arm"].startswith("home") == home
            ]
            out[f"shifts.{arm}.{'home' if home else 'away'}"] = number(sum(own) / len(own))
    return out


def _limit(study: Data | None) -> dict[str, str]:
    if study is None:
        raise MissingResultError("results/studies/line_limit.json: missing; run the study 'line_limit' first")
    net, scan = closed(study), closed(study, "scan_learned")
    many = closed(study, "line_network_3000", "scan_learned_3000")
    trials = study["result"]["trials"]
    seeds = len({t["seed"] for t in study["result"]["seeds"] if t["arm"] == "line_network"})
    return {
        "limit.cells": str(net["cells"]),
        "limit.trials": f"{trials['done']} of {trials['planned']}",
        "limit.seeds": str(seeds),
        "limit.network": f"{100 * net['share']:.0f}",
        "limit.scan": f"{100 * scan['share']:.0f}",
        "limit.many": f"{100 * many['share']:.0f}",
        "limit.above": str(net["above"]),
        "limit.worst": number(net["least"], 4, signed=True),
    }


def _recordings(study: Data | None) -> dict[str, str]:
    """Maps that simulated recordings give: the best detector of maps, and the one of waveforms."""
    if study is None:
        raise MissingResultError("results/studies/line_vibration.json: missing; run the study 'line_vibration' first")
    area = {r["arm"]: r["mean"] for r in study["result"]["table"] if r["metric"] == "auroc"}
    waves = ("coherent", "line_waveforms")
    return {
        "recordings.maps": number(max(v for k, v in area.items() if k not in waves)),
        "recordings.coherent": number(area["coherent"]),
        "recordings.network": number(area["line_waveforms"]),
        "recordings.seeds": str(len(study["config"]["seeds"])),
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
    rms_none, rms_one = found["result"]["alarms"]["RMS"][:2]
    return {
        "hums.rms.first": _place(rms_one["first"]),
        "hums.rms.none": _place(rms_none["first"]),
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
        "diagnosis.tooth": percent(exact["share"]),
        "diagnosis.cases": number(exact["of"], 0),
    }
