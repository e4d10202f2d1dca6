"""What stands between us and PostgreSQL, and whether a session of ours lasts from transaction to transaction."""

from enum import StrEnum

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from worker import db
from worker.errors import Validation
from worker.outcomes import sqlstate
from worker.settings import settings

_LOOKS = 3
"""How often is asked: in a pool that others use too, one may by chance be given the same session again."""
_NO_TRANSACTIONS = "08P01"


class Way(StrEnum):
    """How we reach PostgreSQL."""

    DIRECT = "direct"
    SESSION = "sessions last"
    TRANSACTION = "transaction pooler"
    STATEMENT = "statement pooler"


def way(engine: Engine) -> Way:
    """How this engine reaches PostgreSQL, as far as can be seen from here.

    Where something stands between, whether sessions last shows where a second client takes a session that the
    first has let go of.
    """
    looking = db.make_engine(engine.url.render_as_string(hide_password=False), settings())
    try:
        with looking.connect() as first:
            if db.is_direct(first.connection.dbapi_connection):
                return Way.DIRECT
            with looking.connect() as second:
                lasts = _last(first, second)
    except DBAPIError as error:
        if refuses_transactions(error):
            return Way.STATEMENT
        raise
    finally:
        looking.dispose()
    return Way.SESSION if lasts else Way.TRANSACTION


def refuses_transactions(error: DBAPIError) -> bool:
    """Whether this is how a pooler in statement mode answers whoever begins a transaction."""
    return sqlstate(error) == _NO_TRANSACTIONS


def need_session(engine: Engine) -> None:
    """See to it that a session of this engine's lasts from transaction to transaction.

    Raises:
        Validation: it does not. A lock of such a session would be given to whoever comes next, and never be free.
    """
    if way(engine) in {Way.TRANSACTION, Way.STATEMENT}:
        raise Validation(
            "Nothing was changed: DATABASE_URL leads to a transaction pooler, and migrating needs a session that "
            "lasts. Run this one command with the URL of PostgreSQL itself, or of a session pooler (at Supabase, "
            "port 5432 instead of 6543).",
            field="DATABASE_URL",
        )


def _last(first: Connection, second: Connection) -> bool:
    """Whether each of the two has one session in all its transactions, and one of its own."""
    firsts, seconds = set(), set()
    for _ in range(_LOOKS):
        firsts.add(_backend(first))
        first.rollback()
        seconds.add(_backend(second))  # what the first let go of, in a pool that gives the latest
        firsts.add(_backend(first))
        first.rollback()
        second.rollback()
        firsts.add(_backend(first))  # one more than the second, for a pool that gives each in turn
        first.rollback()
    return len(firsts) == len(seconds) == 1 and firsts != seconds


def _backend(connection: Connection) -> int:
    pid: int = connection.execute(text("select pg_backend_pid()")).scalar_one()
    return pid
