"""Requests that schemathesis makes up from the service's own description get answers that the description has."""

from __future__ import annotations

import pytest

pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

SECONDS = 30  # the service's own limit for an answer
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def ask_everything(address: str, examples: int) -> dict[str, dict[int, int]]:
    """Make up requests for every operation, good and bad ones; status codes of the answers by operation."""
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    seen: dict[str, dict[int, int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        seen[operation.label] = {}
        takes = operation.method.upper() == "POST"
        modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if takes else [GenerationMode.POSITIVE]
        cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])

        @settings(
            max_examples=examples if takes else max(examples // 10, 2),
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases)
        def ask(case):
            counted = seen[case.operation.label]
            answer = case.call_and_validate(checks=CHECKS, timeout=SECONDS)
            counted[answer.status_code] = counted.get(answer.status_code, 0) + 1

        ask()
    return seen


def judge(seen: dict[str, dict[int, int]]) -> None:
    assert {"POST /v1/diagnose", "POST /v1/diagnose/batch", "POST /v1/report", "GET /v1/model"} <= seen.keys()
    assert all(seen.values())
    for operation in ("POST /v1/diagnose", "POST /v1/report"):
        assert 422 in seen[operation]  # of what is made up at least some reaches the decoder


@pytest.mark.full
def test_made_up_requests_get_documented_answers(serving, scan):
    with serving(scan.exported) as (process, address):
        judge(ask_everything(address, 30))
        assert process.poll() is None


@pytest.mark.full
def test_thousands_of_made_up_requests_get_documented_answers(serving, scan, record_property):
    with serving(scan.exported) as (process, address):
        seen = ask_everything(address, 1500)
        record_property("answers", str(seen))
        judge(seen)
        assert process.poll() is None
