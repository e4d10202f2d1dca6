"""Damage to values: the right thing in the wrong type, range or spelling, or with odd characters in it."""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.generator.damage import DATES, SCORES, Damage
from tests.generator.plan import INDIVIDUAL, INTRO
from tests.generator.request import Request
from tests.generator.trees import snake, with_leaves
from tests.generator.turns import turns

OVER_RANGE: Final = 120
"""A lead score over the range."""

LONG: Final = 100_000
"""Characters of a very long string, at least."""

LONG_TEXT: Final = frozenset({"company_overview", "summary"})
FREE_TEXT: Final = LONG_TEXT | {
    "the_angle",
    "timing_analysis",
    "timing_context",
    "why_it_matters",
    "why_they_matter",
    "their_reality",
    "email_body",
    "bio_summary",
}
"""Keys of text that nothing is recognised by: where odd characters go."""

RIGHT_TO_LEFT: Final = (
    " \u202b\u05d4\u05d4\u05d7\u05dc\u05d8\u05d4 \u05ea\u05ea\u05e7\u05d1\u05dc (Q3)\u200f\u202c"
    " \u2067\u0627\u0644\u0642\u0631\u0627\u0631 \u0642\u0631\u064a\u0628\u2069"
)
"""Hebrew in an embedding, Arabic in an isolate."""

COMBINING: Final = " Z\u0351\u036b\u0343a\u0308\u0323l\u0334g\u0322o\u0489 e\u0301"
"""Stacked marks, and an accent as a character of its own."""

RANGES: Final = {
    "LOW": "Low-Medium",
    "MEDIUM": "Low-Medium",
    "HIGH": "Medium-High",
    "CRITICAL": "High-Critical",
}

Change = Callable[[str, Any], Any]


class Values:
    """The damage to the values of one run; called with each step's content in turn."""

    def __init__(self, request: Request) -> None:
        self._damage = request.damage
        self._changes = tuple(map(_by_snake, _changes(request)))

    def __call__(self, step: str, content: Any) -> Any:
        """The content with the damage that was asked for."""
        if step == INTRO and Damage.URGENCY_RANGE in self._damage:
            content = content | {"timing_urgency": RANGES[content["timing_urgency"]]}
        for change in self._changes:
            content = with_leaves(content, change)
        if step == INDIVIDUAL and Damage.UNINDEXED_ENRICHMENT in self._damage:
            content = {key: value for key, value in content.items() if key != "contact_index"}
            content["name"] = _respelled(content["name"])
        return content


def _by_snake(change: Change) -> Change:
    """The change under the keys' names in snake_case, whatever case a step speaks."""
    return lambda key, value: change(snake(key), value)


def _changes(request: Request) -> Iterator[Change]:
    """The changes of leaves, in the order in which they build on each other."""
    damage = request.damage
    if damage & {Damage.SCORE_OVER_RANGE, *SCORES}:
        knobs = [knob for knob in SCORES if knob in damage] or [Damage.SCORE_OVER_RANGE]
        yield _score(next(turns(request.rng("score"), knobs)), over=Damage.SCORE_OVER_RANGE in damage)
    if Damage.URGENCY_CASE in damage:
        yield _urgency_case(request)
    if Damage.NUMBERS_AS_TEXT in damage:
        yield _number_as_text
    if knobs := [knob for knob in DATES if knob in damage]:
        yield _dates(turns(request.rng("dates"), knobs))
    if Damage.EMAIL_MAILTO in damage:
        yield lambda key, value: f"mailto:{value}" if key == "email" and value else value
    if Damage.EMAIL_SPACES in damage:
        yield lambda key, value: f"  {value} " if key == "email" and value else value
    if Damage.MESSY_DOMAIN in damage:
        yield _messy_domain(request)
    yield from _character_changes(damage)


def _character_changes(damage: frozenset[Damage]) -> Iterator[Change]:
    """What is done to free text."""
    if Damage.LONG_STRINGS in damage:
        yield lambda key, value: _lengthened(value) if key in LONG_TEXT else value
    if Damage.COMBINING in damage:
        yield _decomposed_name
        yield lambda key, value: unicodedata.normalize("NFD", value) + COMBINING if key in FREE_TEXT else value
    if Damage.RIGHT_TO_LEFT in damage:
        yield lambda key, value: value + RIGHT_TO_LEFT if key in FREE_TEXT else value
    if Damage.NUL in damage:
        yield lambda key, value: value.replace(" ", " \x00", 1) if key in FREE_TEXT else value
    if Damage.LONE_SURROGATE in damage:
        yield lambda key, value: f"{value} \ud83d" if key in FREE_TEXT else value


def _score(knob: Damage, *, over: bool) -> Change:
    write: dict[Damage, Callable[[int], Any]] = {
        Damage.SCORE_TEXT: str,
        Damage.SCORE_FRACTION: "{}/100".format,
        Damage.SCORE_FLOAT: float,
        Damage.SCORE_OVER_RANGE: int,
    }
    return lambda key, value: write[knob](OVER_RANGE if over else value) if key == "lead_score" else value


def _urgency_case(request: Request) -> Change:
    """Spellings other than the pipeline's `HIGH` and the composer's `High`."""
    spellings = turns(request.rng("urgency"), (str.lower, str.swapcase, "{} ".format))

    def change(key: str, value: Any) -> Any:
        return next(spellings)(value.capitalize()) if key in {"urgency", "timing_urgency"} else value

    return change


def _number_as_text(key: str, value: Any) -> Any:
    """Every number as text, but the score, which has knobs of its own."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number and key != "lead_score" else value


def _dates(knobs: Iterator[Damage]) -> Change:
    def change(key: str, value: Any) -> Any:
        if key not in {"date", "enriched_at"}:
            return value
        year, month, day = value.split("-")
        return f"{value}T00:00:00.000Z" if next(knobs) is Damage.DATES_AS_TIMESTAMPS else f"{month}/{day}/{year}"

    return change


def _messy_domain(request: Request) -> Change:
    domains = messy_domains(request)
    return lambda key, value: next(domains).format(value, value.title()) if key == "domain" else value


def messy_domains(request: Request) -> Iterator[str]:
    """Ways to write a domain: formats of the domain itself and of its capitalised form."""
    return turns(request.rng("domain"), ("https://www.{0}/about?ref=1", "WWW.{1}/", "http://{0}:8080", " {1} "))


def _lengthened(text: str) -> str:
    return " ".join([text] * (LONG // len(text) + 1))


def _decomposed_name(key: str, value: Any) -> Any:
    """A person's name in decomposed form where a step repeats it."""
    return unicodedata.normalize("NFD", value) if key == "contact_name" else value


def _respelled(name: str) -> str:
    """A name with other spaces, and in capitals where that loses nothing."""
    capitals = name.upper()
    lossless = capitals.casefold() == name.casefold()
    return f" {capitals if lossless else name} ".replace(" ", "  ")
