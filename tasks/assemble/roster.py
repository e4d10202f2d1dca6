"""Who is meant: the list of contacts as the other steps refer to it, by index or by name."""

from typing import Any

from models.clean import index_of
from tasks.assemble.notes import Code, Notes
from tasks.assemble.people import comparable

NAMES = ("name", "full_name", "contact_name", "person_name", "target_name")


def name_of(entry: dict[str, Any]) -> str | None:
    """The name an entry gives, in one piece or in two; None where it gives none."""
    for key in NAMES:
        if isinstance(entry.get(key), str):
            return " ".join(entry[key].split()) or None
    parts = [entry.get(key) for key in ("first_name", "last_name")]
    return " ".join(part.strip() for part in parts if isinstance(part, str)) or None


class Roster:
    """The entries of `6_ENRICH_CONTACTS`, found again by what other steps call them.

    Args:
        entries: as listed. An entry's index is its `contact_index`, or its place where no entry has one.
        owners: for each entry the number of the person it is about; one person may be listed twice.

    An index or a name that two persons share finds neither.
    """

    def __init__(self, entries: list[dict[str, Any]], owners: list[int]) -> None:
        indexes = [index_of(entry) for entry in entries]
        if all(index is None for index in indexes):
            indexes = list(range(len(entries)))
        self._by_index = _unambiguous(indexes, owners)
        self._by_name = _unambiguous([comparable(name_of(entry) or "") or None for entry in entries], owners)

    def find(self, entry: dict[str, Any], notes: Notes, at: str) -> int | None:
        """The number of whom `entry` is about: by its contact index, else by its name.

        Where both lead to people and not to the same one, the name decides, with a notice: a model counts
        from one or from zero, but a letter to Devon is for Devon.
        """
        by_index = self._by_index.get(index_of(entry))
        by_name = self._by_name.get(comparable(name_of(entry) or ""))
        if by_index is not None and by_name is not None and by_index != by_name:
            notes.add(Code.CONTACT_MISMATCH, "its index and its name are two people's; the name was followed", at)
        return by_index if by_name is None else by_name


def _unambiguous(keys: list[Any], owners: list[int]) -> dict[Any, int]:
    """The owner of each key that has one owner only."""
    owned: dict[Any, set[int]] = {}
    for key, owner in zip(keys, owners, strict=True):
        owned.setdefault(key, set()).add(owner)
    return {key: min(who) for key, who in owned.items() if key is not None and len(who) == 1}
