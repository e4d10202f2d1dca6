"""Is PostgreSQL there, the right one, and in the shape that this version needs?"""

import re
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.tables import TABLES
from worker import db, migrate, pooling
from worker.doctor.findings import Finding, Findings, ago, ok, problem, warning
from worker.pooling import Way

OLDEST, NEWEST = 15, 18
SKEW_SEEN, SKEW_HARMS = 2.0, 60.0
"""Seconds between two clocks: what is noticed, and what makes signed requests and tokens fail."""

_SERVER = """
select current_setting('server_version_num')::int / 10000 as version, pg_is_in_recovery() as is_standby,
  current_setting('default_transaction_read_only') = 'on' as is_read_only
"""
_INVALID = text("""
select i.indexrelid::regclass::text as name, x.relname ~ '_cc(new|old)[0-9]*$' as is_spare
from pg_index i join pg_class c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
where not i.indisvalid and c.relnamespace = 'public'::regnamespace order by 1
""")
_MISSING = text("""
select name from unnest(cast(:names as text[])) name
where not exists (select from pg_class where relnamespace = 'public'::regnamespace and relname = name) order by 1
""")
_WAYS = {
    Way.DIRECT: ok("The connection to PostgreSQL is direct."),
    Way.SESSION: ok(
        "Something stands before PostgreSQL (a session pooler, or address translation); sessions last."
    ),
    Way.TRANSACTION: ok(
        "A transaction pooler stands before PostgreSQL. All works through it (nothing is prepared, no session is "
        "relied on) but `columnline migrate`: give that one a direct DATABASE_URL."
    ),
    Way.STATEMENT: problem(
        "The pooler before PostgreSQL is in statement mode, where there are no transactions: nothing works.",
        "Set its pool_mode to transaction, or lead DATABASE_URL to PostgreSQL itself.",
    ),
}

LEADS = "Check that the server runs and that DATABASE_URL leads to it."
_SAID = 400
_CURES = (
    (
        'authentication|no password|pg_hba|role ".*" does not exist',
        "Check the user and the password in DATABASE_URL, and pg_hba.conf.",
    ),
    ('database ".*" does not exist', "In psql: create database, by that name; then columnline migrate"),
    ("", LEADS),
)


def server() -> Findings:
    """Whether it answers, at a version that is supported, and takes writes."""
    try:
        with db.engine().connect() as connection:
            row = connection.execute(text(_SERVER)).one()
    except DBAPIError as error:
        yield _WAYS[Way.STATEMENT] if pooling.refuses_transactions(error) else _away(error)
        return
    if row.is_standby or row.is_read_only:
        yield problem(
            "PostgreSQL takes no writes: it is a standby, or read-only.", "Lead DATABASE_URL to the primary."
        )
    elif OLDEST <= row.version <= NEWEST:
        yield ok(f"PostgreSQL {row.version} answers.")
    else:
        yield problem(f"PostgreSQL {row.version} is none of {OLDEST} to {NEWEST}.", "Move to a supported version.")


def _away(error: DBAPIError) -> Finding:
    """Why it cannot be asked, in libpq's words: they name hosts, users and databases, and never a password."""
    said = " ".join(str(error.orig).split())[:_SAID]
    cure = next(cure for words, cure in _CURES if re.search(words, said))
    return problem(f"PostgreSQL does not answer: {said}", cure)


def schema(session: Session) -> Findings:
    """Whether the database is at the revision that this version needs, and no table went since."""
    revision = migrate.current(db.engine())
    if migrate.behind(revision):
        yield problem(
            f"The schema is at {revision or 'nothing'}; {migrate.head()} is needed.", "columnline migrate"
        )
    elif missing := session.scalars(_MISSING, {"names": list(TABLES)}).all():
        yield problem(
            f"The schema is at {revision}, but lacks {', '.join(missing)}.",
            "Restore what is lacking from a backup; columnline migrate --sql prints how it was made",
        )
    elif revision != migrate.head():
        yield ok(f"The schema is at {revision}, which is newer than this version's {migrate.head()}.")
    else:
        yield ok(f"The schema is at {revision}.")


def indexes(session: Session) -> Findings:
    """Whether the indexes that migrations build, and the keys, are there, and none is INVALID.

    One that an interrupted build left so costs, and finds nothing. Without a key, rows may be doubled.
    """
    obstacles = migrate.plan(db.engine()).obstacles
    found = session.execute(_INVALID).all()
    told = {row.name for row in found}
    gone = [one for one in obstacles if one.kind in {"index", "key"} and one.subject not in told]
    for obstacle in gone:
        yield problem(obstacle.found, obstacle.remedy)
    for row in found:
        do = "drop" if row.is_spare else "reindex"  # a reindex that broke off leaves one beside the good one
        yield problem(f"Index {row.name} is INVALID.", f"In psql: {do} index concurrently {row.name}")
    if not found and not gone:
        yield ok("All indexes and keys are there, and valid.")


def clock(session: Session) -> Findings:
    """Whether the clocks of this machine and of the database's agree."""
    before = datetime.now(UTC)
    theirs = session.scalars(text("select clock_timestamp()")).one()
    yield skew("The database's clock", (theirs - (before + (datetime.now(UTC) - before) / 2)).total_seconds())


def skew(whose: str, seconds: float) -> Finding:
    """What to say of a clock that is so many seconds ahead of this machine's."""
    if abs(seconds) < SKEW_SEEN:
        return ok(f"{whose} agrees with this machine's.")
    found = f"{whose} is {ago(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'} this machine's."
    cure = "Have both machines keep time by NTP."
    return (problem if abs(seconds) >= SKEW_HARMS else warning)(found, cure)


def pooler(_session: Session) -> Findings:
    """What stands between us and the server, as far as can be seen from here."""
    yield _WAYS[pooling.way(db.engine())]
