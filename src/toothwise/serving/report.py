"""The report of a request as one HTML page: that of ``toothwise report``, made of what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from toothwise.diagnosis.monitor import Monitor
from toothwise.errors import InputError
from toothwise.healthmap.core import HealthMapBatch
from toothwise.messages import language
from toothwise.reporting.html_page import to_html
from toothwise.reporting.report import report_of as report_of_diagnosis
from toothwise.serving.service import Service

__all__ = ["report_of"]


def report_of(values: np.ndarray, records: Sequence[str], service: Service) -> str:
    """The page.

    Args:
        values: Maps ``[k, rows, columns]``, one or more.
        records: A name per map.
        service: Diagnoses them.

    Raises:
        InputError: The detector has no healthy reference, so no tooth can be named.
    """
    model, about = service.model, service.model.about
    if model.reference is None:
        raise InputError("no report can be made: the detector has no healthy reference (fit it again)")
    records = _different(records)
    table = pd.DataFrame({"name": records})
    batch = HealthMapBatch(values, about.rows, about.columns, table, about.quantity, about.unit, about.gear)
    with service.alone:
        monitor = Monitor(model, {"sequence": False})
        found = monitor.add(batch)
        evidence = monitor.evidence()
    # names that were sent are shown, and never looked up
    said = dict(evidence.about) | {"files": [{"file": name, "sha256": None} for name in records]}
    return to_html(report_of_diagnosis(found.as_json(), replace(evidence, about=said), language("en")))


def _different(names: Sequence[str]) -> list[str]:
    """Names of which none stands for two maps."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
