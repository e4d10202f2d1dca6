"""`columnline migrate --plan`: what would change and what stands in the way, told without touching anything."""

import uuid
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.conftest import forget_cached
from tests.database.command import columnline, shown, told
from tests.database.test_migrations import catalogue, load_v1
from tests.v1 import load, production
from worker import db, migrate

V1_ROWS = production(dossiers=60)


@pytest.fixture
def connection(empty_database, monkeypatch):
    """An empty database, which the command line uses too."""
    monkeypatch.setenv("DATABASE_URL", empty_database)
    forget_cached()
    with psycopg.connect(empty_database, autocommit=True) as connected:
        yield connected
    forget_cached()


@pytest.fixture
def v1(connection):
    """The database is production before us."""
    load_v1(connection)
    load(connection, V1_ROWS)
    return connection


@contextmanager
def as_role(server_url, admin, monkeypatch, connection, *grants):
    """The command line runs as a new role that may do no more than these grants, whose `#` is its name."""
    role = f"plain_{uuid.uuid4().hex[:8]}"
    admin.execute(f"create role {role} login password 'x'")
    for grant in grants:
        connection.execute(grant.replace("#", role))
    url = server_url.set(
        drivername="postgresql", username=role, password="x", database=connection.info.dbname
    ).render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    forget_cached()
    try:
        yield role
    finally:
        forget_cached()
        connection.execute(f"reassign owned by {role} to current_user")
        connection.execute(f"drop owned by {role}")
        admin.execute(f"drop role {role}")


def plan(status=0):
    return told(columnline("migrate", "--plan", "--json"), status)


def only_obstacle():
    (obstacle,) = plan(1)["obstacles"]
    return obstacle


def refuses_to_migrate(connection, obstacle):
    """Migrating says the same of it, and changes nothing."""
    before = catalogue(connection)
    error = told(columnline("migrate", "--json"), 1)["error"]
    assert error["code"] == "validation"
    assert f"{obstacle['found']} {obstacle['remedy']}" in error["detail"]
    assert catalogue(connection) == before
    return True


def objects(connection):
    """Everything a plan may name: tables, and of each its columns, indexes, constraints and triggers."""
    tables, indexes = catalogue(connection), {}
    for table, name, _ in tables[2]:
        indexes.setdefault(table, set()).add(name)
    triggers = connection.execute(
        "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal"
    ).fetchall()
    return {
        table: {
            "columns": {row[1] for row in tables[0] if row[0] == table},
            "indexes": indexes.get(table, set()),
            "constraints": {row[1] for row in tables[1] if row[0] == table},
            "triggers": {name for on, name in triggers if on == table},
        }
        for table, *_ in tables[5]
    }


def announced_and_done(connection):
    """What the plan announces, and what migrating then really changed, in the same form."""
    before, announced = objects(connection), plan()
    told(columnline("migrate", "--json"))
    after = objects(connection)
    said = {
        change["table"]: "created"
        if change["action"] == "created"
        else {kind: set(change[kind]) for kind in ("columns", "indexes", "constraints", "triggers")}
        for change in announced["tables"]
        if change["table"] != migrate.VERSION_TABLE
    }
    nothing = {kind: set() for kind in ("columns", "indexes", "constraints", "triggers")}
    done = {
        table: {kind: names - before[table][kind] for kind, names in kinds.items()}
        if table in before
        else "created"
        for table, kinds in after.items()
    }
    assert {step["revision"] for step in announced["steps"]}
    return {t: c for t, c in said.items() if c != nothing}, {t: c for t, c in done.items() if c != nothing}


def test_on_an_empty_database_all_that_is_created_is_announced(connection):
    announced, done = announced_and_done(connection)
    assert announced == done
    assert set(done.values()) == {"created"}


def test_of_production_all_that_is_added_is_announced_and_nothing_else_changes(v1):
    announced, done = announced_and_done(v1)
    assert announced == done
    assert "run_id" in done["dossiers"]["columns"]
    assert "dossiers_run_id_key" in done["dossiers"]["indexes"]
    assert "v2_clients_production_client_id_fkey" in done["v2_clients"]["constraints"]
    assert done["jobs"] == "created"


@pytest.mark.parametrize("revision", ["v1_baseline", "v2_publishing", "calendar", "client_config"])
def test_of_a_half_migrated_database_what_is_left_is_announced(v1, revision):
    migrate.upgrade(db.engine())
    migrate.downgrade(db.engine(), revision)
    announced, done = announced_and_done(v1)
    assert announced == done
    assert done


