"""One verdict, and is it true: colour, tooth and words on simulated gearboxes whose truth is known.

    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py --jobs 2    # about 6,000 cases, ten minutes
    OMP_NUM_THREADS=1 python benchmarks/diagnosis.py --quick     # one gearbox of each kind, nothing written

A *gearbox* is a pair of gears, a texture (domains A to D of the map simulator), a pattern of its own and days: their
length and how they differ are drawn, damage may begin with a quieter tooth. A model is fitted on 5 to 200 of its
healthy maps. Other gearboxes are simulated as recordings, which go through the whole chain, waveforms and all; the 4 to
40 that the healthy waveform is learned from are those that the model is fitted on. A *case* is what one way of giving
records to it says: one map by itself, several at once, the same one by one, as files, through the service, and with a
state in a database as ``toothwise watch`` has it. A *story* is files of recordings, as a user has them: some to learn
the healthy waveform from, healthy ones to fit on, those of today; of pairs with one pulse per revolution of either
shaft or with several, and of planetary stages. A *run* is a planet or a gear with one mate, tooth by record, from few
healthy days to failure: what is said at the end of each day is compared with what was said before; and the same gear
without a crack, for its false alarms. All settings are the defaults of ``toothwise diagnose``; nothing here was used to
choose a limit. The map simulator's stripes differ from column to column of every healthy map, so that a driven tooth is
heard much worse there than a driving one.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from measuring.command import arguments, save
from measuring.gearboxes import DAMAGED, Gearbox, Story, of_maps, of_recordings
from measuring.shares import rates, reached, share
from measuring.verdicts import disagree, green_beside_lines, named, one_of, unexplained

from toothwise import GearPair, HealthMap, MapBuilder, Model, Monitor, PlanetaryStage, write_map
from toothwise.diagnosis.decompose import SHARES
from toothwise.diagnosis.store import MemoryStore
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.errors import InputError
from toothwise.fleet.database import DatabaseStore, open_database
from toothwise.healthmap.tooth_by_record import RUN_SCAN, RunMapConfig, build_run_maps
from toothwise.serving.service import Job, Service
from toothwise.simulate.runs import DRIFTS, RunConfig, simulate_run

HEALTHY = (5, 16, 24, 40, 60, 100, 200)
CONTRASTS = (1.1, 1.2, 1.3, 1.5, 2.0, 2.7)
BEFORE, WATCHED = 2, 500
WHOLE = 8  # gearboxes of maps with all cases; of three times as many more the healthy records alone
MORE = 2  # further damages of each contrast from LOUD on, given at once
LOUD = 1.5
GEARS = (*map(GearPair, (14, 17, 19, 11, 18), (25, 30, 24, 16, 35)), PlanetaryStage(17, 13, 43))  # through the chain
RECORDED, HEARD = (4, 8, 16, 24, 40), 240  # their healthy records; those that are watched
TACHOMETERS = (("driving", 1), ("driven", 1), ("driving", 4), ("driven", 3))  # shaft, pulses per revolution
STORIES = [
    *((GearPair(*teeth), *tacho) for teeth in ((23, 56), (17, 31), (29, 40)) for tacho in TACHOMETERS),
    *((PlanetaryStage(*teeth), shaft, 1) for teeth in ((16, 14, 44), (19, 17, 53)) for shaft in ("carrier", "sun")),
]
RUNS = 40  # tooth by record: every kind of drift with every number of healthy days, twice
NAMED = ("exact", "near", "one_tooth")
COLOURS = {"GREEN": 0, "AMBER": 1, "RED": 2}
Row = dict[str, Any]


def checked(kind: str, *found: Diagnosis, ways: Any = (), cases: int = 0) -> Row:
    """A row of the result: what its diagnoses contradict, each by itself and in ``ways`` of giving one input."""
    wrong = [name for d in found for name in disagree(d)] + list(ways)
    beside = sum(map(green_beside_lines, found))
    about = {"kind": kind, "cases": cases or len(found), "green_beside_lines": beside}
    return about | {"contradictions": len(wrong), "ways": wrong}


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
        each = [Path(folder) / name for name in names]
        for path, values in zip(each, maps, strict=True):
            write_map(HealthMap(values, model.about.rows, model.about.columns), path)
        found = [monitor.beside(MemoryStore()).add(given) for given in (folder, each)]
        found += [service.monitor(Job(maps, tuple(names), frozenset(["sequence"])))[1]]
        database = open_database(str(Path(folder) / "watch.db"))
        watched = monitor.beside(DatabaseStore(database, "gearbox"))
        found += [watched.add(path) for path in each][-1:]
        database.close()
    ways = ("folder", "list", "service in order", "watch")
    said_of = [(d.colour, d.gear, d.tooth) for d in found]
    return wrong + [w for w, d, s in zip(ways, found, said_of, strict=True) if s != said_of[0] or disagree(d)]


def size_of(box: Gearbox, gear: str) -> int:
    """The teeth of a gear of the box."""
    return box.shape[gear in ("driven", "ring")]


def damaged(box: Gearbox, monitor: Monitor, contrast: float, gear: str, tooth: int) -> Row:
    """One damage, given in four ways; at contrast 2 in all of them."""
    maps = box.draw(DAMAGED, contrast, gear, tooth, before=BEFORE)
    at_once = monitor.beside(MemoryStore()).add(maps)
    single, one_by_one = monitor.alone(monitor.model.maps_of(maps[-1:])[0])[0], monitor.beside(MemoryStore())
    each = [one_by_one.add(maps[k : k + 1]) for k in range(len(maps))]
    limit = None if single.unknown_because else monitor.single_limit()  # at another condition predict tells no alarm
    predicted = limit is not None and bool(monitor.model.predict(maps[-1:]).score[0] > limit)
    alone = monitor.beside(MemoryStore()).add(maps[-1:])
    steps = [COLOURS[d.colour] for d in each[BEFORE:]]
    allowed = monitor.limits().single_rate * SHARES["lines"]
    ways_in = entrances(maps, monitor, single) if contrast == 2.0 and isinstance(maps, np.ndarray) else None
    ways = {  # what ways of giving the same records disagree in
        "at once, one by one": (at_once.colour, at_once.tooth, at_once.sentence)
        != (each[-1].colour, each[-1].tooth, each[-1].sentence),
        "a map alone, the first of a sequence": (single.colour, single.tooth) != (alone.colour, alone.tooth),
        **dict.fromkeys(ways_in or (), True),
        "predict, diagnose": limit is not None and predicted != (single.each[0].p_values["lines"] <= allowed),
    }
    row = checked("damaged", *each, single, alone, at_once, ways=[name for name, wrong in ways.items() if wrong])
    return {
        **row,
        "cases": 4 if ways_in is None else 9,
        **{
            f"to_{c}": next((k + 1 for k, s in enumerate(steps) if s >= at), None)
            for c, at in (("amber", 1), ("red", 2))
        },
        **named(at_once, gear, [tooth], size_of(box, gear)),
        "exact_single": (single.gear, single.tooth) == (gear, tooth),
        "named_single": single.tooth is not None,
    }


def healthy(maps: Any, monitor: Monitor) -> Row:
    """Healthy records: episodes of either colour, and colours of the same maps each on its own."""
    found = monitor.beside(MemoryStore()).add(maps)
    each = monitor.alone(monitor.model.maps_of(maps)[0])
    return {
        **checked("healthy", found, *each, cases=1 + len(each) // 10),
        "records": found.records,
        "colour": found.colour,
        "red": found.rules["alarm"].episodes,
        "amber": found.rules["warning"].episodes,
        "single_red": sum(d.colour == "RED" for d in each),
        "single_amber": sum(d.colour in ("AMBER", "RED") for d in each),
    }


def judge_recordings(n: int, gears: Any, rng: np.random.Generator) -> list[Row]:
    """Recordings with their waveforms: damage of one tooth, healthy records, ten times the noise."""
    box, model = of_recordings(rng, gears, n)
    monitor, gear, tooth = Monitor(model), box.about["gear"], box.about["tooth"]
    rows = [damaged(box, monitor, c, gear, tooth) | {"contrast": c, "gear": gear} for c in (1.5, 2.0)]
    rows.append(healthy(box.draw(HEARD, 1.0, "driving", 0), monitor) | {"off": monitor.limits().off})
    noisy = monitor.beside(MemoryStore()).add(box.draw(10, 0.0, gear, tooth))
    rows.append(checked("noise", noisy) | {"colour": noisy.colour, "pattern": noisy.pattern})
    about = {"healthy_maps": n, "gears": repr(gears)} | box.about
    return [about | row | {"kind": f"{row['kind']} recordings"} for row in rows]


def judge_gearbox(n: int, box: Gearbox, rng: np.random.Generator, k: int) -> list[Row]:
    """Cases of the k-th gearbox with n healthy maps: healthy records; of the first damage, noise and growth too."""
    about = {"healthy_maps": n, "texture": box.about["texture"]}
    try:
        model = Model.fit(box.draw(n, 1.0, "driving", 0))
    except InputError as error:
        return [about | checked("refused", cases=1) | {"why": str(error)}]
    monitor = Monitor(model)
    rows = [healthy(box.draw(WATCHED, 1.0, "driving", 0), monitor) | {"off": monitor.limits().off}]
    if k >= WHOLE:
        return [about | rows[0]]

    def at_once(kind: str, maps: np.ndarray, gear: str, tooth: int) -> Row:
        found = monitor.beside(MemoryStore()).add(maps)
        said = {"colour": found.colour, "pattern": found.pattern} | named(found, gear, [tooth], size_of(box, gear))
        return checked(kind, found) | said

    for contrast in CONTRASTS:
        for gear in ("driving", "driven"):
            tooth = int(rng.integers(size_of(box, gear)))
            rows.append(damaged(box, monitor, contrast, gear, tooth) | {"contrast": contrast, "gear": gear})
    for contrast in [c for c in CONTRASTS if c >= LOUD] * MORE:
        gear = ("driving", "driven")[int(rng.integers(2))]
        tooth = int(rng.integers(size_of(box, gear)))
        maps = box.draw(DAMAGED, contrast, gear, tooth, before=BEFORE)
        rows.append(at_once("more", maps, gear, tooth) | {"contrast": contrast, "gear": gear})
    tooth = int(rng.integers(box.shape[0]))
    rows.append(at_once("grown", box.draw(60, 1.5, "driving", tooth), "driving", tooth))
    for times in (2.0, 3.0, 10.0):  # cells that scatter so many times as far around their lines
        maps = box.draw(10, 1.0, "driving", 0)
        far = np.log(maps).std() * np.sqrt(times**2 - 1.0) * rng.standard_normal(maps.shape)
        rows.append(at_once("noise", maps * np.exp(far).astype(np.float32), "driving", 0))
    return [about | row for row in rows]


def judge_story(number: int, seed: int) -> Row:
    """Recordings as files through the whole chain: those of today, which are damaged, and healthy ones of later."""
    gears, rng = STORIES[number][0], np.random.default_rng([seed, 700 + number])
    gear = (("driving", "driven") if isinstance(gears, GearPair) else ("planet", "ring"))[int(rng.integers(2))]
    size = getattr(gears, gear)
    drawn = gear, int(rng.integers(size)), float(rng.uniform(8.0, 40.0)), int(rng.integers(1 << 16))
    story = Story(*STORIES[number], *drawn)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        story.write(folder)
        model = Model.fit(folder / "healthy", builder=MapBuilder.learn(gears, folder / "learn", reading=story.reading))
        monitor = Monitor(model)
        today, one_by_one = sorted((folder / "today").iterdir()), monitor.beside(MemoryStore())
        found = monitor.beside(MemoryStore()).add(folder / "today")
        listed, last = monitor.beside(MemoryStore()).add(today), [one_by_one.add(path) for path in today][-1]
        alone = [monitor.alone(model.maps_of(path)[0])[0] for path in today]
        later, varying = (monitor.beside(MemoryStore()).add(folder / part) for part in ("later", "varying"))
    first = (found.colour, found.gear, found.tooth)
    ways = [w for w, d in (("list", listed), ("one by one", last)) if (d.colour, d.gear, d.tooth) != first]
    ways = ways if found.tooth is not None else [w for w in ways if w == "list"]  # one by one, none is aligned
    others = [round(a * size) for a in gears.spacing] if gear == "ring" else [0]  # which one sensor cannot tell apart
    return {
        **checked("story", found, listed, last, *alone, later, varying, ways=ways),
        "story": [repr(gears), *STORIES[number][1:], *drawn],
        "colour": found.colour,
        "alone": [d.colour for d in alone],
        "later": later.colour,
        "varying": [varying.colour, varying.tooth is not None],
        **named(found, gear, [story.tooth + away for away in others], size),
        **{"named": found.gear == gear, "zero": found.tooth_zero, "same_tooth": found.same_tooth},
        "same": all(one_of(alone[0], d, gears, size) for d in alone)
        if found.same_tooth is None
        else len(set(found.same_tooth)) == 1,
    }


def judge_run(number: int, seed: int) -> list[Row]:
    """A run to failure, day by day; a copy of it that is turned; and one of the same gear on which nothing cracks."""
    rng = np.random.default_rng([seed, 900 + number])
    teeth, days = int(rng.choice([21, 30, 35])), tuple(rng.integers(40, 80, 7).tolist())
    config = RunConfig(teeth=teeth, days=days, healthy_days=1 + number % 4, drift=DRIFTS[number % len(DRIFTS)])
    own_seed = int(rng.integers(1 << 31))
    records, sound = (simulate_run(replace(config, faulty=f), seed=own_seed) for f in (True, False))
    turn, per_tooth = int(rng.integers(1, teeth)), records.vibration.shape[1] // teeth
    turned = replace(records, vibration=np.roll(records.vibration, turn * per_tooth, axis=1))

    def watched(own: Any) -> tuple[Monitor, Any]:
        maps = build_run_maps(own, RunMapConfig(healthy_days=tuple(range(1, config.healthy_days + 1))))
        monitor = Monitor(Model.fit(maps.healthy_windows, detector="scan", options=RUN_SCAN))
        return monitor, maps.windows[~maps.windows.table["healthy"].to_numpy()]

    monitor, windows = watched(records)
    day = windows.table["day"].to_numpy()
    found = [monitor.add(windows[day == one]) for one in np.unique(day)]
    taken_back = [name for a, b in pairwise(found) for name in unexplained(a, b)]
    monitor, windows = watched(turned)
    ends = [found[-1], monitor.add(windows)]
    monitor, windows = watched(sound)
    end, truth = ends[0], int(records.truth["tooth"])
    contact = [truth, *(truth + off for off in (teeth // 2, -(-teeth // 2)) if records.truth["second_contact"])]
    own, other = (named(d, d.gear, [c + by for c in contact], teeth) for d, by in zip(ends, (0, turn), strict=True))
    about = {"healthy_days": config.healthy_days, "drift": config.drift, "contact": records.truth["second_contact"]}
    row = {
        **checked("run", *ends, cases=len(days) + 1),
        "colour": end.colour,
        **own,
        "turned": own["near"] and other["near"],
        "taken_back": taken_back,
    }
    return [about | row, about | healthy(windows, monitor) | {"kind": "healthy run"}]


def limits_and_rates(rows: list[Row]) -> Row:
    """Channels that are off and false alarms of healthy records."""
    return {"off": sorted({name for r in rows for name in r["off"]}), "rates": rates(rows)}


def summary(rows: list[Row]) -> Row:
    """Tables of the page."""

    def of(*kinds: str, **known: Any) -> list[Row]:
        return [r for r in rows if r["kind"] in kinds and all(r.get(k) == v for k, v in known.items())]

    for row in rows:
        row |= {"is_red": row.get("colour") == "RED", "is_raised": row.get("colour") in ("AMBER", "RED")}
    runs, quiet, loud = of("run"), of("healthy"), [r for r in of("damaged", "more") if r["contrast"] >= LOUD]
    shown = [r for r in of("damaged") if r["contrast"] >= LOUD]
    cells, recorded = {}, {}
    for n in dict.fromkeys(r["healthy_maps"] for r in quiet):
        cells[str(n)] = limits_and_rates([r for r in quiet if r["healthy_maps"] == n]) | {
            gear: {str(c): reached(of("damaged", healthy_maps=n, contrast=c, gear=gear)) for c in CONTRASTS}
            for gear in ("driving", "driven")
        }
    for n, c in product(RECORDED, (1.5, 2.0)):
        row = recorded.setdefault(str(n), limits_and_rates(of("healthy recordings", healthy_maps=n)))
        own = of("damaged recordings", healthy_maps=n, contrast=c)
        row[str(c)] = reached(own) | {"named": share(own, "named"), "exact": share(own, "exact", "named")}
    return {
        "cases": sum(r["cases"] for r in rows),
        "gearboxes": len(of("healthy", "healthy recordings", "refused")),
        "contradictions": sum(r["contradictions"] for r in rows),
        "ways": [name for r in rows for name in r["ways"]],
        "green_beside_lines": sum(r["green_beside_lines"] for r in rows),
        **{key: share(loud, key, "named") for key in NAMED},
        "named": share(loud, "named"),
        "exact_single": share(shown, "exact_single", "named_single"),
        "rates": rates(quiet),
        "rates_of_recordings": rates(of("healthy recordings")),
        "by_healthy": cells,
        "recordings": recorded,
        "stories": of("story"),
        "runs": {
            name: {key: share(own, key, None if key in ("named", "is_red") else "named") for key in keys}
            for name, own in (("all", runs), ("one_day", [r for r in runs if r["healthy_days"] == 1]))
            for keys in [("is_red", "named", *NAMED, "turned")]
        },
        "rates_of_runs": rates(of("healthy run")),
        "taken_back": [name for r in runs for name in r["taken_back"]],
        "wrong": [[r[k] for k in ("gear", "contrast", "healthy_maps")] for r in loud if r["named"] and not r["exact"]],
        "noise": [[r["colour"], r["pattern"], r["healthy_maps"]] for r in of("noise", "noise recordings")],
        "grown": share(of("grown"), "is_raised"),
        "grown_exact": share(of("grown"), "exact", "is_raised"),
        "refused": {str(r["healthy_maps"]): r["why"] for r in of("refused")},
    }


def work(seed: int, task: tuple[str, int, int, Any]) -> list[Row]:
    """The rows of one gearbox, story or run."""
    kind, n, k, of = task
    if kind in ("run", "story"):
        return judge_run(n, seed) if kind == "run" else [judge_story(n, seed)]
    rng = np.random.default_rng([seed, n, k])
    return judge_gearbox(n, of_maps(of, rng), rng, k) if kind == "maps" else judge_recordings(n, of, rng)


def main() -> None:
    """Run everything and write the result."""
    args = arguments(__doc__, seed=19, quick=False, jobs=1)
    sizes, textures = ((16, 24, 100), "C") if args.quick else (HEALTHY, WHOLE * "ABCD")
    boxes, stories, runs = (GEARS[:1], (1, 12), 2) if args.quick else (GEARS, range(len(STORIES)), RUNS)
    tasks: list[Any] = [("story", k, 0, None) for k in stories] + [("run", k, 0, None) for k in range(runs)]
    tasks += [("recordings", n, 100 + k, gears) for n in RECORDED for k, gears in enumerate(boxes)]
    tasks += [("maps", n, k, texture) for n in sizes[::-1] for k, texture in enumerate(textures)]
    rows: list[Row] = []
    with ProcessPoolExecutor(args.jobs) as pool:
        for task, found in zip(tasks, pool.map(partial(work, args.seed), tasks), strict=True):
            rows += found
            print(*task, time.strftime("%H:%M:%S"), flush=True)
    threads = os.environ.get("OMP_NUM_THREADS")
    save(args, summary(rows) | {"rows": rows}, healthy=HEALTHY, contrasts=CONTRASTS, threads=threads)


if __name__ == "__main__":
    main()
