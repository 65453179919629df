"""One verdict, and is it true: colour, tooth and words on simulated gearboxes whose truth is known.

    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py             # about 1,200 cases
    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py --quick     # one gearbox of each kind, nothing written

A *gearbox* is a pair of gears, a texture (domains A to D of the map simulator, or recordings through the whole chain,
pooled and resampled), a pattern of its own and days: their length and how they differ are drawn, damage may begin with
a quieter tooth. A model is fitted on 5 to 200 of its healthy maps. A *case* is what one way of giving records to it
says: one map by itself, several at once, the same one by one. All settings are the defaults of ``toothwise diagnose``;
nothing here was used to choose a limit. What the map simulator calls stripes differs from column to column of every
healthy map, so that a driven tooth is heard much worse there than a driving one: both are told apart.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toothwise import GearPair, MapBuilder, Model, Monitor
from toothwise.diagnosis.decompose import SHARES
from toothwise.diagnosis.store import MemoryStore
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import rate_interval
from toothwise.messages import language
from toothwise.reporting.text import text_of
from toothwise.results import write_result
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.maps import generate

HEALTHY = (5, 16, 24, 40, 60, 100, 200)
SHAPES = ((18, 35), (11, 24), (23, 17))
CONTRASTS = (1.1, 1.2, 1.3, 1.5, 2.0, 2.7)
BEFORE, DAMAGED, WATCHED = 2, 6, 150
RECORDED = {16: 2, 24: 2}  # gearboxes through the chain, by healthy records
COLOURS = {"GREEN": 0, "AMBER": 1, "RED": 2}

Draw = Callable[[int, float, str, int], np.ndarray]  # maps, contrast, gear, tooth


@dataclass(frozen=True, eq=False)
class Gearbox:
    """Draws maps of one gearbox."""

    draw: Draw
    shape: tuple[int, int]
    about: dict[str, Any]


def of_maps(domain: str, rng: np.random.Generator) -> Gearbox:
    """A gearbox of the map simulator."""
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    rows, columns = (rng.uniform(0.0, 0.1) * rng.standard_normal(k) for k in shape)
    day, drift, dip = int(rng.integers(5, 60)), float(rng.uniform(0.0, 0.05)), bool(rng.random() < 0.3)

    def draw(n: int, contrast: float, gear: str, tooth: int) -> np.ndarray:
        maps = generate(domain, n, False, seed=int(rng.integers(1 << 31)), shape=shape)[0].astype(np.float64)
        level = np.repeat(drift * rng.standard_normal(n // day + 1), day)[:n]
        maps *= np.exp(level[:, None, None] + rows[:, None] + columns[None])
        lines = maps if gear == "driving" else np.swapaxes(maps, 1, 2)
        along = lines.shape[2]
        start = int(rng.integers(along // 4 + 1))
        factor = np.full(n, contrast)
        if dip and n > DAMAGED:  # a long run: a quieter tooth comes first, then growth
            factor = np.exp(np.log(contrast) * np.interp(np.arange(n), [0, n // 6, n - 1], [0.0, -0.3, 1.0]))
        lines[:, tooth, start : start + max(3 * along // 4, 1)] *= factor[:, None]
        return maps.astype(np.float32)

    return Gearbox(draw, shape, {"texture": domain, "shape": shape, "day": day, "drift": drift, "first_quieter": dip})


def of_recordings(rng: np.random.Generator) -> Gearbox:
    """A gearbox whose recordings go through the chain; its pool of maps is drawn from anew."""
    pair = GearPair(9, 14)
    config = GearboxConfig(gears=pair, periods=6, sampling_rate=12800.0, start=0, seed=int(rng.integers(1 << 16)))
    builder = MapBuilder(pair)

    def pool(n: int, faults: list[Fault]) -> np.ndarray:
        records = [simulate_record(config, faults, seed=int(rng.integers(1 << 31)))[0] for _ in range(n)]
        return builder.build_many(records)[0].values

    whole = pool(48, [])
    tooth = int(rng.integers(pair.driving))
    cracked = {depth: pool(10, [Fault("crack", "driving", tooth, depth)]) for depth in (0.3, 0.6)}

    def draw(n: int, contrast: float, gear: str, which: int) -> np.ndarray:
        # fitting takes other recordings than watching
        own = (
            whole[:32] if contrast == 0.0 else whole[32:] if contrast == 1.0 else cracked[0.3 if contrast < 2 else 0.6]
        )
        return own[rng.integers(len(own), size=n)] if n > len(own) else own[rng.permutation(len(own))[:n]]

    return Gearbox(draw, (9, 14), {"texture": "recordings", "shape": (9, 14), "tooth": tooth})


def disagree(found: Diagnosis) -> list[str]:
    """What outputs of one diagnosis contradict one another in: JSON, terminal, and the first sentence of a report."""
    data, text = found.as_json(), text_of(found)
    sentence = language("en").sentences(found.messages["verdict"])
    wrong = {
        "json": (data["colour"], data["tooth"], data["sentence"]) != (found.colour, found.tooth, found.sentence),
        "terminal": not text.startswith(f"{found.colour}: {found.sentence}"),
        "report": sentence != found.sentence,
        "tooth": found.tooth is not None and str(found.tooth) not in found.sentence,
        "green": found.colour == "GREEN" and bool(found.teeth),
        "never": "stands beyond its limit" in found.sentence and bool(found.rules["warning"].episodes),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


def green_beside_lines(found: Diagnosis) -> bool:
    """GREEN although two maps show a line with a chance below one in a million."""
    return found.colour == "GREEN" and sum(any(f.p_value < 1e-6 for f in d.lines) for d in found.each) > 1


def damaged(box: Gearbox, monitor: Monitor, contrast: float, gear: str, tooth: int) -> dict[str, Any]:
    """One damage, given in three ways."""
    maps = np.concatenate([box.draw(BEFORE, 1.0, gear, tooth), box.draw(DAMAGED, contrast, gear, tooth)])
    at_once = monitor.beside(MemoryStore()).add(maps)
    single, one_by_one = monitor.alone(monitor.model.maps_of(maps[-1:])[0])[0], monitor.beside(MemoryStore())
    each = [one_by_one.add(one[None]) for one in maps]
    limit = monitor.single_limit()
    predicted = limit is not None and bool(monitor.model.predict(maps[-1:]).score[0] > limit)
    alone = monitor.beside(MemoryStore()).add(maps[-1:])
    steps = [COLOURS[d.colour] for d in each[BEFORE:]]
    size = box.shape[0 if gear == "driving" else 1]
    away = None if at_once.tooth is None else min((at_once.tooth - tooth) % size, (tooth - at_once.tooth) % size)
    allowed = monitor.limits().single_rate * SHARES["lines"]
    ways = {  # what ways of giving the same records disagree in
        "at once, one by one": (at_once.colour, at_once.tooth, at_once.sentence)
        != (each[-1].colour, each[-1].tooth, each[-1].sentence),
        "a map alone, the first of a sequence": (single.colour, single.tooth) != (alone.colour, alone.tooth),
        "predict, diagnose": limit is not None and predicted != (single.each[0].p_values["lines"] <= allowed),
    }
    return {
        "contrast": contrast,
        "cases": 4,
        "contradictions": sum(len(disagree(d)) for d in (at_once, single, each[-1], alone)) + sum(ways.values()),
        "ways": [name for name, wrong in ways.items() if wrong],
        "green_beside_lines": sum(map(green_beside_lines, each)),
        "colour": at_once.colour,
        "single": single.colour,
        "to_amber": next((k + 1 for k, s in enumerate(steps) if s >= 1), None),
        "to_red": next((k + 1 for k, s in enumerate(steps) if s >= 2), None),
        "named": at_once.tooth is not None,
        "exact": away == 0 and at_once.gear == gear,
        "near": away is not None and away <= 1 and at_once.gear == gear,
        "one_tooth": at_once.pattern == "one tooth",
        "exact_single": (single.gear, single.tooth) == (gear, tooth),
        "named_single": single.tooth is not None,
    }


def healthy(box: Gearbox, monitor: Monitor, records: int) -> dict[str, Any]:
    """Healthy records: episodes of either colour, and colours of the same maps each on its own."""
    maps = box.draw(records, 1.0, "driving", 0)
    found = monitor.beside(MemoryStore()).add(maps)
    each = monitor.alone(monitor.model.maps_of(maps)[0])
    return {
        "cases": 1 + len(each) // 10,
        "records": records,
        "red": found.rules["alarm"].episodes,
        "amber": found.rules["warning"].episodes,
        "single_red": sum(d.colour == "RED" for d in each),
        "single_amber": sum(d.colour in ("AMBER", "RED") for d in each),
        "contradictions": len(disagree(found)) + sum(len(disagree(d)) for d in each),
        "green_beside_lines": int(green_beside_lines(found)),
    }


def others(box: Gearbox, monitor: Monitor, rng: np.random.Generator) -> dict[str, Any]:
    """Ten times the noise, and growth from below that any one record shows."""
    noisy = box.draw(10, 1.0, "driving", 0)
    noisy = np.abs(noisy + 10.0 * noisy.std() * rng.standard_normal(noisy.shape)).astype(np.float32) + 1e-6
    noise = monitor.beside(MemoryStore()).add(noisy)
    tooth = int(rng.integers(box.shape[0]))
    grown = monitor.beside(MemoryStore()).add(box.draw(60, 1.5, "driving", tooth))
    return {
        "cases": 2,
        "noise": [noise.colour, noise.pattern],
        "grown": grown.colour,
        "grown_exact": grown.tooth == tooth,
        "contradictions": len(disagree(noise)) + len(disagree(grown)),
        "green_beside_lines": int(green_beside_lines(grown)),
    }


def judge_gearbox(n: int, box: Gearbox, rng: np.random.Generator) -> dict[str, Any]:
    """All cases of a gearbox with n healthy maps."""
    out: dict[str, Any] = {"healthy_maps": n, **box.about}
    recorded = box.about["texture"] == "recordings"
    try:
        model = Model.fit(box.draw(n, 0.0 if recorded else 1.0, "driving", 0))
    except InputError as error:
        return out | {"refused": str(error), "cases": 1}
    monitor = Monitor(model)
    limits = monitor.limits()
    out |= {"off": list(limits.off), "limits": limits.heights(), "damaged": []}
    gears = ("driving",) if recorded else ("driving", "driven")
    for contrast in CONTRASTS[3:5] if recorded else CONTRASTS:
        for gear in gears:
            tooth = box.about["tooth"] if recorded else int(rng.integers(box.shape[gear == "driven"]))
            out["damaged"].append(damaged(box, monitor, contrast, gear, tooth) | {"gear": gear})
    out["healthy"] = healthy(box, monitor, 16 if recorded else WATCHED)
    if not recorded:
        out["others"] = others(box, monitor, rng)
    return out


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Tables of the page."""
    fitted = [r for r in rows if "refused" not in r]
    cases = [d | {"healthy_maps": r["healthy_maps"], "texture": r["texture"]} for r in fitted for d in r["damaged"]]
    parts = [*cases, *(r["healthy"] for r in fitted), *(r["others"] for r in fitted if "others" in r)]
    of_maps = [r for r in fitted if r["texture"] != "recordings"]

    def share(rows: list[dict[str, Any]], key: str, of: str | None = None) -> dict[str, Any]:
        known = [d[key] for d in rows if of is None or d[of]]
        low, high = rate_interval(float(np.mean(known)), len(known)) if known else (0.0, 1.0)
        return {"share": float(np.mean(known)) if known else None, "interval": [low, high], "of": len(known)}

    def middle(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
        known = [d[key] for d in rows if d[key] is not None]
        return {"found": len(known), "of": len(rows), "median": float(np.median(known)) if known else None}

    def rate(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
        from scipy.stats import chi2

        count, records = sum(r["healthy"][key] for r in rows), sum(r["healthy"]["records"] for r in rows)
        low, high = (chi2.ppf(0.025, 2 * count) / 2 if count else 0.0), chi2.ppf(0.975, 2 * count + 2) / 2
        per = 1000.0 / records
        return {"per_1000": count * per, "interval": [low * per, high * per], "episodes": count, "records": records}

    loud = [d for d in cases if d["contrast"] >= 1.5]
    keys = ("red", "amber", "single_red", "single_amber")
    return {
        "cases": sum(p["cases"] for p in parts) + sum("refused" in r for r in rows),
        "gearboxes": len(rows),
        "contradictions": sum(p["contradictions"] for p in parts),
        "ways": [name for d in cases for name in d["ways"]],
        "green_beside_lines": sum(p["green_beside_lines"] for p in parts),
        "exact": share(loud, "exact", "named"),
        "near": share(loud, "near", "named"),
        "named": share(loud, "named"),
        "one_tooth": share(loud, "one_tooth", "named"),
        "exact_single": share(loud, "exact_single", "named_single"),
        "rates": {key: rate(of_maps, key) for key in keys},
        "by_healthy": {
            str(n): {
                "off": sorted({name for r in of_maps if r["healthy_maps"] == n for name in r["off"]}),
                "rates": {key: rate([r for r in of_maps if r["healthy_maps"] == n], key) for key in keys},
                "contrasts": {
                    gear: {
                        str(c): {key: middle(own, key) for key in ("to_amber", "to_red")}
                        for c in CONTRASTS
                        for own in [[d for d in cases if (d["healthy_maps"], d["contrast"], d["gear"]) == (n, c, gear)]]
                    }
                    for gear in ("driving", "driven")
                },
            }
            for n in HEALTHY
            if any(r["healthy_maps"] == n for r in of_maps)
        },
        "recordings": {
            str(c): {key: middle(own, key) for key in ("to_amber", "to_red")} | {"exact": share(own, "exact", "named")}
            for c in CONTRASTS[3:5]
            for own in [[d for d in cases if d["texture"] == "recordings" and d["contrast"] == c]]
        },
        "noise": [r["others"]["noise"] for r in of_maps],
        "grown": share([r["others"] | {"is": r["others"]["grown"] != "GREEN"} for r in of_maps], "is"),
        "grown_exact": share([r["others"] for r in of_maps if r["others"]["grown"] != "GREEN"], "grown_exact"),
        "refused": {str(r["healthy_maps"]): r["refused"] for r in rows if "refused" in r},
    }


def main() -> None:
    """Run everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--quick", action="store_true", help="one texture, three sizes; nothing is written")
    args = parser.parse_args()
    begin, rows = time.perf_counter(), []
    for n in (16, 24, 100) if args.quick else HEALTHY:
        for k, domain in enumerate("C" if args.quick else "ABCD"):
            rng = np.random.default_rng([args.seed, n, k])
            rows.append(judge_gearbox(n, of_maps(domain, rng), rng))
        print(n, f"{time.perf_counter() - begin:.0f} s", flush=True)
    for n, count in {} if args.quick else RECORDED.items():
        for k in range(count):
            rng = np.random.default_rng([args.seed, n, 100 + k])
            rows.append(judge_gearbox(n, of_recordings(rng), rng))
    result = summary(rows) | {"rows": rows, "seconds": round(time.perf_counter() - begin)}
    print({k: v for k, v in result.items() if k not in ("rows", "by_healthy")})
    for n, own in result["by_healthy"].items():
        for gear, found in own["contrasts"].items():
            print(n, own["off"], gear, {c: [m[k]["median"] for k in ("to_amber", "to_red")] for c, m in found.items()})
    if not args.quick:
        config = {"healthy": HEALTHY, "contrasts": CONTRASTS, "threads": os.environ.get("OMP_NUM_THREADS")}
        print(write_result(Path(__file__).parent / "results" / "diagnosis.json", config, result, seed=args.seed))


if __name__ == "__main__":
    main()
