"""Every accepted run ends exactly once, whatever dies: real bridge, worker, beat, Redis and PostgreSQL."""

import signal
import threading
import time

from celery import Celery

from models.jobs import JobKind
from tests.system.runs import job, publish, published_once, rows, send
from tests.system.stack import wait_until
from worker import ring


def done(stack, *run_ids):
    return all(job(stack, run_id)["status"] == "done" for run_id in run_ids)


def test_a_run_whose_worker_child_is_killed_ends_once_without_a_human_hand(stack, tmp_path):
    point = f"step.contacts=kill:1@{tmp_path}/kills"
    with stack("bridge", "worker", COLUMNLINE_FAILPOINTS=point) as system:
        run_id = send(system)
        publish(system, run_id)
        wait_until(lambda: done(system, run_id), "the run to be published after the kill")
        assert [attempt[0] for attempt in rows("select outcome from job_attempts order by epoch")] == [
            "lost",
            "done",
        ]
        assert published_once([run_id])


def at_once(system, run_id):
    """Publish the run; returns the answer, which came within a second."""
    began = time.monotonic()
    answer = publish(system, run_id)
    assert time.monotonic() - began < 1
    return answer


def test_with_redis_stopped_a_publish_is_accepted_at_once_and_done_when_redis_is_back(stack):
    with stack("bridge", "worker") as system:
        run_id = send(system)
        system.broker.stop()
        assert at_once(system, run_id)["status"] == "queued"
        system.broker.start()
        wait_until(lambda: done(system, run_id), "the run to be published")
        assert published_once([run_id])


def test_with_redis_flushed_nothing_is_lost_with_redis_hanging_a_publish_is_accepted_at_once_and_done_later(stack):
    with stack("bridge") as system:
        flushed = [send(system, suffix=f"_FLUSHED_{number}") for number in range(5)]
        hanging = [send(system, suffix=f"_HANGING_{number}") for number in range(3)]
        for run_id in flushed:
            publish(system, run_id)
        system.broker.stop()
        system.broker.start()
        system.start("worker")
        wait_until(lambda: done(system, *flushed), "what was accepted before Redis forgot all")
        system.broker.stall()
        for run_id in hanging:
            at_once(system, run_id)
        system.broker.resume()
        wait_until(lambda: done(system, *hanging), "what was accepted while Redis hung")
        assert published_once([*flushed, *hanging])


def test_bells_that_the_broker_lost_are_missed_those_that_wait_are_not(broker, monkeypatch):
    stranger = Celery(broker=broker.url)
    monkeypatch.setattr(ring, "app", stranger)
    monkeypatch.setattr(ring, "breaker", ring.Breaker())
    try:
        assert set(ring.unheard()) == set(JobKind)
        assert not ring.waits(JobKind.PUBLISH)
        stranger.send_task("publish.run", kwargs={}, queue="publish")
        assert ring.waits(JobKind.PUBLISH)
        assert not ring.waits(ring.RELEASE)
        assert set(ring.unheard()) == {JobKind.RERUN, JobKind.CALLBACK, JobKind.EXPORT}
        broker.stop()
        broker.start()
        # The first use of a connection to RabbitMQ that ended fails; one to Redis is made anew by itself.
        wait_until(lambda: set(ring.unheard()) == set(JobKind), "the broker to be asked again")
        broker.stop()
        assert ring.unheard() == []
        assert ring.breaker.is_open
        assert not ring.waits(JobKind.PUBLISH)  # or beat would send nothing
    finally:
        stranger.close()


def test_with_the_bridge_gone_beat_rings_for_what_it_accepted(stack):
    with stack("bridge") as system:
        run_id = send(system)
        publish(system, run_id)
        system.stop("bridge", signal.SIGKILL)
        system.broker.stop()
        system.broker.start()
        system.start("worker", "beat")
        wait_until(lambda: rows("select 1 from jobs where state = 'done'"), "the run to be published")
        assert published_once([run_id])


def test_a_worker_that_is_told_to_stop_finishes_its_publish_first(stack):
    with stack("bridge") as system:
        system.start("worker", COLUMNLINE_FAILPOINTS="step.contacts=sleep~2")
        run_id = send(system)
        publish(system, run_id)
        wait_until(lambda: rows("select 1 from jobs where state = 'running'"), "the publish to begin")
        assert system.stop("worker") == 0
        assert [row[0] for row in rows("select outcome from job_attempts")] == ["done"]
        assert published_once([run_id])


def test_a_publish_beyond_its_time_limit_is_killed_and_counted_and_its_neighbours_go_on(stack, tmp_path):
    point = f"step.contacts=sleep~60:1@{tmp_path}/stalls"
    with stack("bridge", "worker", COLUMNLINE_FAILPOINTS=point) as system:
        run_ids = [send(system, "run_clean"), send(system, "run_sloppy_json")]
        for run_id in run_ids:
            publish(system, run_id)
        wait_until(lambda: done(system, *run_ids), "both runs to be published")
        assert set(rows("select outcome from job_attempts where outcome <> 'done'")) == {("retry",)}
        assert published_once(run_ids)


def test_bells_doubled_and_forged_change_nothing(stack):
    with stack("bridge", "worker") as system:
        run_id = send(system)
        answer = publish(system, run_id, wait=25)
        assert answer["status"] == "done"
        stranger = Celery(broker=system.broker.url)
        for job_id in (answer["job_id"], "00000000-0000-0000-0000-000000000000", "no uuid"):
            for _ in range(5):
                stranger.send_task("publish.run", kwargs={"job_id": job_id, "run_id": run_id}, queue="publish")
        stranger.send_task("no.such.task", queue="publish")
        stranger.close()
        another = send(system, suffix="_next")
        assert publish(system, another, wait=25)["status"] == "done"
        assert published_once([run_id, another])
        assert rows("select count(*) from job_attempts") == [(2,)]


def test_forty_runs_pushed_by_eight_senders_to_two_workers_are_each_published_once(stack):
    with stack("bridge", "worker", "worker2") as system:
        run_ids = [send(system, suffix=f"_{number}") for number in range(40)]
        senders = [
            threading.Thread(target=lambda mine=run_ids[start::8]: [publish(system, run_id) for run_id in mine])
            for start in range(8)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        wait_until(
            lambda: rows("select count(*) from jobs where state = 'done'") == [(40,)], "all to be published"
        )
        assert published_once(run_ids)
        assert rows("select sum(total_dossiers), sum(completed_dossiers) from batches") == [(40, 40)]
