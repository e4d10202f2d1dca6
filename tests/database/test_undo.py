"""`columnline migrate --undo`: what would be lost, then all of it taken back, and never under a running job."""

import psycopg
import pytest

from models.jobs import Scope
from models.values import dossier_id_of
from tests.builders import CONTENTS
from tests.conftest import forget_cached
from tests.database.command import code_of, columnline, shown, told
from tests.database.publishing import accept, execute, one, publish
from tests.database.test_migrations import catalogue, load_v1
from tests.v1 import load, production
from worker import db, inbox, keys, migrate

V1_ROWS = production(dossiers=40)
V1_COLUMNS = {table: ", ".join(rows[0]) for table, rows in V1_ROWS.tables.items()}


@pytest.fixture
def v1(empty_database, monkeypatch):
    """Production before us, which the command line uses too."""
    monkeypatch.setenv("DATABASE_URL", empty_database)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    forget_cached()
    with psycopg.connect(empty_database, autocommit=True) as connected:
        load_v1(connected)
        load(connected, V1_ROWS)
        yield connected
    forget_cached()


@pytest.fixture
def used(v1):
    """Migrated since, and used: a run published for a client of V1's, a run that waits, a key."""
    told(columnline("migrate", "--json"))
    with db.transaction() as session:
        keys.create(session, "tests", Scope.OPS)
    execute("insert into v2_clients (client_id, client_name, slug) values ('CLT_V1', 'x', 'northwind')")
    assert publish(run("RUN_1")).state == "done"
    accept(run("RUN_2"))
    return v1


def run(run_id):
    with db.transaction() as session:
        inbox.register_run(session, run_id, {"client_id": "CLT_V1", "seed_data": {"company_name": "Acme"}})
        outputs = [inbox.Output(name, output) for name, output in CONTENTS.items()]
        inbox.store_outputs(session, run_id, outputs)
    return run_id


def rows(connection):
    """What V1 knows of its rows, and their place in the table: a row that was rewritten has another one."""
    return {
        table: connection.execute(f"select ctid::text, {columns} from {table} order by 2, 3").fetchall()
        for table, columns in V1_COLUMNS.items()
    }


def test_without_yes_it_tells_what_would_be_lost_and_changes_nothing(used):
    before = catalogue(used), rows(used)
    answer = told(columnline("migrate", "--undo", "--json"), 2)
    assert (answer["ok"], answer["before"], answer["after"]) == (False, migrate.head(), migrate.head())
    assert answer["undo"]["plain"] == 1
    assert {loss["what"]: loss["count"] for loss in answer["undo"]["lost"]} == {
        "api_keys": 1,
        "jobs": 2,
        "job_attempts": 1,
        "dossiers.run_id": 1,
        "dossiers.company_key": 1,
        "calendar_events": one("select count(*) as n from calendar_events").n,
    }
    result = columnline("migrate", "--undo")
    assert result.exit_code == 2
    assert "api_keys" in result.stdout
    assert "Dossiers of V2 that stay, as rows like V1's: 1" in result.stdout
    assert "--yes" in result.stderr
    assert (catalogue(used), rows(used)) == before


def test_with_yes_v1_is_as_it_was_and_dossiers_of_v2_are_plain_rows(v1, empty_database):
    schema, before = catalogue(v1), rows(v1)
    told(columnline("migrate", "--json"))
    execute("insert into v2_clients (client_id, client_name, slug) values ('CLT_V1', 'x', 'northwind')")
    assert publish(run("RUN_1")).state == "done"
    told(columnline("clients", "unify", "--json"))
    answer = told(columnline("migrate", "--undo", "--yes", "--json"))
    assert (answer["ok"], answer["after"]) == (True, migrate.BASELINE)
    assert catalogue(v1) == schema
    after = rows(v1)
    assert {table: [row for row in found if row in before[table]] for table, found in after.items()} == before
    (plain,) = [row for row in after["dossiers"] if row not in before["dossiers"]]
    assert dossier_id_of("RUN_1") in plain
    left = v1.execute("select proname from pg_proc where proname like 'columnline%'").fetchall()
    assert left == []


def test_a_second_time_it_does_nothing(used):
    execute("update jobs set state = 'cancelled', settled_at = now() where state = 'queued'")
    assert "Taken back" in shown(columnline("migrate", "--undo", "--yes"))
    assert "Nothing to do" in shown(columnline("migrate", "--undo", "--yes"))
    assert told(columnline("migrate", "--undo", "--json"))["undo"] is None


