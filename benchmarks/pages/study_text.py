"""Sentences and tables on a study's own comparisons and on its arms."""

from __future__ import annotations

from typing import Any

from common import Data, table
from study_figures import LABELS, WORDS, figure
from study_pairs import SEEDS, between, counts, plan, testable

LOSES = ("peak_memory_mib", "predict_ms_median", "parameters")  # costs: no detector "wins" a study by them
LISTED = 8
SMALLEST = 0.001  # p-values below it are not told apart


def many(count: int, one: str, several: str = "") -> str:
    """1 seed, 2 seeds."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def span(values: list[int]) -> str:
    """3, or 1 to 3."""
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def what_was_run(data: Data) -> str:
    """Trials, seeds, maps, contrast and steps."""
    config, result = data["config"], data["result"]
    trials, seeds = result["trials"], len(config["seeds"])
    whole = trials["done"] == trials["planned"]
    done = f"{trials['done']} trials" if whole else f"{trials['done']} of {trials['planned']} trials"
    arms: dict[Any, int] = {}
    for row in result["table"]:
        place = row["part"], row["group"], row["arm"]
        arms[place] = max(arms.get(place, 0), row["seeds"])
    words = [done, f"{seeds} seeds" if whole else f"{span(sorted(set(arms.values())))} of {seeds} seeds an arm"]
    learned, scored = (sorted({size[k] for size in config["sizes"] if size[k]}) for k in (0, 1))
    if learned:
        words.append(f"{span(learned)} maps to learn from and {span(scored)} healthy and faulty ones each to score")
    contrasts = contrasts_of(data)
    if contrasts:
        words.append(f"faulty lines of contrast {' or '.join(contrasts)}")
    if config["steps"]:
        words.append(f"{'/'.join(map(str, config['steps']))} steps of training")
    return ", ".join(words) + "."


def contrasts_of(data: Data) -> list[str]:
    """Contrasts of the faulty maps, lowest to highest, as the study's YAML has them or the trial's default."""
    from toothwise_lab.studies.cell_maps import Cell

    found: dict[str, None] = {}
    for part in plan(data["config"]["study"]).parts:
        for arm in part.arms if part.kind == "maps" else ():
            low, high = arm.settings.get("contrast", Cell.contrast)
            found[f"{low:g} to {high:g}"] = None
    return list(found)


def own_comparisons(rows: list[Data]) -> str:
    """The study's own comparisons in a sentence or two: how many show a difference, and which arms are ahead or behind."""
    if not rows:
        return "There is nothing to compare yet."
    rows = [c for c in rows if c["metric"] not in LOSES] or rows
    tested = [c for c in rows if c["seeds"] >= SEEDS]
    if not tested:
        return f"None of its {len(rows)} comparisons has the {SEEDS} seeds that a claim needs."
    if len(tested) < len(rows):
        return f"{len(rows) - len(tested)} of its {len(rows)} comparisons lack the {SEEDS} seeds that a claim needs. {own_comparisons(tested)}"
    shown = [c for c in rows if "is better" in c["verdict"]]
    if not shown:
        judged = [c for c in rows if c["p_holm"] is not None] or rows
        largest = max(judged, key=lambda c: abs(c["difference"]))
        return f"None of its {len(rows)} comparisons shows a difference; the largest is {measured(largest)} ({WORDS[largest['metric']]}), p = {p_of(largest)} after correction."
    return f"{len(shown)} of its {len(rows)} comparisons (of two arms on one metric) show a difference. {_who(shown, rows)}"


def _who(shown: list[Data], rows: list[Data]) -> str:
    """Arms ahead and behind, by what they are compared with; what they are crossed with, and on what, in brackets."""
    groups: dict[str, set[str]] = {}
    for c in rows:
        groups.setdefault(c["part"], set()).add(c["group"])
    found: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for c in shown:
        ahead = c["verdict"].removesuffix(" is better") == c["a"]
        (head, slash, tail), (home, _, other) = c["a"].partition("/"), c["b"].partition("/")
        if slash and tail == other:
            name, against, where = head, home, tail
        elif slash and head == home:
            name, against, where = tail, other, head
        else:
            name, against, where = c["a"], c["b"], ""
        place = " on ".join(word for word in (where, c["group"] if len(groups[c["part"]]) > 1 else "") if word)
        arms = found.setdefault(("ahead of" if ahead else "behind", against), {})
        arms.setdefault(name, {})[place] = None
    sentences = []
    for (way, against), arms in found.items():
        names = [
            f"{name} ({', '.join(places)})" if any(places) else name
            for name, places in arms.items()
            for places in [list(places)]
        ]
        sentences.append(f"{way.capitalize()} `{against}`: {', '.join(names)}.")
    return " ".join(sentences)


