"""The tiny version of a study: the same file with what its ``smoke`` section changes."""

from __future__ import annotations

from typing import Any

from toothwise_lab.studies.located import Located, Place


def with_smoke(source: Located) -> Located:
    """The file with its ``smoke`` section laid over it; lines of what was laid over are those of the section.

    A list of names under ``overrides``, ``crossed`` or ``parts`` keeps those alone, and null leaves one out; everything
    else replaces, and names and values are merged.

    Raises:
        InputError: there is no such section, or it keeps a name that is none.
    """
    section = source.data.get("smoke")
    if not isinstance(section, dict):
        raise source.error(("smoke",), "this study has no smoke section")
    rest = {name: value for name, value in source.data.items() if name != "smoke"}
    source.check_keys(("smoke",), section, "key of this study", [*rest, "seeds", "metrics", "resources", "base"])
    lines = dict(source.lines)
    data = _laid_over(source, rest, section, ("smoke",), lines)
    return Located(source.file, data, lines)


def _laid_over(source: Located, under: Any, over: Any, place: Place, lines: dict[Place, int]) -> Any:
    """``place`` is where ``over`` stands in the file, its first word the section's name."""
    if isinstance(under, dict) and isinstance(over, list) and place[-1] in ("overrides", "crossed", "parts"):
        for k, name in enumerate(over):
            if name not in under:
                raise source.unknown((*place, k), name, f"name in {place[-1]}", under)
        return {name: value for name, value in under.items() if name in over}
    if isinstance(under, dict) and isinstance(over, dict):
        merged = dict(under)
        for name, value in over.items():
            if value is None and place[-1] in ("overrides", "crossed", "parts"):
                if merged.pop(name, source) is source:
                    raise source.unknown((*place, name), name, f"name in {place[-1]}", under)
                continue
            merged[name] = _laid_over(source, under.get(name), value, (*place, name), lines)
        return merged
    own = place[1:]
    for at in [at for at in lines if at[: len(own)] == own]:
        del lines[at]
    lines |= {at[1:]: line for at, line in source.lines.items() if at[: len(place)] == place}
    return over
