"""What to write to whom: 10A's copy, the client's own in its place, each under its contact's row."""

from collections.abc import Iterator
from typing import Any

from models.clean import INDEXES
from tasks.assemble.clean import as_list, is_nothing, overlay
from tasks.assemble.contacts import People
from tasks.assemble.fields import unfolded
from tasks.assemble.notes import Code, Notes
from tasks.assemble.roster import NAMES, called
from tasks.assemble.shapes import OUTREACH
from tasks.assemble.steps import STEPS, Step

_TEXTS = ("email_subject", "email_body", "linkedin_message")
COPY_FIELDS = (*_TEXTS, "subject", "body", "email")
_WHOM = frozenset({*INDEXES, *NAMES, "target_title"})


def outreach(
    written: list[tuple[str, dict[str, Any]]], people: People, notes: Notes
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One entry for each contact that copy was written for, in the contacts' order; and what is in none.

    A later entry for a contact replaces an earlier one, field by field, so that an override which leaves
    the LinkedIn message alone keeps the general one (domain, "Steps that matter": 10A, 10B). Where both are
    of one step's list, no rule says that the earlier is void: it is set aside, with a notice.

    Args:
        written: step names with their contents, in the order in which the later replaces the earlier.

    Returns:
        Entries as `copy.outreach` has them; and those that are for no contact, as they came, and those that
        were replaced by their own step.
    """
    chosen: dict[int, dict[str, Any]] = {}
    set_aside: list[dict[str, Any]] = []
    said: dict[tuple[str, str, int], dict[str, Any]] = {}
    for step, content in written:
        for number, (name, entry) in enumerate(_entries(content, STEPS[step], notes.at(step))):
            at = f"copy[{number}]"
            place = people.roster.find(entry, notes.at(step), at)
            if place is None or place not in people.by_place:
                notes.at(step).add(Code.CONTACT_UNMATCHED, "copy for no contact of this dossier; set aside", at)
                set_aside.append(entry)
                continue
            fitted = OUTREACH.fit(entry, at, notes.at(step)) or {}
            earlier = said.get((step, name, place), {})
            if _replaces(fitted, earlier):
                notes.at(step).add(Code.OVERRULED, "other copy for one contact; the earlier was set aside", at)
                set_aside.append(earlier)
                earlier = {}
            said[step, name, place] = overlay(earlier, fitted)
            chosen[place] = overlay(chosen.get(place, {}), fitted)
    addressed = [_addressed(chosen[place], people, place) for place in people.by_place if place in chosen]
    for number, entry in enumerate(addressed):
        if all(is_nothing(entry[name]) for name in _TEXTS):
            notes.add(Code.SHAPE_UNEXPECTED, "no text was found in the copy", f"outreach[{number}]")
    return addressed, set_aside


def _replaces(later: dict[str, Any], earlier: dict[str, Any]) -> bool:
    """Whether an entry has another text in place of one that an earlier one has."""
    texts = ((earlier.get(name), later.get(name)) for name in _TEXTS)
    return any(not is_nothing(old) and not is_nothing(new) and old != new for old, new in texts)


def _entries(content: dict[str, Any], step: Step, notes: Notes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of every list there is, each with the list's name.

    Those under the step's first name come last: they replace the others. An entry alone is as one of that list.
    """
    names = [name for name in ("email_scripts", *reversed(step.lists)) if name in content]
    listed = [(name, unfolded(content[name], name, notes)) for name in names]
    for name, value in listed or [(step.lists[0], content)]:
        if isinstance(value, dict) and not any(field in value for field in COPY_FIELDS):
            entries = [called(key) | _entry(item) for key, item in value.items()]
        else:
            entries = [_entry(item) for item in as_list(value)]
        yield from ((name, entry) for entry in entries)


def _entry(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"email_body": value}


def _addressed(entry: dict[str, Any], people: People, place: int) -> dict[str, Any]:
    contact = people.by_place[place]
    said = {key: value for key, value in entry.items() if key not in _WHOM}
    for name in _TEXTS:
        said.setdefault(name, None)
    title = contact.title or entry.get("target_title")
    return {"contact_id": str(contact.id), "target_name": contact.name, "target_title": title} | said
