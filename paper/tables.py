"""Tables of the paper and its appendix."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from claims import Verdict
from tex import ROOT, Data, escape, number, read, tabular, write

sys.path.append(str(ROOT / "benchmarks" / "pages"))
from study_figures import WORDS
from study_pairs import between, counts

__all__ = ["write_tables"]

_BOUNDS = ("limit", "glr")
_SHOWN = {"auroc": "AUROC", "tpr_at_1_fpr": "TPR", "auroc_lines": "line", "tooth_accuracy": "tooth"}
# arm -> detector; statistics that are near chance are in the appendix alone
_DETECTORS = {
    name: name
    for name in (
        *(*_BOUNDS, "scan", "scan_learned", "line_network", "fused", "dinomaly", "dinomaly_directional"),
        *(
            "dinomaly_severity",
            "patchcore_context",
            "patchcore",
            "padim",
            "draem_sevnet_rows",
            "draem_sevnet",
            "row_mean",
        ),
    )
} | {"baseline": "healthy_distance"}


def write_tables(studies: dict[str, Data], claims: list[dict[str, Any]], verdicts: dict[str, Verdict]) -> None:
    """All of them."""
    write("claims.tex", _claims(claims))
    write("verdicts.tex", _verdict_table(claims, verdicts))
    if "baselines" in studies:
        write("table_detectors.tex", _detectors(studies["baselines"]))
    write("ablations.tex", _ablations(studies))
    write("appendix_tables.tex", _appendix(studies))


def _claims(claims: list[dict[str, Any]]) -> str:
    items = [
        rf"\item[{escape(c['title'])}.] {escape(c['claim'])} \emph{{Test:}} {escape(c['test'])} "
        rf"\emph{{Margin}} {c['margin']:g}; written {escape(c['written'])}."
        for c in claims
    ]
    return "\\begin{description}\n\\setlength{\\itemsep}{1pt}\n" + "\n".join(items) + "\n\\end{description}\n"


def _verdict_table(claims: list[dict[str, Any]], verdicts: dict[str, Verdict]) -> str:
    rows = [
        [escape(c["title"]), f"{c['margin']:g}", rf"\textbf{{{verdicts[c['name']].verdict}}}", verdicts[c["name"]].why]
        for c in claims
    ]
    return (
        "\\begin{table}[t]\n\\small\n\\setlength{\\tabcolsep}{5pt}\n\\caption{The claims, their margins and what their tests say.}\n\\label{tab:claims}\n"
        + tabular(
            ["claim", "margin", "verdict", "what was found"],
            rows,
            align=r">{\raggedright\arraybackslash}p{3.9cm}rl>{\raggedright\arraybackslash}p{6.1cm}",
        )
        + "\\end{table}\n"
    )


def _detectors(study: Data) -> str:
    """Detectors down, the highest mean AUROC first; four metrics of each domain across."""
    by = {(r["group"], r["arm"], r["metric"]): r for r in study["result"]["table"]}
    groups = list(dict.fromkeys(r["group"] for r in study["result"]["table"]))
    names = [n for n in _DETECTORS if (groups[0], n, "auroc") in by]
    names.sort(key=lambda n: (n not in _BOUNDS, -sum(by[g, n, "auroc"]["mean"] for g in groups)))
    body = [
        [
            rf"\dname{{{escape(_DETECTORS[n])}}}",
            *(
                _cell(by[g, n, m]) if m == "auroc" else _cell({**by[g, n, m], "sd": None})
                for g in groups
                for m in _SHOWN
            ),
        ]
        for n in names
    ]
    body.insert(sum(n in _BOUNDS for n in names), [r"\midrule"])
    above = " & ".join(rf"\multicolumn{{{len(_SHOWN)}}}{{c}}{{domain {escape(g.partition(' ')[0])}}}" for g in groups)
    rules = "".join(rf"\cmidrule(lr){{{2 + 4 * k}-{5 + 4 * k}}}" for k in range(len(groups)))
    head = ["detector", *(list(_SHOWN.values()) * len(groups))]
    seeds = max(r["seeds"] for r in study["result"]["table"])
    made = tabular(head, body, align="l" + "rrrr" * len(groups))
    made = made.replace("\\toprule\n", rf"\toprule & {above} \\ {rules}" + "\n").replace(
        "\\midrule \\\\\n", "\\midrule\n"
    )
    return (
        "\\begin{table}[t]\n\\small\n\\setlength{\\tabcolsep}{3.5pt}\n\\caption{Detectors on the same matched maps, damaged driving teeth: AUROC "
        f"(mean $\\pm$ sd over {seeds} seeds), TPR at 1\\,\\% FPR, AUROC of the best line of the anomaly map, and how often the right tooth ($\\pm1$) is named. "
        "\\dname{limit} and \\dname{glr} know the simulator. All tables: Appendix~\\ref{sec:tables}.}\n"
        "\\label{tab:detectors}\n\\centering\n" + made + "\\end{table}\n"
    )


def _ablations(studies: dict[str, Data]) -> str:
    """A table of direction in every study."""
    body = []
    for data in studies.values():
        for metric, words in (("auroc", "own score"), ("auroc_lines", "best line")):
            rows = [c for c in between(data, metric) if c["seeds"] >= 3]
            if not rows:
                continue
            span = sorted(c["difference"] for c in rows)
            better, worse = counts(rows)
            mean = number(sum(span) / len(span), signed=True)
            body.append(
                [
                    escape(data["config"]["title"]),
                    words,
                    str(len(rows)),
                    mean,
                    number(span[0], signed=True),
                    number(span[-1], signed=True),
                    str(better),
                    str(worse),
                ]
            )
    out = ""
    if body:
        out = (
            "\\begin{table}[t]\n\\footnotesize\n\\renewcommand{\\arraystretch}{0.93}\n\\setlength{\\tabcolsep}{4pt}\n\\caption{Directional less plain Dinomaly, AUROC, in every study that has pairs with three seeds; better and worse after correction within the study.}\n"
            "\\label{tab:everywhere}\n\\centering\n"
            + tabular(["study", "score", "pairs", "mean", "least", "most", "better", "worse"], body, align="llrrrrrr")
            + "\\end{table}\n\n"
        )
    return out


def _appendix(studies: dict[str, Data]) -> str:
    out = []
    for data in studies.values():
        out.append(
            rf"\subsection{{{escape(data['config']['title'])}}}"
            + "\n"
            + escape(data["config"]["question"].strip())
            + "\n"
        )
        rows = data["result"]["table"]
        for part in dict.fromkeys(r["part"] for r in rows):
            mine = [r for r in rows if r["part"] == part]
            metrics = list(dict.fromkeys(r["metric"] for r in mine))[:4]
            by = {(r["group"], r["arm"], r["metric"]): r for r in mine}
            body = []
            for group, arm in dict.fromkeys((r["group"], r["arm"]) for r in mine):
                cells = [by[group, arm, m] for m in metrics]
                if any(c["seeds"] for c in cells):
                    body.append(
                        [
                            escape(group),
                            _breakable(arm),
                            str(max(c["seeds"] for c in cells)),
                            *(_cell(c) for c in cells),
                        ]
                    )
            if body:
                head = [
                    "on",
                    "arm",
                    "seeds",
                    *(rf"\parbox[b]{{1.7cm}}{{\raggedleft {escape(WORDS.get(m, m))}}}" for m in metrics),
                ]
                out.append(
                    "{\\scriptsize\n\\setlength{\\tabcolsep}{3pt}\n"
                    + tabular(head, body, long=True, align="lp{3.2cm}r" + "r" * len(metrics))
                    + "}\n"
                )
    out.append("\\subsection{Minimum detectable contrast}\n" + _contrasts(read("detectability")))
    return "\n".join(out)


def _breakable(name: str) -> str:
    """A name that may break after its underscores and slashes."""
    return escape(name).replace("/", "/\\allowbreak ").replace("\\_", "\\_\\allowbreak ")


def _cell(row: Data) -> str:
    if row["mean"] is None:
        return "--"
    shape: Callable[[float], str] = (lambda v: f"{v:.3f}") if abs(row["mean"]) < 10 else (lambda v: f"{v:.0f}")
    return shape(row["mean"]) + ("" if row["sd"] is None else rf"{{\tiny$\,\pm${shape(row['sd'])}}}")


def _contrasts(found: Data) -> str:
    """Detectors down, domains and lengths across."""
    rows = found["result"]["contrasts"]
    by = {(r["domain"], r["length"], r["detector"]): r for r in rows}
    places = list(dict.fromkeys((r["domain"], r["length"]) for r in rows))
    body = []
    for name in dict.fromkeys(r["detector"] for r in rows):
        cells = [by.get((*place, name)) for place in places]
        body.append(
            [
                escape(name),
                *("--" if c is None or c["contrast"] is None else f"{c['contrast']:.2f}" for c in cells),
            ]
        )
    head = ["detector", *(f"{domain}, {length}" for domain, length in places)]
    return "{\\tiny\n\\setlength{\\tabcolsep}{2pt}\n" + tabular(head, body, long=True) + "}\n"
