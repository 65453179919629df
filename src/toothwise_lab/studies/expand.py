"""Arms of a study, which are base + override + crossed, and the pairs of them that are compared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from toothwise.fields import describe_type, field_types
from toothwise_lab.studies.located import Located, Place, coerce


@dataclass(frozen=True)
class Arm:
    """One of the things compared.

    Attributes:
        name: of the override, or "override/crossed".
        settings: fields of the trial's dataclass.
        place: of its override in the file.
    """

    name: str
    settings: dict[str, Any]
    place: Place


def arms_of(source: Located, place: Place, data: dict[str, Any], cls: type, fixed: set[str]) -> tuple[Arm, ...]:
    """All arms of a part.

    Args:
        source: the file.
        place: of the part.
        data: of the part.
        cls: dataclass of its trials.
        fixed: fields that the part sets otherwise.

    Raises:
        InputError: unknown words and values that do not fit, with their line.
    """
    types = {f.name: field_types(cls)[f.name] for f in fields(cls) if f.name not in fixed}
    base = _settings(source, (*place, "base"), data.get("base") or {}, types)
    overrides = data.get("overrides") or {}
    source.check_keys((*place, "overrides"), overrides, "override", overrides)
    crossed = data.get("crossed") or {}
    source.check_keys((*place, "crossed"), crossed, "crossed override", crossed)
    first = [(str(k), (*place, "overrides", k), v or {}) for k, v in overrides.items()] or [("base", place, {})]
    second = [(str(k), (*place, "crossed", k), v or {}) for k, v in crossed.items()] or [("", place, {})]
    arms = []
    for name, where, override in first:
        one = merge(base, _settings(source, where, override, types))
        for more, at, again in second:
            both = merge(one, _settings(source, at, again, types))
            if "detector" not in both:
                raise source.error(where, f"{name!r} has no detector: name one there or in base")
            arms.append(Arm(f"{name}/{more}" if more else name, both, where))
    return tuple(arms)


def setting_place(source: Located, arm: Arm, *names: str) -> Place:
    """Where a setting of an arm stands: in what it is crossed with, in its override, or in the base."""
    top = arm.place[:-2] if "overrides" in arm.place else arm.place
    level = arm.name.partition("/")[2]
    for place in (
        (*top, "crossed", level, *names),
        (*arm.place, *names),
        (*top, "base", *names),
    ):
        if place in source.lines:
            return place
    return arm.place


def _settings(source: Located, place: Place, given: Any, types: dict[str, Any]) -> dict[str, Any]:
    source.check_keys(place, given, "setting of a trial", types)
    found = {}
    for name, value in given.items():
        good, found[name] = coerce(value, types[name])
        if not good:
            raise source.error((*place, name), f"{name} must be {describe_type(types[name])}, but is {value!r:.60}")
    return found


def merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Settings with an override's: options of the detector are merged one by one.

    Options belong to a detector: an override that names another detector starts without those of the base.
    """
    merged = {**base, **override}
    other = "detector" in override and override["detector"] != base.get("detector", override["detector"])
    options = {**({} if other else base.get("options", {})), **override.get("options", {})}
    if options or "options" in merged:
        merged["options"] = options
    return merged


def comparisons_of(
    source: Located, place: Place, data: dict[str, Any], arms: tuple[Arm, ...]
) -> tuple[tuple[str, str], ...]:
    """Pairs: each arm against the reference (within what it is crossed with), then those that are listed.

    Raises:
        InputError: an arm that is none, with its line.
    """
    names = [arm.name for arm in arms]
    pairs: list[tuple[str, str]] = []
    reference = data.get("reference")
    if reference is not None:
        levels = [str(name) for name in data.get("crossed") or {}]
        within = [f"{reference}/{level}" for level in levels]
        if reference in names:
            pairs += [(name, reference) for name in names if name != reference]
        elif levels and set(within) <= set(names):
            for level, against in zip(levels, within, strict=True):
                pairs += [(name, against) for name in names if name.endswith(f"/{level}") and name != against]
        else:
            raise source.unknown((*place, "reference"), reference, "arm", names)
    for k, pair in enumerate(data.get("compare") or []):
        where = (*place, "compare", k)
        if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
            raise source.error(where, f"compare takes pairs of two arms, such as [a, b], but got {pair!r:.60}")
        for j, name in enumerate(pair):
            if name not in names:
                raise source.unknown((*where, j), name, "arm", names)
        if (pair[0], pair[1]) not in pairs:
            pairs.append((pair[0], pair[1]))
    return tuple(pairs)
