"""One verdict, and is it true: colour, tooth and words on simulated gearboxes whose truth is known.

    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py --jobs 2    # about 2,000 cases
    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py --quick     # one gearbox of each kind, nothing written

A *gearbox* is a pair of gears, a texture (domains A to D of the map simulator, or recordings through the whole chain,
pooled and resampled), a pattern of its own and days: their length and how they differ are drawn, damage may begin with
a quieter tooth. A model is fitted on 5 to 200 of its healthy maps. A *case* is what one way of giving records to it
says: one map by itself, several at once, the same one by one, as files, through the service, and with a state in a
database as ``toothwise watch`` has it. A *run* is a planet or a gear with one mate, tooth by record, from few healthy
days to failure: what is said at the end of each day is compared with what was said before. All settings are the
defaults of ``toothwise diagnose``; nothing here was used to choose a limit. What the map simulator calls stripes
differs from column to column of every healthy map, so that a driven tooth is heard much worse there than a driving one:
both are told apart.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from measuring.gearboxes import DAMAGED, Gearbox, of_maps, of_recordings

from toothwise import HealthMap, Model, Monitor, write_map
from toothwise.diagnosis.decompose import SHARES
from toothwise.diagnosis.store import MemoryStore
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.errors import InputError
from toothwise.evaluation.thresholds import rate_interval
from toothwise.fleet.database import DatabaseStore, open_database
from toothwise.healthmap.tooth_by_record import RUN_SCAN, RunMapConfig, build_run_maps
from toothwise.messages import language
from toothwise.reporting.text import text_of
from toothwise.results import write_result
from toothwise.serving.service import Job, Service
from toothwise.simulate.runs import DRIFTS, RunConfig, simulate_run

HEALTHY = (5, 16, 24, 40, 60, 100, 200)
CONTRASTS = (1.1, 1.2, 1.3, 1.5, 2.0, 2.7)
BEFORE, WATCHED = 2, 150
MORE = 2  # further damages of each contrast from LOUD on, given at once
LOUD = 1.5
PAIRS = ((9, 14), (11, 16), (13, 18), (18, 35))  # of the gearboxes through the chain
RECORDED = (16, 24)  # their healthy records
RUNS = 16  # tooth by record
NAMED = ("exact", "near", "one_tooth")
COLOURS = {"GREEN": 0, "AMBER": 1, "RED": 2}


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


def entrances(maps: np.ndarray, monitor: Monitor, single: Diagnosis) -> list[str]:
    """Where the service, files and the database of a watch say something else of maps than the Monitor does."""
    model, wrong = monitor.model, []
    service = Service(model)
    for in_order in (False, True):  # limits are shared, as they are within a service
        own = service._monitors[in_order] = Monitor(model, {"sequence": in_order})
        own._baselines, own._limits = monitor._baselines, monitor._limits
    (one,) = service.answer([Job(maps[-1:], ("map 0",))])[0]  # type: ignore[misc]
    said, score = one["diagnosis"], float(model.predict(maps[-1:]).score[0])
    if (said["colour"], said["tooth"], one["verdict"]) != (single.colour, single.tooth, single.sentence):
        wrong.append("service, a map alone")
    if one["threshold"] != monitor.threshold() or one["alarm"] != (score > one["threshold"]):
        wrong.append("service, predict")
    names = [f"r{k:02d}.npz" for k in range(len(maps))]
    with tempfile.TemporaryDirectory() as folder:
        for name, values in zip(names, maps, strict=True):
            write_map(HealthMap(values, model.about.rows, model.about.columns), Path(folder) / name)
        found = [monitor.beside(MemoryStore()).add(folder)]
        found.append(monitor.beside(MemoryStore()).add([Path(folder) / name for name in names]))
        found.append(service.monitor(maps, names, in_order=True)[1])
        database = open_database(str(Path(folder) / "watch.db"))
        watched = monitor.beside(DatabaseStore(database, "gearbox"))
        found += [watched.add(Path(folder) / name) for name in names][-1:]
        database.close()
    ways = ("folder", "list", "service in order", "watch")
    first = (found[0].colour, found[0].gear, found[0].tooth)
    wrong += [w for w, d in zip(ways, found, strict=True) if (d.colour, d.gear, d.tooth) != first or disagree(d)]
    return wrong


def named(found: Diagnosis, gear: str, tooth: int, teeth: int) -> dict[str, Any]:
    """What is named and whether it is right, exactly and to within one tooth."""
    away = None if found.tooth is None else min((found.tooth - tooth) % teeth, (tooth - found.tooth) % teeth)
    return {
        "named": found.tooth is not None,
        "exact": away == 0 and found.gear == gear,
        "near": away is not None and away <= 1 and found.gear == gear,
        "one_tooth": found.pattern == "one tooth",
    }


def more(box: Gearbox, monitor: Monitor, contrast: float, gear: str, tooth: int) -> dict[str, Any]:
    """One more damage, all records at once."""
    maps = np.concatenate([box.draw(BEFORE, 1.0, gear, tooth), box.draw(DAMAGED, contrast, gear, tooth)])
    found = monitor.beside(MemoryStore()).add(maps)
    size = box.shape[0 if gear == "driving" else 1]
    about = {"contrast": contrast, "gear": gear, "cases": 1, "contradictions": len(disagree(found))}
    return about | {"green_beside_lines": int(green_beside_lines(found))} | named(found, gear, tooth, size)


def damaged(box: Gearbox, monitor: Monitor, contrast: float, gear: str, tooth: int) -> dict[str, Any]:
    """One damage, given in four ways; at contrast 2 in all of them."""
    maps = np.concatenate([box.draw(BEFORE, 1.0, gear, tooth), box.draw(DAMAGED, contrast, gear, tooth)])
    at_once = monitor.beside(MemoryStore()).add(maps)
    single, one_by_one = monitor.alone(monitor.model.maps_of(maps[-1:])[0])[0], monitor.beside(MemoryStore())
    each = [one_by_one.add(one[None]) for one in maps]
    limit = monitor.single_limit()
    predicted = limit is not None and bool(monitor.model.predict(maps[-1:]).score[0] > limit)
    alone = monitor.beside(MemoryStore()).add(maps[-1:])
    steps = [COLOURS[d.colour] for d in each[BEFORE:]]
    size = box.shape[0 if gear == "driving" else 1]
    allowed = monitor.limits().single_rate * SHARES["lines"]
    ways = {  # what ways of giving the same records disagree in
        "at once, one by one": (at_once.colour, at_once.tooth, at_once.sentence)
        != (each[-1].colour, each[-1].tooth, each[-1].sentence),
        "a map alone, the first of a sequence": (single.colour, single.tooth) != (alone.colour, alone.tooth),
        **dict.fromkeys(entrances(maps, monitor, single) if contrast == 2.0 else (), True),
        "predict, diagnose": limit is not None and predicted != (single.each[0].p_values["lines"] <= allowed),
    }
    return {
        "contrast": contrast,
        "true": box.about.get("contrasts", {}).get(contrast, contrast),
        "cases": 9 if contrast == 2.0 else 4,
        "contradictions": sum(len(disagree(d)) for d in (at_once, single, each[-1], alone)) + sum(ways.values()),
        "ways": [name for name, wrong in ways.items() if wrong],
        "green_beside_lines": sum(map(green_beside_lines, each)),
        "colour": at_once.colour,
        "single": single.colour,
        "to_amber": next((k + 1 for k, s in enumerate(steps) if s >= 1), None),
        "to_red": next((k + 1 for k, s in enumerate(steps) if s >= 2), None),
        **named(at_once, gear, tooth, size),
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
    if box.about["texture"] == "recordings":
        noise = monitor.beside(MemoryStore()).add(box.draw(10, -10.0, "driving", 0))
        return {"cases": 1, "noise": [noise.colour, noise.pattern], "contradictions": 0, "green_beside_lines": 0}
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
    gears = (box.about["gear"],) if recorded else ("driving", "driven")
    for contrast in CONTRASTS[3:5] if recorded else CONTRASTS:
        for gear in gears:
            tooth = box.about["tooth"] if recorded else int(rng.integers(box.shape[gear == "driven"]))
            out["damaged"].append(damaged(box, monitor, contrast, gear, tooth) | {"gear": gear})
    for contrast in () if recorded else [c for c in CONTRASTS if c >= LOUD] * MORE:
        gear = gears[int(rng.integers(2))]
        tooth = int(rng.integers(box.shape[gear == "driven"]))
        out.setdefault("more", []).append(more(box, monitor, contrast, gear, tooth) | {"true": contrast})
    out["healthy"] = healthy(box, monitor, 16 if recorded else WATCHED)
    out["others"] = others(box, monitor, rng)
    return out


def unexplained(before: Diagnosis, now: Diagnosis) -> list[str]:
    """What of an earlier verdict a later one takes back without saying so."""
    said, wrong = {m.id for m in now.messages["verdict"]}, []
    first, then = before.teeth[:1], now.teeth[:1]
    if now.colour == "GREEN" and before.colour in ("AMBER", "RED") and not any("has passed" in m for m in said):
        wrong.append("a colour is taken back")
    same = first and then and {first[0].tooth, first[0].contact} & {then[0].tooth, then[0].contact} - {None}
    if first and then and not same and not any("by now this tooth has" in m for m in said):
        wrong.append("another tooth")
    if first and not then and now.colour != "GREEN" and not any("by now the change of all teeth" in m for m in said):
        wrong.append("no tooth any more")
    early = now.since is not None and now.since.number <= before.records
    if early and before.colour == "GREEN" and not any("only in hindsight" in m for m in said):
        wrong.append("it was called healthy")
    return wrong


def judge_run(number: int, seed: int) -> dict[str, Any]:
    """A run to failure, day by day; and a copy of it that is turned."""
    rng = np.random.default_rng([seed, 900 + number])
    teeth, days = int(rng.choice([21, 30, 35])), tuple(rng.integers(40, 80, 7).tolist())
    config = RunConfig(teeth=teeth, days=days, healthy_days=1 + number % 4, drift=DRIFTS[number % len(DRIFTS)])
    records = simulate_run(config, seed=int(rng.integers(1 << 31)))
    turn, per_tooth = int(rng.integers(1, teeth)), records.vibration.shape[1] // teeth
    turned = replace(records, vibration=np.roll(records.vibration, turn * per_tooth, axis=1))
    ends, taken_back = [], []
    for k, own in enumerate((records, turned)):
        maps = build_run_maps(own, RunMapConfig(healthy_days=tuple(range(1, config.healthy_days + 1))))
        monitor = Monitor(Model.fit(maps.healthy_windows, detector="scan", options=RUN_SCAN))
        found: list[Diagnosis] = []
        day = maps.windows.table["day"].to_numpy()
        watched = ~maps.windows.table["healthy"].to_numpy()
        for one in np.unique(day[watched]) if not k else (None,):
            found.append(monitor.add(maps.windows[np.flatnonzero(watched & ((day == one) | (one is None)))]))
        taken_back += [name for a, b in pairwise(found) for name in unexplained(a, b)]
        ends.append(found[-1])
    end, truth = ends[0], int(records.truth["tooth"])
    contact = [truth, *(truth + off for off in (teeth // 2, -(-teeth // 2)) if records.truth["second_contact"])]

    def away(tooth: int | None) -> int | None:
        gaps = [min((tooth - c) % teeth, (c - tooth) % teeth) for c in contact] if tooth is not None else []
        return min(gaps, default=None)

    own, other = away(end.tooth), None if ends[1].tooth is None else away((ends[1].tooth - turn) % teeth)
    about = {"healthy_days": config.healthy_days, "drift": config.drift, "contact": records.truth["second_contact"]}
    return about | {
        "cases": len(days) + 1,
        "colour": end.colour,
        "named": own is not None,
        "exact": own == 0,
        "near": own is not None and own <= 1,
        "one_tooth": end.pattern == "one tooth",
        "turned": own is not None and own <= 1 and other is not None and other <= 1,
        "taken_back": taken_back,
        "contradictions": sum(len(disagree(d)) for d in ends),
        "green_beside_lines": sum(map(green_beside_lines, ends)),
    }


def summary(rows: list[dict[str, Any]], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Tables of the page."""
    fitted = [r for r in rows if "refused" not in r]
    cases = [d | {"healthy_maps": r["healthy_maps"], "texture": r["texture"]} for r in fitted for d in r["damaged"]]
    further = [d for r in fitted for d in r.get("more", ())]
    parts = [*cases, *further, *(r["healthy"] for r in fitted), *(r["others"] for r in fitted), *runs]
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

    loud = [d for d in (*cases, *further) if d["true"] >= LOUD]
    heard = [d for d in loud if "exact_single" in d]
    tabled = [d for d in cases if d["texture"] != "recordings"]
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
        "exact_single": share(heard, "exact_single", "named_single"),
        "rates": {key: rate(of_maps, key) for key in keys},
        "by_healthy": {
            str(n): {
                "off": sorted({name for r in of_maps if r["healthy_maps"] == n for name in r["off"]}),
                "rates": {key: rate([r for r in of_maps if r["healthy_maps"] == n], key) for key in keys},
                "contrasts": {
                    gear: {
                        str(c): {key: middle(own, key) for key in ("to_amber", "to_red")}
                        for c in CONTRASTS
                        for own in [
                            [d for d in tabled if (d["healthy_maps"], d["contrast"], d["gear"]) == (n, c, gear)]
                        ]
                    }
                    for gear in ("driving", "driven")
                },
            }
            for n in HEALTHY
            if any(r["healthy_maps"] == n for r in of_maps)
        },
        "recordings": {
            name: {key: middle(own, key) for key in ("to_amber", "to_red")}
            | {key: share(own, key, "named") for key in ("exact", "near")}
            for name, of in (("below", lambda d: d["true"] < LOUD), ("loud", lambda d: d["true"] >= LOUD))
            for own in [[d for d in cases if d["texture"] == "recordings" and of(d)]]
        },
        "runs": {key: share(runs, key, None if key == "named" else "named") for key in ("named", *NAMED, "turned")}
        | {"red": share([r | {"is": r["colour"] == "RED"} for r in runs], "is")}
        | {"taken_back": [name for r in runs for name in r["taken_back"]]},
        "runs_of_one_day": {
            key: share([r for r in runs if r["healthy_days"] == 1], key, "named") for key in (*NAMED, "turned")
        },
        "noise": [r["others"]["noise"] for r in fitted],
        "grown": share([r["others"] | {"is": r["others"]["grown"] != "GREEN"} for r in of_maps], "is"),
        "grown_exact": share([r["others"] for r in of_maps if r["others"]["grown"] != "GREEN"], "grown_exact"),
        "refused": {str(r["healthy_maps"]): r["refused"] for r in rows if "refused" in r},
    }


