"""Single values that have to be read: the lead score, the urgency, a coordinate."""

import math
import re
from typing import Any, ClassVar

from tasks.assemble.notes import Code, Notes, excerpt

_OUT_OF = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:%|(?:/|out of|of)\s*(\d+(?:\.\d+)?))?", re.IGNORECASE)
_LEVEL = "LOW|MEDIUM|HIGH|CRITICAL"
_LEVELS = re.compile(
    rf"({_LEVEL})(?:\s*(?:[-\u2013\u2014/]|to|or)\s*({_LEVEL}))?(?![A-Z])(.*)", re.IGNORECASE | re.DOTALL
)


def _alone(value: Any, at: str, notes: Notes) -> Any:
    """The only item of a list of one, with a notice; anything else as it is."""
    if not isinstance(value, list) or len(value) != 1:
        return value
    notes.add(Code.SHAPE_REPAIRED, "a list of one where one is due", at)
    return value[0]


class Score:
    """A whole number from 0 to 100."""

    MOST: ClassVar[int] = 100

    def fit(self, value: Any, at: str, notes: Notes) -> int | None:
        """The score that `value` states, or None with a notice.

        - `78`, `78.0` and `"78"` are 78, and nobody need hear of it; `"78/100"` and `"78%"` too, with a
          notice. A score out of another number is brought to 100, a fraction rounded to the nearest.
        - A number off the scale is its nearer end: the points of the score's explanation add up, and a
          lead with 120 of them has all there are. The notice keeps the number.
        - A number between 0 and 1 is None: it may be a share of 1 or of 100.
        """
        value = _alone(value, at, notes)
        if value is None:
            return None
        number, scale = self._read(value)
        if number is None or not scale or 0 < number < 1:
            notes.add(Code.VALUE_UNREADABLE, f"no score from 0 to 100, left empty: {excerpt(value)}", at)
            return None
        share = min(max(number / scale, 0), 1)
        score = math.floor(share * self.MOST + 0.5)
        if score != number or "/" in str(value) or "%" in str(value):
            notes.add(Code.VALUE_REPAIRED, f"read as {score}: {excerpt(value)}", at)
        return score

    def _read(self, value: Any) -> tuple[float | None, float]:
        """The number and what it is out of."""
        if isinstance(value, str):
            found = _OUT_OF.fullmatch(value.strip())
            if found is None or len(value) > 40:  # noqa: PLR2004 (no number a person means is longer)
                return None, self.MOST
            return float(found[1]), float(found[2] or self.MOST)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value), self.MOST
        return None, self.MOST


class Urgency:
    """`LOW`, `MEDIUM`, `HIGH` or `CRITICAL` (domain, "Field by field": root columns)."""

    ORDER: ClassVar[tuple[str, ...]] = ("LOW", "MEDIUM", "HIGH", "CRITICAL")

    def fit(self, value: Any, at: str, notes: Notes) -> str | None:
        """The level that `value` states, or None with a notice.

        Case and spaces do not matter. A range (`Medium-High`) is its upper end, with a notice: who reads
        it acts in time for either. Words after the level (`High: closes in March`) are passed over, with a
        notice. Words before it are not: `not high` is no `HIGH`.
        """
        value = _alone(value, at, notes)
        if value is None:
            return None
        found = _LEVELS.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            notes.add(Code.VALUE_UNREADABLE, f"no urgency, left empty: {excerpt(value)}", at)
            return None
        levels = {level.upper() for level in found.group(1, 2) if level}
        level = max(levels, key=self.ORDER.index)
        if len(levels) > 1 or found[3]:
            notes.add(Code.VALUE_REPAIRED, f"read as {level}: {excerpt(value)}", at)
        return level


class Number:
    """A number. Make.com sends numbers as text (domain, "What LLM outputs really look like")."""

    def fit(self, value: Any, at: str, notes: Notes) -> Any:
        """The number that a text holds; anything else stays, with a notice."""
        value = _alone(value, at, notes)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        try:
            number = float(value) if isinstance(value, str) else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        notes.add(Code.SHAPE_UNEXPECTED, f"{excerpt(value)} where a number is due was kept", at)
        return value
