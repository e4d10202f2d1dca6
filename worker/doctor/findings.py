"""What a check says: how bad it is, what was found, and what to do about it."""

import shlex
from collections.abc import Iterator
from enum import StrEnum

from pydantic import BaseModel, Field


class Severity(StrEnum):
    """`problem`: something does not work, or will not. `warning`: it works, and somebody should look."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(BaseModel):
    """One thing that was looked at."""

    check: str = ""
    severity: Severity
    found: str
    cure: str | None = Field(default=None, description="what to type, or to change; null where nothing is wrong")


Findings = Iterator[Finding]


def ok(found: str) -> Finding:
    """It is as it should be."""
    return Finding(severity=Severity.OK, found=found)


def warning(found: str, cure: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(severity=Severity.WARNING, found=found, cure=cure)


def problem(found: str, cure: str) -> Finding:
    """It does not work, or will not."""
    return Finding(severity=Severity.PROBLEM, found=found, cure=cure)


def ago(seconds: float) -> str:
    """A span in words, by its largest unit."""
    for name, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} seconds"


def typed(name: str) -> str:
    """A name as it is typed after a command: whatever is in it, a shell takes it for one word."""
    return shlex.quote(name)
