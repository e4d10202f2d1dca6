"""Taking turns among alternatives."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def turns(rng: Random, options: Sequence[T]) -> Iterator[T]:
    """The options for ever, in rounds: each once, in an order drawn anew. No options, no turns."""
    while options:
        yield from rng.sample(options, len(options))
