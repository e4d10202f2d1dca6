"""Who is meant: the list of contacts as the other steps refer to it, by index or by name."""

from typing import Any

from models.clean import INDEXES, index_of, indexes_of
from tasks.assemble.notes import Code, Notes
from tasks.assemble.people import comparable, is_no_name, may_be

NAMES = ("name", "full_name", "contact_name", "person_name", "target_name")

INSTEAD = "instead_of_a_list"
"""Where an entry of nobody has a text that stood in place of the list."""


def name_of(entry: dict[str, Any]) -> str | None:
    """The name an entry gives, in one piece or in two; None where it gives none."""
    for key in NAMES:
        if isinstance(entry.get(key), str):
            return " ".join(entry[key].split()) or None
    parts = [entry.get(key) for key in ("first_name", "last_name")]
    return " ".join(part.strip() for part in parts if isinstance(part, str)) or None


def called(key: str) -> dict[str, Any]:
    """Whom the key of an object of entries is about, as an entry says it: by index, by id or by name."""
    if key.isdecimal():
        return {"contact_index": key}
    return {"contact_name" if index_of({"contact_id": key}) is None else "contact_id": key}


class Roster:
    """The entries of `6_ENRICH_CONTACTS`, found again by what other steps call them.

    Args:
        entries: as listed. An entry's index is its `contact_index`, or its place where no entry has one.
        owners: for each entry the number of the person it is about; one person may be listed twice.

    An index or a name that two persons share finds neither; a place finds no text in place of the list.
    """

    def __init__(self, entries: list[dict[str, Any]], owners: list[int]) -> None:
        names = [comparable(name_of(entry) or "") or None for entry in entries]
        numbers = [indexes_of(entry) for entry in entries]
        indexes = [index_of(entry) for entry in entries]
        if all(index is None for index in indexes):
            indexes = [None if INSTEAD in entry else place for place, entry in enumerate(entries)]
        self._by_field = {
            field: _unambiguous([given.get(field) for given in numbers], owners)
            for field in INDEXES
            if any(field in given for given in numbers)
        }
        self._by_index = _unambiguous(indexes, owners)
        self._by_name = _unambiguous(names, owners)
        self._names = {owner: name for owner, name in zip(owners, names, strict=True) if name}

    def find(self, entry: dict[str, Any], notes: Notes, at: str) -> int | None:
        """The number of whom `entry` is about: by its contact index, else by its name.

        Where both lead to people and not to the same one, the name decides, with a notice: a model counts
        from one or from zero, but a letter to Devon is for Devon. So it does where it is nobody's on the list
        and cannot be that of whom the index leads to: then the entry is about nobody. An id or a title in its
        place is no name. Who is listed by an index without a name has the name by which an entry first finds it.
        """
        name = comparable(name_of(entry) or "")
        by_index = self._indexed(entry)
        by_name = self._by_name.get(name)
        if by_name is not None:
            if by_index - {by_name}:
                notes.add(
                    Code.CONTACT_MISMATCH, "its index and its name are two people's; the name was followed", at
                )
            return by_name
        if len(by_index) > 1:
            notes.add(Code.CONTACT_MISMATCH, "its index and its id are two people's; neither was followed", at)
            return None
        place = next(iter(by_index), None)
        if place is not None and not is_no_name(name) and not may_be(self._names.setdefault(place, name), name):
            notes.add(Code.CONTACT_MISMATCH, "its index is that of somebody of another name; not followed", at)
            return None
        return place

    def _indexed(self, entry: dict[str, Any]) -> set[int]:
        """Whom the numbers of an entry lead to: each by the field of its name, where entries of the list have it.

        A number in no such field, the first by the order of `INDEXES`, stands for the list's index, where the
        entry has no better.
        """
        numbers = indexes_of(entry)
        same = {self._by_field[field].get(number) for field, number in numbers.items() if field in self._by_field}
        others = [number for field, number in numbers.items() if field not in self._by_field]
        return {owner for owner in same or map(self._by_index.get, others[:1]) if owner is not None}


def _unambiguous(keys: list[Any], owners: list[int]) -> dict[Any, int]:
    """The owner of each key that has one owner only."""
    owned: dict[Any, set[int]] = {}
    for key, owner in zip(keys, owners, strict=True):
        owned.setdefault(key, set()).add(owner)
    return {key: min(who) for key, who in owned.items() if key is not None and len(who) == 1}
