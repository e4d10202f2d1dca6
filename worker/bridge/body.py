"""Read a request's body: JSON, whatever content type it says, within limits, or an error that shows the place.

Read in a dependency after the key was checked: a stranger's body is not looked at.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from worker.bridge.problems import validation
from worker.errors import InvalidJson

MAX_DEPTH = 100
_AROUND = 30

Model = TypeVar("Model", bound=BaseModel)
Reader = Callable[[Request], Coroutine[Any, Any, Model]]


async def read_json(request: Request) -> Any:
    """The body's JSON value; None where there is no body.

    Raises:
        InvalidJson: it is not JSON, not UTF-8, or nested too deep.
    """
    raw = await request.body()
    return parse(raw) if raw.strip() else None


def parse(raw: bytes) -> Any:
    """JSON with what only Python's own parser takes: lone surrogates, which are replaced before storing."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = _parse_with_care(raw)
    if _deeper_than(value, MAX_DEPTH):
        raise InvalidJson(f"The JSON is nested more than {MAX_DEPTH} levels deep. Send the output as a string.")
    return value


def _parse_with_care(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJson(
            f"The body is not UTF-8: byte 0x{raw[error.start]:02X} at position {error.start}. Send UTF-8."
        ) from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        around = text[max(0, error.pos - _AROUND) : error.pos + _AROUND]
        raise InvalidJson(
            f"{error.msg} at line {error.lineno}, column {error.colno}, near {around!r}. In Make.com, build the "
            "body with the module Create JSON: mapped texts with quotes or line breaks then cannot break it.",
        ) from None
    except RecursionError:
        raise InvalidJson(f"The JSON is nested more than {MAX_DEPTH} levels deep.") from None
    except ValueError as error:
        raise InvalidJson(f"The JSON holds {error}.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no JSON value: send null")


def _deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested deeper than `limit`; in a loop, so that no nesting exhausts it."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def body_of(model: type[Model]) -> Reader[Model]:
    """A dependency that reads the body into `model`; no body counts as an empty object."""

    async def read(request: Request) -> Model:
        value = await read_json(request)
        try:
            return model.model_validate({} if value is None else value)
        except ValidationError as error:
            raise validation(error.errors()) from None

    return read


def documented_body(model: type[BaseModel], *, required: bool = False) -> dict[str, Any]:
    """The `openapi_extra` of a route whose body `body_of(model)` reads."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


Json = Annotated[Any, Depends(read_json)]
"""The body as any JSON value."""
