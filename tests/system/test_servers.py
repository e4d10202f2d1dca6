"""The promise on other servers: RabbitMQ as the broker, and a transaction pooler before PostgreSQL.

All of `tests/system` goes through either with `make test-system`; here is the shortest whole way, in every round.
"""

import signal

import pytest

from tests.conftest import forget_cached
from tests.system import servers
from tests.system.runs import job, publish, published_once, rows, send
from tests.system.stack import wait_until

needs_rabbitmq = pytest.mark.skipif(not servers.listens(servers.RABBITMQ_PORT), reason="no RabbitMQ runs here")


def keeps_its_promise(system):
    """A run whose child is killed, one in error, one that beat releases, and one for which a worker is killed."""
    killed, failing, planned, last = (
        send(system, "run_clean"),
        send(system, "run_prose_only"),
        send(system, "run_sloppy_json"),
        send(system, "run_composer"),
    )
    for run_id in (killed, failing):
        publish(system, run_id)
    publish(system, planned, release_date="2099-01-01")
    wait_until(lambda: job(system, killed)["status"] == "done", "the run whose child was killed")
    wait_until(lambda: job(system, planned)["status"] == "done", "the run that is shown later")
    wait_until(lambda: job(system, failing)["status"] == "error", "the run that cannot be published")
    assert job(system, failing)["error"]["code"] == "outputs_invalid"
    assert rows("select outcome from job_attempts where outcome = 'lost'") == [("lost",)]
    system.stop("worker", signal.SIGKILL)
    publish(system, last)
    system.start("worker2")
    wait_until(lambda: job(system, last)["status"] == "done", "the run that was sent while no worker was there")
    assert rows("select released_at from dossiers where run_id = :run_id", run_id=planned) == [(None,)]
    assert rows(
        "update dossiers set release_date = release_date - days, "
        "release_at = release_at - days * interval '1 day' "
        "from (select release_date - current_date + 1 as days from dossiers where run_id = :run_id) far "
        "where run_id = :run_id returning 1",
        run_id=planned,
    )
    wait_until(
        lambda: rows("select 1 from dossiers where run_id = :run_id and released_at is not null", run_id=planned),
        "beat to release it",
    )
    rows("delete from dossiers where status = 'error' returning 1")
    assert published_once([killed, planned, last])


@needs_rabbitmq
def test_with_rabbitmq_a_run_is_published_rescued_refused_and_released_also_when_connections_end(stack, tmp_path):
    kills = f"step.contacts=kill:1@{tmp_path}/kills"
    names = ("bridge", "worker", "beat")
    with stack(*names, broker="rabbitmq", COLUMNLINE_FAILPOINTS=kills, COLUMNLINE_RELEASE_INTERVAL="1") as system:
        keeps_its_promise(system)
        system.broker.stop()
        cut_off = send(system, "run_nulls_and_types")
        assert publish(system, cut_off)["status"] == "queued"
        system.broker.start()
        wait_until(lambda: job(system, cut_off)["status"] == "done", "the run that was sent without a broker")


def test_through_a_transaction_pooler_a_run_is_published_rescued_refused_and_released(
    stack, database, tmp_path, monkeypatch
):
    kills = f"step.contacts=kill:1@{tmp_path}/kills"
    with servers.pooled(database, "transaction") as url:
        monkeypatch.setenv("DATABASE_URL", url)
        forget_cached()
        given = {"COLUMNLINE_FAILPOINTS": kills, "COLUMNLINE_RELEASE_INTERVAL": "1", "DATABASE_URL": url}
        with stack("bridge", "worker", "beat", **given) as system:
            keeps_its_promise(system)
        forget_cached()
