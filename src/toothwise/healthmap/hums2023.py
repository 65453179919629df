"""Reader of the HUMS2023 planet-gear run to failure (OH-58 main rotor gearbox, DSTG)."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from toothwise.errors import InputError
from toothwise.healthmap.runs import RunRecords

__all__ = ["read_hums2023"]

FILE = "recordings.npz"
TEETH = 35


def read_hums2023(folder: str | Path) -> RunRecords:
    """Read ``recordings.npz``: 808 records, days 17-27, one planet revolution of 35 x 117 samples each.

    Args:
        folder: the folder that holds ``recordings.npz``, or the file itself.

    Returns:
        RunRecords; ``number`` counts the test part (days 21-27) from 1, as the challenge does, and is 0 before it.

    Raises:
        InputError: the file is missing, unreadable, or not of this layout.
    """
    path = Path(folder)
    path = path / FILE if path.is_dir() else path
    try:
        with np.load(path, allow_pickle=False) as data:
            missing = {"vibration", "name", "part"} - set(data.files)
            if missing:
                raise InputError(f"{path}: lacks the array {', '.join(sorted(missing))}, found {', '.join(data.files)}")
            vibration, name, part = data["vibration"], data["name"], data["part"]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; set TOOTHWISE_DATA to the folder that holds hums2023/{FILE}") from None
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a readable npz file ({error})") from None
    days = []
    for entry in name:
        match = re.match(r"Day(\d+)_", str(entry))
        if match is None:
            raise InputError(f"{path}: record name {str(entry)!r} does not start with Day and a number")
        days.append(int(match[1]))
    test = part == "test"
    try:
        return RunRecords(
            vibration,
            TEETH,
            name,
            np.array(days),
            np.where(test, np.cumsum(test), 0),
            source="HUMS2023: OH-58 planet gear, run to failure, DSTG; one sensor",
            gear={"sun": 27, "planet": TEETH, "ring": 99, "planets": 4},
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
