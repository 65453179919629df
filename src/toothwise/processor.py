"""The processor that is here, and which of several ways it computes fastest: measured once, and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from toothwise.errors import OutputError
from toothwise.files import write_json
from toothwise.reading import read_json

# what products of matrices depend on, the strongest first
_FLAGS = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "bf16", "i8mm", "neon")
_FORMAT = 1  # of the file; others are not read
_MOST = 500  # choices that are remembered
_ROUNDS = 15  # the most times that each way is run
_NEAR, _LONGER = 1.1, 3.0  # ways within a tenth of each other are run so many times longer: more rounds tell them apart
_here: dict[str, dict[str, Any]] = {}  # of this process, where no file can be written


@cache
def _about() -> dict[str, str]:
    """What the system says of its first processor; {} where it says nothing."""
    with suppress(OSError):
        first, _, _ = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")
        return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    return {}


def flags() -> tuple[str, ...]:
    """Which instructions for products of matrices the processor has, the strongest first.

    Examples:
        >>> isinstance(flags(), tuple)
        True
    """
    found = (_about().get("flags") or _about().get("Features", "")).split()
    return tuple(flag for flag in _FLAGS if flag in found)


def mark(*facts: Any, packages: tuple[str, ...] = ()) -> str:
    """What a choice is remembered by: this processor, the packages' versions, and whatever else it depends on.

    Args:
        facts: Plain values (a model's fingerprint, a number of threads).
        packages: Names of what computes.
    """
    told: dict[str, str | None] = dict.fromkeys(packages)
    for name in packages:
        with suppress(PackageNotFoundError):
            told[name] = version(name)
    text = json.dumps([model_name(), flags(), os.cpu_count(), told, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def model_name() -> str:
    """What the processor calls itself.

    Examples:
        >>> isinstance(model_name(), str)
        True
    """
    return _about().get("model name") or platform.processor() or platform.machine()


def choices_file() -> Path:
    """Where choices are remembered: ``toothwise/choices.json`` in the user's folder for caches."""
    root = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    return (Path(root) if root else Path.home() / ".cache") / "toothwise" / "choices.json"


def recall(key: str) -> tuple[str, dict[str, float]] | None:
    """What ``fastest`` found under a key before: the way's name and the milliseconds of each; None = nothing."""
    known = _remembered().get(key)
    return None if known is None else (known["choice"], known["ms"])


def fastest(
    ways: Mapping[str, Callable[[], Any]], key: str, *, seconds: float = 0.3, one_thread: bool = False
) -> tuple[str, dict[str, float]]:
    """The way that takes the least time here, measured in turns and remembered for ``recall``.

    Args:
        ways: What is run, by name, the preferred one first; each runs once before it counts.
        key: What ``mark`` gave for all that the choice depends on.
        seconds: About how long each way is run for; where two are near each other, up to three times as long.
        one_thread: The ways use one thread, so that the time of the processor can be compared, which others who use the
            machine meanwhile change less than the time by the clock.

    Returns:
        Its name, and the milliseconds of each way (the least of its rounds). A way takes the preferred one's place
        only where it is 3 % faster, which is more than noise.
    """
    first, *others = ways
    clock = time.process_time if one_thread else time.perf_counter
    least = dict.fromkeys(ways, float("inf")) if others else {}
    if others:
        for run in ways.values():
            run()
        begin = time.perf_counter()
        for number in range(_ROUNDS):
            for name, run in ways.items():
                start = clock()
                run()
                least[name] = min(least[name], clock() - start)
            shortest, second, *_ = sorted(least.values())
            longer = _LONGER if second < _NEAR * shortest else 1.0
            if number >= 1 and time.perf_counter() - begin > longer * seconds * len(ways):
                break
    best = min(ways, key=lambda name: least.get(name, 0.0) * (1.0 if name == first else 1.03))
    ms = {name: round(1e3 * taken, 4) for name, taken in least.items()}
    _remember(key, {"choice": best, "ms": ms})
    return best, ms


def _remembered() -> dict[str, dict[str, Any]]:
    """Choices of the file, and of this process; a file that is damaged counts as none."""
    found: dict[str, dict[str, Any]] = {}
    with suppress(OSError, ValueError, TypeError, AttributeError, LookupError, RuntimeError):
        data = read_json(choices_file())
        if data["format"] == _FORMAT:
            for key, value in data["choices"].items():
                choice, ms = value["choice"], value["ms"]
                numbers = all(isinstance(taken, int | float) for taken in ms.values())
                if numbers and isinstance(choice, str) and (choice in ms or not ms):
                    found[str(key)] = value
    return found | _here


def _remember(key: str, value: dict[str, Any]) -> None:
    """Keep a choice for this process, and in the file where it can be written."""
    _here[key] = value
    kept = dict(list(_remembered().items())[-_MOST:])
    with suppress(OutputError, OSError, RuntimeError):
        write_json(choices_file(), {"format": _FORMAT, "choices": kept})
