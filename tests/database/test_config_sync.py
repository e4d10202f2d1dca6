"""The config fields of both tables of clients: what flows, what is a conflict, and that nothing is overwritten."""

import pytest

from models.config import CONFIG_FIELDS
from tasks.clients import sync_clients
from tests.database.publishing import LAKESHORE, NORTHWIND, execute, one, query
from tests.database.sides import SECOND, V2, A, B, C, both, everything, found, history, other, put, sync
from worker.errors import Validation

OWNERS = pytest.mark.parametrize("owner", ["v2", "production"])


@pytest.fixture(autouse=True)
def _no_config(clients):
    execute("update v2_clients set icp_config = null")


@pytest.fixture
def agreed(setting):
    """A function that lets both sides agree on A, under this owner."""

    def agree(owner):
        setting(config_owner=owner)
        put("v2", A)
        put("production", A)
        sync()
        execute("delete from config_sync_history")

    return agree


@OWNERS
def test_a_change_on_the_owners_side_flows_and_is_kept_in_the_history(agreed, owner):
    agreed(owner)
    put(owner, B)
    report = sync()
    action = f"to_{other(owner)}"
    assert (report.copied, report.conflicts, found(report)) == (1, 0, [(action, f"only {owner} changed")])
    assert both() == (B, B)
    assert history() == [(action, A, B)]
    again = sync()
    assert (again.copied, again.conflicts, again.differences) == (0, 0, [])
    assert len(history()) == 1


@OWNERS
def test_a_value_that_is_taken_away_flows_too(agreed, owner):
    agreed(owner)
    put(owner, None)
    sync()
    assert both() == (None, None)
    assert history() == [(f"to_{other(owner)}", A, None)]


@OWNERS
@pytest.mark.parametrize("kind", ["both", "other", "first"])
def test_any_other_difference_is_a_conflict_that_is_noted_once_and_left_alone(agreed, setting, owner, kind):
    reason = "both sides changed"
    if kind == "first":
        setting(config_owner=owner)
        put("v2", B)
        put("production", C)
        reason = "both sides had a value before they were first synced"
    else:
        agreed(owner)
        put(other(owner), C)
        if kind == "both":
            put(owner, B)
        else:
            reason = f"only {other(owner)} changed"
    before, stamps = both(), one("select updated_at from clients where id = :c", c=NORTHWIND)
    reports = [sync(), sync()]
    for report in reports:
        assert (report.copied, report.conflicts, found(report)) == (0, 1, [("conflict", reason)])
        assert report.differences[0].v2 == before[0]
        assert report.differences[0].production == before[1]
    assert both() == before
    assert one("select updated_at from clients where id = :c", c=NORTHWIND) == stamps
    assert history() == [("conflict", *before)]
    assert [report.differences[0].since is None for report in reports] == [True, False]
    put("v2", C)
    put("production", C)
    assert sync().conflicts == 0
    put(owner, A)
    assert sync().copied == 1, "once they agree, changes flow again"


@OWNERS
def test_before_the_first_sync_the_owners_value_fills_a_gap_and_the_others_does_not(setting, owner):
    setting(config_owner=owner)
    for field, side in (("icp_config", owner), ("research_context", other(owner))):
        put(side, A, field=field)
        put(other(side), None, field=field)
    report = sync()
    assert both() == (A, A)
    assert found(report, "research_context") == [("conflict", "only one side has a value")]
    assert sorted(map(str, both("research_context"))) == sorted(map(str, (A, None)))


def test_kept_separate_nothing_is_looked_at_until_somebody_chooses_a_side(setting):
    setting(config_owner="separate")
    put("v2", B)
    put("production", C)
    before = everything()
    report = sync()
    assert "COLUMNLINE_CONFIG_OWNER" in report.skipped
    assert everything() == before
    assert sync(only=V2, field="icp_config", take="production").copied == 1
    assert both() == (C, C)


@OWNERS
@pytest.mark.parametrize("take", ["v2", "production"])
def test_a_chosen_side_settles_a_conflict_of_one_field_and_of_no_other(agreed, owner, take):
    agreed(owner)
    for field in CONFIG_FIELDS:
        put("v2", B, field=field)
        put("production", C, field=field)
    assert sync().conflicts == 3
    chosen = B if take == "v2" else C
    report = sync(only=V2, field="icp_config", take=take)
    assert (report.fields, report.copied, report.conflicts) == (1, 1, 0)
    assert both() == (chosen, chosen)
    assert both("research_context") == (B, C)
    assert history()[-1] == (f"to_{other(take)}", C if take == "v2" else B, chosen)
    put(owner, A)
    report = sync()
    assert (report.copied, report.conflicts, both()) == (1, 2, (A, A))


@pytest.mark.parametrize("named", [{}, {"only": V2}, {"field": "icp_config"}], ids=str)
def test_a_side_is_taken_nowhere_but_in_a_field_of_a_client_that_somebody_named(named):
    put("v2", B)
    put("production", C)
    put("production", C, field="research_context")
    sync()
    before = everything()
    with pytest.raises(Validation, match="Say which: `client_id` and `field`"):
        sync(take="v2", **named)
    assert everything() == before