def direction_in(data: Data) -> str:
    """The study's directional arms against plain ones in a sentence."""
    rows, lines = between(data), between(data, "auroc_lines")
    if not rows:
        return "It has no pair of directional and plain Dinomaly."
    ahead, behind = counts(rows)
    values = sorted(c["difference"] for c in rows)
    between_words = f"{values[0]:+.3f}" if len(values) == 1 else f"{values[0]:+.3f} to {values[-1]:+.3f}"
    few = "" if max(c["seeds"] for c in rows) >= SEEDS else f" (fewer than {SEEDS} seeds: no claim)"
    cold = sum(c["metric"] == "auroc_cold" for c in rows)
    on = f" ({'all' if cold == len(rows) else cold} on cold maps)" if cold else ""
    text = f"Directional less plain Dinomaly is {between_words} AUROC over {many(len(rows), 'pair')}{on}{few}, shown to be better in {ahead} and worse in {behind}"
    if lines:
        ahead, behind = counts(lines)
        text += f"; by the best line better in {ahead} and worse in {behind}"
    return text + "."


def measured(c: Data) -> str:
    """a less b +0.012."""
    return f"{c['a']} less {c['b']} {_signed(c['difference'])}"


def _signed(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:+.3f}" if abs(value) < 10 else f"{value:+.0f}"


def p_of(c: Data) -> str:
    """Corrected p; below SMALLEST its digits mean nothing."""
    p = c["p_holm"]
    return "-" if p is None else f"<{SMALLEST:g}" if p < SMALLEST else f"{p:.2g}"


def where(c: Data) -> str:
    """Part and group, as words before an arm."""
    words = [w for w in (c["part"], c["group"]) if w]
    return f"{', '.join(words)}: " if words else ""


def comparisons_table(data: Data) -> str:
    """The primary comparison, then those of least corrected p and, among equals, of largest difference."""
    rows = [c for c in testable(data) if c["metric"] not in LOSES]
    if not rows:
        return ""

    def rank(c: Data) -> tuple[bool, bool, float, float]:
        p = 2.0 if c["p_holm"] is None else max(c["p_holm"], SMALLEST)
        return c["role"] != "primary", c["seeds"] < SEEDS, p, -abs(c["difference"])

    order = sorted(rows, key=rank)
    shown = order[:LISTED]
    placed = len({(c["part"], c["group"]) for c in rows}) > 1
    body = [
        [
            f"{c['a']} - {c['b']}{' (primary)' if c['role'] == 'primary' else ''}",
            *([where(c).removesuffix(": ")] if placed else []),
            WORDS[c["metric"]],
            _signed(c["difference"]),
            f"{_signed(c['low'])} to {_signed(c['high'])}",
            p_of(c),
            "-" if c["effect"] is None else f"{c['effect']:.1f}",
            c["seeds"],
        ]
        for c in shown
    ]
    head = ["a - b", *(["on"] if placed else []), "metric", "difference", "95 % interval", "p, Holm", "d", "seeds"]
    rest = (
        "All of its comparisons"
        if len(order) == len(shown)
        else f"The {len(shown)} of {len(order)} comparisons with the least corrected p, and among equals the largest difference"
    )
    file = f"benchmarks/results/studies/{data['config']['study']}.json"
    return f"{rest} ({'' if len(order) == len(shown) else f'all in `{file}`; '}d = mean over standard deviation of the seeds' differences):\n\n{table(head, body)}\n"


def arms_table(name: str, rows: list[Data]) -> str:
    """Arms down, metrics across; a study of several parts or groups says which, one metric set each."""
    out = []
    for part in dict.fromkeys(r["part"] for r in rows):
        mine = [r for r in rows if r["part"] == part]
        metrics = list(dict.fromkeys(r["metric"] for r in mine))
        places = list(dict.fromkeys((r["group"], r["arm"]) for r in mine))
        by = {(r["group"], r["arm"], r["metric"]): r for r in mine}
        grouped = len({group for group, _ in places}) > 1
        body = []
        for group, arm in places:
            cells = [by[group, arm, m] for m in metrics]
            seeds = max(c["seeds"] for c in cells)
            if seeds:
                label = LABELS.get((name, arm), arm)
                body.append([*([group] if grouped else []), label, seeds, *(_cell(c, seeds) for c in cells)])
        if body:
            head = [*(["on"] if grouped else []), "arm", "seeds", *(WORDS[m] for m in metrics)]
            out.append((f"*{part}*\n\n" if part else "") + table(head, body))
    return "\n".join(out)


def _cell(row: Data, seeds: int) -> str:
    """A mean; with how many seeds have one, where not all do, as with an alarm that came in one seed only."""
    few = f" ({row['seeds']} of {seeds} seeds)" if 0 < row["seeds"] < seeds else ""
    return figure(row["mean"], row["sd"]) + few
