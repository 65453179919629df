"""Which signal of a file is vibration, which the tachometer, which the time: by the user's word or by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from toothwise.errors import InputError
from toothwise.vibration.readers.contents import Contents
from toothwise.vibration.readers.mapping import RecordMapping
from toothwise.vibration.readers.names import Name, Role, read_name

_MANY = 12
_NONE = "none"


@dataclass
class Choice:
    """Names in the file; ``channels`` by their names in the record. ``guessed`` says in sentences what was taken."""

    channels: dict[str, str]
    tacho: str | None
    time: str | None
    guessed: list[str]


def choose(contents: Contents, mapping: RecordMapping) -> Choice:
    """Find channels, tachometer and time.

    Raises:
        InputError: a name that is not there, no vibration, or candidates that cannot be told apart.
    """
    if not contents.signals:
        raise InputError(f"holds no signal{_reasons(contents)}")
    guessed: list[str] = []
    names = {name: read_name(name) for name, signal in contents.signals.items() if signal.size > 1}
    channels, tacho = _wanted(contents, mapping), _said(contents, mapping.tacho, "tacho")
    time = _said(contents, mapping.time, "time")

    def free() -> dict[str, Name]:  # what was said or found stays out of the search for the rest
        return {name: said for name, said in names.items() if name not in {*channels.values(), tacho, time}}

    if time is None and mapping.time != _NONE:
        time = _time(contents, free(), guessed)
    if tacho is None and mapping.tacho != _NONE:
        tacho = _tacho(free(), guessed)
    channels = channels or _vibration(contents, free(), guessed)
    return Choice(channels, tacho, time, guessed)


def find_signals(contents: Contents, name: str, option: str) -> list[str]:
    """The signals that a name stands for: one, or all columns of a two-dimensional array.

    The whole name counts first, then the same in other upper and lower case, then its last part alone.

    Raises:
        InputError: none or several.
    """
    if name in contents.signals:
        return [name]
    parents = [key for key, signal in contents.signals.items() if signal.parent == name]
    if parents:
        return parents
    low = name.lower()
    for alike in (
        [key for key in contents.signals if key.lower() == low],
        [key for key in contents.signals if read_name(key).last == read_name(name).last],
    ):
        if len(alike) == 1:
            return alike
        if alike:
            raise InputError(f"{option}={name!r} may be {_list(alike)}: write the whole name")
    why = f" ({contents.left_out[name]})" if name in contents.left_out else ""
    raise InputError(f"{option}={name!r} is no signal of the file{why}: it has {_list(contents.signals)}")


def _wanted(contents: Contents, mapping: RecordMapping) -> dict[str, str]:
    channels: dict[str, str] = {}
    for name, wanted in mapping.wanted().items():
        found = find_signals(contents, wanted, "channels")
        for k, signal in enumerate(found):
            channels[name if len(found) == 1 else f"{name}_{k + 1}"] = signal
    return channels


def _said(contents: Contents, name: str | None, option: str) -> str | None:
    if name is None or name == _NONE:
        return None
    found = find_signals(contents, name, option)
    if len(found) > 1:
        raise InputError(f"{option}={name!r} has several columns, {_list(found)}: name one")
    return found[0]


def _best(names: dict[str, Name], role: Role) -> list[str]:
    """Names of a role, only those that say it best."""
    rank = min((said.rank for said in names.values() if said.role == role), default=None)
    return [name for name, said in names.items() if said.role == role and said.rank == rank]


def _time(contents: Contents, names: dict[str, Name], guessed: list[str]) -> str | None:
    found = _best(names, "time") or _best(names, "start")
    if len(found) == 1 and len(contents.signals) > 1:
        return found[0]
    if len(found) > 1:
        exact = [name for name in found if names[name].last in ("t", "time")]
        if len(exact) != 1:
            raise InputError(f"{_list(found)} may all be the time: name one with time=, or none with time='none'")
        return exact[0]
    if contents.time is not None and contents.time in names:
        guessed.append(f"{contents.time} is taken as time: it has no name, but is evenly spaced")
        return contents.time
    return None


def _tacho(names: dict[str, Name], guessed: list[str]) -> str | None:
    found = _best(names, "tacho")
    if len(found) > 1:
        raise InputError(f"{_list(found)} may all be the tachometer: name one with tacho=, or none with tacho='none'")
    if not found:
        speeds = [
            name for name, said in names.items() if re.search(r"(speed|rpm)(_(hz|rpm|rps))?$|^drehzahl", said.last)
        ]
        if len(speeds) == 1:
            guessed.append(f"{speeds[0]} is taken instead of a tachometer")
            return speeds[0]
        return None
    others = [name for name, said in names.items() if said.role == "tacho" and name not in found]
    if others:
        guessed.append(f"{found[0]} is taken as the tachometer, {_list(others)} left aside")
    elif names[found[0]].rank == 2:
        guessed.append(f"{found[0]} is taken as the tachometer")
    return found[0]


def _vibration(contents: Contents, names: dict[str, Name], guessed: list[str]) -> dict[str, str]:
    found = [name for name in names if contents.signals[name].is_vibration] or _best(names, "vibration")
    # the columns of one array are told apart by their number alone
    parents = {name: read_name(signal.parent) for name in names if (signal := contents.signals[name]).parent}
    for rank in (0, 1):
        of_rank = [name for name, said in parents.items() if (said.role, said.rank) == ("vibration", rank)]
        if of_rank and (not found or names[found[0]].rank >= rank):
            found = list(dict.fromkeys([*(name for name in found if names[name].rank == rank), *of_rank]))
    sure = bool(found) and (names[found[0]].rank < 2 or found[0] in parents or contents.signals[found[0]].is_vibration)
    if not found:
        found = [name for name, said in names.items() if said.role == "unknown"] or list(names)
        one_array = len({contents.signals[name].parent for name in found}) == 1 and found and found[0] in parents
        if not found:
            raise InputError(f"holds no vibration beside {_list(contents.signals)}: name it with channels=")
        if len(found) > 1 and not one_array:
            raise InputError(f"{_list(found)} may all be vibration: name the channels with channels=")
    sizes = {name: contents.signals[name].size for name in found}
    apart = len({contents.signals[name].start for name in found}) > 1  # they are cut to what they have in common
    if len(set(sizes.values())) > 1 and not apart:
        said = ", ".join(f"{name} ({size} samples)" for name, size in list(sizes.items())[:_MANY])
        raise InputError(f"{said} may all be vibration, but differ in length: name the channels with channels=")
    if not sure:
        guessed.append(f"{_list(found)} {'are' if len(found) > 1 else 'is'} taken as vibration")
    return {name: name for name in found}


def _list(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more


def _reasons(contents: Contents) -> str:
    said = [f"{name} is {why}" for name, why in list(contents.left_out.items())[:4]]
    return ": " + "; ".join(said) if said else ""
