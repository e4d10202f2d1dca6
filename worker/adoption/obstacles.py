"""What stands in the way of migrating: rights, the shape of what is there, rows, and who is at work."""

from collections.abc import Iterator

from worker.adoption import built, shape
from worker.adoption.facts import Facts
from worker.adoption.obstacle import Obstacle
from worker.adoption.wanted import Wanted


def find(wanted: Wanted, facts: Facts) -> list[Obstacle]:
    """Everything that stands in the way, what must be done first at the beginning."""
    if wanted.pending is None:
        return [
            Obstacle(
                kind="revision",
                subject=str(facts.revision),
                found=f"The database is at revision {facts.revision}, which this version does not know.",
                remedy="Use the version that migrated it, or a newer one.",
            )
        ]
    found = [*built.what_is_gone(wanted, facts)]
    if wanted.pending:
        found += [
            *_rights(wanted, facts),
            *built.pending_tables(wanted, facts),
            *shape.obstacles(wanted, facts),
            *_rows(facts),
            *built.pending_indexes(wanted, facts),
        ]
        found += _waits(wanted, facts)
    return found


def _rights(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    if facts.schema is None:
        yield Obstacle(
            kind="schema",
            subject="search_path",
            found=f"No schema of the search path exists, or {facts.user} may not use it.",
            remedy="Let an administrator create it, or set the search path of the user.",
        )
    elif not facts.may_create:
        yield Obstacle(
            kind="schema",
            subject=facts.schema,
            found=f"{facts.user} may not create anything in the schema {facts.schema}.",
            remedy=f"Let its owner run: grant create on schema {facts.schema} to {facts.user}",
        )
    made_visible = [table for table in wanted.creates if table in wanted.visible and table not in facts.tables]
    # The baseline creates the role only together with all of the app's tables.
    if made_visible and not facts.reader_exists and ("dossiers" in facts.tables or not facts.may_create_role):
        may = "" if facts.may_create_role else f", and {facts.user} may not create it"
        yield Obstacle(
            kind="role",
            subject="app_reader",
            found=f"The role app_reader does not exist{may}; it is to read {', '.join(made_visible)}.",
            remedy="Let an administrator run: create role app_reader nologin",
        )
    altered = {*wanted.adds, *(index.table for index in wanted.indexes.values())}
    for name, table in facts.tables.items():
        if name in altered and not table.owned:
            yield Obstacle(
                kind="owner",
                subject=name,
                found=f"The table {name} belongs to {table.owner}, so {facts.user} may not alter it.",
                remedy=f"Migrate as {table.owner}, or run: grant {table.owner} to {facts.user}",
            )
        elif name in wanted.references and not table.may_reference:
            yield Obstacle(
                kind="reference",
                subject=name,
                found=f"{facts.user} may not refer to the table {name}.",
                remedy=f"Let {table.owner} run: grant references on {name} to {facts.user}",
            )


def _rows(facts: Facts) -> Iterator[Obstacle]:
    if facts.orphans:
        yield Obstacle(
            kind="orphans",
            subject="v2_clients.production_client_id",
            found="Clients in v2_clients lead to production clients that are not there.",
            remedy="Correct or empty their production_client_id, then migrate.",
            listed=list(facts.orphans),
        )

    for subject in sorted(facts.nulls):
        table, _, column = subject.partition(".")
        yield Obstacle(
            kind="null",
            subject=subject,
            found=f"Rows of {table} have no {column}; whoever reads them here expects one in each.",
            remedy=f"Give each one, and let none be without: alter table {table} alter {column} set not null",
            certain=False,
        )


def _waits(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    if facts.long and any(index.concurrent for index in wanted.indexes.values()):
        yield Obstacle(
            kind="transactions",
            subject="pg_stat_activity",
            found="Transactions are open that building indexes beside the app would have to wait for.",
            remedy="Let them end, or end them, as with: select pg_terminate_backend(…)",
            listed=[f"{who}, for {seconds} s" for who, seconds in facts.long],
            certain=False,
        )