def test_where_some_of_it_is_there_already_only_the_rest_is_announced(v1):
    v1.execute("alter table dossiers add column run_id text, add column error jsonb")
    v1.execute("create unique index dossiers_run_id_key on dossiers (run_id) where run_id is not null")
    v1.execute("alter table v2_clients add column production_client_id uuid")
    v1.execute(
        "alter table v2_clients add constraint v2_clients_production_client_id_fkey "
        "foreign key (production_client_id) references clients (id)"
    )
    v1.execute("drop table dossier_lists, lists")
    announced, done = announced_and_done(v1)
    assert announced == done
    assert done["dossier_lists"] == done["lists"] == "created"
    assert "run_id" not in done["dossiers"]["columns"]
    assert "dossiers_run_id_key" not in done["dossiers"]["indexes"]
    assert done["v2_clients"]["constraints"] == {"v2_clients_supersede_check"}


def test_it_is_told_for_people_with_each_migration_in_a_line(v1):
    told_text = shown(columnline("migrate", "--plan"))
    assert "What publishing V2 runs needs" in told_text
    assert "left as it is" in told_text
    assert "columns pipeline_version, run_id, error" in told_text
    assert "created" in told_text


def test_it_changes_nothing_and_holds_no_lock(v1):
    before = catalogue(v1), v1.execute("select xmin, ctid, md5(d::text) from dossiers d").fetchall()
    plan()
    shown(columnline("migrate", "--plan"))
    shown(columnline("migrate", "--plan", "--sql"))
    assert (catalogue(v1), v1.execute("select xmin, ctid, md5(d::text) from dossiers d").fetchall()) == before
    assert migrate.current(db.engine()) is None
    held = v1.execute(
        "select relation::regclass from pg_locks where pid <> pg_backend_pid() "
        "and database = (select oid from pg_database where datname = current_database())"
    )
    assert held.fetchall() == []


def test_what_looks_could_not_change_anything_if_it_tried(v1):
    with migrate._looking(db.engine()) as connected, pytest.raises(DBAPIError, match="read-only"):
        connected.execute(text("create table x ()"))


def test_after_migrating_nothing_is_to_be_done_and_nothing_stands_in_the_way(v1):
    told(columnline("migrate", "--json"))
    done = plan()
    assert (done["ok"], done["before"], done["steps"], done["tables"], done["obstacles"]) == (
        True,
        migrate.head(),
        [],
        [],
        [],
    )
    assert shown(columnline("migrate", "--plan")).startswith("Nothing to do")


def test_with_sql_it_prints_what_is_pending_and_that_makes_the_same_schema(v1):
    migrate.upgrade(db.engine())
    whole = catalogue(v1)
    migrate.downgrade(db.engine(), "v2_publishing")
    pending = shown(columnline("migrate", "--plan", "--sql"))
    assert "dossiers_company_key_idx" in pending
    assert "create table if not exists jobs" not in pending
    for statement in pending.replace("BEGIN;", "").replace("COMMIT;", "").split(";\n\n"):
        if statement.strip():
            v1.execute(statement)
    assert catalogue(v1) == whole
    assert plan()["steps"] == []
    assert shown(columnline("migrate", "--plan", "--sql")).startswith("--")


@pytest.mark.parametrize(
    ("change", "subject", "says", "does"),
    [
        (
            "alter table contacts drop column tenure",
            "contacts.tenure",
            "no column tenure",
            "add column tenure TEXT",
        ),
        (
            "alter table dossiers alter released_at type timestamp using released_at at time zone 'UTC'",
            "dossiers.released_at",
            "is timestamp without time zone",
            "using released_at at time zone 'UTC'",
        ),
        (
            (
                "alter table dossiers alter sources drop default, alter sources type json "
                "using sources::json, alter sources set default '[]'"
            ),
            "dossiers.sources",
            "is json; the worker needs jsonb",
            "using sources::jsonb",
        ),
        (
            (
                "alter table dossier_lists drop constraint dossier_lists_list_id_fkey; "
                "alter table lists alter id type text"
            ),
            "lists.id",
            "is text; the worker needs uuid",
            "using id::uuid",
        ),
        (
            "alter table dossiers add column pipeline_version integer",
            "dossiers.pipeline_version",
            "is integer; the worker needs text",
            "Rename it",
        ),
        (
            "alter table dossiers add column run_id integer",
            "dossiers.run_id",
            "is integer; the worker needs text",
            "Rename it",
        ),
    ],
)
def test_a_column_that_the_worker_cannot_work_with_stands_in_the_way(v1, change, subject, says, does):
    v1.execute("drop policy dossiers_visible on dossiers")
    v1.execute(change)
    obstacle = only_obstacle()
    assert obstacle["subject"] == subject
    assert says in obstacle["found"]
    assert does in obstacle["remedy"]
    assert refuses_to_migrate(v1, obstacle)


