"""Out of every envelope: what a provider, Make.com or the model itself has put around a step's content."""

from typing import Any

from models.clean import REPLACEMENT
from tasks.assemble.clean import Tally, as_list, clean, is_nothing, overlay
from tasks.assemble.notes import Code, Notes, UnusableError
from tasks.assemble.providers import blocks_of, is_block, joined, said
from tasks.assemble.repair import START, parse
from tasks.assemble.steps import ALIASES, Step

LAYERS = 16
"""Envelopes in envelopes that are opened. Five is the most that was ever seen."""

WRAPPERS = ("result", "output", "data", "response", "v1_buckets", "text", "content", "message", "json", "body")
"""Names that hold a content where nothing of the content stands beside them."""

TRANSPORT = frozenset(
    {"id", "object", "status", "model", "usage", "created", "created_at", "type", "role", "error"}
    | {"success", "ok", "status_code", "headers", "stop_reason", "request_id"}
)
"""What stands beside a wrapper and is the carrier's, not the writer's."""


def unwrap(output: Any, step: Step, notes: Notes) -> dict[str, Any]:
    """The content of a step's raw output: cleaned, keys in snake_case, fields under their usual names.

    Opens the envelopes of OpenAI Responses, Chat Completions, Anthropic, Gemini and Make.com, JSON in
    strings, and wrappers, in any order around each other. What a writer put beside a wrapper (`sources`,
    say) joins the content. A list is the content of steps that list people, and is kept under the first
    name their list has, as is one entry alone; elsewhere the objects in it are read as one.

    Raises:
        UnusableError: no object is in there, or one that has none of the step's fields. An object with
            all of them null is such a one too: its writer has written nothing.
    """
    tally = Tally()
    content = _Opener(step, notes, tally).open(clean(output, tally), LAYERS)
    tally.report(notes)
    for alias, name in ALIASES.items():
        if alias in content and content.get(name) is None:
            content[name] = content.pop(alias)
    if step.entry and not step.entry.isdisjoint(content) and _is_empty(content, step):
        content = {step.lists[0]: [content]}
    if _is_empty(content, step):
        wanted = ", ".join(sorted(step.fields))
        raise UnusableError(f"it has none of the fields the step is asked for ({wanted})", content)
    return content


def _is_empty(content: dict[str, Any], step: Step) -> bool:
    """Whether there is nothing of the step in it. A list of nobody is something."""
    if any(name in content for name in step.lists):
        return False
    return all(is_nothing(content.get(name)) for name in step.fields)


class _Opener:
    """Opens what is around the content of one output."""

    def __init__(self, step: Step, notes: Notes, tally: Tally) -> None:
        self._step = step
        self._notes = notes
        self._tally = tally

    def open(self, value: Any, layers: int) -> dict[str, Any]:
        """The content in `value`, at most `layers` deep."""
        if layers == 0:
            raise UnusableError(f"more than {LAYERS} envelopes around each other", value)
        match value:
            case str():
                self._tally.replaced -= value.count(REPLACEMENT)  # counted again in what the text says
                return self.open(clean(parse(value, self._notes), self._tally), layers - 1)
            case list():
                return self._open_list(value, layers - 1)
            case dict():
                answer = said(value, self._notes)
                return self._open_object(value, layers - 1) if answer is None else self.open(answer, layers - 1)
            case _:
                raise UnusableError("there is no JSON object in it", value)

    def _open_list(self, items: list[Any], layers: int) -> dict[str, Any]:
        if any(map(is_block, items)):
            return self.open(joined(items, items), layers)
        if self._step.lists:
            return self._listed([self.open(item, layers) if self._holds_more(item) else item for item in items])
        if not items:
            raise UnusableError("an empty list where one object is due", items)
        return self._as_one([self.open(item, layers) for item in items])

    def _open_object(self, value: dict[str, Any], layers: int) -> dict[str, Any]:
        """The object without its wrappers: what they hold, and what stands beside them."""
        while (name := self._wrapper(value)) is not None:
            inner = self.open(value[name], layers)
            beside = {
                key: item
                for key, item in value.items()
                if key != name and item is not None and (key not in TRANSPORT or key in self._step.fields)
            }
            value = overlay(beside, inner)
        return value

    def _wrapper(self, value: dict[str, Any]) -> str | None:
        """The key that holds the content or part of it: a section's name, or else a carrier's."""
        step = self._step
        for name in step.wrappers:
            if isinstance(value.get(name), dict) or (step.lists and isinstance(value.get(name), list)):
                return name
        if not _is_empty(value, step):
            return None
        held = [name for name in (*WRAPPERS, *step.wrappers) if isinstance(value.get(name), dict | list | str)]
        return min(held, key=lambda name: isinstance(value[name], str), default=None)

    def _holds_more(self, item: Any) -> bool:
        """Whether an item of a list is no entry but an envelope, or a whole document with a list in it."""
        if isinstance(item, str):
            return START.match(item.lstrip()) is not None
        return isinstance(item, dict) and (
            any(name in item for name in self._step.lists)
            or self._wrapper(item) is not None
            or blocks_of(item) is not None
        )

    def _listed(self, items: list[Any]) -> dict[str, Any]:
        """Entries, and documents that list entries, as one document."""
        whole: dict[str, Any] = {}
        entries: list[Any] = []
        for item in items:
            names = [name for name in self._step.lists if isinstance(item, dict) and name in item]
            if names and len(items) == 1:
                return dict(item)
            for name in names:
                entries += as_list(item.pop(name))
            if names:
                whole = overlay(whole, item)
            else:
                entries.append(item)
        return {self._step.lists[0]: entries, **whole}

    def _as_one(self, contents: list[dict[str, Any]]) -> dict[str, Any]:
        """Several objects where one is due, read as one; where they disagree the later counts, as with steps."""
        whole: dict[str, Any] = {}
        for content in contents:
            whole = overlay(whole, content)
        if len(contents) > 1:
            self._notes.add(
                Code.SEVERAL_OBJECTS, f"{len(contents)} objects where one is due were read as one, the later first"
            )
        return whole
