"""Damage to the form of a content: JSON as careless models write it, and strings within strings."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.generator.damage import FORMS, QUOTES, SYNTAX, Damage
from tests.generator.jsontext import dumped
from tests.generator.plan import NOTE
from tests.generator.request import Request
from tests.generator.trees import snake, with_leaves
from tests.generator.turns import turns

PREFACE: Final = "Here is the section you asked for:\n\n"
COMMENTS: Final = ("filled from the claims", "see https://claims.example/7, the team's own list")
NAN_KEYS: Final = frozenset({"lat", "lng", "win_probability", "tenure_months"})
AS_TEXT: Final = (*SYNTAX, Damage.OPENAI_SPLIT_TEXT)
"""Damage that an object cannot have."""


class Forms:
    """The forms of one run's contents; called with each content in turn."""

    def __init__(self, request: Request) -> None:
        self._rng = request.rng("syntax")
        self._syntax = [knob for knob in SYNTAX if knob in request.damage and knob not in QUOTES]
        self._quotes = turns(request.rng("quotes"), [knob for knob in QUOTES if knob in request.damage])
        forms = [knob for knob in FORMS if knob in request.damage]
        if forms == [Damage.OBJECT] and request.damage.intersection(AS_TEXT):
            forms = [Damage.OBJECT, Damage.JSON_STRING]
        self._forms = turns(request.rng("forms"), forms or [Damage.JSON_STRING])
        self._count = 0

    def __call__(self, content: Any) -> Any:
        """The content as text or, where that was asked for, as the object it is. Prose stays prose."""
        form = next(self._forms)
        if form is Damage.OBJECT or isinstance(content, str):
            return content
        text = _written(content, self._knobs())
        return json.dumps(text, ensure_ascii=False) if form is Damage.STRING_IN_STRING else text

    def _knobs(self) -> frozenset[Damage]:
        """The syntax knobs for the next text: the only one, or a mixture that leaves none out for long."""
        self._count += 1
        due = self._count % len(self._syntax) if self._syntax else 0
        alone = len(self._syntax) == 1
        mixture = {
            knob
            for place, knob in enumerate(self._syntax)
            if alone or place == due or knob is Damage.NAN or self._rng.random() < 0.5
        }
        quotes = next(self._quotes, None)
        return frozenset(mixture | {quotes} if quotes else mixture)


def _written(content: Any, knobs: frozenset[Damage]) -> str:
    if Damage.NAN in knobs:
        content = with_leaves(content, lambda key, value: float("nan") if snake(key) in NAN_KEYS else value)
    text = _sloppy(content, knobs) if knobs - {Damage.CUT_OFF, Damage.PROSE, Damage.NAN} else dumped(content)
    if Damage.FENCE in knobs:
        text = f"```json\n{text}\n```\n"
    if Damage.PROSE in knobs:
        text = PREFACE + text
    if Damage.CUT_OFF in knobs and NOTE in text:
        text = text[: text.rindex(NOTE) + len(NOTE) // 2]
    return text


def _sloppy(value: Any, knobs: frozenset[Damage]) -> str:
    comments = iter(COMMENTS if Damage.COMMENTS in knobs else ())
    return "".join(_pieces(value, knobs, comments, "\n"))


def _pieces(value: Any, knobs: frozenset[Damage], comments: Iterator[str], margin: str) -> Iterator[str]:
    """The value on indented lines, each key or item on its own, with the comments before the first ones."""
    if not isinstance(value, dict | list) or not value:
        yield _quoted(value, knobs) if isinstance(value, str) else dumped(value)
        return
    items = list(value.items()) if isinstance(value, dict) else [(None, item) for item in value]
    yield "{" if isinstance(value, dict) else "["
    inner = margin + "  "
    for place, (key, item) in enumerate(items):
        if isinstance(value, dict) and (comment := next(comments, None)):
            yield f"{inner}// {comment}"
        yield inner
        if key is not None:
            yield _quoted(key, knobs) + ": "
        yield from _pieces(item, knobs, comments, inner)
        if place < len(items) - 1 or Damage.TRAILING_COMMAS in knobs:
            yield ","
    yield margin + ("}" if isinstance(value, dict) else "]")


def _quoted(text: str, knobs: frozenset[Damage]) -> str:
    """A string in the quotes asked for; one with an apostrophe keeps double quotes, as Python's repr would."""
    plain = dumped(text)
    if Damage.SINGLE_QUOTES in knobs and "'" not in text:
        return f"'{plain[1:-1]}'"
    if Damage.CURLY_QUOTES in knobs:
        return f"\u201c{plain[1:-1]}\u201d"
    return plain
