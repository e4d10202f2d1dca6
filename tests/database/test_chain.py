"""Which dossier replaces which, and from when readers notice."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from models.jobs import JobState
from models.values import dossier_id_of
from tests.database.companies import (
    LAKESHORE,
    LATE,
    NORTHWIND,
    add_v1,
    complete,
    days_pass,
    dossier,
    execute,
    publish,
    query,
    read_by,
    register,
    retry,
)
from worker import db
from worker.calendar import desk
from worker.calendar.release import release_due

pytestmark = pytest.mark.usefixtures("clients")

SOON = datetime.now(UTC).date() + timedelta(days=3)
LATER = SOON + timedelta(days=3)


def act(action, run_id, *given):
    with db.transaction() as session:
        return getattr(desk, action)(session, dossier_id_of(run_id), *given, "the tests")


def time_passes(days):
    days_pass(days)
    list(release_due())


def chain(*run_ids):
    """(status, whether readers see it, what it replaces, what replaced it) of each, by run."""
    names = {row.id: row.run_id or "V1" for row in query("select id, run_id from dossiers")}
    rows = [dossier(run_id) for run_id in run_ids]
    return [
        (
            row.status,
            row.released_at is not None,
            names.get(row.supersedes_dossier_id),
            names.get(row.superseded_by_dossier_id),
        )
        for row in rows
    ]


def three_in_a_chain(b_on=SOON, c_on=LATER):
    """A is released; B is to replace it, and C is to replace B."""
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A", release_date=b_on)
    publish(register("C"), supersedes_run_id="B", release_date=c_on)


SPELLINGS = [
    ("acme.example", "https://www.ACME.example:8443/about?x=1#top"),
    ("acme.example", "  acme.example.  "),
    ("acme.example", "//user@acme.example"),
    ("www.acme.co.uk", "careers.acme.co.uk"),
    ("xn--bcher-kva.example", "B\u00fccher.example"),
    ("B\u00dcCHER.example", "shop.xn--bcher-kva.example"),
    ("one.github.io", "http://docs.ONE.github.io/"),
]


@pytest.mark.parametrize("pair", [*SPELLINGS, *(spelling[::-1] for spelling in SPELLINGS)])
def test_auto_knows_a_company_however_its_domain_is_spelled(pair):
    older, newer = pair
    v1 = add_v1(older)
    publish(register("A", newer), supersede="auto")
    assert dossier("A").supersedes_dossier_id == v1
    publish(register("B", older), supersede="auto")
    assert chain(v1, "A", "B") == [
        ("superseded", True, None, "A"),
        ("superseded", True, "V1", "B"),
        ("ready", True, "A", None),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("one.github.io", "two.github.io"),
        ("acme.co.uk", "bolt.co.uk"),
        ("acme.example", "notacme.example"),
        ("acme.example", "acme.example.com"),
        ("acme.example", "mail-acme.example"),
        ("github.io", "one.github.io"),
    ],
)
def test_auto_leaves_neighbours_under_a_shared_suffix_alone(one, other):
    add_v1(one)
    publish(register("A", one))
    publish(register("B", other), supersede="auto")
    assert chain("A", "B") == [("ready", True, None, None), ("ready", True, None, None)]


@pytest.mark.parametrize(
    "domain", [None, "", "Acme Works", "10.0.0.1", "acme", "ask@", "see acme.example, b.example"]
)
def test_a_v1_domain_that_is_none_is_nobodys(domain):
    add_v1(domain)
    publish(register("A"), supersede="auto")
    assert dossier("A").supersedes_dossier_id is None


def test_auto_takes_the_newest_that_nothing_replaces():
    first = add_v1("acme.example")
    second = add_v1("www.acme.example")
    execute("update dossiers set created_at = now() - interval '1 day' where id = :id", id=second)
    publish(register("A"), supersede="auto")
    assert dossier("A").supersedes_dossier_id == first
    publish(register("B"), supersede="auto")
    publish(register("C"), supersede="auto")
    assert chain("A", "B", "C") == [
        ("superseded", True, "V1", "B"),
        ("superseded", True, "A", "C"),
        ("ready", True, "B", None),
    ]


@pytest.mark.parametrize("status", ["skeleton", "enriching", "archived", "superseded"])
def test_auto_passes_over_v1_dossiers_that_are_not_ready(status):
    add_v1("acme.example", status=status)
    publish(register("A"), supersede="auto")
    assert dossier("A").supersedes_dossier_id is None


def test_two_clients_with_one_company_never_meet():
    theirs = add_v1("acme.example", client=LAKESHORE)
    publish(register("THEIRS", client=LAKESHORE))
    before = [dossier(theirs), dossier("THEIRS")]
    publish(register("A"), supersede="auto")
    assert dossier("A").supersedes_dossier_id is None
    assert [dossier(theirs), dossier("THEIRS")] == before
    publish(register("NEXT", client=LAKESHORE), supersede="auto")
    assert dossier("NEXT").supersedes_dossier_id == dossier_id_of("THEIRS")


def test_v1_dossiers_that_are_not_involved_stay_as_they_are_to_the_byte():
    others = [
        add_v1("bolt.example"),
        add_v1("WWW.Acme.example", status="archived"),
        add_v1("acme.example", client=LAKESHORE),
        add_v1("acme.example.org", released="null"),
        add_v1(None, status="skeleton", released="null"),
    ]
    statement = "select d::text as row, xmin::text as version from dossiers d where id = any(:ids) order by id"
    before = query(statement, ids=others)
    execute("update clients set release_hour = 3")
    add_v1("acme.example")
    publish(register("A"), supersede="auto", release_date=SOON)
    execute("update dossiers set release_date = current_date - 2 where run_id = 'A'")
    list(release_due())
    publish(register("B"), supersede="auto")
    act("archive", "B")
    assert chain("A")[0][0] == "superseded"
    assert query(statement, ids=others) == before


def test_until_the_successor_is_released_readers_see_the_older_one_as_it_was():
    publish(register("A"))
    before = dossier("A")
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    assert dossier("A") == before
    assert read_by(NORTHWIND) == {dossier_id_of("A"): "ready"}
    time_passes(days=5)
    assert chain("A", "B") == [("superseded", True, None, "B"), ("ready", True, "A", None)]
    assert read_by(NORTHWIND) == {dossier_id_of("A"): "superseded", dossier_id_of("B"): "ready"}


def test_the_older_one_is_superseded_in_the_transaction_that_shows_its_successor():
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    act("release_now", "B")
    rows = query("select xmin::text as by from dossiers where run_id in ('A', 'B')")
    assert len({row.by for row in rows}) == 1


@pytest.mark.parametrize("action", ["hold", "archive"])
def test_a_successor_that_is_held_or_archived_before_its_release_changes_nothing_for_readers(action):
    publish(register("A"))
    before = dossier("A")
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    act(action, "B")
    time_passes(days=10)
    days_pass(days=-10)
    assert dossier("A") == before
    assert read_by(NORTHWIND) == {dossier_id_of("A"): "ready"}
    assert (dossier("B").released_at, dossier("B").release_at) == (None, None)


def test_a_successor_that_was_held_still_replaces_the_older_one_once_it_is_released():
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    act("hold", "B")
    act("release_now", "B")
    assert chain("A", "B") == [("superseded", True, None, "B"), ("ready", True, "A", None)]


def test_one_that_is_archived_before_its_release_leaves_the_chain_and_those_around_it_close_up():
    three_in_a_chain()
    act("archive", "B")
    assert chain("A", "B", "C") == [
        ("ready", True, None, None),
        ("archived", False, None, None),
        ("ready", False, "A", None),
    ]
    act("release_now", "C")
    assert chain("A", "B", "C") == [
        ("superseded", True, None, "C"),
        ("archived", False, None, None),
        ("ready", True, "A", None),
    ]


def test_the_older_one_is_free_again_once_its_successor_was_archived_before_release():
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    act("archive", "B")
    publish(register("C"), supersede="auto")
    assert chain("A", "C") == [("superseded", True, None, "C"), ("ready", True, "A", None)]


def test_one_that_is_archived_after_its_release_stays_in_its_chain():
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A")
    act("archive", "B")
    publish(register("C"), supersedes_run_id="B")
    assert chain("A", "B", "C") == [
        ("superseded", True, None, "B"),
        ("archived", True, "A", "C"),
        ("ready", True, "B", None),
    ]


def test_one_whose_successor_comes_before_its_own_day_is_never_shown():
    three_in_a_chain(b_on=LATER, c_on=SOON)
    time_passes(days=4)
    hidden = ("superseded", False, "A", "C")
    assert chain("A", "B", "C") == [("superseded", True, None, "C"), hidden, ("ready", True, "B", None)]
    time_passes(days=10)
    assert chain("B") == [hidden]
    assert dossier_id_of("B") not in read_by(NORTHWIND)


@pytest.mark.parametrize(
    ("b_on", "c_on", "shown"), [(SOON, LATER, True), (LATER, SOON, False), (SOON, SOON, False)]
)
def test_after_a_downtime_each_counts_as_released_at_its_own_moment(b_on, c_on, shown):
    three_in_a_chain(b_on, c_on)
    time_passes(days=20)
    older = "B" if shown else "C"
    assert chain("A", "B", "C") == [
        ("superseded", True, None, older),
        ("superseded", shown, "A", "C"),
        ("ready", True, "B", None),
    ]
    released = query("select dossier_id from calendar_events where action = 'released'")
    assert sorted(row.dossier_id for row in released) == sorted(read_by(NORTHWIND))


def test_a_link_made_while_the_older_run_was_in_error_takes_effect_when_both_are_out(setting):
    setting(outputs_deadline=0)
    publish(register("A", without=(LATE,)))
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    complete("A")
    assert retry("A").state == JobState.DONE
    assert chain("A", "B") == [("ready", True, None, None), ("ready", False, "A", None)]
    act("release_now", "B")
    assert chain("A", "B") == [("superseded", True, None, "B"), ("ready", True, "A", None)]


def test_an_error_run_that_is_revived_after_its_successors_release_stays_hidden_as_superseded(setting):
    setting(outputs_deadline=0)
    publish(register("A", without=(LATE,)))
    publish(register("B"), supersedes_run_id="A")
    assert chain("A", "B") == [("error", False, None, "B"), ("ready", True, "A", None)]
    complete("A")
    assert retry("A").state == JobState.DONE
    assert chain("A", "B") == [("superseded", False, None, "B"), ("ready", True, "A", None)]
    assert read_by(NORTHWIND) == {dossier_id_of("B"): "ready"}


def test_the_current_dossier_of_each_company_is_one_however_many_came():
    for number in range(5):
        publish(register(f"R{number}"), supersede="auto")
    with db.transaction() as session:
        current = session.scalars(text("select run_id from dossiers where superseded_by_dossier_id is null")).all()
    assert current == ["R4"]
