"""The report of a request as one HTML page: that of ``toothwise report``, made of what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from toothwise.messages import language
from toothwise.reporting.html_page import to_html
from toothwise.reporting.report import report_of
from toothwise.serving.service import Service


def report_page(
    values: np.ndarray,
    records: Sequence[str],
    service: Service,
    code: str = "en",
    *,
    in_order: bool = False,
    not_learned: Sequence[str | None] = (),
) -> str:
    """The page.

    Args:
        values: Maps, one or more, as of a ``Job``.
        records: A name per map.
        service: Diagnoses them.
        code: Of the language, "en" or "ko".
        in_order: Whether they are records in time order, as the answer that the page goes with took them.
        not_learned: Per map which of its conditions was not learned, as of a ``Job``.

    Raises:
        InputError: The model has no healthy reference, so no tooth can be named.
    """
    monitor, found = service.monitor(values, records, in_order=in_order, not_learned=not_learned)
    with service.alone:
        evidence = monitor.evidence()
    # names that were sent are shown, and never looked up
    said = dict(evidence.about) | {"files": [{"file": one.record, "sha256": None} for one in found.each]}
    return to_html(report_of(found.as_json(), replace(evidence, about=said), language(code)))
