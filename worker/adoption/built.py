"""Whether tables and indexes of our names are ours, and whether what was built once is still there."""

from collections.abc import Iterable, Iterator

from models.tables import METADATA
from worker.adoption import shape
from worker.adoption.facts import Facts
from worker.adoption.obstacle import Obstacle
from worker.adoption.wanted import Index, Wanted, kinds


def pending_tables(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """Tables of somebody else's where ours are to be made: they would be taken for ours.

    One that is as ours is taken over: a migration that was broken off has left it.
    """
    for name, differing in _not_ours(wanted.to_make, wanted, facts):
        yield Obstacle(
            kind="table",
            subject=name,
            found=f"There is a table {name} already, other than ours in {differing}.",
            remedy=f"See who needs it, and rename it: alter table {name} rename to …",
        )


def undone_tables(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """Tables that undoing would drop although they are not ours, or would leave although they are."""
    for name, differing in _not_ours(wanted.made, wanted, facts):
        yield Obstacle(
            kind="table",
            subject=name,
            found=f"Undoing would drop the table {name}, which is other than ours in {differing}.",
            remedy=f"See who needs it, and rename it: alter table {name} rename to …",
        )
    left = facts.tables.keys() & wanted.to_make
    for name in sorted(left.difference(theirs for theirs, _ in _not_ours(left, wanted, facts))):
        yield Obstacle(
            kind="broken_off",
            subject=name,
            found=f"Migrating was broken off, and has left the table {name}, which undoing would not drop.",
            remedy=f"Migrate, then undo. If that cannot be: drop table {name}",
        )


def _not_ours(names: Iterable[str], wanted: Wanted, facts: Facts) -> Iterator[tuple[str, str]]:
    """Tables of these names whose columns are not exactly those of ours, each with the columns that differ."""
    for name in sorted(facts.tables.keys() & names):
        ours = {key: (kind, METADATA.tables[name].c[key].nullable) for key, kind in kinds(name).items()}
        theirs = {key: (column.kind, column.nullable) for key, column in facts.tables[name].columns.items()}
        to_come = wanted.adds[name].columns.keys() - theirs.keys() if name in wanted.adds else set()
        differing = {key for key in ours | theirs if ours.get(key) != theirs.get(key)} - to_come
        if differing:
            yield name, ", ".join(sorted(differing))


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
        if table in facts.tables:
            for obstacle in shape.keys(METADATA.tables[table], facts):
                yield obstacle.model_copy(update={"certain": bool(wanted.pending)})
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
