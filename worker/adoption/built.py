"""Whether indexes of our names are ours, and whether what was built once is still there."""

from collections.abc import Iterator

from worker.adoption.facts import Facts
from worker.adoption.obstacle import Obstacle
from worker.adoption.wanted import Index, Wanted


def pending_indexes(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """What keeps indexes from being built: another one of the name, or rows that are alike."""
    for name, index in wanted.indexes.items():
        there = facts.indexes.get(name)
        if there is not None and there.valid and there.definition != index.definition:
            yield _other_definition(name, index)
        elif name in facts.duplicates:
            yield Obstacle(
                kind="duplicates",
                subject=name,
                found=f"Rows of {index.table} are alike in {index.sql}: the unique index {name} cannot be built.",
                remedy="Correct or delete all but one of each. The first of them:",
                listed=list(facts.duplicates[name]),
            )


def _other_definition(name: str, index: Index) -> Obstacle:
    return Obstacle(
        kind="definition",
        subject=name,
        found=f"There is an index {name} already, other than ours on {index.table} {index.sql}.",
        remedy=f"See who needs it, and rename it: alter index {name} rename to …",
    )


def what_is_gone(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """What migrations that are done have made, and is not there as they made it: migrating would not mend it."""
    for table, columns in sorted(wanted.settled_columns.items()):
        there = facts.tables[table].columns if table in facts.tables else {}
        lost = (
            [table] if table not in facts.tables else sorted(f"{table}.{name}" for name in columns - there.keys())
        )
        for subject in lost:
            yield Obstacle(
                kind="lost",
                subject=subject,
                found=f"{subject} is not there any more, although the migration that makes it is done.",
                remedy="If an undo was broken off: columnline migrate --undo --yes, then columnline migrate. Else "
                "restore it from a backup, or see `columnline migrate --sql` for how it is made.",
                certain=bool(wanted.pending),
            )
    for name, index in wanted.settled.items():
        found = facts.indexes.get(name)
        if found is not None and found.valid and found.definition == index.definition:
            continue
        if index.table not in facts.tables:
            continue
        state = "missing" if found is None else "another one" if found.valid else "INVALID"
        drop = f"drop index concurrently {name}; " if found else ""
        yield Obstacle(
            kind="index",
            subject=name,
            found=f"The index {name} is {state}, although the migration that builds it is done.",
            remedy=f"Run: {drop}{index.sql}",
            certain=False,
        )