def test_what_is_said_to_help_helps(v1):
    v1.execute("drop policy dossiers_visible on dossiers")
    v1.execute("alter table dossiers alter released_at type timestamp using released_at at time zone 'UTC'")
    v1.execute("alter table dossiers alter insight type json using insight::json")
    obstacles = plan(1)["obstacles"]
    assert len(obstacles) == 2
    for obstacle in obstacles:
        v1.execute(obstacle["remedy"][obstacle["remedy"].index("alter table") :])
    assert plan()["ok"] is True


@pytest.mark.parametrize(
    "change",
    [
        "alter table clients alter name type varchar(200)",
        "alter table clients alter release_hour type integer",
        "alter table dossiers alter lead_score type smallint using null",
        "alter table dossiers alter created_at type timestamptz(3)",
        "alter table dossiers alter agents_completed type varchar(40)[] using '{}'",
        "alter table dossiers add column notes text, add column rank integer not null default 0",
        "alter table contacts alter tenure set not null",
    ],
)
def test_a_column_that_does_as_well_does_not(v1, change):
    if "tenure" in change:
        v1.execute("update contacts set tenure = ''")
    v1.execute(change)
    assert plan()["obstacles"] == []


def test_a_column_of_the_apps_that_every_new_row_would_lack_is_told_but_not_refused(v1):
    v1.execute("alter table lists add column colour text not null default 'x'")
    v1.execute("alter table lists alter colour drop default")
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("required", "lists.colour")
    told(columnline("migrate", "--json"))


def test_a_column_in_which_rows_lack_what_is_read_of_each_is_told_but_not_refused(v1):
    v1.execute("alter table contacts alter is_primary drop not null")
    assert plan()["obstacles"] == [], "no row lacks it yet"
    v1.execute("update contacts set is_primary = null where id = (select min(id::text)::uuid from contacts)")
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("null", "contacts.is_primary")
    told(columnline("migrate", "--json"))


def test_a_default_that_v1_has_and_this_table_lacks_is_told_but_not_refused(v1):
    v1.execute("alter table batches alter id drop default, alter status drop default")
    first, second = plan(1)["obstacles"]
    assert [first["subject"], second["subject"]] == ["batches.id", "batches.status"]
    for obstacle in (first, second):
        v1.execute(obstacle["remedy"].partition(": ")[2])
    assert plan()["ok"] is True


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (
            "alter table batches drop constraint batches_client_id_batch_number_key",
            "batches.client_id.batch_number",
        ),
        ("alter table dossier_lists drop constraint dossier_lists_pkey", "dossier_lists.dossier_id.list_id"),
        ("alter table v2_clients drop constraint v2_clients_pkey cascade", "v2_clients.client_id"),
    ],
)
def test_a_key_that_the_worker_relies_on_and_is_not_there_stands_in_the_way(v1, change, subject):
    v1.execute(change)
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("key", subject)
    assert refuses_to_migrate(v1, obstacle)
    v1.execute(obstacle["remedy"].partition(": ")[2])
    assert plan()["ok"] is True


def test_a_key_in_another_order_does_as_well_and_a_slug_need_not_be_one(v1):
    v1.execute("alter table lists drop constraint lists_client_id_name_key")
    v1.execute("create unique index by_name on lists (name, client_id)")
    v1.execute("alter table clients drop constraint clients_slug_key")
    assert plan()["ok"] is True


def test_a_view_where_a_table_is_due_stands_in_the_way(v1):
    v1.execute("alter table lists rename to app_lists")
    v1.execute("create view lists as select * from app_lists")
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("relation", "lists")
    assert refuses_to_migrate(v1, obstacle)


