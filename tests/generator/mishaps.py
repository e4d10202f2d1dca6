"""Damage to the rows of a run: steps that are missing, refused, repeated, or ended badly."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tests.generator.damage import Damage
from tests.generator.facts import Facts
from tests.generator.plan import MEDIA, Row, required, sections
from tests.generator.request import Request

REFUSAL: Final = "I could not find enough information to write this section."


def befallen(request: Request, facts: Facts, rows: list[Row]) -> list[Row]:
    """The rows with the damage to rows that was asked for. Of one step's completed rows the last is right."""
    missing, refused = _victims(request)
    rows = [row for row in rows if row.step != missing]
    rows = [replace(row, content=REFUSAL) if row.step == refused else row for row in rows]
    if Damage.DUPLICATE_STEPS in request.damage:
        rows = [*_stale(request, facts, {missing, refused}), *rows]
    if Damage.UNFINISHED_STEPS in request.damage:
        rows = list(_with_unfinished(request, rows, missing))
    if Damage.SENT_TWICE in request.damage:
        twice = request.rng("sent_twice").sample(range(len(rows)), 2)
        rows = [replace(row, sent_twice=place in twice) for place, row in enumerate(rows)]
    return rows


def _victims(request: Request) -> tuple[str | None, str | None]:
    """The required step that never came and the one that is prose: two different ones, where there are two."""
    names = request.rng("victims").sample(sorted(required(request)), len(required(request)))
    missing = names.pop() if Damage.MISSING_WRITER in request.damage else None
    refused = names.pop() if Damage.PROSE_ONLY in request.damage and names else None
    return missing, refused


def _stale(request: Request, facts: Facts, spared: set[str | None]) -> Iterator[Row]:
    """Earlier outputs of two steps, of which every word that differs is wrong."""
    older = replace(
        facts,
        score=facts.score - 20 if facts.score > 60 else facts.score + 20,
        urgency="LOW" if facts.urgency == "CRITICAL" else "CRITICAL",
        start="Q1 2031",
        does="Was thought to be in another trade",
    )
    candidates = [row for row in sections(request, older) if row.step not in spared]
    return iter(request.rng("stale").sample(candidates, min(2, len(candidates))))


def _with_unfinished(request: Request, rows: list[Row], missing: str | None) -> Iterator[Row]:
    """The rows, two of them between a failed try and an open one; and failed rows of steps that are absent."""
    rng = request.rng("unfinished")
    tried = rng.sample([row.step for row in rows if isinstance(row.content, dict)], 2)
    if missing is not None:
        yield Row(missing, None, "failed")
    for row in rows:
        if row.step in tried:
            yield Row(row.step, None, "failed")
        yield row
        if row.step in tried:
            yield Row(row.step, None, rng.choice(("pending", "running")))
            tried.remove(row.step)
    if not any(row.step == MEDIA for row in rows):
        yield Row(MEDIA, None, "failed")
