"""The contacts of a dossier as its reader sees them: from their rows, or from the section of V1."""

from collections.abc import Iterator, Sequence
from typing import Any

from models.clean import index_of
from models.production import Contact, Dossier
from models.values import contact_id_of
from models.view import ContactView
from worker.view.lenient import fields, first, items, link, something, text

_PLAIN = ("first_name", "last_name", "title", "email", "phone", "tenure")


def people(dossier: Dossier, rows: Sequence[Contact]) -> Iterator[ContactView]:
    """The rows, the primary one first, then in the pipeline's order; where there are none, the section's.

    That order is their contact index, else the place that a row's id is made of; rows that have neither follow
    as they are given.
    """
    places = {contact_id_of(dossier.id, place): place for place in range(len(rows) if dossier.id else 0)}

    def order(row: Contact) -> tuple[bool, int]:
        index = index_of(fields(row.enrichment_data))
        return not row.is_primary, places.get(row.id, len(rows)) if index is None else index

    for row in sorted(rows, key=order):
        yield ContactView(
            contact_id=row.id,
            name=first((row.name, f"{row.first_name or ''} {row.last_name or ''}")),
            linkedin_url=link(row.linkedin_url),
            bio=text(row.bio_paragraph),
            is_primary=bool(row.is_primary),
            **{name: text(getattr(row, name)) for name in _PLAIN},
        )
    if not rows:
        section = dossier.enrich_contacts
        given = section if isinstance(section, list) else fields(section)
        listed = given if isinstance(given, list) else something(given.get("contacts"), given.get("key_contacts"))
        read = map(_person, items(listed))
        for number, person in enumerate(one for one in read if one.name or one.email):
            yield person.model_copy(update={"is_primary": number == 0})


def _person(value: Any) -> ContactView:
    given = fields(value, "name")
    return ContactView(
        name=first((given.get("name"), given.get("full_name"), given.get("contact_name"))),
        linkedin_url=link(something(given.get("linkedin_url"), given.get("linkedin"))),
        bio=first((given.get("bio_paragraph"), given.get("bio_summary"), given.get("bio"))),
        **{name: text(given.get(name)) for name in _PLAIN},
    )