def test_while_a_worker_has_a_job_in_hand_it_is_refused(used):
    before = catalogue(used)
    execute("update jobs set state = 'running', leased_until = now() + interval '1 minute' where state = 'queued'")
    assert code_of(columnline("migrate", "--undo", "--yes", "--json")) == "job_state_conflict"
    assert "Stop the workers" in columnline("migrate", "--undo").stdout
    assert catalogue(used) == before
    execute("update jobs set leased_until = now() - interval '1 second' where state = 'running'")
    told(columnline("migrate", "--undo", "--yes", "--json"))


def test_a_database_that_was_never_migrated_has_nothing_to_take_back(v1):
    before = catalogue(v1)
    assert code_of(columnline("migrate", "--undo", "--yes", "--json")) == "validation"
    assert "never migrated" in columnline("migrate", "--undo").stderr
    assert catalogue(v1) == before


def test_a_table_that_is_not_as_the_migrations_made_it_is_never_dropped(used):
    execute("drop table gone_callbacks")
    execute("create table gone_callbacks as select 'the app''s' as url, 1 as customer")
    before = catalogue(used)
    assert code_of(columnline("migrate", "--undo", "--json")) == "validation"
    error = told(columnline("migrate", "--undo", "--yes", "--json"), 1)["error"]
    assert "would drop the table gone_callbacks, which is other than ours in customer, gone_at" in error["detail"]
    assert catalogue(used) == before
    execute("alter table gone_callbacks rename to app_callbacks")
    told(columnline("migrate", "--undo", "--yes", "--json"))
    assert one("select customer from app_callbacks").customer == 1


def test_what_only_later_migrations_would_make_is_the_apps_and_stays(used):
    migrate.downgrade(db.engine(), "calendar")
    execute("create table heartbeats as select 72 as pulse")
    execute("alter table clients add column icp_config jsonb default '{}'")
    lost = told(columnline("migrate", "--undo", "--json"), 2)["undo"]["lost"]
    assert not {loss["what"] for loss in lost} & {"heartbeats", "clients.icp_config"}
    told(columnline("migrate", "--undo", "--yes", "--json"))
    kept = one("select pulse, icp_config from heartbeats, clients limit 1")
    assert (kept.pulse, kept.icp_config) == (72, {})


def test_it_gives_way_to_the_app_and_tries_again(used, empty_database, monkeypatch, setting):
    setting(lock_timeout=0.2)
    forget_cached()
    waits = []
    with psycopg.connect(empty_database) as app:
        app.execute("lock table calendar_events in access share mode")

        def let_go(seconds):
            waits.append(seconds)
            app.rollback()

        monkeypatch.setattr(migrate.downgrade.retry, "sleep", let_go)
        migrate.undo(db.engine())
    assert len(waits) == 1
    assert migrate.current(db.engine()) == migrate.BASELINE


def test_one_that_was_broken_off_is_not_migrated_over_but_ended_first(used):
    migrate.downgrade(db.engine(), "calendar")
    execute("drop table calendar_events")  # the first that is gone of what this migration made
    error = told(columnline("migrate", "--json"), 1)["error"]
    assert "columnline migrate --undo --yes, then columnline migrate" in error["detail"]
    told(columnline("migrate", "--undo", "--yes", "--json"))
    told(columnline("migrate", "--json"))
    assert one("select count(*) as n from calendar_events").n == 0


def test_what_a_migration_that_was_broken_off_has_left_is_told_before_anything_is_dropped(used):
    migrate.downgrade(db.engine(), "exports")
    execute(f"update {migrate.VERSION_TABLE} set version_num = 'make'")
    before = catalogue(used)
    findings = told(columnline("migrate", "--undo", "--yes", "--json"), 1)["error"]["findings"]
    assert [finding["subject"] for finding in findings] == ["export_parts", "page_sessions"]
    assert catalogue(used) == before
    for finding in findings:
        execute(finding["remedy"].partition(": ")[2])
    told(columnline("migrate", "--undo", "--yes", "--json"))


def test_migrated_anew_the_runs_of_before_are_not_published_twice(used):
    told(columnline("migrate", "--undo", "--yes", "--json"))
    told(columnline("migrate", "--json"))
    job = publish("RUN_1")
    assert job.state == "error"
    assert "that this job did not make" in job.error["detail"]
    assert one("select count(*) as n from dossiers").n == len(V1_ROWS.dossiers) + 1


def test_of_a_newer_versions_database_nothing_is_taken_back(used):
    execute(f"update {migrate.VERSION_TABLE} set version_num = 'from_the_future'")
    before = catalogue(used)
    assert code_of(columnline("migrate", "--undo", "--json")) == "validation"
    assert code_of(columnline("migrate", "--undo", "--yes", "--json")) == "validation"
    assert catalogue(used) == before
