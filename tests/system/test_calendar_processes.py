"""The calendar under real processes: many publishes of one company at once, and releases after a downtime."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date

import pytest
from kombu import Connection
from sqlalchemy import text

from models.orders import PublishOrder
from models.values import dossier_id_of
from tests.builders import CONTENTS
from tests.makecom import SECRET, standing_in
from tests.system.clocks import FAKETIME, MISSING, wrong_by
from tests.system.runs import publish, rows
from tests.system.stack import wait_until
from worker import db
from worker.drain import drain
from worker.inbox import Output, accept_publish, register_run, store_outputs
from worker.settings import settings

CLIENT = "CLT_NORTHWIND_001"
FIFTY = 50


def register(run_id):
    """A finished run, put where the bridge would put it."""
    with db.transaction() as session:
        register_run(session, run_id, {"client_id": CLIENT})
        store_outputs(session, run_id, [Output(name, output) for name, output in CONTENTS.items()])
    return run_id


def test_fifty_publishes_of_one_company_at_once_become_one_chain_in_which_the_newest_is_current(stack):
    with stack("bridge", "worker", "worker2") as system:
        run_ids = [register(f"RUN_{number}") for number in range(FIFTY)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda run_id: publish(system, run_id, supersede="auto"), run_ids))
        wait_until(lambda: rows("select count(*) from jobs where state = 'done'") == [(FIFTY,)], "all to be done")
        hands = {int(row[0].rpartition("/")[2]) for row in rows("select worker from job_attempts")}
        assert all(hands & set(system.children(name)) for name in ("worker", "worker2")), "both had some"
    found = rows("select id, supersedes_dossier_id, superseded_by_dossier_id, status, released_at from dossiers")
    assert {row[0] for row in found} == {dossier_id_of(run_id) for run_id in run_ids}
    older = {row[0]: row[1] for row in found}
    newer = {row[0]: row[2] for row in found}
    unlinked = [one for one, replaced in older.items() if replaced is None]
    current = [one for one, successor in newer.items() if successor is None]
    assert (len(unlinked), len(current)) == (1, 1), "one chain, not several"
    (first,), (last,) = unlinked, current
    chain = [last]
    while (replaced := older[chain[-1]]) is not None:
        assert newer[replaced] == chain[-1]
        chain.append(replaced)
    assert (len(chain), chain[-1]) == (FIFTY, first)
    assert {row[0] for row in found if row[3] == "ready"} == {last}
    assert {row[3] for row in found} == {"ready", "superseded"}
    assert all(row[4] for row in found), "each was shown before the next replaced it"


def let_come(run_id):
    """The dossier's day was yesterday, while nobody looked."""
    with db.transaction() as session:
        session.execute(
            text(
                "update dossiers set release_date = release_date - days, "
                "release_at = release_at - days * interval '1 day' "
                "from (select release_date - current_date + 1 as days from dossiers where run_id = :r) d "
                "where run_id = :r"
            ),
            {"r": run_id},
        )


def is_released(run_id):
    return rows("select released_at is not null from dossiers where run_id = :r", r=run_id) == [(True,)]


def put_off(run_id):
    """A dossier that is published for a day far ahead."""
    with db.transaction() as session:
        accept_publish(session, settings(), PublishOrder(run_id=register(run_id), release_date=date(2090, 1, 20)))
    list(drain())
    assert rows("select released_at from dossiers where run_id = :r", r=run_id) == [(None,)]
    return run_id


def events(run_id):
    return rows(
        "select action, asked_by from calendar_events where dossier_id = :id order by id", id=dossier_id_of(run_id)
    )


def test_what_came_due_in_a_downtime_is_released_once_beat_or_the_bridge_looks_again(stack):
    by_beat, by_sweep = put_off("BY_BEAT"), put_off("BY_SWEEP")
    let_come(by_beat)
    with stack("worker", "beat", COLUMNLINE_RELEASE_INTERVAL="0.5") as system:
        wait_until(lambda: is_released(by_beat), "beat to have it released")
        assert not is_released(by_sweep)
        system.stop("beat")
        let_come(by_sweep)
        system.start("bridge")
        wait_until(lambda: is_released(by_sweep), "the bridge's sweep to ring for it")
    for run_id in (by_beat, by_sweep):
        assert events(run_id) == [("scheduled", "publish"), ("released", "beat")]


@pytest.mark.skipif(FAKETIME is None, reason=MISSING)
@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_a_worker_whose_clock_is_wrong_releases_publishes_what_was_not_rung_for_and_signs_as_it_should(
    stack, offset, setting
):
    due = put_off("DUE")
    let_come(due)
    setting(callback_hosts="127.0.0.1")
    allowed = {"COLUMNLINE_CALLBACK_HOSTS": "127.0.0.1", "COLUMNLINE_CALLBACK_SECRET": SECRET}
    with standing_in() as make, stack(COLUMNLINE_RELEASE_INTERVAL="0.5", **allowed) as system:
        with db.transaction() as session:
            order = PublishOrder(run_id=register("MISSED"), callback_url=f"{make.url}/callback")
            accept_publish(session, settings(), order)
        system.start("worker", **wrong_by(offset))
        system.start("beat")
        wait_until(lambda: is_released(due), "the dossier to be released")
        wait_until(lambda: is_released("MISSED"), "the sweep to ring for the other")
        (told,) = make.wait_for("/callback")
        assert told["verified"]


def test_bells_of_beat_do_not_pile_up_while_no_worker_is_there(stack):
    with stack("beat", COLUMNLINE_RELEASE_INTERVAL="0.2", COLUMNLINE_SWEEP_INTERVAL="0.2") as system:
        wait_until(lambda: waiting(system) == {"sweep": 1, "release": 1}, "both bells")
        turned = alive(system)
        wait_until(lambda: alive(system) > turned + 2, "beat to come round for two more seconds")
        assert waiting(system) == {"sweep": 1, "release": 1}


def waiting(system):
    """How many bells of each kind wait in the broker."""
    found = {}
    with Connection(system.broker.url) as connection:
        for name in ("sweep", "release"):
            with suppress(*connection.channel_errors), connection.channel() as channel:
                found[name] = channel.queue_declare(name, passive=True).message_count
    return found


def alive(system):
    """When beat last turned its loop."""
    return (system.folder / "alive" / "beat").stat().st_mtime
