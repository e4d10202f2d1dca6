"""One table owns the config fields: what unifying refuses, how writes flow afterwards, and the way back."""

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from tests.database.publishing import LAKESHORE, NORTHWIND, execute, one, query
from tests.database.sides import SECOND, V2, A, B, C, both, put, sync
from worker import db, migrate
from worker.choices import ClientMapping
from worker.config import unify as unifying
from worker.config.unify import is_unified

THIRD = "CLT_UNMAPPED_001"
UPSERT = """
insert into v2_clients (client_id, client_name, icp_config, production_client_id)
values (:c, 'Northwind Steel', cast(:v as jsonb), :p)
on conflict (client_id) do update set icp_config = excluded.icp_config, updated_at = now()
"""


@pytest.fixture(autouse=True)
def _two_of_one_client(clients):
    """Two v2 clients lead to Northwind, none has a config, and one leads nowhere."""
    execute("update v2_clients set icp_config = null, slug = null")
    execute("update v2_clients set production_client_id = :p where client_id <> :c", p=NORTHWIND, c=THIRD)


def unify(mapping=ClientMapping.SLUG, **options):
    with db.transaction() as session:
        return unifying.unify(session, mapping, **options)


def undo():
    with db.transaction() as session:
        return unifying.undo(session)


def unified():
    with db.transaction() as session:
        return is_unified(session)


def upsert(client, value, leads_to=None):
    """As the pipeline writes a client."""
    execute(UPSERT, c=client, v=None if value is None else json.dumps(value), p=leads_to)


def everywhere(field="icp_config"):
    """What the first and the second v2 client and their production client have."""
    return both(field)[0], both(field, v2=SECOND)[0], both(field)[1]


def everything():
    tables = ("clients", "v2_clients", "config_sync_state", "config_sync_history", "pg_trigger", "pg_proc")
    return {table: query(f"select * from {table} order by {table}::text") for table in tables}


def test_a_dry_run_says_what_would_be_filled_and_mapped_and_changes_nothing():
    execute("update v2_clients set slug = 'lakeshore-interiors' where client_id = :c", c=THIRD)
    put("v2", A)
    before = everything()
    report = unify(dry_run=True)
    assert (report.ok, report.done, report.mapped, report.filled) == (True, False, [THIRD], 2)
    assert everything() == before
    did = unify()
    assert did.model_dump() == report.model_dump() | {"dry_run": False, "done": True}


def test_values_that_differ_are_all_named_and_nothing_is_unified_until_each_is_settled():
    execute("update v2_clients set slug = 'lakeshore-interiors' where client_id = :c", c=THIRD)
    for side, value in (("v2", A), ("production", B)):
        put(side, value)
    put("v2", A, field="research_context")
    put("v2", B, field="research_context", client=SECOND)
    put("v2", A, client=THIRD)
    put("production", C, client=LAKESHORE)
    put("v2", A, field="industry_research")
    before = everything()
    report = unify()
    assert (report.ok, report.done, report.mapped, report.filled) == (False, False, [], 0)
    assert [(row["client_id"], row["field"], row["values"]) for row in report.in_the_way] == [
        (str(NORTHWIND), "icp_config", {V2: A, "clients": B}),
        (str(NORTHWIND), "research_context", {V2: A, SECOND: B}),
        (str(LAKESHORE), "icp_config", {THIRD: A, "clients": C}),
    ]
    assert everything() == before
    sync(only=V2, field="icp_config", take="v2")
    put("v2", B, field="research_context")
    sync(only=THIRD, field="icp_config", take="production")
    assert unify().done is True
    assert (everywhere(), everywhere("research_context")) == ((A, A, A), (B, B, B))


@pytest.mark.parametrize("side", ["v2", "second", "production"])
def test_a_value_that_one_side_has_fills_the_others_and_none_is_lost(side):
    put("v2" if side == "second" else side, A, client=SECOND if side == "second" else None)
    execute("update v2_clients set icp_config = 'null' where icp_config is null")
    assert unify().filled == 2
    assert everywhere() == (A, A, A)


def test_what_the_pipeline_writes_flows_to_the_client_and_to_its_other_v2_client():
    unify()
    for value in (A, B, None, C):
        upsert(V2, value)
        assert everywhere() == (value, value, value)
    upsert(SECOND, A)
    assert everywhere() == (A, A, A)
    execute("update v2_clients set industry_research = '[1]', icp_config = '[2]' where client_id = :c", c=V2)
    assert (everywhere("industry_research"), everywhere()) == (([1], [1], [1]), ([2], [2], [2]))


