"""The report of a request as one HTML page: that of ``toothwise report``, made of what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from toothwise.diagnosis.evidence import RunEvidence
from toothwise.diagnosis.run_folder import about_run, explain
from toothwise.diagnosis.single import diagnose_maps
from toothwise.errors import InputError
from toothwise.messages import language
from toothwise.reference.healthy_reference import best_evidence
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
    reference = model.reference
    if reference is None:
        raise InputError("no report can be made: the detector has no healthy reference (fit it again)")
    records = _different(records)
    rows, columns = about.rows, about.columns
    with service.alone:
        each = diagnose_maps(values, model.detector, reference, rows=rows, columns=columns, records=records)
        explained = explain(None, values, each, model.detector, reference, progress=lambda text: None)
    said = about_run(
        (),  # names that were sent are shown, and never looked up
        model.detector,
        reference,
        maps=len(values),
        rows=rows,
        columns=columns,
        by_record=reference.by_record,
        quantity=about.quantity,
        unit=about.unit,
        gear=about.gear,
    )
    said["files"] = [{"file": name, "sha256": None} for name in records]
    evidence = RunEvidence(said, explained, healthy_best=best_evidence(reference))
    data = {"each": [one.as_json() for one in each]}
    return to_html(report_of_diagnosis(data, evidence, language("en")))


def _different(names: Sequence[str]) -> list[str]:
    """Names of which none stands for two maps."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
