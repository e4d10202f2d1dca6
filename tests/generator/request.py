"""What is asked of the generator, and how its size becomes numbers."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from tests.generator.damage import Damage


class Size(StrEnum):
    """How much there is of everything, as bytes of the run file's compact JSON."""

    SMALL = "small"
    """About 5 KB: the required steps and one copy step."""

    NORMAL = "normal"
    """About 40 KB: a dozen outputs, as production has them."""

    LARGE = "large"
    """About 1 MB: many contacts, pages of text."""


BYTES: Final = {Size.SMALL: 5_000, Size.NORMAL: 40_000, Size.LARGE: 1_000_000}
CONTACTS: Final = {Size.SMALL: (1, 1), Size.NORMAL: (2, 4), Size.LARGE: (20, 30)}
SKELETON: Final = 14_500
SKELETON_PER_CONTACT: Final = 1_700
TEXTS: Final = 20
TEXTS_PER_CONTACT: Final = 4


@dataclass(frozen=True, slots=True)
class Request:
    """One run to generate.

    Attributes:
        contacts: people among the contacts.
    """

    seed: int
    size: Size
    contacts: int
    damage: frozenset[Damage]

    def rng(self, purpose: str) -> Random:
        """The random numbers for one purpose, so that no knob moves what another decides."""
        return Random(f"{purpose}/{self.seed}")

    @property
    def text_length(self) -> int:
        """Characters of one piece of free text, chosen to bring the run to its size."""
        skeleton = SKELETON + SKELETON_PER_CONTACT * self.contacts
        texts = TEXTS + TEXTS_PER_CONTACT * self.contacts
        return max(0, (BYTES[self.size] - skeleton) // texts)

    @property
    def individuals(self) -> bool:
        """Whether enrichment ran for each contact."""
        return self.size is not Size.SMALL or Damage.UNINDEXED_ENRICHMENT in self.damage

    @property
    def override(self) -> bool:
        """Whether the client's own copy replaces some of the general one."""
        return self.size is not Size.SMALL or Damage.OVERRIDE_ALIASES in self.damage

    @property
    def media(self) -> bool:
        """Whether the company's pictures were looked for."""
        return self.size is not Size.SMALL or Damage.IMAGE_ALIASES in self.damage


def requested(seed: int, size: Size, contacts: int | None, damage: frozenset[Damage]) -> Request:
    """The request, with as many contacts as the size has where the caller named no number."""
    if contacts is None:
        contacts = Random(f"contacts/{seed}").randint(*CONTACTS[size])
    return Request(seed=seed, size=size, contacts=contacts, damage=damage)
