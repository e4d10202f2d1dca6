"""What assembly has to say: notices while it goes on, findings when it cannot."""

import re
from enum import StrEnum
from typing import Any

from models.clean import REPLACEMENT, UNSTORABLE
from models.values import Notice

MOST = 200
"""Notices kept for one run. A run with more is ill in a way its first two hundred already show."""

FOUND = 80
"""Characters of a writer's output that a notice or a finding may quote."""

_ADDRESS = re.compile(r"\S+@\S+")
_NUMBER = re.compile(r"\+?\d[\d\s().-]{6,}\d")
_PATH = 160
_HUGE = 10**15


class Code(StrEnum):
    """Everything a warning can be about, one sentence each."""

    JSON_REPAIRED = "json_repaired"
    """The text was no strict JSON and was read all the same: fences, prose, comments, commas, quotes."""
    OUTPUT_TRUNCATED = "output_truncated"
    """The output ends before its end: the last field may be cut or missing."""
    SEVERAL_OBJECTS = "several_objects"
    """Several objects came where one is due; they were read as one."""
    CHARACTERS_REPLACED = "characters_replaced"
    """Characters that `jsonb` refuses are U+FFFD now, here or already at the door."""
    NOTHING_IN_WORDS = "nothing_in_words"
    """"N/A", "Unknown", "null" were read as no value."""
    NUMBER_REPLACED = "number_replaced"
    """NaN or an infinity became null, or an integer beyond 64 bits became text."""
    TOO_DEEP = "too_deep"
    """A value nested deeper than any reader can follow became null."""
    KEYS_COLLIDE = "keys_collide"
    """A key came again, or in another spelling, with another value, which stands under a name of its own."""
    SHAPE_REPAIRED = "shape_repaired"
    """A list came where one value is due, or the reverse, or text in place of an object."""
    SHAPE_UNEXPECTED = "shape_unexpected"
    """A value of a shape the app does not expect was kept as it is, or left out where it cannot be shown."""
    VALUE_REPAIRED = "value_repaired"
    """A score, an urgency or an address was read out of a longer text."""
    VALUE_UNREADABLE = "value_unreadable"
    """A score, an urgency, an address or a domain that cannot be read became null."""
    STEP_UNUSABLE = "step_unusable"
    """An output the dossier can do without could not be used."""
    COMPOSER_STANDS_IN = "composer_stands_in"
    """The composer supplied what missing or unusable writers did not."""
    OVERRULED = "overruled"
    """Two steps, or two parts of one, disagreed on a field; the one the rules prefer was kept."""
    SECTION_MISSING = "section_missing"
    """A section or a field of the header that the app shows has nothing in it, whoever was to write it."""
    NOT_A_PERSON = "not_a_person"
    """An entry of the contacts is a company or has no name; it was set aside."""
    CONTACT_DUPLICATE = "contact_duplicate"
    """One person was listed twice; the entries were joined."""
    CONTACT_MISMATCH = "contact_mismatch"
    """An output's contact index and contact name point to different people."""
    CONTACT_UNMATCHED = "contact_unmatched"
    """Enrichment or copy for nobody on the list was set aside."""
    SOURCE_REFUSED = "source_refused"
    """A source without an http(s) address was left out."""
    MORE = "more"
    """There were more notices than are kept."""


class Notes:
    """Collects notices. `at` gives a view on the same collection that signs with a step's name."""

    def __init__(self, step: str | None = None, *, _shared: "_Shared | None" = None) -> None:
        self.step = step
        self._shared = _shared or _Shared()

    def at(self, step: str) -> "Notes":
        """The same collection, for what is said about `step`."""
        return Notes(step, _shared=self._shared)

    def add(self, code: Code, detail: str, field: str | None = None) -> None:
        """Note `detail`; `field` is a path of keys (`contacts[2].email`). Never a contact's data."""
        if len(self._shared.notices) < MOST:
            self._shared.notices.append(Notice(code.value, detail, self.step, field and field[:_PATH]))
        else:
            self._shared.beyond += 1

    def all(self) -> tuple[Notice, ...]:
        """Every notice in the order it was made; beyond `MOST`, how many more there were."""
        kept = tuple(self._shared.notices)
        if self._shared.beyond:
            kept += (Notice(Code.MORE.value, f"{self._shared.beyond} more notices are not listed"),)
        return kept


class _Shared:
    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.beyond = 0


class UnusableError(Exception):
    """An output that cannot be used: `detail` says why, `value` is what there was."""

    def __init__(self, detail: str, value: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.value = value


def finding(step: str, field: str | None, found: str, detail: str) -> dict[str, Any]:
    """One entry of an error's `findings`: what was found where, and why it will not do."""
    return {"step": step, "field": field, "found": found, "detail": detail}


def excerpt(value: object) -> str:
    """At most `FOUND` characters that show what `value` is, without e-mail addresses and phone numbers.

    Text is quoted from its beginning; of objects and lists only their size and the names of their fields
    are told, since what is in them may be somebody's.
    """
    match value:
        case str():
            told = UNSTORABLE.sub(REPLACEMENT, value[: 4 * FOUND])
            shown = " ".join(_NUMBER.sub("[number]", _ADDRESS.sub("[address]", told)).split())
        case dict():
            names = [str(key) for key in value if str(key).isidentifier()]
            shown = f"an object with {', '.join(names[:8])}" if names else kind(value)
        case bool() | int() | float():
            shown = str(value) if abs(value) < _HUGE else "a huge number"
        case _:
            shown = kind(value)
    return shown if len(shown) <= FOUND else shown[: FOUND - 1] + "…"


def kind(value: object) -> str:
    """What sort of value `value` is, and how large; nothing of what it says."""
    match value:
        case None:
            return "nothing"
        case str():
            return f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
        case _:
            return f"a {type(value).__name__}"
