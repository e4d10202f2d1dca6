"""The people of a dossier: who is on the list, what enrichment found about each, who is no person."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.clean import index_of
from models.values import ContactDraft, contact_id_of
from tasks.assemble.clean import as_list, is_nothing, overlay
from tasks.assemble.emails import LINK, email_in, with_scheme
from tasks.assemble.fields import unfolded
from tasks.assemble.notes import Code, Notes
from tasks.assemble.people import (
    company_mark,
    comparable,
    in_parts,
    is_honorific,
    is_named_in,
    shares_a_word,
    without_company,
)
from tasks.assemble.persons import EMAILS, LINKEDINS, Person, one_by_one
from tasks.assemble.roster import INSTEAD, Roster, called, name_of
from tasks.assemble.steps import CONTACTS, STEPS

PHONES = ("phone", "phone_number", "direct_phone", "mobile", "phones")
BIOS = ("bio_paragraph", "bio_summary", "bio", "biography")

_PRIMARY = re.compile(r"(?:tier\s*)?\d?\W*primary\b.*", re.IGNORECASE | re.DOTALL)
_DIGIT = re.compile(r"\d")
_YES = frozenset({"true", "yes", "1"})

COMPANY_TYPES = frozenset({"company", "organization", "organisation", "firm"})


@dataclass(frozen=True, slots=True)
class People:
    """The contacts and how to find them.

    Attributes:
        contacts: the rows, in the order of the list.
        by_place: the contact at each place of the list, where there is a person.
        set_aside: entries that are no people, and enrichment of nobody on the list.
    """

    contacts: tuple[ContactDraft, ...]
    roster: Roster
    by_place: dict[int, ContactDraft]
    set_aside: list[dict[str, Any]]


def people(
    listed: dict[str, Any],
    enriched: list[tuple[str, dict[str, Any]]],
    company: str | None,
    dossier_id: UUID,
    notes: Notes,
) -> People:
    """The contacts of a dossier, with exactly one of them primary if there are any.

    Args:
        listed: content of `6_ENRICH_CONTACTS`.
        enriched: what steps found about people, oldest first: a later one wins, field by field.
        company: the dossier's company, which is not a contact of its own.
        dossier_id: what contact ids are made from.
        notes: hears of every entry that is no contact.
    """
    about = notes.at(CONTACTS)
    entries = _entries(listed, about)
    owners, persons = one_by_one(entries, about)
    roster = Roster(entries, owners)
    set_aside = _enrich(persons, roster, enriched, notes)
    chosen: list[tuple[int, str]] = []
    for place, person in enumerate(persons):
        name = person.name or next(filter(None, map(name_of, person.layers)), None)
        reason = _no_person(name, person, company)
        if name is None or reason:
            about.add(Code.NOT_A_PERSON, f"set aside: {reason}", person.at)
            set_aside.append(person.everything())
        else:
            chosen.append((place, name))
    primary = next((place for place, _ in chosen if _is_primary(persons[place])), chosen[0][0] if chosen else None)
    by_place = {
        place: _row(persons[place], name, contact_id_of(dossier_id, position), about, is_primary=place == primary)
        for position, (place, name) in enumerate(chosen)
    }
    return People(tuple(by_place.values()), roster, by_place, set_aside)


def _entries(content: dict[str, Any], notes: Notes) -> list[dict[str, Any]]:
    """The entries under every name a list of contacts has.

    A text in the list is a name. A text in place of the list says something else: it is an entry of nobody.
    """
    listed: list[dict[str, Any]] = []
    for name in STEPS[CONTACTS].lists:
        value = unfolded(content.get(name), name, notes)
        if isinstance(value, str):
            value = {INSTEAD: value}
        listed += entries_in(value, is_list=True)
    return listed


def entries_in(value: Any, *, is_list: bool = False) -> list[dict[str, Any]]:
    """The entries in a list, an entry alone, or those in an object: one for each key, or by tier a list of them.

    A key that is an index is the entry's, and the name of a list the tier of those who say none. Any other key
    is kept beside who has no name: it may be one, or not. In the list of contacts itself (`is_list`), numbers
    that count from one are an order, since other steps count from zero; an id is the entry's all the same.
    """
    parts = {key: part for key, part in value.items() if not is_nothing(part)} if isinstance(value, dict) else {}
    if parts and all(isinstance(part, dict) for part in parts.values()):
        numbers = [index_of({"contact_id": key}) for key in value]
        first = 1 if is_list and min((number for number in numbers if number is not None), default=0) == 1 else 0
        return [_keyed(key, part, first) for key, part in parts.items()]
    if parts and all(
        isinstance(part, list) and all(isinstance(item, dict) for item in part) for part in parts.values()
    ):
        return [overlay({"tier": key.replace("_", " ")}, item) for key, part in parts.items() for item in part]
    return [item if isinstance(item, dict) else {"name": item} for item in as_list(value)]


def _keyed(key: str, entry: dict[str, Any], first: int) -> dict[str, Any]:
    number = index_of({"contact_id": key})
    if number is not None:
        return called(key) | ({"contact_index": number - first} if first else {}) | entry
    return entry if name_of(entry) else {"listed_as": key} | entry


def _enrich(
    persons: list[Person], roster: Roster, enriched: list[tuple[str, dict[str, Any]]], notes: Notes
) -> list[dict[str, Any]]:
    """Lay what was found on whom it is about. What is about nobody on the list is returned."""
    unmatched = []
    numbers: dict[str, int] = {}
    for step, found in enriched:
        number = numbers[step] = numbers.get(step, -1) + 1
        place = roster.find(found, notes.at(step), f"[{number}]")
        if place is None:
            told = "about nobody on the list of contacts; set aside"
            notes.at(step).add(Code.CONTACT_UNMATCHED, told, f"[{number}]")
            unmatched.append(found)
        else:
            persons[place].add(0, found)
    return unmatched


def _no_person(name: str | None, person: Person, company: str | None) -> str | None:
    """Why an entry is no contact, or None. Says nothing that could be a person's."""
    if not name or not comparable(name):
        return "it has no name"
    if (person.text(("type", "entity_type", "contact_type")) or "").lower() in COMPANY_TYPES:
        return "it says that it is a company"
    bare = without_company(name)
    mark = company_mark(bare if bare != name and _is_somebody(name, person) else name)
    if mark:
        return f"its name is a company's ({mark!r})"
    in_person = person.text(("first_name", "last_name", "email", "linkedin_url"))
    if company and comparable(name) == comparable(company) and not in_person:
        return "it is the company itself"
    return None