@pytest.mark.parametrize(
    ("theirs", "names", "differing"),
    [
        ("create table api_keys (id text, owner text)", {"api_keys"}, "created_at, id, last_used_at, name, owner"),
        ("create table api_keys (id uuid)", {"api_keys"}, "created_at, id,"),
        ("create table jobs (id serial)", {"jobs"}, "attempt, client_id,"),
        ("create table reruns (id int); create table totals (id int)", {"reruns", "totals"}, "id"),
        (
            "create table signed_messages (id text primary key, seen_at timestamptz)",
            {"signed_messages"},
            "seen_at",
        ),
    ],
)
def test_a_table_of_the_apps_where_one_of_ours_is_to_be_made_stands_in_the_way(v1, theirs, names, differing):
    v1.execute(theirs)
    told_all = plan(1)
    obstacles = told_all["obstacles"]
    assert {(obstacle["kind"], obstacle["subject"]) for obstacle in obstacles} == {("table", n) for n in names}
    assert not names & {change["table"] for change in told_all["tables"]}
    assert differing in obstacles[0]["found"]
    assert all(refuses_to_migrate(v1, obstacle) for obstacle in obstacles)
    for obstacle in obstacles:
        v1.execute(obstacle["remedy"].partition(": ")[2].replace("…", f"app_{obstacle['subject']}"))
    assert plan()["ok"] is True


def test_tables_of_ours_that_a_broken_off_migration_left_do_not(v1):
    migrate.upgrade(db.engine())
    for revision in ("v1_baseline", "client_config", "page"):
        v1.execute(f"update {migrate.VERSION_TABLE} set version_num = '{revision}'")
        assert plan()["ok"] is True
        told(columnline("migrate", "--json"))


@pytest.mark.parametrize("theirs", ["create type jobs as enum ('a')", "create index jobs on lists (name)"])
def test_what_else_has_the_name_of_a_table_of_ours_stands_in_the_way(v1, theirs):
    v1.execute(theirs)
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("relation", "jobs")
    assert refuses_to_migrate(v1, obstacle)


def test_mappings_that_lead_nowhere_stand_in_the_way(v1):
    v1.execute("alter table v2_clients add column production_client_id uuid")
    v1.execute(
        "insert into v2_clients (client_id, client_name, production_client_id) values ('CLT_1', 'x', %s)",
        [uuid.UUID(int=7)],
    )
    obstacle = only_obstacle()
    assert obstacle["listed"] == [f"CLT_1 -> {uuid.UUID(int=7)}"]
    assert refuses_to_migrate(v1, obstacle)


def test_rows_that_a_unique_index_would_refuse_stand_in_the_way(v1):
    v1.execute("alter table dossiers add column run_id text")
    v1.execute("update dossiers set run_id = 'RUN_A' where id in (select id from dossiers limit 3)")
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("duplicates", "dossiers_run_id_key")
    assert obstacle["listed"] == ["RUN_A"]
    assert refuses_to_migrate(v1, obstacle)
    v1.execute("update dossiers set run_id = null")
    assert plan()["ok"] is True


def test_an_index_of_our_name_that_is_another_one_stands_in_the_way(v1):
    v1.execute("create index dossiers_created_at_idx on dossiers (created_at desc)")
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("definition", "dossiers_created_at_idx")
    assert refuses_to_migrate(v1, obstacle)
    v1.execute("alter index dossiers_created_at_idx rename to by_age")
    assert plan()["ok"] is True


def make_invalid(connection, name):
    connection.execute("update pg_index set indisvalid = false where indexrelid = %s::regclass", [name])


def test_an_index_that_an_interrupted_migration_left_is_announced_as_rebuilt(v1):
    migrate.upgrade(db.engine())
    make_invalid(v1, "dossiers_created_at_idx")
    v1.execute(f"update {migrate.VERSION_TABLE} set version_num = 'v2_publishing'")
    (dossiers,) = [change for change in plan()["tables"] if change["table"] == "dossiers"]
    assert dossiers["rebuilt"] == ["dossiers_created_at_idx"]
    told(columnline("migrate", "--json"))
    assert plan()["ok"] is True


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (None, "INVALID"),
        ("drop index dossiers_release_at_idx", "missing"),
        (
            "drop index dossiers_release_at_idx; create index dossiers_release_at_idx on dossiers (release_at)",
            "another one",
        ),
    ],
)
def test_an_index_that_is_not_any_more_as_it_was_built_is_told_with_what_mends_it(v1, change, state):
    migrate.upgrade(db.engine())
    if change is None:
        make_invalid(v1, "dossiers_release_at_idx")
    else:
        v1.execute(change)
    obstacle = only_obstacle()
    assert obstacle["subject"] == "dossiers_release_at_idx"
    assert state in obstacle["found"]
    for statement in obstacle["remedy"].removeprefix("Run: ").split("; "):
        v1.execute(statement)
    assert plan()["ok"] is True


