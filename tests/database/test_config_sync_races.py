"""A sync beside others who write, beside itself, of a client that is led elsewhere, and of very many clients."""

import threading

import pytest

from tests.database.asked import asked
from tests.database.publishing import execute, one, query
from tests.database.sides import V2, A, B, C, both, found, history, other, put, sync
from worker import db
from worker.config import sync as syncing
from worker.settings import settings

OWNERS = pytest.mark.parametrize("owner", ["v2", "production"])


@pytest.fixture(autouse=True)
def _no_config(clients):
    execute("update v2_clients set icp_config = null")


@pytest.fixture
def meanwhile(monkeypatch):
    """A function that has something done between what the next sync reads and what it writes."""
    report = syncing._report

    def arrange(work):
        def reported(*args, **kwargs):
            monkeypatch.setattr(syncing, "_report", report)
            work()
            return report(*args, **kwargs)

        monkeypatch.setattr(syncing, "_report", reported)

    return arrange


@pytest.fixture(params=["v2", "production"])
def owner(request, setting):
    """Both sides have A in two fields, and the owner has set both to B since they were synced."""
    setting(config_owner=request.param)
    for field in ("icp_config", "research_context"):
        put("v2", A, field=field)
        put("production", A, field=field)
    sync()
    execute("delete from config_sync_history")
    for field in ("icp_config", "research_context"):
        put(request.param, B, field=field)
    return request.param


def sides(owner, field="icp_config"):
    """What the owner has, and what the other side has."""
    v2, production = both(field)
    return (v2, production) if owner == "v2" else (production, v2)


def test_an_edit_between_reading_and_writing_is_not_overwritten_and_is_a_conflict_by_the_next_sync(
    owner, meanwhile
):
    meanwhile(lambda: put(other(owner), C))
    sync()
    assert sides(owner) == (B, C)
    report = sync()
    assert sides(owner) == (B, C)
    assert [action for action, _ in found(report)] == ["conflict"]


def test_an_edit_of_the_owner_between_reading_and_writing_is_kept_and_flows_by_the_next_sync(owner, meanwhile):
    meanwhile(lambda: put(owner, C))
    sync()
    assert sides(owner)[0] == C
    sync()
    assert sides(owner) == (C, C)


def test_a_field_nobody_touched_flows_although_another_of_the_row_was_edited_between_reading_and_writing(
    owner, meanwhile
):
    meanwhile(lambda: put(other(owner), C))
    sync()
    report = sync()
    assert found(report, "research_context") in ([], [(f"to_{other(owner)}", f"only {owner} changed")])
    assert sides(owner, "research_context") == (B, B)


def test_the_history_tells_only_of_what_was_written(owner, meanwhile):
    meanwhile(lambda: put(other(owner), C))
    sync()
    assert (f"to_{other(owner)}", A, B) not in history()
    written = sides(owner, "research_context") == (B, B)
    assert ((f"to_{other(owner)}", A, B) in history("research_context")) is written


def test_a_sync_beside_another_says_so_and_does_nothing(owner):
    with db.transaction() as session:
        first = syncing.sync(session, settings(), asked_by="test")
        assert sync().skipped == "another sync is going on"
    assert (first.copied, len(history())) == (2, 1)
    assert (sync().skipped, sync().copied) == (None, 0)


def test_of_many_syncs_at_once_one_copies(owner):
    reports, start = [], threading.Barrier(6)

    def run():
        start.wait()
        reports.append(sync())

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.copied for report in reports) == [0, 0, 0, 0, 0, 2]
    assert len(history()) == 1


@OWNERS
def test_a_client_that_is_led_elsewhere_loses_nothing_to_the_new_clients_empty_fields(setting, owner):
    setting(config_owner=owner)
    put("v2", A)
    put("production", A)
    sync()
    fresh = one("insert into clients (name) values ('Fresh') returning id").id
    execute("update v2_clients set production_client_id = :p where client_id = :c", p=fresh, c=V2)
    report = sync()
    wanted = ("to_production" if owner == "v2" else "conflict", "only one side has a value")
    assert found(report) == [wanted]
    assert both(production=fresh)[0] == A


@OWNERS
def test_a_client_that_is_led_elsewhere_is_compared_as_if_it_had_never_been_synced(setting, owner):
    setting(config_owner=owner)
    put("v2", A)
    put("production", A)
    sync()
    taken = one("insert into clients (name, icp_config) values ('Taken', '{\"v\": 2}') returning id").id
    execute("update v2_clients set production_client_id = :p where client_id = :c", p=taken, c=V2)
    assert found(sync()) == [("conflict", "both sides had a value before they were first synced")]
    assert both(production=taken) == (A, B)


def test_two_ways_to_write_one_number_are_one_value():
    execute("update v2_clients set icp_config = '{\"v\": 1.0}' where client_id = :c", c=V2)
    put("production", A)
    assert found(sync()) == []
    put("v2", B)
    assert found(sync()) == [("to_production", "only v2 changed")]


def fill(first, last):
    """These mapped clients; each v2 side has a field more, and a tenth differ in another."""
    execute(
        "insert into clients (name, slug, research_context) "
        "select 'C' || n, 'c-' || n, case when n % 10 = 7 then '{}'::jsonb end "
        "from generate_series(cast(:f as int), cast(:l as int)) n",
        f=first,
        l=last,
    )
    execute(
        "insert into v2_clients (client_id, client_name, production_client_id, icp_config, research_context) "
        "select 'CLT_' || n, n, c.id, jsonb_build_object('n', n), case when n % 10 = 7 then '[]'::jsonb end "
        "from generate_series(cast(:f as int), cast(:l as int)) n join clients c on c.slug = 'c-' || n",
        f=first,
        l=last,
    )
    # As autovacuum does within a minute; the checks of foreign keys else keep the plan of a table of ten rows.
    execute("analyze clients, v2_clients")


def counted_sync():
    """A sync, and how many statements it was."""
    with asked() as found:
        report = sync()
    return report, len(found)


def test_a_sync_is_as_many_statements_however_many_clients_there_are_and_its_report_is_bounded():
    counted_sync()  # the first connection of a process asks the server what it is
    fill(1, 10)
    few, statements = counted_sync()
    assert (few.fields, few.copied, few.conflicts) == (36, 10, 1)
    fill(11, 10_000)
    many, as_many = counted_sync()
    assert (many.fields, many.copied, many.conflicts) == (30_006, 9_990, 1_000)
    again, still = counted_sync()
    assert (again.fields, again.copied, again.conflicts) == (30_006, 0, 1_000)
    assert as_many == still == statements < 15
    assert [len(report.differences) for report in (few, many, again)] == [11, syncing.SHOWN, syncing.SHOWN]
    rows = query("select action, count(*) as n from config_sync_history group by action order by action")
    assert [tuple(row.values()) for row in rows] == [("conflict", 1_000), ("to_production", 10_000)]
