"""A study's YAML: base + overrides x groups x seeds, checked word by word, expanded into trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from toothwise.errors import InputError
from toothwise.fields import describe_type, field_types
from toothwise.simulate.textures import DOMAINS
from toothwise_lab.images import PRESETS
from toothwise_lab.studies.cell_maps import MODES
from toothwise_lab.studies.expand import Arm, arms_of, comparisons_of, setting_place
from toothwise_lab.studies.located import Located, coerce, read_located
from toothwise_lab.studies.metric_names import metric_names
from toothwise_lab.studies.smoke import with_smoke
from toothwise_lab.studies.trial import KINDS, Trial

_GROUPS: dict[str, dict[str, tuple[str, ...]]] = {  # kind: list in the YAML -> its allowed words
    "maps": {"domains": tuple(DOMAINS), "modes": MODES},
    "images": {"sets": tuple(PRESETS)},
    "run": {"runs": ("hums2023", "simulated")},
}
_FIELD = {"domains": "domain", "modes": "mode", "sets": "image_set", "runs": "data"}
_PART = ("kind", "base", "overrides", "crossed", "seeds", "metrics", "reference", "compare", *_FIELD)
_TOP = ("title", "question", "primary", "resources", "smoke", "parts")


@dataclass(frozen=True)
class Resources:
    """What one trial takes.

    Attributes:
        cpus, gpus: that a trial holds while it runs; may be fractions.
        memory_mib: that it may take beyond what its process holds at the start; None = no limit (Linux only).
        fresh_process: a new process for every trial, so that its memory is its own; else a process runs one trial
            after the other, and a crash costs the one trial.
        share_encodings_mib: encoder outputs that a process remembers from trial to trial; 0 = none. Times of fits then
            depend on the order of trials.
        reuse_fits: fitted detectors that a process keeps for trials that train on the same; 0 = none.
        pictures: keep a few maps with their anomaly maps, as arrays and as a picture; of a detector with directional
            layers also what they attend to, as pictures and numbers.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_mib: float | None = None
    fresh_process: bool = False
    share_encodings_mib: int = 0
    reuse_fits: int = 0
    pictures: bool = False


@dataclass(frozen=True)
class Primary:
    """The one hypothesis that was written down before the runs; everything else is exploratory.

    Attributes:
        hypothesis: in words.
        better, than: arms.
        metric, group: where.
        margin: the smallest difference of interest: an interval within it says that there is none.
    """

    hypothesis: str
    better: str
    than: str
    metric: str
    group: str
    margin: float | None = None


