"""The licences of all installed packages, against those we may use: `python -m tests.supply.licences`.

A package's own word counts, in this order: `License-Expression` (PEP 639), its classifiers, the `License` field.
Whatever is not understood is no permission.
"""

import re
import sys
from importlib.metadata import distributions

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MPL-2.0",  # copyleft by file; we change none of theirs
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
}
GRANTED = {
    "psycopg": ("LGPL-3.0-only", "used as a library, unchanged, and anybody may replace it"),
    "psycopg-binary": ("LGPL-3.0-only", "as psycopg"),
    "atheris": ("", "Apache-2.0 by the LICENSE file it ships; its metadata names none; for tests alone"),
    "axe-playwright-python": ("", "MIT by the LICENSE file it ships; its metadata names none; for tests alone"),
}
"""Packages that may be used whatever the list says: what they say of themselves, and why that will do."""

SAID = {
    "apache 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "new bsd": "BSD-3-Clause",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}
"""Older spellings. A bare "BSD" is one of its permissive forms, all of which are allowed."""


def named(metadata):
    """What a package says of its licence, as an expression; "" where it says nothing that can be read."""
    if expression := metadata.get("License-Expression"):
        return expression
    parts = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and not line.endswith(":: OSI Approved")
    ]
    if not parts and (text := metadata.get("License")):
        parts = [" ".join(text.split())]
    return " AND ".join(_canonical(part) for part in parts)


def permits(expression, allowed=frozenset(ALLOWED)):
    """Whether an SPDX expression lets us use the package: with OR one of its licences will do, with AND each must.

    A licence that is not in `allowed` does not, nor does a text that is no expression.
    """
    words = re.findall(r"[()]|[^\s()]+", expression)
    try:
        found = _either(words, allowed)
    except (IndexError, ValueError):
        return False
    return found and not words


def problems(found):
    """A line for each of these distributions whose licence is unknown, not allowed or granted no more."""
    lines = []
    for distribution in found:
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        said = named(distribution.metadata)
        if name in GRANTED and GRANTED[name][0] == said:
            continue
        if not permits(said):
            lines.append(f"{name} {distribution.version}: {said or 'names no licence'}")
    return sorted(set(lines))


def _canonical(text):
    return SAID.get(text.lower(), text if re.fullmatch(r"[\w.+-]+", text) else "unknown")


def _either(words, allowed):
    found = _both(words, allowed)
    while words and words[0].upper() == "OR":
        words.pop(0)
        found |= _both(words, allowed)
    return found


def _both(words, allowed):
    found = _one(words, allowed)
    while words and words[0].upper() == "AND":
        words.pop(0)
        found &= _one(words, allowed)
    return found


def _one(words, allowed):
    word = words.pop(0)
    if word == "(":
        found = _either(words, allowed)
        if words.pop(0) != ")":
            raise ValueError(word)
        return found
    return word in allowed


def main():
    """Say which packages may not be used; returns the exit status."""
    found = list(distributions())
    lines = problems(found)
    for line in lines:
        print(f"licence not allowed: {line}")  # noqa: T201 - for whoever runs it
    print(f"licences: {len(found)} packages looked at, {len(lines)} not allowed")  # noqa: T201 - for whoever runs it
    return 1 if lines or not found else 0


if __name__ == "__main__":
    sys.exit(main())
