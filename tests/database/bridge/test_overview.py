"""The calendar over HTTP: what readers will see when, and that it comes exactly so."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.database.bridge import conftest
from tests.database.bridge.calls import refusal
from tests.database.publishing import LAKESHORE, NORTHWIND, execute, now, query
from tests.database.rows import add, ago, ahead, set_drip
from worker import db
from worker.calendar import desk
from worker.calendar.release import release_due


def calendar(http, **params):
    answer = http.get("/columnline/releases", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def runs(http, **params):
    return [entry["run_id"] for entry in calendar(http, **params)["releases"]]


@pytest.fixture
def week(http):
    """A dossier for each of some days, and others that are not on the calendar; returns the days' moments."""
    moments = {"late": ago(hours=1)} | {f"day {day}": ahead(days=day) for day in (1, 2, 3)}
    for name in ("day 3", "day 1", "late", "day 2"):
        add(run_id=name, release_at=moments[name], client_id=LAKESHORE if name == "day 2" else NORTHWIND)
    add(run_id="held")
    add(run_id="seen", release_at=ago(days=1), released_at=ago(days=1))
    for status in ("error", "archived", "superseded"):
        add(run_id=status, status=status, release_at=ahead(days=1))
    add(pipeline_version="v1", release_date=ahead(days=1).date())
    return moments


def test_what_is_overdue_comes_first_and_only_what_waits_for_its_moment_is_there(http, week):
    assert runs(http) == ["late", "day 1", "day 2", "day 3"]


def test_until_a_moment_is_what_readers_will_see_by_then(http, week):
    assert runs(http, until=week["day 2"].isoformat()) == ["late", "day 1", "day 2"]
    before = week["day 2"] - timedelta(microseconds=1)
    assert runs(http, until=before.isoformat()) == ["late", "day 1"]
    assert runs(http, until="") == ["late", "day 1", "day 2", "day 3"]