@dataclass(frozen=True)
class Part:
    """Trials of one kind.

    Attributes:
        name: "" where the study has one part.
        kind: of trials.
        arms: what is compared.
        groups: within what; name and the settings that make it.
        seeds: the same for every arm, so that they are compared in pairs.
        metrics: of tables and comparisons.
        comparisons: pairs of arms.
    """

    name: str
    kind: str
    arms: tuple[Arm, ...]
    groups: tuple[tuple[str, dict[str, str]], ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    comparisons: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Study:
    """A whole study.

    Attributes:
        name: of the file.
        title, question: in words.
        parts: of one kind each.
        primary: None = all is exploratory.
        resources: of each trial.
        smoke: whether it is the tiny version.
        source: the parsed file.
    """

    name: str
    title: str
    question: str
    parts: tuple[Part, ...]
    primary: Primary | None
    resources: Resources
    smoke: bool
    source: Located = field(repr=False)

    def trials(self) -> list[Trial]:
        """All of them, a whole comparison of the first seed first.

        Raises:
            InputError: settings that cannot be, with the line of their override.
        """
        return list(self._trials())

    def _trials(self) -> Iterator[Trial]:
        for seed in sorted({seed for part in self.parts for seed in part.seeds}):
            for part in self.parts:
                if seed not in part.seeds:
                    continue
                for group, place in part.groups:
                    for arm in part.arms:
                        try:
                            settings = KINDS[part.kind](seed=seed, **place, **arm.settings)
                        except InputError as error:
                            guilty = next((name for name in arm.settings if name in str(error)), "")
                            place_of = setting_place(self.source, arm, guilty)
                            raise self.source.error(place_of, f"{arm.name!r:.100}: {error}") from None
                        yield Trial(part.name, arm.name, group, part.kind, settings)


def read_study(file: Path, *, smoke: bool = False) -> Study:
    """Read and check a study.

    Args:
        file: YAML.
        smoke: with what its ``smoke`` section changes.

    Raises:
        InputError: a word that is none or a value that cannot be, with file, line and the nearest valid word.
    """
    source = read_located(file)
    data = source.data
    allowed = (*_TOP, "metrics", "seeds") if "parts" in data else (*_TOP, *_PART)
    source.check_keys((), data, "key of a study", allowed)
    if smoke:
        source = with_smoke(source)
        data = source.data
    if "parts" in data:
        source.check_keys(("parts",), data["parts"], "part", data["parts"] or ())
        common: dict[str, Any] = {name: data[name] for name in ("metrics", "seeds") if name in data}
        parts = tuple(
            _part(source, str(name), ("parts", name), {**common, **(part or {})})
            for name, part in data["parts"].items()
        )
    else:
        parts = (_part(source, "", (), data),)
    return Study(
        name=file.stem,
        title=_text(source, data, "title", default=file.stem),
        question=_text(source, data, "question", default=""),
        parts=parts,
        primary=_primary(source, data, parts),
        resources=_resources(source, data),
        smoke=smoke,
        source=source,
    )


def _text(source: Located, data: dict[str, Any], name: str, *, default: str) -> str:
    value = data.get(name, default)
    if not isinstance(value, str):
        raise source.error((name,), f"{name} must be text, but is {value!r:.60}")
    return " ".join(value.split())


def _part(source: Located, name: str, place: tuple[str | int, ...], data: dict[str, Any]) -> Part:
    if place:
        source.check_keys(place, data, "key of a part", _PART)
    kind = data.get("kind", "maps")
    if kind not in KINDS:
        raise source.unknown((*place, "kind"), kind, "kind of trial", KINDS)
    foreign = [key for key in _FIELD if key in data and key not in _GROUPS[kind]]
    if foreign:
        raise source.error((*place, foreign[0]), f"{foreign[0]!r} does not go with kind {kind!r}")
    group_fields = {_FIELD[key] for key in _GROUPS[kind]}
    arms = arms_of(source, place, data, KINDS[kind], group_fields | {"seed"})
    metrics = _list(source, (*place, "metrics"), data.get("metrics", ["auroc"]), "metric", metric_names())
    return Part(
        name=name,
        kind=kind,
        arms=arms,
        groups=_groups(source, place, data, kind),
        seeds=_seeds(source, (*place, "seeds"), data.get("seeds", 5)),
        metrics=metrics,
        comparisons=comparisons_of(source, place, data, arms),
    )


def _list(source: Located, place: tuple[str | int, ...], value: Any, what: str, allowed: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given:
        raise source.error(place, f"{place[-1]} must be a list of names, but is {value!r:.60}")
    names = list(allowed)
    for k, word in enumerate(given):
        if word not in names:
            raise source.unknown((*place, k), word, what, names)
        if word in given[:k]:
            raise source.error((*place, k), f"{word!r} is listed twice")
    return tuple(given)


def _groups(
    source: Located, place: tuple[str | int, ...], data: dict[str, Any], kind: str
) -> tuple[tuple[str, dict[str, str]], ...]:
    found: list[tuple[str, dict[str, str]]] = [("", {})]
    for key, allowed in _GROUPS[kind].items():
        default = ["C"] if key == "domains" else ["matched"] if key == "modes" else None
        if key not in data and default is None:
            raise source.error(place, f"kind {kind!r} needs {key!r}: a list among {', '.join(allowed)}")
        chosen = _list(source, (*place, key), data.get(key, default), _FIELD[key].replace("_", " "), allowed)
        found = [
            (f"{name} {word}".strip(), {**settings, _FIELD[key]: word}) for name, settings in found for word in chosen
        ]
    return tuple(found)


def _seeds(source: Located, place: tuple[str | int, ...], value: Any) -> tuple[int, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return tuple(range(value))
    good, seeds = coerce(value, tuple[int, ...])
    if not good or not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise source.error(place, f"seeds must be their number, or a list of different ones, but is {value!r:.60}")
    return tuple(seeds)


def _resources(source: Located, data: dict[str, Any]) -> Resources:
    given = data.get("resources") or {}
    types = field_types(Resources)
    source.check_keys(("resources",), given, "resource", [f.name for f in fields(Resources)])
    chosen = {}
    for name, value in given.items():
        good, chosen[name] = coerce(value, types[name])
        if not good or (isinstance(value, int | float) and value < 0):
            raise source.error(
                ("resources", name), f"{name} must be {describe_type(types[name])}, but is {value!r:.60}"
            )
    return Resources(**chosen)


def _primary(source: Located, data: dict[str, Any], parts: tuple[Part, ...]) -> Primary | None:
    if data.get("primary") is None:
        return None
    given, names = data["primary"], [f.name for f in fields(Primary)]
    source.check_keys(("primary",), given, "word of the primary hypothesis", names)
    words = [name for name in names if name != "margin"]
    missing = [name for name in words if not isinstance(given.get(name), str)]
    if missing:
        raise source.error(("primary",), f"the primary hypothesis needs {', '.join(missing)}, in words")
    margin = given.get("margin")
    if margin is not None and (isinstance(margin, bool) or not isinstance(margin, int | float) or margin <= 0):
        raise source.error(("primary", "margin"), f"margin must be a number above 0, but is {margin!r:.60}")
    part = parts[0]
    arms = [arm.name for arm in part.arms]
    for name, what, allowed in (
        ("better", "arm", arms),
        ("than", "arm", arms),
        ("metric", "metric", metric_names()),
        ("group", "group", [group for group, _ in part.groups]),
    ):
        if given[name] not in allowed:
            raise source.unknown(("primary", name), given[name], what, allowed)
    return Primary(**{name: " ".join(given[name].split()) for name in words}, margin=margin)
