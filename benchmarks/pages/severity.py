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
    means = _days(found["mean_severity_by_day"])
    if "mean_measured_by_day" in found:
        means += f"; measured along the scan's line: {_days(found['mean_measured_by_day'])}"
    return table(["quantity", "Spearman with time, days 24-27"], rows) + f"\nMean severity: {means}.\n"


def _days(found: Data) -> str:
    return ", ".join(f"day {day} {value:.3f}" for day, value in found.items())


def _verdict(found: Data) -> str:
    """Whether the head's severity rises as the gear fails, in words from the numbers."""
    with_time = found["spearman_with_time"]
    head, measured = with_time["severity"], with_time["contrast measured along the scan's line"]
    rises = "rises" if head is not None and head > 0.5 else "does NOT rise"
    return (
        f"The head's severity {rises} towards the failure (Spearman {_number(head, 2)}); the contrast that is measured "
        f"along the scan's line has {_number(measured, 2)}. The head learned from lines on healthy maps: a gear whose "
        "every tooth has become louder is like none of them.\n"
    )


def _earlier() -> str:
    """The run with the larger encoder, which was made first."""
    with_time = read("severity_vit_small")["result"]["hums2023"]["spearman_with_time"]
    return (
        "Runs on these days before this one: an earlier head (pooled by attention, trained jointly only) gave the same "
        "severity for every window after 80 steps, and a Spearman correlation of -0.28 after 20 steps on every 8th "
        f"record; this head on the DINOv2 ViT-S gave {with_time['severity']:+.2f}, with mean severities "
        f"{_days(read('severity_vit_small')['result']['hums2023']['mean_severity_by_day'])}."
    )


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
{_earlier()}

{_run(run) + chr(10) + _verdict(run) if run else "Not run: no recordings were there."}
{origin(found)}"""
