"""Every kind of damage a run can arrive with, one knob each, and the groups they form.

Within a group of alternatives (envelopes, forms, wrappers, key cases, quotes, spellings of a missing value,
scores) a run given several uses them by turns; all other knobs add up.
"""

from enum import StrEnum
from typing import Final


class Damage(StrEnum):
    """One kind of damage. What a value does is said where it is done; its name is what the data calls it."""

    # Envelopes. A run without damage comes in OPENAI_RESPONSES, a small one in MAKE_RESULT.
    OPENAI_RESPONSES = "openai_responses"
    OPENAI_IN_ARRAY = "openai_in_array"
    OPENAI_SPLIT_TEXT = "openai_split_text"
    OPENAI_INCOMPLETE = "openai_incomplete"
    CHAT_COMPLETIONS = "chat_completions"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    MAKE_RESULT = "make_result"
    MAKE_TEXT = "make_text"
    NO_ENVELOPE = "no_envelope"
    NESTED_ENVELOPES = "nested_envelopes"

    # Forms of the content. JSON_STRING is what a run without damage has.
    JSON_STRING = "json_string"
    OBJECT = "object"
    STRING_IN_STRING = "string_in_string"

    # Sloppy JSON.
    FENCE = "fence"
    PROSE = "prose"
    COMMENTS = "comments"
    TRAILING_COMMAS = "trailing_commas"
    SINGLE_QUOTES = "single_quotes"
    CURLY_QUOTES = "curly_quotes"
    NAN = "nan"
    CUT_OFF = "cut_off"

    # Wrappers around the content.
    WRAP_RESULT = "wrap_result"
    WRAP_OUTPUT = "wrap_output"
    WRAP_DATA = "wrap_data"
    WRAP_RESPONSE = "wrap_response"
    WRAP_V1_BUCKETS = "wrap_v1_buckets"
    WRAP_SECTION = "wrap_section"

    CAMEL_KEYS = "camel_keys"
    UPPER_KEYS = "upper_keys"

    # Missing values: dropped where a run has no damage, else spelled.
    MISSING_AS_NULL = "missing_as_null"
    MISSING_AS_NULL_TEXT = "missing_as_null_text"
    MISSING_AS_NOT_AVAILABLE = "missing_as_not_available"
    MISSING_AS_UNKNOWN = "missing_as_unknown"
    MISSING_AS_EMPTY = "missing_as_empty"
    NULL_SECTIONS = "null_sections"
    OBJECT_FOR_LIST = "object_for_list"
    LIST_FOR_OBJECT = "list_for_object"

    # Values of the wrong type, range or spelling.
    SCORE_TEXT = "score_text"
    SCORE_FRACTION = "score_fraction"
    SCORE_FLOAT = "score_float"
    SCORE_OVER_RANGE = "score_over_range"
    URGENCY_CASE = "urgency_case"
    URGENCY_RANGE = "urgency_range"
    NUMBERS_AS_TEXT = "numbers_as_text"
    DATES_AS_TIMESTAMPS = "dates_as_timestamps"
    DATES_WITH_SLASHES = "dates_with_slashes"
    EMAIL_SPACES = "email_spaces"
    EMAIL_MAILTO = "email_mailto"
    MESSY_DOMAIN = "messy_domain"

    # Characters and lengths.
    NUL = "nul"
    LONE_SURROGATE = "lone_surrogate"
    LONG_STRINGS = "long_strings"
    RIGHT_TO_LEFT = "right_to_left"
    COMBINING = "combining"

    # Other names for the same thing.
    CONTACT_LIST_ALIASES = "contact_list_aliases"
    BARE_CONTACT_LIST = "bare_contact_list"
    OVERRIDE_ALIASES = "override_aliases"
    IMAGE_ALIASES = "image_aliases"
    SOURCE_ALIASES = "source_aliases"
    SEED_ALIASES = "seed_aliases"
    OBJECTION_OBJECTS = "objection_objects"

    # Steps and rows.
    COMPANY_AMONG_CONTACTS = "company_among_contacts"
    UNINDEXED_ENRICHMENT = "unindexed_enrichment"
    DUPLICATE_STEPS = "duplicate_steps"
    UNFINISHED_STEPS = "unfinished_steps"
    SENT_TWICE = "sent_twice"
    COMPOSER = "composer"
    EMPTY_FIELDS = "empty_fields"

    # Beyond repair.
    MISSING_WRITER = "missing_writer"
    PROSE_ONLY = "prose_only"


def _group(first: Damage, last: Damage) -> tuple[Damage, ...]:
    """The knobs from `first` to `last`, both included, in the order of the class."""
    every = tuple(Damage)
    return every[every.index(first) : every.index(last) + 1]


ENVELOPES: Final = _group(Damage.OPENAI_RESPONSES, Damage.NO_ENVELOPE)
FORMS: Final = _group(Damage.JSON_STRING, Damage.STRING_IN_STRING)
SYNTAX: Final = _group(Damage.FENCE, Damage.CUT_OFF)
QUOTES: Final = (Damage.SINGLE_QUOTES, Damage.CURLY_QUOTES)
WRAPPERS: Final = _group(Damage.WRAP_RESULT, Damage.WRAP_SECTION)
KEY_CASES: Final = (Damage.CAMEL_KEYS, Damage.UPPER_KEYS)
SPELLINGS: Final = _group(Damage.MISSING_AS_NULL, Damage.MISSING_AS_EMPTY)
SCORES: Final = _group(Damage.SCORE_TEXT, Damage.SCORE_FLOAT)
DATES: Final = (Damage.DATES_AS_TIMESTAMPS, Damage.DATES_WITH_SLASHES)

FATAL: Final = frozenset({Damage.MISSING_WRITER, Damage.PROSE_ONLY})
"""Damage that ends in an error."""

REPAIRABLE: Final = frozenset(Damage) - FATAL
"""Damage that a publish survives, in any combination."""
