"""Every reader with the valid files that are damaged for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.fixtures import COLUMNS, ROWS, SAVED
from fuzzing.judge import Target

_RECORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # reader -> files, what they are inside
    "MAT 5": (("own.mat", "plain.mat", "packed.mat"), ("mat",)),
    "MAT 7.3": (("new.mat",), ()),
    "HDF5": (("plain.h5", "packed.h5"), ()),
    "CSV": (("plain.csv", "other.csv", "headed.csv", "dated.csv"), ()),
    "CSV, gzip": (("plain.csv.gz",), ("gzip",)),
    "Parquet": (("own.parquet", "plain.parquet"), ()),
    "TDMS": (("plain.tdms",), ()),
    "UFF": (("text.uff", "binary.uff"), ()),
    "MF4": (("plain.mf4",), ()),
    "WAV": (("short.wav", "float.wav", "long.wav"), ()),
    "FLAC": (("a.flac",), ()),
    "NPZ": (("own.npz", "packed.npz"), ("zip", "npz")),
    "NPY": (("vector.npy", "named.npy"), ()),
}
_UNHELD = ("Parquet", "TDMS", "UFF", "MF4")  # their packages allocate what a file claims
_MAPS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "npz": (("one.npz", "many.npz", "plain.npz"), ("zip", "npz")),
    "TIFF": (("one.tiff", "packed.tiff"), ()),
    "PNG": (("one.png",), ("png",)),
    "MAT": (("plain.mat", "packed.mat"), ("mat",)),
}


def targets(folder: Path) -> dict[str, Target]:
    """By name.

    Args:
        folder: of ``fixtures.write_fixtures``.
    """
    ways = (_maps, _scored, _recordings, _settings, _saved, _watched, _service)
    return {target.name: target for way in ways for target in way(folder)}


def _contents(folder: Path, names: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple((folder / name).read_bytes() for name in names)


def _below(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _one_of_many(
    name: str, folder: Path, read: Callable[[Path], Any], kinds: dict[str, tuple[str, ...]], **more: Any
) -> Iterator[Target]:
    """A target for each kind of file in a folder, the others beside it."""
    held = _below(folder)
    for file, content in held.items():
        if Path(file).name in kinds:
            yield Target(f"{name}: {file}", file, (content,), read, kinds[Path(file).name], beside=held, **more)


# maps


def _maps(folder: Path) -> Iterator[Target]:
    from toothwise.healthmap.hums2023 import read_hums2023
    from toothwise.healthmap.io import read_map
    from toothwise.healthmap.research import check_leaks, find_domain

    for kind, (names, inside) in _MAPS.items():
        file = f"map{Path(names[0]).suffix}"
        yield Target(
            f"maps, {kind}", file, _contents(folder / "maps", names), lambda p, f=file: _look(read_map(p / f)), inside
        )

    def domain(place: Path) -> None:
        _look(read_map(place))
        named = {source.place: list(source.named()) for source in find_domain(place.parent, place.name)}
        check_leaks(named["train/good"], [*named.get("test/good", []), *named.get("test/fault", [])])

    kinds = {"manifest.json": ("json",), "000000.png": ("png",)}
    for target in _one_of_many("maps, folder", folder / "domain_A", domain, kinds, weight=0.5):
        if "test/good" not in target.name and "train" not in target.name:
            yield target
    run = _contents(folder / "maps", ("run.npz",))
    yield Target("records of a run, npz", "run.npz", run, lambda p: read_hums2023(p / "run.npz"), ("zip",))


def _look(found: Any) -> None:
    """Touch what was read: a memory map may end before what it claims."""
    np.nanmean(found.values)
    if hasattr(found, "table"):
        found.table.to_dict("records")


def _scored(folder: Path) -> Iterator[Target]:
    from toothwise.fleet.options import ScoreOptions
    from toothwise.fleet.reading import Reading, read_blocks
    from toothwise.fleet.storage import locate

    def score(place: Path) -> None:
        here = locate(str(place))
        (stored,) = here.files()
        at: list[int] = []
        for block in read_blocks(here, stored, Reading((ROWS, COLUMNS), ScoreOptions(keep=["day"], batch=7))):
            at += block.index.tolist()
            if not len(block) == len(block.values) == len(block.error) or block.values.shape[1:] != (ROWS, COLUMNS):
                raise AssertionError(f"a block of {len(block)} maps has {block.values.shape}, {len(block.error)}")
        if at != list(range(len(at))) or not at:
            raise AssertionError(f"maps {at[:20]} instead of each once")

    files = {"npz": _MAPS["npz"], "TIFF": _MAPS["TIFF"], "MAT": _MAPS["MAT"]}
    for kind, (names, inside) in {**files, "Parquet": (("flat.parquet", "nested.parquet"), ())}.items():
        file = f"maps{Path(names[0]).suffix}"
        seeds = _contents(folder / "maps", names)
        yield Target(f"score, {kind}", file, seeds, score, inside, held=kind != "Parquet", weight=0.7)


# recordings


def _recordings(folder: Path) -> Iterator[Target]:
    from toothwise import MapBuilder
    from toothwise.fleet.decoding import Decoder, IncomingRecord
    from toothwise.gears import read_gears
    from toothwise.vibration.readers import read_record

    def read(place: Path, file: str) -> None:
        record = read_record(place / file, sampling_rate=2048.0 if file.endswith(".npy") else None)
        tacho = [] if record.tacho is None else [record.tacho.values]
        for values in [*record.channels.values(), *tacho]:
            np.sum(values, dtype=np.float64)

    for kind, (names, inside) in _RECORDS.items():
        file = f"record{''.join(Path(names[0]).suffixes)}"
        seeds = _contents(folder / "records", names)
        yield Target(f"recording, {kind}", file, seeds, partial(read, file=file), inside, held=kind not in _UNHELD)
    gears = read_gears(folder / "settings" / "pair.yaml")

    def message(place: Path) -> None:
        content = (place / "message").read_bytes()
        Decoder(MapBuilder(gears))(IncomingRecord("m", "r", "topic", content))

    seeds = _contents(folder / "records", ("own.npz", "own.mat", "own.parquet"))
    yield Target("watch, message", "message", seeds, message, held=False, weight=0.5)


# YAML and JSON


def _settings(folder: Path) -> Iterator[Target]:
    from toothwise.cli.entry import read_options
    from toothwise.gears import read_gears
    from toothwise.healthmap.waveform import HealthyWaveform
    from toothwise_lab.studies.config import read_study

    place = folder / "settings"
    gears = _contents(place, ("pair.yaml", "train.yaml"))
    yield Target("gears, YAML", "g.yaml", gears, lambda p: read_gears(p / "g.yaml").mesh_orders(), ("yaml",))
    studies = sorted((Path(__file__).parents[2] / "configs" / "studies").glob("*.yaml"))

    def study(place: Path) -> None:
        for smoke in (False, True):
            read_study(place / "s.yaml", smoke=smoke).trials()

    seeds = tuple(path.read_bytes() for path in studies)
    yield Target("study, YAML", "s.yaml", seeds, study, ("yaml",), weight=0.5)

    def options(place: Path) -> None:
        read_options("fit", ["--config", str(place / "c.yaml")])

    yield Target("options, YAML", "c.yaml", _contents(place, ("fit.yaml",)), options, ("yaml",), weight=0.5)
    wave = _contents(place, ("waveform.npz",))
    yield Target("healthy waveform", "w.npz", wave, lambda p: HealthyWaveform.load(p / "w.npz"), ("zip",), weight=0.5)


# detectors


def _saved(folder: Path) -> Iterator[Target]:
    from toothwise import Model
    from toothwise.serving.service import Job, Service

    maps = np.exp(0.2 * np.random.default_rng(5).standard_normal((2, ROWS, COLUMNS))).astype(np.float32)
    kinds: dict[str, tuple[str, ...]] = {
        "model.json": ("json",),
        "state.safetensors": ("safetensors",),
        "healthy.npz": ("zip", "npz"),
    }

    def use(place: Path) -> None:
        service = Service.open(place)
        for answer in service.answer([Job(maps, ("a", "b"))]):
            if isinstance(answer, Exception):
                raise answer

    yield from _one_of_many("detector, scan", folder / "scan", use, kinds)
    for name in SAVED:

        def load(place: Path) -> None:
            Model.open(place).detector.predict(maps)

        yield from _one_of_many(f"detector, {name}", folder / "saved" / name, load, kinds, weight=0.3)
    yield from _one_of_many("exported", folder / "exported", use, kinds, weight=0.3)
    held = _below(folder / "exported")

    def rehashed(place: Path) -> None:
        """As an attacker would leave it who makes the hashes anew."""
        from dataclasses import replace

        from toothwise.exported.manifest import read_manifest, write_manifest

        write_manifest(place, replace(read_manifest(place)))
        use(place)

    for file, inside in kinds.items():
        if file in held:
            name = f"exported, hashed again: {file}"
            yield Target(name, file, (held[file],), rehashed, inside, beside=held, weight=0.5)


# states


def _watched(folder: Path) -> Iterator[Target]:
    from toothwise import Model, Monitor
    from toothwise.diagnosis.evidence import read_diagnosis
    from toothwise.diagnosis.store import JsonStore
    from toothwise.fleet.database import DatabaseStore, open_database

    state = _contents(folder, ("state.json",))
    monitor = Monitor(Model.open(folder / "scan"))
    healthy = monitor.model.healthy

    def read(place: Path) -> None:
        own = monitor.beside(JsonStore(place / "state.json"))
        if own.records and healthy is not None:
            own.add(healthy.values[:1])

    yield Target("state of diagnose", "state.json", state, read, ("json",))

    def database(place: Path) -> None:
        opened = open_database(str(place / "watch.db"))
        try:
            opened.known("m1", "r00")
            DatabaseStore(opened, "m1").load()
        finally:
            opened.close()

    yield Target("database of watch", "watch.db", _contents(folder, ("watch.db",)), database, weight=0.5)

    kinds = {"diagnosis.json": ("json",), "evidence.npz": ("zip", "npz")}
    yield from _one_of_many("run, for its report", folder / "run", read_diagnosis, kinds, weight=0.5)


# requests


def _service(folder: Path) -> Iterator[Target]:
    import json

    from toothwise import GearPair, MapBuilder
    from toothwise.serving.decoding import Decoder, Upload
    from toothwise.serving.limits import Limits
    from toothwise.serving.schemas import FormFields
    from toothwise.serving.service import Service

    @cache
    def service() -> Any:
        return Service.open(folder / "exported")

    def decoder() -> Any:
        return Decoder(service().expected, Limits(max_values=2**21), MapBuilder(GearPair(ROWS, COLUMNS)))

    def answer(found: Any) -> None:
        if len(found):
            service().answer([found])

    values = np.exp(0.1 * np.random.default_rng(0).standard_normal((ROWS, COLUMNS))).round(3).tolist()
    one = json.dumps({"values": values, "record": "monday", "include": ["evidence"]}).encode()
    many = json.dumps({"maps": [{"values": values}, {"values": values, "record": "b"}], "include": []}).encode()
    for name, body, batch in (("a map", one, False), ("a batch", many, True)):

        def ask(place: Path, batch: bool = batch) -> None:
            body = (place / "body").read_bytes()
            decoder().price(body)
            answer(decoder().json(body, batch))

        yield Target(f"request, JSON of {name}", "body", (body,), ask, ("json",), weight=0.7)

    # each kind of file has a target of its own above: here it is what is made of their content
    for way, name in (("maps", "many.npz"), ("maps", "plain.mat"), ("records", "own.npz"), ("records", "plain.csv")):

        def upload(place: Path, name: str = name, record: bool = way == "records") -> None:
            answer(decoder().files([Upload(place / name, name, record)], FormFields()))

        inside = {".npz": ("zip", "npz"), ".mat": ("mat",)}.get(Path(name).suffix, ())
        seeds = _contents(folder / way, (name,))
        # not every recording has revolutions enough for a map
        yield Target(f"request, {way}, {name}", name, seeds, upload, inside, sound=way == "maps", weight=0.5)
