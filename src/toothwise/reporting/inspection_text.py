"""What ``toothwise inspect`` found, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def inspection_text(data: Mapping[str, Any]) -> str:
    """What ``toothwise inspect`` prints of what it found, given as the JSON types that it writes."""
    lines = [
        f"{data['record']}: {data['duration']:.4g} s at {data['sampling_rate']:g} Hz, {data['samples']} samples",
        f"channels    {', '.join(data['channels'])} (looked at {data['channel']}, unit {data['unit']})",
    ]
    if data["start_time"]:
        lines.append(f"start       {data['start_time']}")
    if data["condition"]:
        lines.append("condition   " + ", ".join(f"{k} {v}" for k, v in data["condition"].items()))
    speed, tacho = data["speed"], data["tacho"]
    if speed:
        where = f" of {speed['shaft']}" if speed["shaft"] else ""
        lines.append(
            f"speed       {60 * speed['mean']:.5g} rpm{where}, {60 * speed['lowest']:.5g} to "
            f"{60 * speed['highest']:.5g}"
        )
    if "pulses" in tacho:
        lines.append(
            f"tachometer  {tacho['pulses']} pulses, {tacho['missing']} missing, {tacho['doubled']} doubled, jitter "
            f"{tacho['jitter']:.2%} of an interval"
        )
    for stage, entry in data["mesh"].items():
        heard = "heard" if entry["heard"] else "NOT heard"
        lines.append(
            f"mesh        {stage}: order {entry['order']:g} {heard}, harmonic "
            f"{entry['harmonic']} is {entry['above']:.1f} x its surroundings"
        )
    lines += [f"gears       {sentence}" for sentence in data["gears"]]
    for stage, gears in data["tooth_zero"].items():
        lines += [f"tooth zero  {stage}: {gear} gear {_zero(zero)}" for gear, zero in gears.items()]
    lines += [f"guessed     {sentence}" for sentence in data["guessed"]]
    lines += [f"problem     {sentence}" for sentence in data["problems"]] or ["problems    none found"]
    if data["picture"]:
        lines.append(f"picture     {data['picture']}")
    return "".join(f"{line}\n" for line in lines)


def _zero(zero: dict[str, Any]) -> str:
    if zero["known"] == "index":
        return "known by the index pulse of its shaft"
    if zero["known"] == "given":
        return "as you said (tacho_zero=given)"
    if zero["positions"] is None:
        return "unknown, at any angle"
    return f"unknown, one of {zero['positions']} positions ({zero['step']:g} teeth apart)"
