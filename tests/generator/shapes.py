"""Damage to structure: missing values and sections, other keys for the same thing, wrappers around it all."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.generator.damage import KEY_CASES, SPELLINGS, WRAPPERS, Damage
from tests.generator.plan import CONTACTS, COPY, INDIVIDUAL, MEDIA, OVERRIDE
from tests.generator.request import Request
from tests.generator.trees import camel, snake, upper, with_key, with_objects
from tests.generator.turns import turns

SPELLED: Final = {
    Damage.MISSING_AS_NULL: None,
    Damage.MISSING_AS_NULL_TEXT: "null",
    Damage.MISSING_AS_NOT_AVAILABLE: "N/A",
    Damage.MISSING_AS_UNKNOWN: "Unknown",
    Damage.MISSING_AS_EMPTY: "",
}
"""How each knob writes a value that is missing."""

NULLABLE: Final = frozenset(
    {"network_intelligence", "opportunity_intelligence", "objections", "common_objections", "opportunity_details"}
)
"""Sections that are null under `NULL_SECTIONS`: none that a source, a signal or a contact comes from."""

ALIASES: Final = {
    Damage.CONTACT_LIST_ALIASES: ("contacts", ("enriched_contacts", "key_contacts")),
    Damage.OVERRIDE_ALIASES: ("final_copy_outputs", ("override_copy", "copy_outputs")),
    Damage.IMAGE_ALIASES: ("project_images", ("recommended_project_images", "image_assets")),
}
"""The key that each knob renames, and to what."""

KEY_CASE: Final[dict[Damage, Callable[[str], str]]] = {Damage.CAMEL_KEYS: camel, Damage.UPPER_KEYS: upper}
SOURCE_TITLES: Final = ("text", "name", "source_name")

SECTION_OF: Final = {
    "10_WRITER_INTRO": "find_leads",
    "10_WRITER_SIGNALS": "find_leads",
    "10_WRITER_LEAD_INTELLIGENCE": "enrich_lead",
    "10_WRITER_OPPORTUNITY": "find_leads",
    "10_WRITER_STRATEGY": "insight",
    "10_WRITER_CLIENT_SPECIFIC": "find_leads",
    "07B_INSIGHT": "insight",
    CONTACTS: "enrich_contacts",
    INDIVIDUAL: "enrich_contacts",
    COPY: "copy",
    OVERRIDE: "copy",
    MEDIA: "media",
}
"""The section each step feeds, or feeds first. A composer's dossier has no such name."""


class Shapes:
    """The damage to the structure of one run; called with each step's content in turn."""

    def __init__(self, request: Request) -> None:
        def chosen(purpose: str, group: tuple[Damage, ...]) -> Iterator[Damage]:
            return turns(request.rng(purpose), [knob for knob in group if knob in request.damage])

        self._damage = request.damage
        self._rng = request.rng("aliases")
        self._source_titles = turns(request.rng("source_titles"), SOURCE_TITLES)
        self._spellings = chosen("missing", SPELLINGS)
        self._key_cases = chosen("key_cases", KEY_CASES)
        self._wrappers = chosen("wrappers", WRAPPERS)

    def __call__(self, step: str, content: Any) -> Any:
        """The content with the damage that was asked for."""
        content = self._renamed(with_objects(content, self._with_missing))
        if Damage.OBJECTION_OBJECTS in self._damage:
            content = with_objects(content, _objection)
        if Damage.NULL_SECTIONS in self._damage:
            content = {key: None if snake(key) in NULLABLE else value for key, value in content.items()}
        if Damage.BARE_CONTACT_LIST in self._damage and step == CONTACTS:
            content = next(value for value in content.values() if isinstance(value, list))
        return self._wrapped(step, self._recased(self._reshaped(content)))

    def _with_missing(self, found: dict[str, Any]) -> dict[str, Any]:
        """The object with its missing values spelled as asked for, or left out."""
        return {
            key: SPELLED[next(self._spellings)] if value is None else value
            for key, value in found.items()
            if value is not None or self._damage & SPELLED.keys()
        }

    def _renamed(self, content: dict[str, Any]) -> dict[str, Any]:
        for knob, (key, others) in ALIASES.items():
            if knob in self._damage:
                content = with_key(content, key, self._rng.choice(others))
        if Damage.SOURCE_ALIASES in self._damage and "sources" in content:
            sources = [with_key(each, "title", next(self._source_titles)) for each in content["sources"]]
            content = content | {"sources": sources}
        return content

    def _reshaped(self, content: Any) -> Any:
        """Lists of one object as that object, at any depth; a section's object as a list of one."""
        unlisted = Damage.OBJECT_FOR_LIST in self._damage
        reshaped = with_objects(content, _unlisted) if unlisted else content
        if Damage.LIST_FOR_OBJECT in self._damage and isinstance(content, dict):
            reshaped = {
                key: [reshaped[key]] if isinstance(value, dict) else reshaped[key]
                for key, value in content.items()
            }
        return reshaped

    def _recased(self, content: Any) -> Any:
        knob = next(self._key_cases, None)
        if knob is None:
            return content
        change = KEY_CASE[knob]
        return with_objects(content, lambda found: {change(key): value for key, value in found.items()})

    def _wrapped(self, step: str, content: Any) -> Any:
        wrapper = next(self._wrappers, None)
        if wrapper is Damage.WRAP_SECTION:
            section = SECTION_OF.get(step)
            return content if section is None else {section: content}
        return content if wrapper is None else {wrapper.removeprefix("wrap_"): content}


def _objection(found: dict[str, Any]) -> dict[str, Any]:
    """An objection whose answer is an object of four parts; any other object as it is."""
    if set(found) != {"objection", "response"}:
        return found
    return found | {
        "response": {
            "acknowledge": "That is fair to ask.",
            "reframe": found["response"],
            "evidence": "The last three jobs ended on the day agreed.",
            "close": "May we show the schedule?",
        }
    }


def _unlisted(found: dict[str, Any]) -> dict[str, Any]:
    """The object with one object in place of each list that holds just one."""
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) else value
        for key, value in found.items()
    }
