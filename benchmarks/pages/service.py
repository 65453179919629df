"""docs/service-results.md: the service under load, fleets by the million, and what damaged files came to."""

from __future__ import annotations

from common import Data, origin, read, table


def service() -> str:
    """The page."""
    load, fleet, million, fuzz = (read(name) for name in ("serve_load", "fleet", "fleet_million", "fuzz"))
    return (
        "# Service and fleets, measured\n\nHow to run them: [into service](deploy.md), "
        "[fleets](fleet.md). This page is written by `benchmarks/pages` from the results files.\n\n"
        + _load(load)
        + _fleet(fleet, million)
        + _fuzz(fuzz)
        + origin(load, fleet, million, fuzz)
    )


def _load(found: Data) -> str:
    config, result = found["config"], found["result"]
    rows = [
        [
            run["detector"],
            run["answers"],
            run["busy"],
            f"{run['maps_per_second']:.0f}",
            f"{run['p50_ms']:.0f} ms",
            f"{run['p95_ms']:.0f} ms",
            f"{run['maps_per_batch']:.1f}",
            f"{1e3 * run['processor_seconds'] / run['answers']:.1f} ms",
            f"{run['memory_start_mib']:.0f} to {run['memory_end_mib']:.0f} MiB",
        ]
        for run in result["runs"]
    ]
    head = [
        "detector",
        "answers",
        "429",
        "maps/s",
        "p50",
        "p95",
        "maps scored together",
        "processor time a map",
        "memory",
    ]
    flat = all(run["flat"] for run in result["runs"])
    return f"""## The service under load

{config["clients"]} clients that each ask for one map of 31 x 95 after the other, for {config["seconds"]:.0f} s, on the machine that serves
(`benchmarks/serve_load.py`). No answer was other than 200 and 429; memory {"stayed flat" if flat else "**grew**"}. {result["note"]}

{table(head, rows)}
"""


def _fleet(found: Data, million: Data) -> str:
    rows = [
        [
            f"{run['maps']:,}",
            run["workers"],
            f"{run['seconds']:.0f} s",
            f"{run['maps_per_second']:.0f}",
            f"{max(run['peak_memory_mib']):.0f} MiB",
        ]
        for run in [*found["result"]["runs"], *million["result"]["runs"]]
    ]
    result = found["result"]
    most, wanted = result["promised"]["memory_mib"], result["promised"]["speed_up"]
    peak = max(result["peak_memory_mib"], million["result"]["peak_memory_mib"])
    faster = "met" if result["speed_up"] > wanted else "**missed**"
    return f"""## Fleets

`toothwise score` with the scan over Parquet (`benchmarks/fleet.py`); {result["note"]}.

{table(["maps", "workers", "time", "maps/s", "largest memory of a worker"], rows)}
From 1 to 2 workers {result["speed_up"]:.2f} times as fast (target over {wanted:g}, {faster}); a worker took {peak:.0f} MiB at most
(target under {most:.0f} MiB, {"met" if peak < most else "**missed**"}).

"""


def _fuzz(found: Data) -> str:
    groups: dict[str, list[Data]] = {}
    for name, reader in found["result"]["readers"].items():
        groups.setdefault(name.partition(",")[0].partition(":")[0], []).append(reader)
    rows = []
    for name, readers in groups.items():
        count = sum(reader["inputs"] for reader in readers)
        taken = sum(reader["outcomes"].get("read", 0) for reader in readers)
        failures = sum(len(reader["failures"]) for reader in readers)
        rows.append([name, len(readers), count, taken, count - taken, failures])
    result, seconds = found["result"], found["config"]["seconds"]
    head = ["what is read", "readers", "inputs", "read all the same", "refused", "failures"]
    return f"""## Damaged files

`benchmarks/fuzz.py` damages valid files of every kind that toothwise reads, {result["inputs"]:,} times here. A reader must read
the file or refuse it in one of toothwise's own errors. A failure is any other error, a crash of the process, more than
{seconds:g} s of processor time, 256 MiB more memory, or a file written outside of its folder: {result["failures"]} were found.
(Of `score`, "read" is a row with its error as well.)

{table(head, rows)}
"""
