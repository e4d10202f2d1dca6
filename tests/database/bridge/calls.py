"""Every call of the bridge, as its OpenAPI document tells them: a route that is added is attacked too."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from worker.bridge import app

DOCUMENT = app.openapi()
RUN = "RUN_20260115_181206"
OLDER_RUN = "RUN_20260110_155527"
STEP = "10_WRITER_INTRO"
PROBLEM = "application/problem+json"


def _schema(schema):
    """The schema itself, references resolved, of several alternatives the one that is not null."""
    while True:
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            (schema,) = (one for one in schema["anyOf"] if one.get("type") != "null")
        else:
            return schema


def _is_text(schema):
    return _schema(schema).get("type") == "string"


@dataclass(frozen=True)
class Call:
    """One operation, and a valid request of it: its documented example, for the run and the job that are there."""

    method: str
    path: str
    operation: dict[str, Any] = field(repr=False)

    def __str__(self):
        return self.operation["operationId"]

    @property
    def scope(self):
        return self.operation["security"][0]["APIKeyHeader"][0]

    @property
    def content(self):
        return self.operation.get("requestBody", {}).get("content", {}).get("application/json")

    @property
    def body(self):
        """The first documented example of the body, or None."""
        if self.content is None:
            return None
        return next(iter(self.content["examples"].values()))["value"]

    @property
    def body_schema(self):
        """The schema of the body, or None where any JSON value will do."""
        schema = _schema(self.content["schema"]) if self.content else {}
        return schema if "properties" in schema else None

    def texts(self):
        """Every place for text: (`path` | `query` | `body` | `item of LIST`, name)."""
        for parameter in self.operation.get("parameters", []):
            if _is_text(parameter["schema"]):
                yield parameter["in"], parameter["name"]
        for name, schema in (self.body_schema or {"properties": {}})["properties"].items():
            if _is_text(schema):
                yield "body", name
            elif _schema(schema).get("type") == "array":
                for inner, inner_schema in _schema(_schema(schema)["items"]).get("properties", {}).items():
                    if (
                        inner_schema and _is_text(inner_schema)
                        if "type" in inner_schema or "anyOf" in inner_schema
                        else False
                    ):
                        yield f"item of {name}", inner

    def optionals(self):
        """Every optional place: (`query` | `body`, name)."""
        for parameter in self.operation.get("parameters", []):
            if parameter["in"] == "query" and not parameter["required"]:
                yield "query", parameter["name"]
        schema = self.body_schema or {"properties": {}}
        for name in sorted(schema["properties"].keys() - set(schema.get("required", ()))):
            yield "body", name

    def send(self, bridge, *, place=None, name=None, value=None, **options):
        """Send the valid request, with `value` at a place; `options` go to the client as they are."""
        path = bridge.path_values
        body = json.loads(json.dumps(self.body))
        if place == "path":
            path[name] = value
        elif place == "query":
            encoded = quote(
                value if isinstance(value, str) else json.dumps(value), safe="", errors="surrogatepass"
            )
            options["params"] = f"{name}={encoded}"
        elif place == "body":
            body[name] = value
        elif place is not None:
            body[place.removeprefix("item of ")] = [{**body[place.removeprefix("item of ")][0], name: value}]
        url = self.path.format(**{key: quote(text, safe="", errors="surrogatepass") for key, text in path.items()})
        if self.content is not None and "content" not in options:
            options["content"] = json.dumps(body)
        return bridge.http.request(self.method, options.pop("url", url), **options)


CALLS = [
    Call(method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if "security" in operation
]
WITH_BODY = [call for call in CALLS if call.content is not None]
READ_INTO_FIELDS = [call for call in WITH_BODY if call.body_schema is not None]


def refusal(answer, status=None):
    """The problem, after looking that it is one: its shape, its type, a sentence, nothing left out."""
    assert answer.headers["content-type"] == PROBLEM, answer.text
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail", "ok", "retryable", "errors"}
    assert problem["status"] == answer.status_code < 500
    assert problem["ok"] is False
    assert problem["type"] == f"urn:columnline:error:{problem['code']}"
    assert len(problem["detail"]) > 20
    assert len(answer.content) < 20_000, "an answer is for reading"
    if status is not None:
        assert answer.status_code == status, problem
    return problem
