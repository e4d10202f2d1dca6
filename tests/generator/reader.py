"""A reader of outputs as tolerant as the data asks for, and no relative of the product's.

It knows the envelopes and forms by heart and repairs nothing in the values: what it reads from a
damaged run must be what the same run without the damage says.
"""

import json
from typing import Any, Final

import json_repair

from tests.generator.shapes import SECTION_OF

AROUND: Final = {"result", "text", "output", "data", "response", "v1_buckets", *SECTION_OF.values()}
"""Keys that hold a whole content, or an envelope with one, when they stand alone."""

STRAIGHT: Final = str.maketrans("\u201c\u201d", '""')
"""Curly quotes are straightened first: a repairer reads them, but not next to a bare NaN."""


def contents(run: dict[str, Any], *steps: str) -> list[Any]:
    """What the steps of these names say, or all of them, in order; None for one that is not completed."""
    return [content_of(each["output"]) for each in run["steps"] if not steps or each["step_name"] in steps]


def content_of(output: Any) -> Any:
    """The content of an output, out of all its envelopes, strings and wrappers; prose is a string."""
    match output:
        case str():
            found = _parsed(output)
            return found if found == output else content_of(found)
        case {"object": "response", "output": [*_, {"content": parts}]}:
            return content_of("".join(part["text"] for part in parts))
        case (
            [{"object": "response"} as inner]
            | {"choices": [{"message": {"content": inner}}]}
            | {"role": "assistant", "content": [{"text": inner}]}
            | {"candidates": [{"content": {"parts": [{"text": inner}]}}]}
        ):
            return content_of(inner)
        case {**keys} if len(keys) == 1 and keys.keys() <= AROUND:
            return content_of(*keys.values())
        case _:
            return output


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        start = min((place for place in map(text.find, "{[") if place >= 0), default=None)
        return text if start is None else json_repair.loads(text[start:].translate(STRAIGHT))
