"""The steps of a healthy run: which there are, in which order, with what content."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.generator import outreach, writers
from tests.generator.composer import composed
from tests.generator.damage import Damage
from tests.generator.facts import WORLD, Facts, Firm
from tests.generator.prose import Prose
from tests.generator.request import Request, Size
from tests.generator.terse import terse

INTRO: Final = "10_WRITER_INTRO"
CONTACTS: Final = "6_ENRICH_CONTACTS"
INDIVIDUAL: Final = "6_ENRICH_CONTACT_INDIVIDUAL"
COPY: Final = "10A_COPY"
OVERRIDE: Final = "10B_COPY_CLIENT_OVERRIDE"
MEDIA: Final = "8_MEDIA"

Writer = Callable[[Facts, Prose], dict[str, Any]]

WRITERS: Final[dict[str, Writer]] = {
    INTRO: writers.intro,
    "10_WRITER_SIGNALS": writers.signals,
    "10_WRITER_LEAD_INTELLIGENCE": writers.lead_intelligence,
    "10_WRITER_OPPORTUNITY": writers.opportunity,
    "10_WRITER_STRATEGY": writers.strategy,
}
COMPOSER: Final[dict[str, Writer]] = {"11_DOSSIER_COMPOSER": composed}
EXTRAS: Final[dict[str, Writer]] = {
    "10_WRITER_CLIENT_SPECIFIC": writers.client_specific,
    "07B_INSIGHT": writers.insight,
    "3_ENTITY_RESEARCH": writers.entity_research,
    "5C_CLIENT_SPECIFIC": writers.client_research,
}
BESIDE_WRITERS: Final = frozenset({"10_WRITER_CLIENT_SPECIFIC", "07B_INSIGHT"})
"""Extras that only make sense where the section writers ran."""

NOTE: Final = "Noted by the analyst; not yet confirmed by a second source."
"""The last value of every content: what a cut at the token limit takes a part of."""


@dataclass(frozen=True, slots=True)
class Row:
    """A step: its name, its content before any envelope (a string is prose), how it ended."""

    step: str
    content: Any
    status: str = "completed"
    sent_twice: bool = False


def plan(request: Request, facts: Facts) -> list[Row]:
    """The steps in the order of their start. What they say depends on the seed and the size only."""
    if Damage.COMPANY_AMONG_CONTACTS in request.damage:
        facts = replace(facts, firm=_firm(request, facts))
    return [*sections(request, facts), *_extras(request, facts), *_people(request, facts), *_media(request, facts)]


def required(request: Request) -> dict[str, Writer]:
    """The steps that make the sections: five writers, or the composer in their place."""
    return COMPOSER if Damage.COMPOSER in request.damage else WRITERS


def sections(request: Request, facts: Facts) -> list[Row]:
    """The rows of the `required` steps."""
    return [
        _row(request, name, writer(facts, _prose(request, name))) for name, writer in required(request).items()
    ]


def _row(request: Request, step: str, content: dict[str, Any]) -> Row:
    said = terse(content) if request.size is Size.SMALL else content
    return Row(step, said | {"analyst_note": NOTE})


def _prose(request: Request, purpose: str) -> Prose:
    """Text of its own for each step, so that one step more changes no other."""
    return Prose(request.rng(f"prose/{purpose}"), request.text_length)


def _extras(request: Request, facts: Facts) -> Iterator[Row]:
    rng = request.rng("extras")
    for name, writer in EXTRAS.items():
        wanted = rng.random() < 0.5 and request.size is not Size.SMALL
        if wanted and not (name in BESIDE_WRITERS and Damage.COMPOSER in request.damage):
            yield _row(request, name, writer(facts, _prose(request, name)))


def _people(request: Request, facts: Facts) -> Iterator[Row]:
    """The contacts, what was found about each in the order it came back, and the copy: one step or one each."""
    rng = request.rng("people")
    positions = range(len(facts.people))
    listed = outreach.contact_list(facts, _prose(request, CONTACTS), emails=not request.individuals)
    yield _row(request, CONTACTS, listed)
    if request.individuals:
        for position in rng.sample(positions, len(positions)):
            found = outreach.individual(facts, _prose(request, f"{INDIVIDUAL}/{position}"), position)
            yield _row(request, INDIVIDUAL, found)
    one_each = rng.random() < 0.3 and request.size is not Size.SMALL
    for group in [range(place, place + 1) for place in positions] if one_each else [positions]:
        yield _row(request, COPY, outreach.copy(facts, _prose(request, f"{COPY}/{group.start}"), group))
    if request.override:
        yield _row(request, OVERRIDE, outreach.override(facts, _prose(request, OVERRIDE)))


def _media(request: Request, facts: Facts) -> Iterator[Row]:
    if request.media:
        yield _row(request, MEDIA, writers.media(facts, _prose(request, MEDIA)))


def _firm(request: Request, facts: Facts) -> Firm:
    rng = request.rng("firm")
    name, role = rng.choice(WORLD["firms"])
    return Firm(name=name, role=role, at=rng.randint(0, len(facts.people)))
