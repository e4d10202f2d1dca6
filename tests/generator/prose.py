"""Free text of a chosen length: sentences that read like a writer's, and repeat as little as one's do."""

from random import Random
from typing import Final

OPENINGS: Final = (
    "The board",
    "Their procurement team",
    "The project office",
    "A regional permit officer",
    "The lead engineer",
    "The lender's technical adviser",
    "A former plant manager",
    "The steering committee",
    "An industry newsletter",
    "The insurance broker",
    "The owner's representative",
    "Local press",
)
VERBS: Final = (
    "confirmed",
    "expects",
    "has postponed",
    "priced in",
    "is still weighing",
    "reported",
    "wants to avoid",
    "asked three bidders about",
    "published",
    "will not accept",
    "has shortlisted vendors for",
    "linked its bonus to",
)
OBJECTS: Final = (
    "a second shift during the foundations",
    "the long-lead electrical package",
    "site labour from outside the county",
    "a fixed price for the envelope",
    "the winter concrete pour",
    "an early handover of the loading bays",
    "the change of crane supplier",
    "liquidated damages above the usual cap",
    "factory-built wall panels",
    "the independent schedule review",
    "an option for the second phase",
    "the noise limits at night",
)
AMOUNTS: Final = (
    "at {n} thousand hours",
    "with {n} days of float",
    "for lot {n}",
    "after {n} site visits",
    "within {n} weeks",
    "(item {n} of the minutes)",
    "at {n} percent of the budget",
    "under contract number {n}",
)


class Prose:
    """A source of free text.

    Args:
        rng: where choices come from.
        length: characters of one piece of text, about.
    """

    def __init__(self, rng: Random, length: int) -> None:
        self._rng = rng
        self._length = length

    def __call__(self, lead: str = "") -> str:
        """One piece of text: `lead`, then as many sentences as bring it to the length."""
        parts, size = ([lead], len(lead)) if lead else ([], 0)
        while not parts or size < self._length:
            parts.append(sentence(self._rng))
            size += len(parts[-1]) + 1
        return " ".join(parts)


def sentence(rng: Random) -> str:
    """One sentence without quotation marks or line breaks."""
    amount = rng.choice(AMOUNTS).format(n=rng.randint(2, 9999))
    return f"{rng.choice(OPENINGS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)} {amount}."
