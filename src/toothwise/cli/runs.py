"""Where 'toothwise build' and 'toothwise demo' take a run to failure from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from toothwise.errors import InputError

if TYPE_CHECKING:
    from toothwise.healthmap.runs import RunRecords
    from toothwise.healthmap.tooth_by_record import RunMaps

__all__ = ["find_run", "write_run_maps"]


def find_run(data: str | Path | None, *, seed: int) -> RunRecords:
    """The HUMS2023 run in or below ``data``, or a simulated run.

    Args:
        data: A folder or file, or "simulated". None takes the folder that TOOTHWISE_DATA names where it holds the
            recordings, else a simulated run.
        seed: Seed of a simulated run.

    Raises:
        InputError: ``data`` is given and holds no such run.
    """
    from toothwise.healthmap.hums2023 import FILE, read_hums2023
    from toothwise.simulate.runs import simulate_run

    if data is None:
        root = Path(os.environ.get("TOOTHWISE_DATA") or "-")
        if not (root / "hums2023" / FILE).is_file():
            return simulate_run(seed=seed)
        data = root
    if str(data) == "simulated":
        return simulate_run(seed=seed)
    path = Path(data)
    if not path.exists():
        raise InputError(f"{path}: no such folder or file")
    return read_hums2023(path / "hums2023" if (path / "hums2023").is_dir() else path)


def write_run_maps(maps: RunMaps, folder: Path) -> list[Path]:
    """Write the maps of a run as rms.npz, deviation.npz, windows.npz and healthy_windows.npz."""
    from toothwise.healthmap.io import write_map

    names = ("rms", "deviation", "windows", "healthy_windows")
    return [write_map(getattr(maps, name), folder / f"{name}.npz") for name in names]
