"""Read a request's body: JSON, whatever content type it says, within limits, or an error that shows the place.

Read in a dependency after the key was checked: a stranger's body is not looked at.
"""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from worker.bridge.problems import UnsupportedEncoding, legible, validation
from worker.errors import InvalidJson, PayloadTooLarge, Unavailable, Validation

BODY_LIMIT = 5_000_000
"""Bytes. Make.com's modules carry about as much."""

BODY_TIME = 60.0
"""Seconds in which a body must have arrived."""

HEARD_OUT, HEARD_OUT_TIME, HEARD_OUT_PAUSE = 20_000_000, 10.0, 1.0
"""Bytes and seconds for which a sender of too large a body is heard out before it is told so, unless it pauses."""

MAX_DEPTH = 100
_AROUND = 30
_TOO_DEEP = f"The JSON is nested more than {MAX_DEPTH} levels deep. Send what is so deep as text."

Model = TypeVar("Model", bound=BaseModel)
Reader = Callable[[Request], Coroutine[Any, Any, Model]]


class Doubled(dict[str, Any]):
    """A JSON object in which `key` came twice; the last value counts."""

    key: str


async def read_json(request: Request) -> Any:
    """The JSON value of a body that must be there.

    Raises:
        InvalidJson: it is empty, not JSON, not UTF-8, or nested too deep.
        PayloadTooLarge: it is over the limit; what comes after is not kept.
        UnsupportedEncoding: it is compressed.
        Unavailable: it did not arrive in time.
    """
    raw = await read_raw(request)
    if not raw.strip():
        raise InvalidJson("The body is empty. Send what the provider returned, as JSON.")
    return await run_in_threadpool(parse, raw)


async def read_raw(request: Request, limit: int | None = None, seconds: float | None = None) -> bytes:
    """The bytes of the body; read once, they are there for every reader.

    Args:
        limit: how many there may be, `BODY_LIMIT` unless told otherwise.
        seconds: within how many they must have arrived, `BODY_TIME` unless told otherwise.

    Raises:
        PayloadTooLarge, UnsupportedEncoding, Unavailable: as `read_json` has them.
    """
    limit, seconds = limit or BODY_LIMIT, seconds or BODY_TIME
    known: bytes | None = getattr(request.state, "raw", None)
    if known is not None:
        return known
    encodings = ", ".join(request.headers.getlist("content-encoding"))
    if encodings.strip().lower() not in {"", "identity"}:
        raise UnsupportedEncoding(f"The body has Content-Encoding {encodings[:_AROUND]!r}. Send it uncompressed.")
    announced = request.headers.get("content-length", "")
    chunks, raw = request.stream(), bytearray()
    is_too_large = announced.isdecimal() and len(announced) < _AROUND and int(announced) > limit
    try:
        with anyio.fail_after(seconds):
            while not is_too_large and (chunk := await anext(chunks, None)) is not None:
                raw += chunk
                is_too_large = len(raw) > limit
    except TimeoutError:
        raise Unavailable(f"The body did not arrive within {seconds:g} s. Send it again.") from None
    if is_too_large:
        if "expect" not in request.headers:  # who waits for leave to send has sent nothing
            await _hear_out(chunks)
        raise PayloadTooLarge(
            f"The body is over {limit:,} bytes. Send the outputs in several requests, each with a few."
        )
    request.state.raw = bytes(raw)
    return bytes(raw)


async def _hear_out(chunks: AsyncIterator[bytes]) -> None:
    """Let pass what is still sent, within bounds: to close on unread bytes resets the connection, answer lost."""
    left = HEARD_OUT
    with anyio.move_on_after(HEARD_OUT_TIME):
        while left > 0:
            chunk = None
            with anyio.move_on_after(HEARD_OUT_PAUSE):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            left -= len(chunk)


def parse(raw: bytes) -> Any:
    """The JSON value of these bytes. Lone surrogates pass, and are replaced before storing; NaN does not.

    Raises:
        InvalidJson: says where it goes wrong, and what to do.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJson(
            f"The body is not UTF-8: byte 0x{raw[error.start]:02X} at position {error.start}. Send UTF-8."
        ) from None
    try:
        value = json.loads(text, parse_constant=_constant, parse_float=_float, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        around = text[max(0, error.pos - _AROUND) : error.pos + _AROUND]
        raise InvalidJson(
            f"{error.msg} at line {error.lineno}, column {error.colno}, near {around!r}. In Make.com, build the "
            "body with the module Create JSON: mapped texts with quotes or line breaks then cannot break it.",
        ) from None
    except RecursionError:
        raise InvalidJson(_TOO_DEEP) from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise InvalidJson("The JSON holds a number of thousands of digits. Send it as text.") from None
    if _deeper_than(value, MAX_DEPTH):
        raise InvalidJson(_TOO_DEEP)
    return value


def _constant(name: str) -> Any:
    raise InvalidJson(f"The JSON holds {name}, which is no JSON value. Send null.")


def _float(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise InvalidJson(f"The JSON holds the number {text[:_AROUND]}, which is too large. Send it as text.")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled, seen = Doubled(found), set[str]()
    doubled.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return doubled


def _deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested deeper than `limit`; in a loop, so that no nesting exhausts it."""
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def doubled_keys(value: Any) -> Iterator[str]:
    """The keys that came twice in an object anywhere in the value: one for each such object."""
    if isinstance(value, Doubled):
        yield value.key
    for child in _children(value):
        yield from doubled_keys(child)


async def query_understood(request: Request) -> None:
    """Refuse a query with a name that the call does not know, or that comes twice: it would be ignored.

    What the caller wanted with it, such as a step of its own for an output, would then not be done.
    """
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        shown = legible(name)
        if name not in known:
            takes = ", ".join(f"`{one}`" for one in known) or "nothing"
            raise Validation(f"`{shown}` is in the query, where this call takes {takes}. See /docs.", field=shown)
        if name in seen:
            raise Validation(f"`{shown}` comes twice in the query. Send it once.", field=shown)
        seen.add(name)


def body_of(model: type[Model]) -> Reader[Model]:
    """A dependency that reads the body into `model`; no body, or null, counts as an empty object.

    A key that comes twice is refused in what we read ourselves: it could mean two things. What is stored as it
    came may hold one.
    """

    async def read(request: Request) -> Model:
        raw = await read_raw(request)
        return await run_in_threadpool(_fill, model, raw) if raw.strip() else _fill(model, raw)

    return read


def _fill(model: type[Model], raw: bytes) -> Model:
    """The body as a `model`. In a thread: a large one would keep the loop, and so every other caller, waiting."""
    value = parse(raw) if raw.strip() else None
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise Validation(f"The body is {legible(value)!r}, not a JSON object. Send {{…}}.")
    items = [item for items in value.values() if isinstance(items, list) for item in items]
    for read_by_us in (value, *items):
        if isinstance(read_by_us, Doubled):
            raise Validation(f"The key {legible(read_by_us.key)!r} comes twice in one object. Send it once.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise validation(error.errors()) from None


Json = Annotated[Any, Depends(read_json)]
"""The body as any JSON value."""