@OWNERS
def test_a_dry_run_says_what_would_be_done_and_changes_nothing(agreed, owner):
    agreed(owner)
    put(owner, B)
    put("v2", B, field="research_context")
    put("production", C, field="research_context")
    before = everything()
    would = sync(dry_run=True)
    assert would.dry_run is True
    assert everything() == before
    did = sync()
    assert did.model_dump(exclude={"dry_run"}) == would.model_dump(exclude={"dry_run"})
    assert (did.copied, did.conflicts) == (1, 1)


def test_the_json_value_null_is_no_value():
    execute("update v2_clients set icp_config = 'null', research_context = 'null' where client_id = :c", c=V2)
    execute("update clients set industry_research = 'null' where id = :c", c=NORTHWIND)
    report = sync()
    assert (report.copied, report.conflicts) == (0, 0)
    put("v2", A)
    execute("update clients set icp_config = 'null' where id = :c", c=NORTHWIND)
    assert found(sync()) == [("to_production", "only v2 changed")]
    assert both() == (A, A)
    execute("update v2_clients set icp_config = 'null' where client_id = :c", c=V2)
    sync()
    assert both()[1] is None


@pytest.fixture
def siblings(agreed):
    """A function that lets two v2 clients and their production client agree on A."""

    def agree(owner):
        execute("update v2_clients set production_client_id = :p where client_id = :c", p=NORTHWIND, c=SECOND)
        put("v2", A, client=SECOND)
        agreed(owner)

    return agree


def test_of_two_v2_clients_of_one_client_a_change_that_the_other_has_not_is_a_conflict(siblings):
    siblings("v2")
    put("v2", B)
    reason = "several v2 clients lead to this client, and differ"
    report = sync()
    assert (report.copied, report.conflicts) == (0, 1)
    assert found(report) == [("conflict", reason)]
    assert (both(), both(v2=SECOND)) == ((B, A), (A, A))
    put("v2", B, client=SECOND)
    assert sync().conflicts == 0
    assert (both(), both(v2=SECOND)) == ((B, B), (B, B))


def test_two_v2_clients_of_one_client_do_not_differ_by_how_a_number_is_written(siblings):
    siblings("v2")
    put("v2", {"v": 2.0})
    put("v2", B, client=SECOND)
    report = sync()
    assert (report.copied, report.conflicts) == (2, 0)
    assert (both(), both(v2=SECOND)) == ((B, B), (B, B))


def test_of_two_v2_clients_of_one_client_a_value_that_only_one_has_lost_is_a_conflict(siblings):
    siblings("v2")
    put("v2", None, client=SECOND)
    report = sync()
    assert found(report, client=SECOND) == [("conflict", "several v2 clients lead to this client, and differ")]
    assert (report.copied, both()) == (0, (A, A))


def test_a_change_of_the_client_flows_to_every_v2_client_of_it_that_has_not_changed(siblings):
    siblings("production")
    put("production", B)
    assert sync().copied == 2
    put("production", A)
    put("v2", C, client=SECOND)
    report = sync()
    assert (report.copied, report.conflicts) == (1, 1)
    assert (both(), both(v2=SECOND)) == ((A, A), (C, A))


def test_a_client_found_by_its_slug_is_synced_where_slugs_count(setting):
    put("v2", B, client=SECOND)
    setting(client_mapping="explicit")
    sync()
    assert both(v2=SECOND, production=LAKESHORE) == (B, None)
    setting(client_mapping="slug")
    sync()
    assert both(v2=SECOND, production=LAKESHORE) == (B, B)


def test_a_slug_that_fits_two_clients_is_not_guessed_and_keeps_no_other_client_from_its_sync():
    execute("alter table clients drop constraint clients_slug_key")
    execute("insert into clients (name, slug) values ('Two', 'lakeshore-interiors')")
    put("v2", B, client=SECOND)
    put("v2", B)
    assert sync().copied == 1
    assert both() == (B, B)
    assert both(v2=SECOND, production=LAKESHORE) == (B, None)
    assert query("select 1 from config_sync_state where v2_client_id = :c", c=SECOND) == []


def test_beat_syncs_and_says_so_in_the_history():
    put("v2", B)
    sync_clients()
    assert both() == (B, B)
    rows = query("select asked_by, v2_client_id from config_sync_history where client_id = :c", c=NORTHWIND)
    assert [tuple(row.values()) for row in rows] == [("beat", V2)]


def test_the_state_of_a_v2_client_that_is_deleted_goes_and_its_history_stays(agreed):
    agreed("v2")
    put("v2", B)
    sync()
    execute("delete from v2_clients where client_id = :c", c=V2)
    assert query("select 1 from config_sync_state where v2_client_id = :c", c=V2) == []
    assert history() == [("to_production", A, B)]
