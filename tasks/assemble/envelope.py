"""Out of every envelope: what a provider, Make.com or the model itself has put around a step's content."""

from typing import Any

from models.clean import REPLACEMENT
from tasks.assemble.clean import Tally, as_list, clean, is_nothing
from tasks.assemble.fields import lay, tell_lost
from tasks.assemble.notes import Code, Notes, UnusableError
from tasks.assemble.people import reads_as_a_name
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
        if alias not in content:
            continue
        if is_nothing(content.get(name)):
            content[name] = content.pop(alias)
        elif is_nothing(content[alias]) or content[alias] == content[name]:
            del content[alias]
        else:
            notes.add(Code.KEYS_COLLIDE, f"it has another value than {name}, and kept its own name", alias)
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
                is_content = blocks_of(value) == [] and not _is_empty(value, self._step)
                answer = None if is_content else said(value, self._notes)
                if answer is None:
                    return self._open_object(value, layers - 1)
                beside = {"sources": value["sources"]} if value.get("sources") else {}
                return self._joined(beside, self.open(answer, layers - 1))
            case _:
                raise UnusableError("there is no JSON object in it", value)

    def _open_list(self, items: list[Any], layers: int) -> dict[str, Any]:
        if any(map(is_block, items)):
            return self.open(joined(items, items), layers)
        if self._step.lists:
            return self._listed([self.open(item, layers) if self._holds_more(item) else item for item in items])
        if not items:
            raise UnusableError("an empty list where one object is due", items)
        contents: list[dict[str, Any]] = []
        refused: UnusableError | None = None
        for item in items:
            try:
                contents.append(self.open(item, layers))
            except UnusableError as error:
                if not isinstance(item, str) or START.search(item):
                    raise
                refused = error
        if refused and not contents:
            raise refused
        if refused:
            self._notes.add(Code.JSON_REPAIRED, "text beside its objects was passed over")
        return self._as_one(contents)

    def _open_object(self, value: dict[str, Any], layers: int) -> dict[str, Any]:
        """The object without its wrappers: what they hold, and what stands beside them."""
        while (name := self._wrapper(value)) is not None:
            inner = self.open(value[name], layers)
            is_carried = name in self._step.wrappers or _is_empty(value, self._step)
            left_out = {name, *(TRANSPORT - self._step.fields if is_carried else ())}
            beside = {key: item for key, item in value.items() if key not in left_out and item is not None}
            value = self._joined(beside, inner)
        return value

    def _joined(self, under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
        """Two parts of one content: the lists and sources of both; else `over` counts, with a notice."""
        tell_lost(self._lay(under, over), self._notes)
        return under

    def _lay(self, whole: dict[str, Any], over: dict[str, Any]) -> list[str]:
        """Put `over` into `whole`, and give the paths at which that had another value."""
        for name in ("sources", *self._step.lists):
            first, second = whole.get(name), over.get(name)
            if (name == "sources" and first and second) or (isinstance(first, list) and isinstance(second, list)):
                if first != second:
                    whole[name] = as_list(first)
                    whole[name].extend(as_list(second))
                over = {key: value for key, value in over.items() if key != name}
        return lay(whole, over)

    def _wrapper(self, value: dict[str, Any]) -> str | None:
        """The key that holds the content or part of it: a section's name, or else a carrier's."""
        step = self._step
        for name in step.wrappers:
            if isinstance(value.get(name), dict) or (step.lists and isinstance(value.get(name), list)):
                return name
        if not _is_empty(value, step):
            return next((name for name in WRAPPERS if self._completes(value, name)), None)
        held = [name for name in (*WRAPPERS, *step.wrappers) if isinstance(value.get(name), dict | list | str)]
        return min(held, key=lambda name: isinstance(value[name], str), default=None)

    def _completes(self, value: dict[str, Any], name: str) -> bool:
        """Whether under `name` there are fields of the step that `value` lacks, and no other value for any."""
        inner = value.get(name)
        return (
            isinstance(inner, dict)
            and name not in self._step.fields
            and any(not is_nothing(inner.get(field)) for field in self._step.fields)
            and all(is_nothing(value.get(key)) or value[key] == item for key, item in inner.items())
        )

    def _holds_more(self, item: Any) -> bool:
        """Whether an item of a list is no entry but an envelope, or a whole document with a list in it."""
        if isinstance(item, str):
            return START.search(item) is not None
        return isinstance(item, dict) and bool(
            self._lists_of(item) or self._wrapper(item) is not None or blocks_of(item) is not None
        )

    def _lists_of(self, item: Any) -> list[str]:
        """The names of the lists of people in an item."""
        return [name for name in self._step.lists if isinstance(item, dict) and name in item]

    def _listed(self, items: list[Any]) -> dict[str, Any]:
        """Entries, and documents that list entries, as one document."""
        whole: dict[str, Any] = {}
        lists: dict[str, list[Any]] = {self._step.lists[0]: []}
        lost: list[str] = []
        if any(map(self._lists_of, items)):
            kept = [item for item in items if not isinstance(item, str) or reads_as_a_name(item)]
            if len(kept) < len(items):
                self._notes.add(Code.JSON_REPAIRED, "text beside its objects was passed over")
            items = kept
        for item in items:
            names = self._lists_of(item)
            if names and len(items) == 1:
                return dict(item)
            if not names:
                lists[self._step.lists[0]].append(item)
                continue
            for name in names:
                lists.setdefault(name, []).extend(as_list(item.pop(name)))
            lost += self._lay(whole, item)
        tell_lost(lost, self._notes)
        return {**lists, **whole}

    def _as_one(self, contents: list[dict[str, Any]]) -> dict[str, Any]:
        """Several objects where one is due, read as one; where they disagree the later counts, as with steps."""
        whole: dict[str, Any] = {}
        lost = [path for content in contents for path in self._lay(whole, content)]
        if len(contents) > 1:
            self._notes.add(
                Code.SEVERAL_OBJECTS, f"{len(contents)} objects where one is due were read as one, the later first"
            )
        tell_lost(lost, self._notes)
        return whole
