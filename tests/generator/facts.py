"""What is true about a lead: drawn from the seed alone, whatever the size of the run and its damage."""

import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

WORLD: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("world.json").read_text(encoding="utf-8"))
MOST_CONTACTS: Final = 1000
"""More people than this and the names run out."""


@dataclass(frozen=True, slots=True)
class Person:
    """A contact. `email` is None where nobody found one."""

    name: str
    first_name: str
    last_name: str
    title: str
    email: str | None
    slug: str
    tenure_months: int


@dataclass(frozen=True, slots=True)
class Firm:
    """A company that a step takes for a contact, at position `at` of its list."""

    name: str
    role: str
    at: int


@dataclass(frozen=True, slots=True)
class Signal:
    """A buying signal and where it was found."""

    type: str
    what: str
    date: str
    url: str
    tier: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A lead: the company, its project, the signals (the first is the primary one), the people.

    `primary` is the position in `people` of the one to write to first, None without people.
    """

    company: str
    domain: str
    country: str
    city: str
    state: str
    industry: str
    does: str
    project: str
    scope: str
    package: str
    value: str
    start: str
    score: int
    urgency: str
    employees: int
    founded: int
    latitude: float
    longitude: float
    introducer: str
    signals: tuple[Signal, ...]
    people: tuple[Person, ...]
    primary: int | None
    firm: Firm | None = None

    def index_of(self, position: int) -> int:
        """The `contact_index` of the person at `position`: the firm takes a number too."""
        return position + (self.firm is not None and self.firm.at <= position)


def draw(seed: int, contacts: int) -> Facts:
    """The lead of a seed. Every seed has a domain of its own; more contacts keep those of fewer.

    Raises:
        ValueError: `contacts` is negative or above `MOST_CONTACTS`.
    """
    if not 0 <= contacts <= MOST_CONTACTS:
        msg = f"contacts must be from 0 to {MOST_CONTACTS}, not {contacts}"
        raise ValueError(msg)
    rng = Random(f"lead/{seed}")
    region = rng.choice(WORLD["regions"])
    industry = rng.choice(WORLD["industries"])
    company, slug = rng.choice(region["companies"])
    city, state = rng.choice(region["places"])
    domain = f"{slug}{seed % 10**9}.example"
    project = f"{city} {industry['project']}"
    value = f"${rng.randint(12, 900)}M"
    people = _people(Random(f"people/{seed}"), region, domain, contacts)
    return Facts(
        company=company,
        domain=domain,
        country=region["country"],
        city=city,
        state=state,
        industry=industry["name"],
        does=industry["does"],
        project=project,
        scope=f"{value} {industry['scope']}",
        package=f"${rng.randint(2, 30)}M {industry['package']}",
        value=value,
        start=f"Q{rng.randint(1, 4)} {rng.randint(2026, 2028)}",
        score=rng.randint(35, 96),
        urgency=rng.choice(("LOW", "MEDIUM", "HIGH", "CRITICAL")),
        employees=rng.randint(40, 9000),
        founded=rng.randint(1871, 2019),
        latitude=round(rng.uniform(-60, 70), 4),
        longitude=round(rng.uniform(-180, 180), 4),
        introducer="Ines Calloway",
        signals=_signals(rng, domain, {"project": project, "value": value}),
        people=people,
        primary=min(rng.choice((0, 0, 0, 1)), len(people) - 1) if people else None,
    )


def _signals(rng: Random, domain: str, names: dict[str, str]) -> tuple[Signal, ...]:
    """Two to four signals of different types, newest first."""
    dates = sorted((f"2025-{rng.randint(7, 12):02d}-{rng.randint(1, 28):02d}" for _ in range(4)), reverse=True)
    kinds = rng.sample(WORLD["signals"], rng.randint(2, 4))
    return tuple(
        Signal(
            type=kind["type"],
            what=kind["what"].format(**names),
            date=date,
            url=f"https://news.{domain}/{kind['type'].replace('_', '-')}",
            tier=kind["tier"],
        )
        for kind, date in zip(kinds, dates, strict=False)
    )


def _people(rng: Random, home: dict[str, Any], domain: str, count: int) -> tuple[Person, ...]:
    """People with names that stay different whatever the case and the accents, most from the home region."""
    people: dict[str, Person] = {}
    while len(people) < count:
        region = home if rng.random() < 0.6 else rng.choice(WORLD["regions"])
        lineage = region if rng.random() < 0.9 else rng.choice(WORLD["regions"])
        first, first_slug = rng.choice(region["given"])
        last, last_slug = rng.choice(lineage["family"])
        order = (last, first) if region["family_first"] else (first, last)
        joined = region.get("joined", False) and lineage.get("joined", False)
        name = ("" if joined else " ").join(order)
        slug = f"{first_slug}.{last_slug}"
        person = Person(
            name=name,
            first_name=first,
            last_name=last,
            title=rng.choice(WORLD["titles"]),
            email=f"{slug}@{domain}" if rng.random() < 0.7 else None,
            slug=slug.replace(".", "-"),
            tenure_months=rng.randint(3, 260),
        )
        people.setdefault(_bare(name), person)
    return tuple(people.values())


def _bare(name: str) -> str:
    """A name without case, accents and spaces."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
