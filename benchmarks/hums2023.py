"""The scan and the classical indicators on the HUMS2023 run, with every variant that was ever run on it.

    python benchmarks/hums2023.py            # needs TOOTHWISE_DATA with hums2023; under a minute

Variants, in the order in which they were first run. "quantile threshold" was the first: parameters chosen on simulated
runs, then run once. "tolerance limit" came second: on simulated runs the quantile let healthy records through when days
drift, because two healthy days say little about the spread between days. The others are the second one with other
healthy days, as the protocol asks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from toothwise import detectors
from toothwise.demo import RUN_DETECTORS
from toothwise.diagnosis.run import RunProtocol, run_detector, run_indicators
from toothwise.healthmap.hums2023 import read_hums2023
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.results import write_result

VARIANTS: dict[str, dict[str, Any]] = {
    "quantile threshold": {"days": (17, 18), "confidence": None},
    "tolerance limit": {"days": (17, 18), "confidence": 0.95},
    "healthy day 17": {"days": (17,), "confidence": 0.95},
    "healthy days 17-19": {"days": (17, 18, 19), "confidence": 0.95},
    "healthy days 17-20": {"days": (17, 18, 19, 20), "confidence": 0.95},
}


def main() -> None:
    """Run every variant and write benchmarks/results/hums2023.json."""
    data = os.environ.get("TOOTHWISE_DATA")
    if not data or not (Path(data) / "hums2023").is_dir():
        sys.stderr.write("skipped: TOOTHWISE_DATA names no folder with hums2023\n")
        return
    records = read_hums2023(Path(data) / "hums2023")
    options = RUN_DETECTORS["scan"]
    rows = {}
    for name, variant in VARIANTS.items():
        protocol = RunProtocol(maps=RunMapConfig(healthy_days=variant["days"]), confidence=variant["confidence"])
        maps = build_run_maps(records, protocol.maps)
        run = run_detector(maps, lambda: detectors.create("scan", **options), "scan", protocol)
        rows[name] = {"scan": run.summary(maps, protocol)}
        if name == "tolerance limit":
            rows[name] |= {other.name: other.summary(maps, protocol) for other in run_indicators(maps, protocol)}
        found = rows[name]["scan"]
        keys = ("tooth", "first_sustained", "consistent", "tooth_consistent", "flagged_days_19_20")
        print(name, {key: found[key] for key in keys}, flush=True)
    variants = {name: {**v, "days": list(v["days"])} for name, v in VARIANTS.items()}
    print(
        write_result(Path(__file__).parent / "results" / "hums2023.json", {"scan": options, "variants": variants}, rows)
    )


if __name__ == "__main__":
    main()
