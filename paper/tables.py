"""Tables of the paper and its appendix."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from claims import Verdict
from tex import ROOT, Data, escape, number, read, tabular, write

sys.path.append(str(ROOT / "benchmarks" / "pages"))
from study_figures import WORDS
from study_pairs import between, counts

__all__ = ["write_tables"]

_ROWS_WITH_LIMIT = ("limit", "glr")


def write_tables(studies: dict[str, Data], claims: list[dict[str, Any]], verdicts: dict[str, Verdict]) -> None:
    """All of them."""
    write("claims.tex", _claims(claims))
    write("verdicts.tex", _verdict_table(claims, verdicts))
    write("table_family.tex", _family(read("family")))
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
        "\\begin{table}[h]\n\\small\n\\caption{The claims, their margins and what their tests say.}\n\\label{tab:claims}\n"
        + tabular(["claim", "margin", "verdict", "what was found"], rows, align=r"p{2.9cm}rlp{5.2cm}")
        + "\\end{table}\n"
    )


def _mean(values: list[float | None], digits: int = 3) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "--"
    spread = rf"{{\scriptsize$\,\pm${np.std(known, ddof=1):.{digits}f}}}" if len(known) > 1 else ""
    return f"{np.mean(known):.{digits}f}{spread}"


def _family(found: Data) -> str:
    """Rows = detectors, columns = AUROC and TPR of each domain and mode."""
    cells = found["result"]["cells"]
    places = sorted({(c["domain"], c["mode"]) for c in cells})
    names = sorted(
        {c["detector"] for c in cells}, key=lambda n: -float(np.mean([c["auroc"] for c in cells if c["detector"] == n]))
    )
    names = [n for n in _ROWS_WITH_LIMIT if n in names] + [n for n in names if n not in _ROWS_WITH_LIMIT]
    body = []
    for name in names:
        row = [rf"\dname{{{escape(name)}}}"]
        for place in places:
            mine = [c for c in cells if (c["domain"], c["mode"]) == place and c["detector"] == name]
            row += [_mean([c["auroc"] for c in mine]), _mean([c["auroc_lines"] for c in mine])]
        body.append(row)
    head = ["detector", *(w for d, m in places for w in (f"{d}, {m}", "by line"))]
    seeds = sorted(
        {
            len({c["seed"] for c in cells if (c["domain"], c["mode"], c["detector"]) == k})
            for k in {(c["domain"], c["mode"], c["detector"]) for c in cells}
        }
    )
    return (
        "\\begin{table}[t]\n\\small\n\\setlength{\\tabcolsep}{3pt}\n\\caption{AUROC of every detector, by its own score and by the best line of its anomaly map, where plain Dinomaly finds half of the "
        f"lines; mean $\\pm$ sd over {seeds[0] if len(seeds) == 1 else f'{seeds[0]} to {seeds[-1]}'} seeds. \\dname{{limit}} and \\dname{{glr}} know the simulator.}}\n"
        "\\label{tab:family}\n\\centering\n\\resizebox{\\textwidth}{!}{%\n" + tabular(head, body) + "}\n\\end{table}\n"
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
            "\\begin{table}[h]\n\\small\n\\setlength{\\tabcolsep}{4pt}\n\\caption{Directional less plain Dinomaly, AUROC, in every study that has pairs with three seeds; better and worse after correction within the study.}\n"
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
