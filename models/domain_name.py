"""A company's domain, out of whatever was given for it, and the key that its dossiers share."""

import re
from functools import lru_cache

import idna
from publicsuffixlist import PublicSuffixList

_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//?", re.IGNORECASE)
_END = re.compile(r"[/\\?#]")
_PORT = re.compile(r":\d*\Z")
_DOTS = ".\u3002\uff0e\uff61"
_LONGEST_TEXT = 2048
_LONGEST_NAME = 253


def normalise_domain(text: str) -> str | None:
    """The domain in `text` as the root column has it, or None where there is none.

    Lower case, in its ASCII form (IDNA with UTS 46), without scheme, user, port, path, trailing dot and
    `www.` (domain, "Field by field"). An address, a bare host name and anything that is no single
    domain are None. What comes out comes out again unchanged.
    """
    text = text.strip()[:_LONGEST_TEXT]
    scheme = _SCHEME.match(text)
    host = _END.split(text[scheme.end() if scheme else 0 :], maxsplit=1)[0]
    host = _PORT.sub("", host.rpartition("@")[2]).strip().rstrip(_DOTS)
    if not host or len(host) > _LONGEST_NAME:
        return None
    try:
        name = idna.encode(host, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return None
    while name.startswith("www.") and "." in name.removeprefix("www."):
        name = name.removeprefix("www.")
    is_domain = "." in name and not name.rpartition(".")[2].isdigit()
    return name if is_domain else None


@lru_cache(maxsize=1024)
def company_key(text: str | None) -> str | None:
    """What the dossiers of one company have in common: its registrable domain, or None where there is none.

    `careers.acme.co.uk` and `www.acme.co.uk` are `acme.co.uk`; under a shared suffix such as `github.io` each
    name is a company of its own, and the suffix itself is nobody's (the Public Suffix List, its private part
    included).
    """
    domain = normalise_domain(text) if text else None
    return _suffixes().privatesuffix(domain) if domain else None


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
