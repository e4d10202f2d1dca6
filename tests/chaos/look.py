"""How invariants look at the database: one snapshot for all of them, and a list of what they are."""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg.rows import namedtuple_row

INVARIANTS: list["Invariant"] = []


@dataclass(frozen=True, slots=True)
class Invariant:
    """A thing that must hold.

    Attributes:
        always: it holds in every snapshot, whatever is under way; else once all has ended.
        needs_ledger: it compares with what the client was told.
        find: `find(look)` yields a sentence for each violation.
    """

    code: str
    name: str
    always: bool
    needs_ledger: bool
    find: Callable


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, and where."""

    code: str
    name: str
    text: str

    def __str__(self):
        return f"{self.code} ({self.name}): {self.text}"


def invariant(code, name, *, always=False, needs_ledger=False):
    """Put the decorated function on the list."""

    def listed(find):
        INVARIANTS.append(Invariant(code, name, always, needs_ledger, find))
        return find

    return listed


class Look:
    """One snapshot of the database, and beside it what the client knows: `look("select …", name=value)`."""

    def __init__(self, connection, ledger=None, before=None, accepted=None):
        self._connection = connection
        self.ledger, self.before = ledger, before
        self.accepted = ledger.accepted() if accepted is None and ledger is not None else accepted
        self.has_notes = self("select to_regclass('chaos.moves') is not null as found")[0].found

    def __call__(self, statement, **values):
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(statement, values or None).fetchall()

    def as_reader(self, client_id, statement):
        """The rows that the app's reader of this client gets."""
        with self._connection.transaction(force_rollback=True), self._connection.cursor() as cursor:
            cursor.execute("set local role app_reader")
            claims = f'{{"client_id": "{client_id}"}}'
            cursor.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
            return cursor.execute(statement).fetchall()


def violations(connection, *, ledger=None, before=None, under_way=False):
    """Everything that does not hold, in one snapshot of the database.

    Args:
        connection: psycopg's, in autocommit.
        ledger: what the client was told; without it, invariants that need it are left out.
        before: what was measured before the load; see `baseline`.
        under_way: whether work goes on: then only what holds always is looked at.
    """
    accepted = None if ledger is None else ledger.accepted()  # before the snapshot, which then holds all of them
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        look = Look(connection, ledger, before, accepted)
        return [
            Violation(one.code, one.name, text)
            for one in INVARIANTS
            if (one.always or not under_way) and (ledger is not None or not one.needs_ledger)
            for text in one.find(look)
        ]
