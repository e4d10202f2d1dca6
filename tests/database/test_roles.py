"""What each role of the database may and may not do, tried as that role: the app's reader, and ours."""

import os

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.conftest import forget_cached
from tests.database.publishing import accept, query, register
from worker import db
from worker.drain import drain

READER = "app_reader"
READABLE = {"batches", "clients", "contacts", "dossier_lists", "dossiers", "lists"}
OURS = "select, insert, update, delete"


@pytest.fixture
def connection(database, admin):
    """A superuser's connection to the database under test; what is granted or made in it is undone."""
    with psycopg.connect(database.replace("+psycopg", "")) as connected:
        yield connected
        connected.rollback()


def relations(connection):
    """Every table and view of ours."""
    found = connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm')"
    )
    return {name for (name,) in found}


def may(connection, statement):
    """Whether the current role may run this; nothing stays of it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def test_the_apps_reader_may_read_the_apps_tables_and_nothing_else(connection):
    names = relations(connection)
    connection.execute(f"set role {READER}")
    readable = {name for name in names if may(connection, f'select 1 from "{name}" limit 0')}
    assert names > READABLE
    assert readable == READABLE


def test_nothing_is_granted_but_select_on_the_apps_tables_to_its_reader(connection):
    """Row level security would hide a grant too many from those who only try."""
    granted = connection.execute("""
        with ours as (select oid, relname, relacl, relowner from pg_class
                      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S'))
        select relname, grantee::regrole::text, privilege_type
        from ours, aclexplode(relacl) where grantee <> relowner
        union all
        select relname, grantee::regrole::text, privilege_type
        from ours join pg_attribute on attrelid = ours.oid, aclexplode(attacl)
    """)
    assert set(granted) == {(name, READER, "SELECT") for name in READABLE}


def test_the_apps_reader_may_write_remove_and_make_nothing(connection):
    names = relations(connection)
    connection.execute(f"set role {READER}")
    statements = [
        statement
        for name in sorted(names)
        for statement in (
            f'insert into "{name}" default values',
            f'delete from "{name}"',
            f'truncate "{name}"',
            f'drop table "{name}" cascade',
            f'alter table "{name}" disable row level security',
        )
    ]
    statements += ["create table theirs ()", "create role theirs"]
    allowed = [statement for statement in statements if may(connection, statement)]
    assert not allowed


def test_the_apps_reader_is_held_by_row_level_security_and_owns_nothing(connection):
    row = connection.execute(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin from pg_roles where rolname = %s",
        (READER,),
    ).fetchone()
    assert row == (False,) * 5
    owned = connection.execute("select count(*) from pg_class where relowner = %s::regrole", (READER,)).fetchone()
    assert owned == (0,)


@pytest.fixture
def as_worker(database, admin, monkeypatch):
    """A function that has this process work as a new plain role with these attributes, granted the tables."""
    role = f"worker_{os.getpid()}"
    made = []

    def become(attributes=""):
        admin.execute(f"create role {role} login password 'x' {attributes}")
        made.append(role)
        with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connected:
            connected.execute(f"grant {OURS} on all tables in schema public to {role}")
            connected.execute(f"grant usage on all sequences in schema public to {role}")
        url = make_url(database).set(username=role, password="x")
        monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
        forget_cached()
        return role

    yield become
    monkeypatch.setenv("DATABASE_URL", database)
    forget_cached()
    for name in made:
        with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connected:
            connected.execute(f"drop owned by {name}")
        admin.execute(f"drop role {name}")


def test_a_worker_that_owns_nothing_and_bypasses_row_level_security_can_publish(clients, as_worker):
    role = as_worker("bypassrls")
    assert query("select current_user as name")[0].name == role
    register("RUN_ROLE")
    accept("RUN_ROLE")
    assert len(list(drain())) == 1
    assert [row.status for row in query("select status from dossiers where run_id = 'RUN_ROLE'")] == ["ready"]
    assert query("select state from jobs")[0].state == "done"


def test_such_a_worker_may_not_change_the_schema_nor_make_roles(clients, as_worker):
    as_worker("bypassrls")
    with psycopg.connect(
        db.engine().url.set(drivername="postgresql").render_as_string(hide_password=False)
    ) as ours:
        statements = (
            "drop table dossiers cascade",
            "truncate dossiers cascade",
            "alter table dossiers disable row level security",
            "create role theirs",
            "create table theirs ()",
            "copy dossiers to program 'true'",
            "select pg_read_file('/etc/passwd')",
        )
        assert not [statement for statement in statements if may(ours, statement)]


def test_a_worker_that_row_level_security_holds_publishes_nothing(clients, as_worker):
    as_worker()
    assert query("select 1 from dossiers") == []
    with pytest.raises(Exception, match="row-level security"):
        query("insert into clients (name) values ('x') returning 1 as found")