def test_a_table_or_column_of_ours_that_is_gone_is_told(v1):
    migrate.upgrade(db.engine())
    v1.execute("drop table gone_callbacks")
    v1.execute("alter table v2_runs drop column expected_contacts")
    assert [obstacle["subject"] for obstacle in plan(1)["obstacles"]] == [
        "gone_callbacks",
        "v2_runs.expected_contacts",
    ]


def test_a_long_transaction_is_told_but_migrating_waits_for_it(v1, empty_database, setting):
    setting(lock_timeout=0.05)
    forget_cached()
    with psycopg.connect(empty_database) as app:
        app.execute("select count(*) from dossiers")
        app.execute("select pg_sleep(0.1)")
        obstacle = only_obstacle()
        assert obstacle["kind"] == "transactions"
        assert str(app.info.backend_pid) in obstacle["listed"][0]
    assert plan()["ok"] is True


def test_a_revision_of_a_newer_version_stands_in_the_way(v1):
    migrate.upgrade(db.engine())
    v1.execute(f"update {migrate.VERSION_TABLE} set version_num = 'from_the_future'")
    obstacle = only_obstacle()
    assert (obstacle["kind"], obstacle["subject"]) == ("revision", "from_the_future")
    assert refuses_to_migrate(v1, obstacle)


def test_who_owns_no_table_is_told_of_each(v1, server_url, admin, monkeypatch):
    with as_role(server_url, admin, monkeypatch, v1, "grant create on schema public to #"):
        obstacles = plan(1)["obstacles"]
        assert {(it["kind"], it["subject"]) for it in obstacles} == {
            ("owner", "clients"),
            ("owner", "dossiers"),
            ("owner", "v2_clients"),
            ("owner", "v2_runs"),
            ("reference", "batches"),
        }
        assert all(refuses_to_migrate(v1, obstacle) for obstacle in obstacles)


def test_who_may_not_create_in_the_schema_is_told(v1, server_url, admin, monkeypatch):
    owning = [f"alter table {table} owner to #" for table in ("clients", "dossiers", "v2_clients", "v2_runs")]
    references = "grant references on batches to #"
    with as_role(server_url, admin, monkeypatch, v1, *owning, references):
        obstacle = only_obstacle()
        assert (obstacle["kind"], obstacle["subject"]) == ("schema", "public")
        v1.execute(obstacle["remedy"].partition(": ")[2])
        assert plan()["ok"] is True


def test_without_the_readers_role_who_may_not_create_it_is_told(connection, server_url, admin, monkeypatch):
    facts = migrate.facts.find
    monkeypatch.setattr(migrate.facts, "find", lambda *given: replace(facts(*given), reader_exists=False))
    with as_role(server_url, admin, monkeypatch, connection, "grant create on schema public to #"):
        obstacle = only_obstacle()
        assert (obstacle["kind"], obstacle["subject"]) == ("role", "app_reader")
        assert "may not create it" in obstacle["found"]
        assert obstacle["remedy"].endswith("create role app_reader nologin")
        assert refuses_to_migrate(connection, obstacle)


def test_without_the_readers_role_nobody_can_make_a_missing_table_visible(v1, monkeypatch):
    facts = migrate.facts.find
    monkeypatch.setattr(migrate.facts, "find", lambda *given: replace(facts(*given), reader_exists=False))
    assert plan()["ok"] is True, "all tables are there: nobody needs it"
    v1.execute("drop table dossier_lists")
    obstacle = only_obstacle()
    assert "it is to read dossier_lists" in obstacle["found"]


def test_several_are_told_together_and_for_people(v1):
    v1.execute("alter table contacts drop column tenure, drop column phone")
    result = columnline("migrate", "--plan")
    assert result.exit_code == 1
    assert "no column tenure" in result.stderr
    assert "no column phone" in result.stderr
    assert "columns pipeline_version" in result.stdout
    detail = told(columnline("migrate", "--json"), 1)["error"]["detail"]
    assert "no column tenure" in detail
    assert "no column phone" in detail


@pytest.mark.parametrize("words", [("--undo", "--plan"), ("--undo", "--sql"), ("--yes",), ("--sql", "--json")])
def test_options_that_would_be_ignored_are_refused(connection, words):
    assert columnline("migrate", *words).exit_code == 2
    assert migrate.current(db.engine()) is None
