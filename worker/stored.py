"""What PostgreSQL holds and Python cannot, read as the nearest thing: one odd row must not break every list.

V1 checked nothing. Its rows may hold the moment `infinity`, a date BC or of the year 20000, a number of thousands
of digits, and JSON nested deeper than any parser goes.
"""

import json
import math
import re
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import orjson
from psycopg import Connection, DataError, adapters
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

DEEPEST = 128
"""Levels of nesting that are read of JSON which is too deep for the parsers; null stands for what lies deeper."""

_LONGEST_INT = 4300  # digits; Python reads no longer one
_PUNCTUATION = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]')


def dumps(value: Any) -> str:
    """JSON text for a JSONB column. Integers beyond 64 bits, which orjson refuses, are written whole."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """The value of a JSONB column, whatever it holds.

    Numbers that orjson refuses are read whole, or as text where Python has no such number. JSON nested too deep
    is cut at `DEEPEST` levels.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return _patiently(text)
    except RecursionError:
        return _patiently(_shallow(text if isinstance(text, str) else text.decode()))


def _patiently(text: str | bytes) -> Any:
    return json.loads(text, parse_int=_whole, parse_float=_fraction)


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INT else digits


def _fraction(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _shallow(text: str) -> str:
    """The JSON text with null for what lies below `DEEPEST`; in a loop, so that no nesting exhausts it."""
    kept, depth, begin = [], 0, 0
    for found in _PUNCTUATION.finditer(text):
        match found[0]:
            case "[" | "{":
                depth += 1
                if depth == DEEPEST + 1:
                    kept += [text[begin : found.start()], "null"]
            case "]" | "}":
                if depth == DEEPEST + 1:
                    begin = found.end()
                depth -= 1
    return "".join([*kept, text[begin:]])


class _Clamped(Loader):
    """Reads as the driver does; what is before or after all that Python knows is its first or last."""

    type_name: ClassVar[str]
    first: ClassVar[date]
    last: ClassVar[date]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        usual = adapters.get_loader(adapters.types[self.type_name].oid, Format.TEXT)
        assert usual is not None
        self._load = usual(oid, context).load

    def load(self, data: Buffer) -> Any:
        """The moment or day."""
        try:
            return self._load(data)
        except DataError:
            said = bytes(data)
            return self.first if said.startswith(b"-") or said.endswith(b"BC") else self.last


class _Moment(_Clamped):
    type_name = "timestamptz"
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class _Day(_Clamped):
    type_name = "date"
    first, last = date.min, date.max


def teach(connection: Connection[Any]) -> None:
    """Have this connection read every moment and day that PostgreSQL can hold."""
    for loader in (_Moment, _Day):
        connection.adapters.register_loader(loader.type_name, loader)
