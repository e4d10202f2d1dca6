"""The people of a dossier: who is on the list, what enrichment found about each, who is no person."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.values import ContactDraft, contact_id_of
from tasks.assemble.clean import as_list, is_nothing, overlay
from tasks.assemble.emails import email_in
from tasks.assemble.fields import unfolded
from tasks.assemble.notes import Code, Notes
from tasks.assemble.people import company_mark, comparable, in_parts, is_honorific
from tasks.assemble.roster import INDEXES, Roster, name_of
from tasks.assemble.steps import CONTACTS, INDIVIDUAL, STEPS

TITLES = ("title", "job_title", "position", "role")
EMAILS = ("email", "email_address", "work_email", "emails")
PHONES = ("phone", "phone_number", "direct_phone", "mobile", "phones")
LINKEDINS = ("linkedin_url", "linkedin", "linkedin_profile", "linkedin_profile_url")
BIOS = ("bio_paragraph", "bio_summary", "bio", "biography")

COMPANY_TYPES = frozenset({"company", "organization", "organisation", "firm"})
EARLIER = "found_earlier"
"""Where `enrichment_data` keeps a value that a later step has replaced by another."""


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


@dataclass(slots=True)
class _Person:
    """An entry of the list with what was found about it: the newest first, the entry itself last."""

    layers: list[dict[str, Any]]
    at: str
    name: str | None

    def text(self, names: tuple[str, ...]) -> str | None:
        """The newest text under the first of `names` that has one."""
        for name in names:
            for layer in self.layers:
                for value in as_list(layer.get(name)):
                    if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
                        return str(value).strip()
        return None

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


def people(
    listed: dict[str, Any],
    enriched: list[dict[str, Any]],
    company: str | None,
    dossier_id: UUID,
    notes: Notes,
) -> People:
    """The contacts of a dossier, with exactly one of them primary if there are any.

    Args:
        listed: content of `6_ENRICH_CONTACTS`.
        enriched: contents of `6_ENRICH_CONTACT_INDIVIDUAL`, oldest first: a later one wins, field by field.
        company: the dossier's company, which is not a contact of its own.
        dossier_id: what contact ids are made from.
        notes: hears of every entry that is no contact.
    """
    entries = _entries(listed, notes.at(CONTACTS))
    owners, persons = _persons(entries, notes.at(CONTACTS))
    roster = Roster(entries, owners)
    set_aside = _enrich(persons, roster, enriched, notes.at(INDIVIDUAL))
    chosen: list[tuple[int, str]] = []
    for place, person in enumerate(persons):
        name = person.name or next(filter(None, map(name_of, person.layers)), None)
        reason = _no_person(name, person, company)
        if name is None or reason:
            notes.at(CONTACTS).add(Code.NOT_A_PERSON, f"set aside: {reason}", person.at)
            set_aside.append(person.everything())
        else:
            chosen.append((place, name))
    primary = next((place for place, _ in chosen if _is_primary(persons[place])), chosen[0][0] if chosen else None)
    by_place = {
        place: _row(
            persons[place],
            name,
            contact_id_of(dossier_id, position),
            notes.at(CONTACTS),
            is_primary=place == primary,
        )
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
            value = {"instead_of_a_list": value}
        elif isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
            value = list(value.values())  # an object of entries, by whatever key
        listed += [item if isinstance(item, dict) else {"name": item} for item in as_list(value)]
    return listed


def _persons(entries: list[dict[str, Any]], notes: Notes) -> tuple[list[int], list[_Person]]:
    """Whom each entry is about, and those people: one for entries with the same name and the same title."""
    owners: list[int] = []
    persons: list[_Person] = []
    known: dict[tuple[str, str], int] = {}
    for place, entry in enumerate(entries):
        name, title = comparable(name_of(entry) or ""), comparable(str(entry.get("title") or ""))
        owner = known.setdefault((name, title), len(persons)) if name else len(persons)
        owners.append(owner)
        if owner < len(persons):
            notes.add(Code.CONTACT_DUPLICATE, "listed before under the same name and title", f"contacts[{place}]")
            persons[owner].layers.append(entry)
        else:
            persons.append(_Person([entry], f"contacts[{place}]", name_of(entry)))
    return owners, persons


def _enrich(
    persons: list[_Person], roster: Roster, enriched: list[dict[str, Any]], notes: Notes
) -> list[dict[str, Any]]:
    """Lay what was found on whom it is about. What is about nobody on the list is returned."""
    unmatched = []
    for number, found in enumerate(enriched):
        place = roster.find(found, notes, f"[{number}]")
        if place is None:
            notes.add(Code.CONTACT_UNMATCHED, "about nobody on the list of contacts; set aside", f"[{number}]")
            unmatched.append(found)
        else:
            persons[place].layers.insert(0, found)
    return unmatched


def _no_person(name: str | None, person: _Person, company: str | None) -> str | None:
    """Why an entry is no contact, or None. Says nothing that could be a person's."""
    if not name or not comparable(name):
        return "it has no name"
    if (person.text(("type", "entity_type", "contact_type")) or "").lower() in COMPANY_TYPES:
        return "it says that it is a company"
    mark = company_mark(name)
    if mark:
        return f"its name is a company's ({mark!r})"
    in_person = person.text(("first_name", "last_name", "email", "linkedin_url"))
    if company and comparable(name) == comparable(company) and not in_person:
        return "it is the company itself"
    return None


def _is_primary(person: _Person) -> bool:
    return (person.text(("tier",)) or "").lower() == "primary" or any(
        layer.get("is_primary") is True for layer in person.layers
    )


def _row(person: _Person, name: str, contact_id: UUID, notes: Notes, *, is_primary: bool) -> ContactDraft:
    first, last = in_parts(name)
    given = person.text(("first_name",))
    return ContactDraft(
        id=contact_id,
        name=name,
        first_name=given if given and not is_honorific(given) else first,
        last_name=person.text(("last_name",)) or last,
        title=person.text(TITLES),
        email=_email(person, notes),
        phone=person.text(PHONES),
        linkedin_url=person.text(LINKEDINS),
        bio_paragraph=person.text(BIOS),
        tenure=person.text(("tenure",)) or _tenure(person.text(("tenure_months",))),
        is_primary=is_primary,
        source=person.text(("source",)),
        enrichment_data=person.everything(),
    )


def _email(person: _Person, notes: Notes) -> str | None:
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
