"""What to write to whom: 10A's copy, the client's own in its place, each under its contact's row."""

from collections.abc import Iterator
from typing import Any

from models.clean import INDEXES, index_of
from tasks.assemble.clean import as_list, overlay
from tasks.assemble.contacts import People
from tasks.assemble.fields import unfolded
from tasks.assemble.notes import Code, Notes
from tasks.assemble.roster import NAMES
from tasks.assemble.shapes import OUTREACH
from tasks.assemble.steps import STEPS, Step

COPY_FIELDS = ("email_subject", "email_body", "linkedin_message", "subject", "body")


def outreach(
    written: list[tuple[str, dict[str, Any]]], people: People, notes: Notes
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One entry for each contact that copy was written for, in the contacts' order; and copy for nobody.

    A later entry for a contact replaces an earlier one, field by field, so that an override which leaves
    the LinkedIn message alone keeps the general one (domain, "Steps that matter": 10A, 10B).

    Args:
        written: step names with their contents, in the order in which the later replaces the earlier.

    Returns:
        Entries as `copy.outreach` has them, and those that are for no contact, as they came.
    """
    chosen: dict[int, dict[str, Any]] = {}
    unmatched: list[dict[str, Any]] = []
    for step, content in written:
        for number, entry in enumerate(_entries(content, STEPS[step], notes.at(step))):
            at = f"copy[{number}]"
            place = people.roster.find(entry, notes.at(step), at)
            if place is None or place not in people.by_place:
                notes.at(step).add(Code.CONTACT_UNMATCHED, "copy for no contact of this dossier; set aside", at)
                unmatched.append(entry)
                continue
            fitted = OUTREACH.fit(entry, at, notes.at(step)) or {}
            chosen[place] = overlay(chosen.get(place, {}), fitted)
    return [_addressed(chosen[place], people, place) for place in people.by_place if place in chosen], unmatched


def _entries(content: dict[str, Any], step: Step, notes: Notes) -> Iterator[dict[str, Any]]:
    """The entries of every list there is, those under the step's first name last: they replace the others."""
    names = [name for name in ("email_scripts", *reversed(step.lists)) if name in content]
    listed = [unfolded(content[name], name, notes) for name in names]
    for value in listed or [content]:
        if isinstance(value, dict) and not any(name in value for name in COPY_FIELDS):
            yield from _keyed(value)
        else:
            yield from map(_entry, as_list(value))


def _keyed(entries: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Entries in an object whose keys say whom they are for."""
    for key, value in entries.items():
        whom = "contact_name" if index_of({"contact_id": key}) is None else "contact_id"
        yield {whom: key} | _entry(value)


def _entry(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"email_body": value}


def _addressed(entry: dict[str, Any], people: People, place: int) -> dict[str, Any]:
    contact = people.by_place[place]
    said = {key: value for key, value in entry.items() if key not in {*INDEXES, *NAMES, "target_title"}}
    for name in ("email_subject", "email_body", "linkedin_message"):
        said.setdefault(name, None)
    title = contact.title or entry.get("target_title")
    return {"contact_id": str(contact.id), "target_name": contact.name, "target_title": title} | said
