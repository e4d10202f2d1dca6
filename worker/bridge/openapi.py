"""The OpenAPI document: FastAPI's own, and the models of bodies that are read by our dependency."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from worker.bridge.jobs import RetryMany
from worker.bridge.problems import Problem
from worker.bridge.publish import PublishOptions, RunsToPublish, RunToPublish
from worker.bridge.runs import ManyOutputs, RunFields

BODIES = (PublishOptions, RunsToPublish, RunToPublish, RunFields, ManyOutputs, RetryMany, Problem)


def describe(app: FastAPI) -> None:
    """Have `app.openapi()` hold every schema that its routes refer to."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            _, schemas = models_json_schema(
                [(model, "validation") for model in BODIES], ref_template="#/components/schemas/{model}"
            )
            document["components"]["schemas"] |= schemas["$defs"]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way
