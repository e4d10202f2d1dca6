"""What the settings about callbacks and signed requests may hold; pydantic tells of the `ValueError`s."""

import ipaddress
import re
from base64 import b64decode

_PREFIX = "whsec_"
_FEWEST = 24
"""Bytes of a key, by Standard Webhooks. Whoever guesses one calls the bridge without an API key."""

_NAMES = re.compile(r"[a-z0-9_*?-]+(\.[a-z0-9_*?-]+)*", re.ASCII | re.IGNORECASE)


def signing_secrets(text: str) -> str:
    """The secrets, divided by commas.

    Raises:
        ValueError: one is not `whsec_` and base64 of enough bytes; says how to make one, and repeats none.
    """
    found = [part.strip() for part in text.split(",")]
    if not all(part.startswith(_PREFIX) and _bytes(part) >= _FEWEST for part in found):
        raise ValueError(
            f"must be {_PREFIX} and base64 of {_FEWEST} bytes or more; several are divided by commas. Make one: "
            f'echo "{_PREFIX}$(openssl rand -base64 32)"'
        )
    return ",".join(found)


def host_patterns(text: str) -> str:
    """The text, if each of its parts, divided by commas, can be the host of an address.

    Raises:
        ValueError: one is a whole address, say, and would allow nothing.
    """
    for part in filter(None, map(str.strip, text.split(","))):
        if not _NAMES.fullmatch(part) and not is_address(part):
            raise ValueError(
                f"{part!r} is no host: write names such as *.make.com and addresses such as 10.0.0.7, by commas, "
                "without https://, port, path and brackets"
            )
    return text


def is_address(host: str) -> bool:
    """Whether a host is an IP address, of either version and without brackets, rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bytes(secret: str) -> int:
    try:
        return len(b64decode(secret.removeprefix(_PREFIX), validate=True))
    except ValueError:
        return 0
