"""The report of a request as one HTML page: that of ``toothwise report``, made of what was sent."""

from __future__ import annotations

from dataclasses import replace

from toothwise.messages import language
from toothwise.reporting.html_page import to_html
from toothwise.reporting.report import report_of
from toothwise.serving.service import Job, Service


def report_page(job: Job, service: Service, code: str = "en") -> str:
    """The page.

    Args:
        job: Maps, one or more, judged as the answer that the page goes with judges them.
        service: Diagnoses them.
        code: Of the language, "en" or "ko".

    Raises:
        InputError: The model has no healthy reference, so no tooth can be named.
    """
    monitor, found = service.monitor(job)
    with service.alone:
        evidence = monitor.evidence()
    # names that were sent are shown, and never looked up
    said = dict(evidence.about) | {"files": [{"file": one.record, "sha256": None} for one in found.each]}
    return to_html(report_of(found.as_json(), replace(evidence, about=said), language(code)))
