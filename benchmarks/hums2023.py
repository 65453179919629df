"""Every variant that was ever run on the HUMS2023 recordings, beside the classical indicators.

    python benchmarks/hums2023.py            # needs TOOTHWISE_DATA with hums2023; under a minute
    python benchmarks/hums2023.py --deep     # the deep detector too; some minutes more

The protocol asks for one run with everything frozen beforehand. What was done is less clean:

1. Before anything was frozen, the alignment's correlation per day was looked at over the whole run, failure included.
   The simulator's default of day differences that fade (memory 0.5, not a random walk) was set after that look.
2. "quantile threshold": options chosen on simulated runs, run once. It missed the target of 5 % flagged on days 19-20.
3. "tolerance limit": thought of because of that miss, and adopted because it also lowered the share of healthy records
   flagged on simulated runs (results/run_parameters.json). Its 15 % on days 19-20 is thus no blind result.
4. The deep detector, once, with options that had seen a single simulated run. It shares the threshold of 3.
5. The tolerance limit with other healthy days, as the protocol asks.
6. The deep detector once more when the package got an encoder of its own, with the settings of 4 (a token per tooth, as
   many steps). Until then it had run with a ViT-S: results/hums2023_deep_vit_small.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from toothwise import detectors
from toothwise.healthmap.hums2023 import read_hums2023
from toothwise.healthmap.tooth_by_record import RunMapConfig, build_run_maps
from toothwise.results import write_result
from toothwise_lab.run_protocol import RUN_DETECTORS, RunProtocol, run_detector, run_indicators

DEEP = "dinomaly_directional"
VARIANTS: dict[str, dict[str, Any]] = {
    "quantile threshold": {"days": (17, 18), "confidence": None},
    "tolerance limit": {"days": (17, 18), "confidence": 0.95},
    "healthy day 17": {"days": (17,), "confidence": 0.95},
    "healthy days 17-19": {"days": (17, 18, 19), "confidence": 0.95},
    "healthy days 17-20": {"days": (17, 18, 19, 20), "confidence": 0.95},
}


def main() -> None:
    """Run every variant and write benchmarks/results/hums2023.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep", action="store_true", help="run the deep detector too; writes hums2023_deep.json")
    deep = parser.parse_args().deep
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
            if deep:
                more = run_detector(maps, lambda: detectors.create(DEEP, **RUN_DETECTORS[DEEP]), DEEP, protocol)
                rows[name][DEEP] = more.summary(maps, protocol) | {"info": more.detector.info}
            rows[name] |= {other.name: other.summary(maps, protocol) for other in run_indicators(maps, protocol)}
        found = rows[name]["scan"]
        keys = ("tooth", "first_sustained", "consistent", "tooth_consistent", "flagged_days_19_20")
        print(name, {key: found[key] for key in keys}, flush=True)
    variants = {name: {**v, "days": list(v["days"])} for name, v in VARIANTS.items()}
    config = {"detectors": RUN_DETECTORS if deep else {"scan": options}, "variants": variants}
    name = "hums2023_deep.json" if deep else "hums2023.json"
    print(write_result(Path(__file__).parent / "results" / name, config, rows))


if __name__ == "__main__":
    main()