def _is_somebody(name: str, person: Person) -> bool:
    """Whether more than a name speaks for a person. A company has an e-mail address too."""
    is_in_parts = person.text(("first_name",)) and person.text(("last_name",))
    _, emails, profiles = person.marks
    return bool(is_in_parts or profiles) or any(is_named_in(address, name) for address in emails)


def _is_primary(person: Person) -> bool:
    return _PRIMARY.fullmatch(person.text(("tier",)) or "") is not None or any(
        str(layer.get("is_primary")).strip().lower() in _YES for layer in person.layers
    )


def _row(person: Person, name: str, contact_id: UUID, notes: Notes, *, is_primary: bool) -> ContactDraft:
    first, last = _parts(person, name, notes)
    return ContactDraft(
        id=contact_id,
        name=name,
        first_name=first,
        last_name=last,
        title=person.title(),
        email=_email(person, notes),
        phone=person.text(PHONES, _DIGIT),
        linkedin_url=with_scheme(person.text(LINKEDINS, LINK)),
        bio_paragraph=person.text(BIOS),
        tenure=person.text(("tenure",)) or _tenure(person.text(("tenure_months",))),
        is_primary=is_primary,
        source=person.text(("source",)),
        enrichment_data=person.everything(),
    )


def _parts(person: Person, name: str, notes: Notes) -> tuple[str | None, str | None]:
    """First and last name as given, newest first, or those in `name`; never from where no word is of `name`."""
    first, last = in_parts(without_company(name))
    fitting = []
    for layer in person.layers:
        given = Person([layer], person.at, name)
        parts = " ".join(part for part in (given.text(("first_name",)), given.text(("last_name",))) if part)
        if not parts or is_honorific(parts):
            continue
        if shares_a_word(comparable(parts), comparable(name)):
            fitting.append(layer)
        else:
            notes.add(
                Code.CONTACT_MISMATCH,
                "its first and last name are not its name's; the name was followed",
                person.at,
            )
    own = Person(fitting, person.at, name)
    given_first = own.text(("first_name",))
    if given_first and not is_honorific(given_first):
        first = given_first
    return first, own.text(("last_name",)) or last


def _email(person: Person, notes: Notes) -> str | None:
    """The newest valid address; what was written stays in `enrichment_data`."""
    written = [layer[name] for layer in person.layers for name in EMAILS if not is_nothing(layer.get(name))]
    for value in written:
        address = email_in(value)
        if address is not None:
            if str(value).strip().lower() != address.lower():
                notes.add(Code.VALUE_REPAIRED, "read out of a longer text", f"{person.at}.email")
            return address
    if written:
        notes.add(Code.VALUE_UNREADABLE, "no e-mail address, left empty", f"{person.at}.email")
    return None


def _tenure(months: str | None) -> str | None:
    """`28` as "2 years 4 months"; None for what is no number of months."""
    try:
        total = int(float(months or ""))
    except (ValueError, OverflowError):
        return None
    if not 0 < total < 12 * 100:
        return None
    parts = [
        f"{count} {unit}{'s' if count > 1 else ''}"
        for count, unit in ((total // 12, "year"), (total % 12, "month"))
        if count
    ]
    return " ".join(parts)
