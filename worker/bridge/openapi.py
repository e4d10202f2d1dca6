"""The OpenAPI document, for people who build scenarios from it: FastAPI's own, and what it cannot see.

It cannot see the bodies that our dependency reads, nor the problems every route may answer with.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from worker.bridge.body import BODY_LIMIT
from worker.bridge.gate import MOST_AT_ONCE
from worker.bridge.problems import MEDIA_TYPE, Problem

DESCRIPTION = f"""
Turns finished pipeline runs into published dossiers: each exactly once, or an error that says what to do.

**From Make.com:** module *HTTP > Make a request*, the key in a keychain (*API key*, header `X-API-Key`), the body
as JSON made by *Create JSON*. Register the run, send its outputs, then publish with `wait=25`.

- Every answer has `ok`. A job's answer has the same keys whatever the outcome, so run the module once, then map.
- The same request again is answered, not done twice: 200 or 202 with `duplicate: true`. Retry whatever you like;
  only with `republish: true` the work is done again each time, into the same dossier.
- `""` and `"null"` mean absent where a field is optional; numbers may come as text.
- A refusal is a problem with a `code`. Make.com retries 429 and 503 by itself; the others need you.
- A body is JSON of at most {BODY_LIMIT // 1_000_000} MB, whatever its content type says.
"""

TAGS = [
    {"name": "runs", "description": "Tell of a run and what its writers returned."},
    {"name": "publish", "description": "Turn a finished run into a dossier, or look at what would come out."},
    {"name": "jobs", "description": "What became of it; try again, or call it off."},
    {"name": "dossiers", "description": "Find dossiers; release, reschedule, hold or archive them."},
    {"name": "exports", "description": "Dossiers, contacts and signals as files for spreadsheets."},
    {"name": "reruns", "description": "Start the pipeline again for a dossier; what it publishes replaces it."},
    {"name": "overview", "description": "The release calendar, batches, V1 beside V2, and metrics."},
    {"name": "clients", "description": "Who leads to whom, and keeping their config fields equal."},
    {"name": "health", "description": "For load balancers and monitoring. No key is needed."},
]

JOB = {
    "ok": True,
    "done": True,
    "retryable": False,
    "duplicate": False,
    "job_id": "0b7c4d5e-3f21-4a9c-8e55-1f0a2b3c4d5e",
    "run_id": "RUN_20260115_181206",
    "status": "done",
    "step": "complete",
    "attempt": 1,
    "max_attempts": 8,
    "run_at": "2026-01-15T18:14:02Z",
    "held_reason": None,
    "error": None,
    "warnings": [],
    "dossier_id": "5d9f1c1a-7c55-5f0e-9d0b-6a3e2c4b8f10",
    "batch_id": "c2a7e9d4-6b1f-4c3d-a5e8-9f0b1c2d3e4f",
    "batch_number": "V2_20260115",
    "contacts_created": 3,
    "pipeline_version": "v2",
    "release_date": "2026-01-20",
    "released_at": None,
    "supersedes_dossier_id": None,
    "list_ids": [],
    "created_at": "2026-01-15T18:14:02Z",
    "settled_at": "2026-01-15T18:14:03Z",
    "status_url": "https://bridge.example/columnline/jobs/0b7c4d5e-3f21-4a9c-8e55-1f0a2b3c4d5e",
}
"""An answer to map fields from: the document must show the keys that are null too, and FastAPI drops those."""

_PROBLEMS = {
    400: "The body is not JSON",
    401: "No valid key",
    403: "The key's scope is too narrow",
    404: "No such run, client, job, dossier, batch, list, file or path",
    405: "The path does not know this method",
    413: f"The body is over {BODY_LIMIT:,} bytes",
    415: "The body is compressed",
    422: "A field is wrong, or the request conflicts with an earlier one",
    429: f"Too many requests at once, {MOST_AT_ONCE} or a few exports, or too many in a minute; send it later",
    500: "A bug in the bridge",
    503: "The database is away or busy; send it again later",
}
_OF_BODIES = (400, 413, 415)
_LATER = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "string", "pattern": r"^\d+$"}}}
_WITH_LATER = (429, 503)


def documented() -> dict[int | str, dict[str, Any]]:
    """The `responses` of a router: the problems that any of its routes may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": text, "content": content} | ({"headers": _LATER} if status in _WITH_LATER else {})
        for status, text in _PROBLEMS.items()
    }


def documented_body(
    model: type[BaseModel], *, required: bool = False, examples: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The `openapi_extra` of a route whose body `body_of(model)` reads; `examples` by what they show."""
    content = {
        "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
        "examples": {name: {"value": value} for name, value in (examples or {}).items()},
    }
    return {"requestBody": {"required": required, "content": {"application/json": content}}}


def operation_id(route: APIRoute) -> str:
    """The name of the route's function: short, and the same whatever the path becomes."""
    return route.name


def describe(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """Have `app.openapi()` hold the schemas of these bodies, and of the problems."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
            )
            wanted: list[type[BaseModel]] = [*bodies, Problem]
            _, schemas = models_json_schema(
                [(model, "validation") for model in wanted], ref_template="#/components/schemas/{model}"
            )
            document["components"]["schemas"] |= schemas["$defs"]
            document["components"]["schemas"]["JobAnswer"]["examples"] = [JOB]
            for path in document["paths"].values():
                for operation in path.values():
                    if "requestBody" not in operation:
                        for status in _OF_BODIES:
                            operation["responses"].pop(str(status), None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way