def test_a_clients_calendar_is_found_by_either_of_its_ids(http, week):
    for client_id in ("CLT_LAKESHORE_001", str(LAKESHORE), str(LAKESHORE).upper()):
        assert runs(http, client_id=client_id) == ["day 2"]
    for client_id in ("CLT_NOBODY", "CLT_UNMAPPED_001", "00000000-0000-4000-8000-000000000000"):
        problem = refusal(http.get("/columnline/releases", params={"client_id": client_id}), 404)
        assert problem["code"] == "client_not_found"


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_show_every_release_once_although_some_share_their_moment_and_others_arrive(http, limit):
    moment = ahead(days=1)
    wanted = [add(run_id=f"RUN_{n}", release_at=moment + timedelta(seconds=n // 4)) for n in range(12)]
    found, cursor = [], ""
    while cursor is not None:
        page = calendar(http, limit=limit, cursor=cursor)
        found += page["releases"]
        cursor = page["next_cursor"]
        add(run_id=f"EARLIER_{len(found)}", release_at=moment - timedelta(hours=1))
    order = [(entry["release_at"], entry["dossier_id"]) for entry in found]
    assert order == sorted(set(order))
    assert set(map(str, wanted)) == {entry["dossier_id"] for entry in found}


@pytest.mark.parametrize(
    "until", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-20T00:00:00+23:59"]
)
def test_a_moment_at_the_end_of_time_is_a_moment(http, week, until):
    assert runs(http, until=until) == (["late", "day 1", "day 2", "day 3"] if until[0] == "9" else [])


def test_a_moment_without_an_offset_is_refused(http):
    assert refusal(http.get("/columnline/releases", params={"until": "2026-01-20"}), 422)["code"] == "validation"


@pytest.mark.parametrize("zone", ["", "Nowhere/Else", "../../etc/passwd", "Z" * 300, "\u202e"])
def test_a_clients_time_zone_that_is_none_is_read_as_utc(http, zone):
    set_drip('{"days": ["daily"], "time": "09:00"}')
    execute("update clients set timezone = :zone", zone=zone)
    free = calendar(http, client_id="CLT_NORTHWIND_001")["free_slots"]
    assert {slot[10:] for slot in free} == {"T09:00:00Z"}
    path = f"/columnline/dossiers/{add(run_id='RUN')}/release"
    assert http.post(path, json={"release_date": "2090-01-20"}).json()["release_at"] == "2090-01-20T07:00:00Z"


def test_free_slots_are_the_next_that_have_room(http):
    assert calendar(http, client_id=str(NORTHWIND))["free_slots"] == []
    set_drip('{"days": ["mon"], "time": "09:00", "per_slot": 2}')
    assert calendar(http)["free_slots"] == [], "of no client"
    free = calendar(http, client_id=str(NORTHWIND))["free_slots"]
    assert len(free) == 10
    assert free == sorted(set(free))
    for slot, position, client in ((0, 1, NORTHWIND), (0, 2, NORTHWIND), (1, 2, NORTHWIND), (2, 1, LAKESHORE)):
        add(release_at=free[slot], drip_position=position, client_id=client)
    add(release_at=free[3])
    assert calendar(http, client_id=str(NORTHWIND))["free_slots"][:9] == free[1:]
    set_drip('{"days": ["noday"]}')
    assert calendar(http, client_id=str(NORTHWIND))["free_slots"] == [], "nobody can read it"


# What a dossier of a chain is when the calendar is read: shown or shown and archived since, held, in error, or
# to be released at one of a few moments.
STATES = st.sampled_from(["seen", "archived", "held", "error", 1, 2, 3])
CHAINS = st.lists(
    st.lists(st.tuples(STATES, st.integers(0, 9)), min_size=1, max_size=6), min_size=1, max_size=3
)  # with each state the rank of its id, for those that share a moment


def build(chains):
    """Chains, the oldest dossier of each first; those that were shown were released in their order."""
    today, archived = now(), []
    begun = today - timedelta(days=9)
    for number, chain in enumerate(chains):
        older = None
        for place, (state, rank) in enumerate(chain):
            values = {"id": UUID(int=rank << 64 | number << 32 | place + 1), "supersedes_dossier_id": older}
            if state in {"seen", "archived"}:
                values["release_at"] = begun + timedelta(hours=place)
            elif state == "error":
                values |= {"status": "error", "error": "{}"}
            elif state != "held":
                values["release_at"] = today + timedelta(days=state)
            older = add(created_at=begun + timedelta(minutes=place), **values)
            archived += [older] if state == "archived" else []
    list(release_due())
    with db.transaction() as session:
        for dossier_id in archived:
            desk.archive(session, dossier_id, "test")


def let_come(*, late):
    """Let every moment come: one after the other, or all while nobody looked."""
    waiting = "status = 'ready' and released_at is null and release_at is not null"
    moments = [
        row.release_at for row in query(f"select distinct release_at from dossiers where {waiting} order by 1")
    ]
    if late:
        execute(f"update dossiers set release_at = release_at - interval '30 days' where {waiting}")
        list(release_due())
        return
    for moment in moments:
        execute(f"update dossiers set release_at = now() where {waiting} and release_at = :m", m=moment)
        list(release_due())


def successors():
    """By each dossier the one that replaced it, and those that readers have seen."""
    rows = query("select id, superseded_by_dossier_id as newer, released_at is not null as seen from dossiers")
    return {str(row.id): row.newer and str(row.newer) for row in rows}, {str(row.id) for row in rows if row.seen}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chains=CHAINS, late=st.booleans())
@example(chains=[[("seen", 0), (2, 1), (1, 2)]], late=True)
@example(chains=[[("seen", 0), (1, 1), (1, 2)]], late=True)
@example(chains=[[("seen", 0), (1, 1), (1, 2), (1, 3)]], late=False)
def test_the_calendar_foretells_exactly_what_is_shown_and_superseded(http, chains, late):
    conftest.empty()
    build(chains)
    before, seen_before = successors()
    entries = calendar(http, limit=200)["releases"]
    let_come(late=late)
    after, seen = successors()
    assert seen - seen_before == {one["dossier_id"] for one in entries if one["superseded_by"] is None}
    foretold = Counter((older, one["dossier_id"]) for one in entries for older in one["supersedes"])
    assert foretold == Counter((old, new) for old, new in after.items() if new != before[old])
    overtaken = {one["dossier_id"]: one["superseded_by"] for one in entries if one["superseded_by"]}
    assert overtaken == {old: after[old] for old in overtaken}
