"""Reader of the HUMS2023 planet-gear run to failure (OH-58 main rotor gearbox, DSTG)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from toothwise.errors import InputError
from toothwise.healthmap.runs import RunRecords
from toothwise.reading import of_file, read_arrays

FILE = "recordings.npz"
TEETH = 35


def read_hums2023(folder: str | Path) -> RunRecords:
    """Read ``recordings.npz``: 808 records, days 17-27, one planet revolution of 35 x 117 samples each.

    Args:
        folder: the folder that holds ``recordings.npz``, or the file itself.

    Returns:
        RunRecords; ``number`` counts the test part (days 21-27) from 1, as the challenge does, and is 0 before it.
        The challenge's training part (days 17-20) is what is given as ``healthy``.

    Raises:
        InputError: the file is missing, unreadable, or not of this layout.
    """
    path = Path(folder)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such file; set TOOTHWISE_DATA to the folder that holds hums2023/{FILE}")
    data = read_arrays(path, "an npz file", needs=["vibration", "name", "part"])
    vibration, name, part = data["vibration"], data["name"], data["part"]
    if name.ndim != 1 or part.shape != name.shape:
        raise InputError(
            f"{path}: name and part must have one entry per record, but have the shapes {name.shape}, {part.shape}"
        )
    days = pd.Series(name.astype(str)).str.extract(r"^Day(\d{1,9})\d*_", expand=False)
    if days.isna().any():
        raise InputError(f"{path}: record name {name[days.isna()][0]!s:.60} does not start with Day and a number")
    test = part == "test"
    with of_file(path):
        return RunRecords(
            vibration,
            TEETH,
            name,
            days.to_numpy(int),
            np.where(test, np.cumsum(test), 0),
            source="HUMS2023: OH-58 planet gear, run to failure, DSTG; one sensor",
            gear={"sun": 27, "planet": TEETH, "ring": 99, "planets": 4},
            healthy=~test,
        )
