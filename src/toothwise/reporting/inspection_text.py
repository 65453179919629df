"""What ``toothwise inspect`` found, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def inspection_text(data: Mapping[str, Any]) -> str:
    """What ``toothwise inspect`` prints of what it found, given as the JSON types that it writes."""
    return "".join(f"{line}\n" for line in _lines(data))


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"{data['record']}: {data['duration']:.4g} s at {data['sampling_rate']:g} Hz, {data['samples']} samples"
    yield f"channels    {', '.join(data['channels'])} (looked at {data['channel']}, unit {data['unit']})"
    if data["start_time"]:
        yield f"start       {data['start_time']}"
    if data["condition"]:
        yield "condition   " + ", ".join(f"{k} {v}" for k, v in data["condition"].items())
    if speed := data["speed"]:
        where = f" of {speed['shaft']}" if speed["shaft"] else ""
        mean, low, high = (60 * speed[name] for name in ("mean", "lowest", "highest"))
        yield f"speed       {mean:.5g} rpm{where}, {low:.5g} to {high:.5g}"
    if "pulses" in (tacho := data["tacho"]):
        found = f"{tacho['pulses']} pulses, {tacho['missing']} missing, {tacho['doubled']} doubled"
        yield f"tachometer  {found}, jitter {tacho['jitter']:.2%} of an interval"
    for stage, entry in data["mesh"].items():
        heard = f"{'heard' if entry['heard'] else 'NOT heard'}, harmonic {entry['harmonic']}"
        yield f"mesh        {stage}: order {entry['order']:g} {heard} is {entry['above']:.1f} x its surroundings"
    yield from (f"gears       {sentence}" for sentence in data["gears"])
    for stage, gears in data["tooth_zero"].items():
        yield from (f"tooth zero  {stage}: {gear} gear {_zero(zero)}" for gear, zero in gears.items())
    yield from (f"guessed     {sentence}" for sentence in data["guessed"])
    yield from [f"problem     {sentence}" for sentence in data["problems"]] or ["problems    none found"]
    if data["picture"]:
        yield f"picture     {data['picture']}"


def _zero(zero: dict[str, Any]) -> str:
    if zero["known"] == "index":
        return "known by the index pulse of its shaft"
    if zero["known"] == "given":
        return "as you said (tacho_zero=given)"
    if zero["positions"] is None:
        return "unknown, at any angle"
    return f"unknown, one of {zero['positions']} positions ({zero['step']:g} teeth apart)"
