"""The loop of a watch: take a record, write its diagnosis, acknowledge it to the source, until asked to stop."""

from __future__ import annotations

import threading
import time
from itertools import chain, repeat

from toothwise.fleet.decoding import IncomingRecord
from toothwise.fleet.machine_monitor import MachineMonitor
from toothwise.fleet.sources import Folder, Mqtt
from toothwise.progress import Progress, silent

_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between tries while the database is away


def follow(
    monitors: MachineMonitor,
    source: Folder | Mqtt,
    stop: threading.Event,
    *,
    idle: float | None = None,
    progress: Progress = silent,
) -> None:
    """Diagnose records until ``stop`` is set; the one in hand is finished.

    Args:
        idle: End where nothing has come for so many seconds; None = never.
        progress: Called with the counts after each record.
    """
    last = time.monotonic()
    for found in source.records(stop):
        if found is None:
            if idle is not None and time.monotonic() - last >= idle:
                return
            continue
        arrived, written = found
        if not _take(monitors, arrived, stop, progress):
            return
        written()
        last = time.monotonic()
        progress(f"{monitors.count['new']} records diagnosed, {monitors.count['bad']} could not be used")


def _take(monitors: MachineMonitor, arrived: IncomingRecord, stop: threading.Event, progress: Progress) -> bool:
    """Take a record; while the database is away try again and again. False where it was not written."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
        try:
            monitors.take(arrived)
            return True
        except (OperationalError, InterfaceError) as error:
            progress(f"the database cannot be reached: {' '.join(str(error.orig).split())[:200]}")
        if stop.wait(pause):
            break
    return False
