"""docs/severity.md: what the detectors' severity is worth, in simulation and on the way to a failure."""

from __future__ import annotations

from common import Data, origin, read, table


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _simulated(found: Data) -> str:
    head, mean, measured = found["lines"], found["always_the_mean"], found["measured_along_the_scans_line"]
    rows = [
        ["head of `dinomaly_severity`", _number(head["mae"]), _number(head["spearman"]), _number(head["kendall"])],
        [
            "the same, lines of 28 cells and more",
            _number(found["lines_of_28_cells_or_more"]["mae"]),
            _number(found["lines_of_28_cells_or_more"]["spearman"]),
            _number(found["lines_of_28_cells_or_more"]["kendall"]),
        ],
        [
            "measured on the map, along the scan's line",
            _number(measured["mae"]),
            _number(found["order_of_others"]["contrast measured along the scan's line"]["spearman"]),
            _number(found["order_of_others"]["contrast measured along the scan's line"]["kendall"]),
        ],
        [
            "the same, lines of 28 cells and more",
            _number(measured["mae_28_cells_or_more"]),
            _number(measured["spearman"]),
            _number(measured["kendall"]),
        ],
        ["always the mean contrast", _number(mean["mae"]), "-", "-"],
    ]
    for name in ("anomaly score", "scan", "map mean", "map maximum"):
        order = found["order_of_others"][name]
        rows.append([f"order by {name}", "-", _number(order["spearman"]), _number(order["kendall"])])
    return table(["severity", "mean absolute error of contrast", "Spearman", "Kendall"], rows)


def _run(found: Data) -> str:
    rows = [[name, "all alike" if v is None else f"{v:+.2f}"] for name, v in found["spearman_with_time"].items()]
    days = ", ".join(f"day {day} {value:.3f}" for day, value in found["mean_severity_by_day"].items())
    return table(["quantity", "Spearman with time, days 24-27"], rows) + f"\nMean severity: {days}.\n"


def severity() -> str:
    """The page."""
    found = read("severity")
    config, simulated = found["config"], found["result"]["simulated"]
    low, high = config["contrast"]
    verdict = (
        "is nearer to the true contrast than always answering the mean"
        if simulated["lines"]["mae"] < simulated["always_the_mean"]["mae"]
        else "is NOT nearer to the true contrast than always answering the mean"
    )
    run = found["result"].get("hums2023")
    return f"""# Severity

Severity is contrast over background: how many times larger the cells of the damaged line are than they would be without
damage. `dinomaly_severity` learns it from synthetic lines, with a head on the features of Dinomaly's bottleneck; `fused`
measures it on the map, along the segment that it names.

## Simulated lines

Domain C, {config["train_maps"]} healthy maps and {config["steps"]} steps to learn from, {config["test_lines"]} lines of {low:g} to {high:g} of any
length, one seed (a protocol for one CPU core, and a small one). The head {verdict}.

{_simulated(simulated)}
## A real gear on its way to failure

HUMS2023, fitted on days {" and ".join(map(str, config["healthy_days"]))}, windows of 32 records. What rises with time is no proof: RMS rises too.
An earlier version of the head (pooled by attention, trained jointly only) was run on these days before: after 80 steps it gave the same severity
for every window; after 20 steps, on every 8th record, its Spearman correlation with time was -0.28.

{_run(run) if run else "Not run: no recordings were there."}
{origin(found)}"""
