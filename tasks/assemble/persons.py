"""Who is one person: entries of the list of contacts, and what was found about each of them."""

import re
from dataclasses import dataclass, field
from typing import Any

from models.clean import INDEXES, index_of
from tasks.assemble.clean import as_list, is_nothing, overlay
from tasks.assemble.emails import email_in, profile_in
from tasks.assemble.notes import Code, Notes
from tasks.assemble.people import comparable
from tasks.assemble.roster import name_of

TITLES = ("title", "job_title", "position")
EMAILS = ("email", "email_address", "work_email", "emails")
LINKEDINS = ("linkedin_url", "linkedin", "linkedin_profile", "linkedin_profile_url")
EARLIER = "found_earlier"
"""Where `enrichment_data` keeps a value that a later step has replaced by another."""

_ANYTHING = re.compile("")


@dataclass(slots=True)
class Person:
    """An entry of the list with what was found about it: the newest first, the entry itself last."""

    layers: list[dict[str, Any]]
    at: str
    name: str | None
    known: tuple[set[Any], ...] | None = field(default=None, init=False)

    @property
    def marks(self) -> tuple[set[Any], ...]:
        """Whom the layers are about; read when first asked for, since few need it."""
        if self.known is None:
            self.known = _marks(self.layers)
        return self.known

    def add(self, place: int, layer: dict[str, Any]) -> None:
        """Put one more layer at its place."""
        self.layers.insert(place, layer)
        for known, more in zip(self.known or (), _marks([layer]) if self.known else (), strict=True):
            known.update(more)

    def text(self, names: tuple[str, ...], like: re.Pattern[str] = _ANYTHING) -> str | None:
        """The newest text there is; in one layer, that under the first of `names` that has one.

        One with `like` in it comes before any without: `not found` replaces no number.
        """
        texts = [
            str(value).strip()
            for layer in self.layers
            for name in names
            for value in as_list(layer.get(name))
            if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip()
        ]
        return next(filter(like.search, texts), texts[0] if texts else None)

    def title(self) -> str | None:
        """The newest title; a role, which may be one in the deal only, where there is none."""
        return self.text(TITLES) or self.text(("role",))

    def everything(self) -> dict[str, Any]:
        """All fields of all layers, the newest value of each; older ones that differ under `EARLIER`."""
        whole: dict[str, Any] = {}
        replaced: dict[str, Any] = {}
        for layer in reversed(self.layers):
            for name, value in layer.items():
                earlier = whole.get(name)
                if not is_nothing(value) and not is_nothing(earlier) and earlier != value and name not in INDEXES:
                    replaced[name] = earlier
            whole = overlay(whole, layer)
        return whole | {EARLIER: replaced} if replaced else whole


def one_by_one(entries: list[dict[str, Any]], notes: Notes) -> tuple[list[int], list[Person]]:
    """Whom each entry is about, and those people.

    Entries of one name are about one person unless each has a title and the titles differ; with the same
    index they are even then. One without a title is about none of several namesakes, and about nobody whose
    index and address are others.
    """
    owners: list[int] = []
    persons: list[Person] = []
    known: dict[tuple[str, str | int], int] = {}
    namesakes: dict[str, set[int]] = {}
    for place, entry in enumerate(entries):
        person = Person([entry], f"contacts[{place}]", name_of(entry))
        name, title, index = comparable(person.name or ""), comparable(person.title() or ""), index_of(entry)
        found = [known[name, key] for key in (index, title or None) if key is not None and (name, key) in known]
        is_other = False
        if not found:
            found = [known[name, ""]] if (name, "") in known else []
            if not found and not title and len(namesakes.get(name, ())) == 1:
                found = [*namesakes[name]]
            is_other = any(_are_two(persons[owner], person) for owner in found)
        if is_other:
            found = []
            known.pop((name, ""), None)
        owner = found[0] if found else len(persons)
        if name:
            namesakes.setdefault(name, set()).add(owner)
            if index is not None:
                known[name, index] = owner
            if title and known.get((name, "")) == owner:
                del known[name, ""]
            if title or not (found or is_other):
                known[name, title] = owner
        owners.append(owner)
        if found:
            notes.add(Code.CONTACT_DUPLICATE, "listed before under the same name", person.at)
            persons[owner].add(len(persons[owner].layers), entry)
        else:
            persons.append(person)
    return owners, persons


def _marks(layers: list[dict[str, Any]]) -> tuple[set[Any], ...]:
    """Whom layers are about: their indexes, e-mail addresses and profiles."""
    emails = (email_in(layer.get(name)) for layer in layers for name in EMAILS)
    profiles = (profile_in(layer.get(name)) for layer in layers for name in LINKEDINS)
    marks = map(index_of, layers), *((text and text.lower() for text in texts) for texts in (emails, profiles))
    return tuple(set(found) - {None} for found in marks)


def _are_two(known: Person, person: Person) -> bool:
    """Whether two of one name, not both with a title, have another index and another address each."""
    pairs = list(zip(known.marks, person.marks, strict=True))
    has_both = [bool(ones and twos) for ones, twos in pairs]
    return has_both[0] and any(has_both[1:]) and all(ones.isdisjoint(twos) for ones, twos in pairs)