def work(seed: int, task: tuple[str, int, int, Any]) -> dict[str, Any]:
    """One gearbox or run."""
    kind, n, k, of = task
    if kind == "run":
        return judge_run(n, seed)
    rng = np.random.default_rng([seed, n, k])
    return judge_gearbox(n, of_maps(of, rng) if kind == "maps" else of_recordings(rng, of), rng)


def main() -> None:
    """Run everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--quick", action="store_true", help="one texture, three sizes; nothing is written")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    args = parser.parse_args()
    begin = time.perf_counter()
    sizes, textures = ((16, 24, 100), "C") if args.quick else (HEALTHY, "ABCD")
    pairs, many = (PAIRS[:1], 2) if args.quick else (PAIRS, RUNS)
    tasks: list[Any] = [("maps", n, k, texture) for n in sizes for k, texture in enumerate(textures)]
    tasks += [("recordings", n, 100 + k, pair) for n in RECORDED for k, pair in enumerate(pairs)]
    tasks += [("run", k, 0, None) for k in range(many)]
    with ProcessPoolExecutor(args.jobs) as pool:
        found = []
        for task, one in zip(tasks, pool.map(partial(work, args.seed), tasks), strict=True):
            found.append(one)
            print(*task, f"{time.perf_counter() - begin:.0f} s", flush=True)
    rows, runs = ([one for one in found if ("turned" in one) == of_runs] for of_runs in (False, True))
    result = summary(rows, runs) | {"rows": rows, "run_rows": runs}
    print({k: v for k, v in result.items() if k not in ("rows", "run_rows", "by_healthy")})
    if not args.quick:
        config = {"healthy": HEALTHY, "contrasts": CONTRASTS, "threads": os.environ.get("OMP_NUM_THREADS")}
        print(write_result(Path(__file__).parent / "results" / "diagnosis.json", config, result, seed=args.seed))


if __name__ == "__main__":
    main()
