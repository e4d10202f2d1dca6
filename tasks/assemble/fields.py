"""The shapes a field can be due in, and how what came is fitted to them.

A shape answers one question: given a cleaned value, what is stored? What fits passes as it is. What
can be fitted without loss is, with a notice. The rest stays as it came, with a notice, unless the app
could not show it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from tasks.assemble.clean import WHOLE, Tally, as_list, clean, is_nothing
from tasks.assemble.notes import Code, Notes, excerpt
from tasks.assemble.pairs import loads


def unfolded(value: Any, at: str, notes: Notes) -> Any:
    """An object or a list that came as its JSON text (domain: "a JSON string inside a JSON string")."""
    if not isinstance(value, str) or value.lstrip()[:1] not in {"{", "["}:
        return value
    try:
        inner = loads(value, notes)
    except (orjson.JSONDecodeError, RecursionError):
        return value
    notes.add(Code.SHAPE_REPAIRED, "JSON in a string was unfolded", at)
    tally = Tally()
    tidy = clean(inner, tally)
    tally.report(notes)
    return tidy


class Shape(Protocol):
    """What a field is due in."""

    def fit(self, value: Any, at: str, notes: Notes) -> Any:
        """`value` in this shape. `at` is the field's path, for what there is to say about it."""


class Anything:
    """A field whose shape the app leaves open."""

    def fit(self, value: Any, at: str, notes: Notes) -> Any:  # noqa: ARG002 (a shape is asked with all three)
        """`value` as it is."""
        return value


class Text:
    """A text, or a number, which a reader shows alike. Several texts become one with a line each."""

    def fit(self, value: Any, at: str, notes: Notes) -> Any:
        """One text; an object in place of a text stays, since which of its fields is meant is not known."""
        if isinstance(value, list):
            lines = [item for item in value if not is_nothing(item)]
            if all(isinstance(item, str | int | float) for item in lines):
                notes.add(Code.SHAPE_REPAIRED, f"{len(lines)} texts where one is due are its lines now", at)
                return "\n".join(map(str, lines)) or None
        if isinstance(value, list | dict):
            notes.add(Code.SHAPE_UNEXPECTED, f"{excerpt(value)} where a text is due was kept", at)
        return value


@dataclass(frozen=True, slots=True)
class Many:
    """A list; never null (domain: "Empty arrays are [], never null")."""

    item: Shape

    def fit(self, value: Any, at: str, notes: Notes) -> list[Any]:
        """The items that are there, each fitted. One value where a list is due is its only item."""
        value = unfolded(value, at, notes)
        if not isinstance(value, list) and not is_nothing(value):
            notes.add(Code.SHAPE_REPAIRED, "one value where a list is due is its only item now", at)
        return [
            self.item.fit(item, f"{at}[{place}]", notes)
            for place, item in enumerate(as_list(value))
            if item is not None
        ]


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known fields; unknown ones are kept under their own names.

    Attributes:
        bare: the field that a text in place of the whole object is; None where no field is a text.
        fields: the shapes of the known fields.
        aliases: other names of known fields. An alias beside the field itself stays what it is.
        adapt: rewrites what aliases cannot, before anything else is looked at.
        listed: the field that a list in place of the whole object is; None where no field is one.
    """

    bare: str | None
    fields: Mapping[str, Shape] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    adapt: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    listed: str | None = None

    def fit(self, value: Any, at: str, notes: Notes) -> dict[str, Any] | None:
        """The object, with [] for each known list that is missing; None for nothing.

        Of several objects where one is due the first is taken: the writers put the most important first.
        """
        value = unfolded(value, at, notes)
        if isinstance(value, list):
            value = self._from_list(value, at, notes)
        if value is None:
            return None
        if not isinstance(value, dict):
            return self._from_scalar(value, at, notes)
        if self.adapt:
            value = self.adapt(value)
        for alias, name in self.aliases.items():
            if alias in value and is_nothing(value.get(name)):
                value = {name if key == alias else key: item for key, item in value.items() if key != name}
        fitted = {
            key: self.fields[key].fit(item, f"{at}.{key}", notes) if key in self.fields else item
            for key, item in value.items()
        }
        for name, shape in self.fields.items():
            if isinstance(shape, Many):
                fitted.setdefault(name, [])
        return fitted

    def _from_list(self, values: list[Any], at: str, notes: Notes) -> Any:
        there = [value for value in values if not is_nothing(value)]
        if self.listed and there and not any(isinstance(value, dict) and self.listed in value for value in there):
            notes.add(Code.SHAPE_REPAIRED, f"a list where an object is due is its {self.listed} now", at)
            return {self.listed: there}
        if len(there) > 1:
            notes.add(Code.SHAPE_REPAIRED, f"the first of {len(there)} where one is due was taken", at)
        elif there:
            notes.add(Code.SHAPE_REPAIRED, "a list of one where one is due", at)
        return there[0] if there else None

    def _from_scalar(self, value: Any, at: str, notes: Notes) -> dict[str, Any] | None:
        if self.bare is None or isinstance(value, list):
            notes.add(Code.SHAPE_UNEXPECTED, f"{excerpt(value)} where an object is due was left out", at)
            return None
        notes.add(Code.SHAPE_REPAIRED, f"a text where an object is due is its {self.bare} now", at)
        return self.fit({self.bare: value}, at, notes)


def fill(target: dict[str, Any], extra: dict[str, Any], at: str = "") -> list[str]:
    """Put into `target` what it lacks and `extra` has, level by level. What `target` has stays.

    A signal and a pair of coordinates are never completed from another's: half of each is neither.

    Returns:
        The paths at which both have something and `extra`'s lost.
    """
    lost: list[str] = []
    for key, value in extra.items():
        path = f"{at}.{key}" if at else key
        present = target.get(key)
        if is_nothing(present):
            if not is_nothing(value) or key not in target:
                target[key] = value
        elif isinstance(present, dict) and isinstance(value, dict) and key not in WHOLE:
            lost += fill(present, value, path)
        elif not is_nothing(value) and present != value:
            lost.append(path)
    return lost


def lay(target: dict[str, Any], newer: dict[str, Any], at: str = "") -> list[str]:
    """Lay `newer` on `target`, level by level: `fill` the other way round, in the time that `newer` takes.

    Returns:
        The paths at which both have something and `target`'s lost.
    """
    lost: list[str] = []
    for key, value in newer.items():
        path = f"{at}.{key}" if at else key
        present = target.get(key)
        if is_nothing(value) and not is_nothing(present):
            continue
        if isinstance(present, dict) and isinstance(value, dict) and key not in WHOLE:
            lost += lay(present, value, path)
            continue
        if not is_nothing(present) and present != value:
            lost.append(path)
        target[key] = value
    return lost


def tell_lost(lost: list[str], notes: Notes) -> None:
    """One notice for all the fields in which a step's values lost to others (`fill`); a key may be a name."""
    if lost:
        shown = [".".join(key if key.isidentifier() else "*" for key in path.split(".")) for path in lost[:5]]
        fields = ", ".join(shown) + (", …" if len(lost) > len(shown) else "")
        notes.add(Code.OVERRULED, f"another value was kept in {len(lost)} places: {fields}")
