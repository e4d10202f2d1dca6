"""Requests made from the OpenAPI document, valid ones and broken ones: none is a 5xx, none is undocumented."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from models.jobs import Scope
from tests.database.bridge.calls import DOCUMENT, RUN
from worker.bridge import create_app

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
    allow_header_conformance,
]
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
CAN_BE_WRONG = [
    (path, method)
    for path, method in OPERATIONS
    if {"parameters", "requestBody"} & DOCUMENT["paths"][path][method].keys()
]


@pytest.fixture(scope="module")
def document(bridge):
    """The document, and an application behind it where nobody waits: no worker is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.bridge.MAX_WAITERS", 0)
        patch.setattr("worker.bridge.health.broker_answers", lambda: True)
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app())
        asgi.shutdown_lifespans()


@pytest.mark.parametrize(
    ("mode", "path", "method"),
    [(GenerationMode.POSITIVE, *operation) for operation in OPERATIONS]
    + [(GenerationMode.NEGATIVE, *operation) for operation in CAN_BE_WRONG],
    ids=str,
)
def test_whatever_the_document_allows_or_forbids_is_answered_as_it_says(document, bridge, path, method, mode):
    operation = document[path][method]
    there = {"run_id": RUN, "job_id": str(bridge.job_id)}

    @settings(max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=HealthCheck)
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def answered(case, known):
        if known:
            case.path_parameters |= {name: value for name, value in there.items() if name in case.path_parameters}
        case.call_and_validate(checks=CHECKS, headers={"X-API-Key": bridge.keys[Scope.OPS]})

    answered()