def test_what_is_written_to_the_client_flows_to_all_its_v2_clients():
    unify()
    put("v2", C, client=THIRD)
    for value in (A, B, None):
        put("production", value)
        assert everywhere() == (value, value, value)
    assert both(v2=THIRD)[0] == C


@pytest.mark.parametrize(
    ("table", "which"), [("clients", f"id = '{NORTHWIND}'"), ("v2_clients", f"client_id = '{V2}'")]
)
def test_a_role_that_may_only_update_one_of_the_tables_writes_to_both(table, which):
    unify()
    put("production", A)
    with db.transaction() as session:
        for statement in (
            "create role test_writer",
            f"grant select, update on {table} to test_writer",
            f"create policy test_writer on {table} to test_writer using (true)",
            "set local role test_writer",
            f"update {table} set icp_config = '{json.dumps(B)}' where {which}",
            "reset role",
            "drop owned by test_writer",
            "drop role test_writer",
        ):
            session.execute(text(statement))
    assert everywhere() == (B, B, B)


@pytest.mark.parametrize("function", ["columnline_to_clients", "columnline_to_v2_clients"])
def test_a_role_cannot_have_a_table_of_its_own_write_to_ours(function):
    unify()
    with db.transaction() as session:
        for statement in (
            "create role test_stranger",
            "set local role test_stranger",
            "create temporary table mine (client_id text)",
        ):
            session.execute(text(statement))
        trigger = f"create trigger mine after insert on mine for each row execute function {function}()"
        with pytest.raises(ProgrammingError, match="permission denied for function"), session.begin_nested():
            session.execute(text(trigger))
        session.rollback()


@pytest.mark.parametrize("how", ["insert", "mapping"])
def test_a_v2_client_that_is_led_there_later_fills_gaps_on_both_sides_and_overwrites_nothing(how):
    put("production", A)
    put("production", A, field="research_context")
    unify()
    values = {"c": "CLT_NEW", "a": json.dumps(B), "b": json.dumps(B), "p": NORTHWIND if how == "insert" else None}
    execute(
        "insert into v2_clients (client_id, client_name, icp_config, industry_research, production_client_id) "
        "values (:c, 'New', cast(:a as jsonb), cast(:b as jsonb), :p)",
        **values,
    )
    if how == "mapping":
        assert both("research_context", v2="CLT_NEW")[0] is None
        execute("update v2_clients set production_client_id = :p where client_id = 'CLT_NEW'", p=NORTHWIND)
    assert both("icp_config", v2="CLT_NEW") == (B, A), "they differ, and that is left to a sync"
    assert everywhere("icp_config") == (A, A, A)
    assert both("industry_research", v2="CLT_NEW") == (B, B)
    assert everywhere("industry_research") == (B, B, B)
    assert both("research_context", v2="CLT_NEW") == (A, A)
    assert [(row.v2_client_id, row.action) for row in sync().differences] == [("CLT_NEW", "conflict")]


def test_the_json_value_null_is_a_gap_as_well():
    put("production", A)
    unify()
    execute(
        "insert into v2_clients (client_id, client_name, icp_config, production_client_id) "
        "values ('CLT_NEW', 'New', 'null', :p)",
        p=NORTHWIND,
    )
    assert both(v2="CLT_NEW") == (A, A)


def test_a_v2_client_that_is_deleted_takes_nothing_with_it():
    put("v2", A)
    unify()
    execute("delete from v2_clients where client_id = :c", c=V2)
    assert both(v2=SECOND) == (A, A)


def test_mappings_by_slug_become_mappings_by_id_where_slugs_count():
    execute("update v2_clients set slug = 'lakeshore-interiors' where client_id = :c", c=THIRD)
    assert unify(ClientMapping.EXPLICIT, dry_run=True).mapped == []
    assert unify().mapped == [THIRD]
    leads_to = one("select production_client_id as p from v2_clients where client_id = :c", c=THIRD).p
    assert leads_to == LAKESHORE
    upsert(THIRD, A)
    assert both(v2=THIRD, production=LAKESHORE) == (A, A)


def test_a_slug_that_fits_two_clients_is_not_guessed():
    execute("alter table clients drop constraint clients_slug_key")
    execute("insert into clients (name, slug) values ('Two', 'lakeshore-interiors')")
    execute("update v2_clients set slug = 'lakeshore-interiors' where client_id = :c", c=THIRD)
    report = unify()
    assert THIRD not in report.mapped
    assert one("select production_client_id as p from v2_clients where client_id = :c", c=THIRD).p is None


