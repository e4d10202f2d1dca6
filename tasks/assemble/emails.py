"""An address of a person, by e-mail or on LinkedIn, out of what a step wrote for one."""

import re
from collections.abc import Iterator
from typing import Any

from email_validator import EmailNotValidError, validate_email

from tasks.assemble.clean import as_list
from tasks.assemble.people import is_honorific

_BETWEEN = re.compile(r"[,;|]|\s/\s|\sor\s", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"<([^<>]*@[^<>]*)>")
_UNSEEN = "\u00ad\u200b\u200e\u200f\u2060\ufeff"
_ADDRESS = re.compile(
    rf"(?P<local>[^\s@:<(\[{{]*+)(?P<space>[\s{_UNSEEN}]*+)@[\s{_UNSEEN}]*+"
    rf"(?P<domain>[^\s{_UNSEEN}:<>)\]}}\"`?]*+(?:\s++\.(?=[a-z])[^\s{_UNSEEN}:<>)\]}}\"`?]*+)*)"
)
_MASKED = re.compile(r"[*=>)\]}\"\u2022\u2026]")
_BEGINS = re.compile(r"(?:.*[:<(\[{])?\s*", re.DOTALL)
"""What may stand before an address whose name is parted from its `@`: one more word might be of that name."""

_WORD_BEFORE = re.compile(_BEGINS.pattern + r"(?P<word>[\w-]*\w)(?P<mark>[._+-]?)\s+", re.DOTALL)
_HALF_A_DOMAIN = re.compile(r"\s+(?:\.(?:\w|\s+[a-z])|[a-z]{1,3}\s*\Z)")
_SPACED_OUT = re.compile(
    r"\s*\w[\w+-]*(?:(?:\.|\s+\.\s+)[\w+-]+)*\s*@\s*[\w-]+"
    r"(?:(?:\.[\w-]+)+|(?:\s+\.\s+[a-z\d-]+)+|\.\s+[a-z]{2,3})\s*"
)
"""An address with spaces at its dots, and nothing else: no sentence ends in it."""

_LABELS = frozenset(
    {"email", "e-mail", "mail", "emails", "address", "contact", "reach", "try", "use", "see", "at", "to", "via"}
    | {"work", "personal", "private", "business", "office", "company", "corporate", "direct", "main", "primary"}
    | {"secondary", "general", "generic", "alternative", "best", "new", "old", "current", "her", "his", "their"}
    | {"likely", "probably", "possibly", "perhaps", "maybe", "presumably", "guess", "guessed", "inferred"}
    | {"estimated", "verified", "unverified", "confirmed", "found", "is", "and", "the"}
)
"""Words before an address that are no half of a name."""

_LONGEST = 1000

LINK = re.compile(r"https?://\S|[\w-]\.[a-z]{2,}/\S", re.IGNORECASE)
"""What is in a link and not in words such as `not found`."""

_NO_SCHEME = re.compile(r"(?:\w{2,3}\.)?linkedin\.com/[^\s\"<>\\]+", re.IGNORECASE)
_PROFILE = re.compile(r"/in/([^/?#\s]+)", re.IGNORECASE)


def email_in(value: Any) -> str | None:
    """The first valid address in `value`, or None: a text, several in one text, or a list.

    It is the word around an `@`. A label or `mailto:` before it, its parameters and words after it, brackets
    and punctuation around it, and spaces at its `@` are left out (domain, "What LLM outputs really look
    like"). Where another word may belong to it (`ann lee@acme.example`), or it is masked (`j***@`), there is
    none. Whether mail would arrive is not asked.
    """
    for candidate in _candidates(value):
        try:
            return validate_email(candidate, check_deliverability=False).normalized
        except EmailNotValidError:
            continue
    return None


def profile_in(value: Any) -> str | None:
    """Whose profile on LinkedIn an address in `value` is, or None: one person's, however it is written."""
    found = (_PROFILE.search(text) for text in as_list(value) if isinstance(text, str))
    return next((profile[1] for profile in found if profile), None)


def with_scheme(written: str | None) -> str | None:
    """An address on LinkedIn with the scheme that people leave out: readers see none that has no scheme."""
    return f"https://{written}" if written and _NO_SCHEME.fullmatch(written) else written


def _candidates(value: Any) -> Iterator[str]:
    for text in as_list(value):
        if not isinstance(text, str) or len(text) > _LONGEST:
            continue
        for part in _BETWEEN.split(text):
            bracketed = _IN_BRACKETS.search(part)
            yield from _addresses(bracketed[1] if bracketed else part)


def _addresses(text: str) -> Iterator[str]:
    if _SPACED_OUT.fullmatch(text):
        text = "".join(text.split())
    for found in _ADDRESS.finditer(text):
        before, after = text[: found.start()], text[found.end() :]
        is_parted = (found["space"] or found["local"].startswith(".")) and not _BEGINS.fullmatch(before)
        if is_parted or _ends_in_half_a_name(before) or _HALF_A_DOMAIN.match(after):
            continue
        local = found["local"].lstrip(f"'\"`.{_UNSEEN}")
        domain = "".join(found["domain"].split()).rstrip(".'!")
        if not _MASKED.search(local):
            yield f"{local}@{domain}"


def _ends_in_half_a_name(before: str) -> bool:
    """Whether the only word before an address may be of its name: neither a number, a title nor a label."""
    found = _WORD_BEFORE.fullmatch(before)
    if not found or found["word"].isdigit() or is_honorific(found["word"]):
        return False
    return found["mark"] != "" or (found["word"].islower() and found["word"] not in _LABELS)
