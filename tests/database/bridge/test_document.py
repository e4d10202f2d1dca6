"""The OpenAPI document is what a builder of scenarios works from: whole, true, and with examples that work."""

import json
import re

import pytest

from tests.database.bridge.calls import CALLS, DOCUMENT, PROBLEM, WITH_BODY
from tests.database.bridge.conftest import put_dossier
from worker.answers import JobAnswer

OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
SCHEMAS = DOCUMENT["components"]["schemas"]
every_operation = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
ALWAYS = {"401", "403", "404", "405", "422", "429", "500", "503"}
OF_BODIES = {"400", "413", "415"}


@every_operation
def test_an_operation_says_what_it_does_under_a_short_name(path, method, operation):
    assert re.fullmatch("[a-z_]{3,20}", operation["operationId"])
    assert 3 < len(operation["summary"]) < 40
    assert len(operation["description"]) > 20
    assert operation["tags"]
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}


def test_operations_have_names_of_their_own():
    for name in ("operationId", "summary"):
        found = [operation[name] for _, _, operation in (parameters.values for parameters in OPERATIONS)]
        assert len(set(found)) == len(found)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_call_documents_its_problems_and_nothing_else_but_success(call):
    responses = call.operation["responses"]
    problems = ALWAYS | (OF_BODIES if call.content else set())
    assert {status for status in responses if status >= "400"} == problems
    assert {status for status in responses if status < "400"} <= {"200", "201", "202"}
    for status in problems:
        assert responses[status]["content"] == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert all(len(response["description"]) > 3 for response in responses.values())


def test_every_call_but_health_needs_a_key_in_either_header():
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert schemes["APIKeyHeader"] | {"description": ""} == {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "",
    }
    assert (schemes["HTTPBearer"]["type"], schemes["HTTPBearer"]["scheme"]) == ("http", "bearer")
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            if path.startswith("/columnline/") or path == "/metrics":
                assert [set(one) for one in operation["security"]] == [{"APIKeyHeader"}, {"HTTPBearer"}]
            else:
                assert "security" not in operation


@every_operation
def test_every_parameter_is_described(path, method, operation):
    for parameter in operation.get("parameters", []):
        assert len(parameter.get("description", "")) > 10, parameter["name"]


@pytest.mark.parametrize("call", [call for call in WITH_BODY if call.body_schema], ids=str)
def test_every_field_of_a_body_is_described(call):
    for name, field in call.body_schema["properties"].items():
        assert len(field.get("description", "")) > 10, name


@pytest.mark.parametrize("call", WITH_BODY, ids=str)
def test_every_example_of_a_body_works(bridge, call):
    examples = [example["value"] for example in call.content["examples"].values()]
    assert examples
    for number, example in enumerate(examples):
        run_id = f"{call}-{number}"
        bridge.http.put(f"/columnline/runs/{run_id}", json={"client_id": "CLT_NORTHWIND_001"})
        put_dossier()
        url = call.path.format(**bridge.path_values | {"run_id": run_id})
        answer = bridge.http.request(call.method, url, content=json.dumps(example))
        assert answer.is_success, answer.text


def test_the_example_of_a_job_answer_has_every_key_those_that_are_null_too():
    (example,) = SCHEMAS["JobAnswer"]["examples"]
    assert JobAnswer.model_validate(example).model_dump(mode="json") == example
    assert example["error"] is None


def references(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_schema_that_is_named_is_there_and_every_one_there_is_named():
    assert {name.rpartition("/")[2] for name in references(DOCUMENT)} == set(SCHEMAS)


def test_no_code_of_the_inside_is_told():
    text = json.dumps(DOCUMENT)
    assert not re.search("HTTPValidationError|ValidationError|worker\\.|sqlalchemy|/work/", text)


def test_the_document_and_the_page_that_shows_it_are_served(bridge):
    assert bridge.http.get("/openapi.json").json() == DOCUMENT
    page = bridge.http.get("/docs")
    assert (page.status_code, "/openapi.json" in page.text) == (200, True)
    assert "sandbox allow-scripts" in page.headers["content-security-policy"]
    assert bridge.http.get("/redoc").status_code == 404