def test_unifying_twice_is_unifying_once():
    unify()
    put("v2", A)
    before = everything()
    report = unify()
    assert (report.ok, report.done, report.filled, report.mapped) == (True, True, 0, [])
    assert everything() == before


def test_unifying_twice_at_once_is_unifying_once():
    waits = "select 1 from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database() "
    waits += "where not granted"
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            unifying.unify(session, ClientMapping.SLUG)
            second = pool.submit(unify)
            while not second.done() and not query(waits):
                pass
        report = second.result()
    assert (report.ok, report.done) == (True, True)


def test_going_back_keeps_every_value_and_lets_both_go_their_own_ways():
    put("v2", A)
    unify()
    before = query("select * from v2_clients order by 1"), query("select * from clients order by 1")
    assert (undo(), unified(), undo()) == (True, False, False)
    assert (query("select * from v2_clients order by 1"), query("select * from clients order by 1")) == before
    put("v2", B)
    put("production", C)
    assert everywhere() == (B, A, C)
    put("v2", C)
    put("v2", C, client=SECOND)
    assert unify().done is True


@pytest.mark.parametrize(
    ("side", "value", "ends"), [("v2", C, (C, C)), ("v2", A, (A, A)), ("production", A, (B, A))]
)
def test_after_going_back_a_sync_goes_by_what_both_sides_held_then(setting, side, value, ends):
    setting(config_owner="v2")
    for where in ("v2", "production"):
        put(where, A)
    put("v2", A, client=SECOND)
    sync()
    unify()
    upsert(V2, B)
    undo()
    put(side, value)
    if side == "v2":
        put(side, value, client=SECOND)
    sync()
    assert both() == ends


def test_what_an_earlier_version_left_open_is_closed_by_unifying_again():
    unify()
    execute("grant execute on function columnline_to_clients(), columnline_to_v2_clients() to public")
    unify()
    assert query(
        "select has_function_privilege('public', 'columnline_to_clients()', 'execute') as one, "
        "has_function_privilege('public', 'columnline_to_v2_clients()', 'execute') as other"
    ) == [{"one": False, "other": False}]


def test_going_back_settles_nothing_that_differs():
    put("production", A)
    unify()
    execute(
        "insert into v2_clients (client_id, client_name, icp_config, production_client_id) "
        "values ('CLT_NEW', 'New', cast(:v as jsonb), :p)",
        v=json.dumps(B),
        p=NORTHWIND,
    )
    assert sync().conflicts == 1
    undo()
    assert sync().conflicts == 1
    assert both(v2="CLT_NEW") == (B, A)


def test_once_unified_clients_owns_the_fields_whatever_the_settings_say(setting):
    setting(config_owner="v2")
    unify()
    report = sync()
    assert (report.owner, report.conflicts, report.copied) == ("production", 0, 0)


@pytest.mark.parametrize("at", ["lock table", "update v2_clients", "create function", "create trigger"])
def test_a_crash_in_the_middle_leaves_all_as_it_was_and_a_second_try_works(at, database):
    put("v2", A)
    before = everything()

    def kill(connection, cursor, statement, *_):
        if statement.strip().startswith(at):
            victim = connection.connection.dbapi_connection.info.backend_pid
            with psycopg.connect(database) as other:
                other.execute("select pg_terminate_backend(%s, 5000)", [victim])

    event.listen(db.engine(), "after_cursor_execute", kill)
    with pytest.raises(DBAPIError):
        unify()
    event.remove(db.engine(), "after_cursor_execute", kill)
    assert everything() == before
    assert unify().done is True
    upsert(V2, B)
    assert everywhere() == (B, B, B)


def test_a_migration_back_and_forth_takes_the_triggers_away_and_keeps_the_pipelines_values():
    put("v2", A)
    unify()
    kept = query("select client_id, icp_config from v2_clients order by 1")
    migrate.downgrade(db.engine(), "calendar")
    names = "select tgname from pg_trigger where tgname = 'columnline_unified'"
    assert query(names) == query("select 1 from pg_proc where proname like 'columnline_to_%'") == []
    assert query("select client_id, icp_config from v2_clients order by 1") == kept
    put("v2", B)
    migrate.upgrade(db.engine())
    assert unified() is False
    assert both() == (B, None)
