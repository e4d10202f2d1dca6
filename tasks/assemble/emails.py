"""An e-mail address, out of what a step wrote for one."""

import re
from collections.abc import Iterator
from typing import Any

from email_validator import EmailNotValidError, validate_email

from tasks.assemble.clean import as_list

_SCHEME = re.compile(r"\s*mailto:", re.IGNORECASE)
_AROUND = "<>()[]\"'`.,;: \t\r\n"
_BETWEEN = re.compile(r"[,;|]|\s/\s|\sor\s", re.IGNORECASE)
_MASKED = re.compile(r"\*{2,}|\*@|[\[\]{}]")
_IN_BRACKETS = re.compile(r"<([^<>]+)>")
_LONGEST = 1000


def email_in(value: Any) -> str | None:
    """The first valid address in `value`, or None: a text, several in one text, or a list.

    `mailto:` and its parameters, a name before an address in angle brackets, brackets and punctuation
    around it, and spaces in it are taken away (domain, "What LLM outputs really look like"). An address
    masked with asterisks is none. Whether mail would arrive is not asked.
    """
    for candidate in _candidates(value):
        try:
            return validate_email(candidate, check_deliverability=False).normalized
        except EmailNotValidError:
            continue
    return None


def _candidates(value: Any) -> Iterator[str]:
    for text in as_list(value):
        if not isinstance(text, str) or len(text) > _LONGEST:
            continue
        for part in _BETWEEN.split(text):
            bracketed = _IN_BRACKETS.search(part)
            address = _SCHEME.sub("", bracketed[1] if bracketed else part, count=1).partition("?")[0]
            address = "".join(address.strip(_AROUND).split())
            if "@" in address and not _MASKED.search(address):
                yield address
