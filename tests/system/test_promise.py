"""Every accepted run ends exactly once, whatever dies: real bridge, worker, beat, Redis and PostgreSQL."""

import signal
import threading
import time

import pytest
from celery import Celery

from tests.system.conftest import listens
from tests.system.runs import job, publish, published_once, rows, send
from tests.system.stack import wait_until


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


def test_with_redis_stopped_a_publish_is_accepted_at_once_and_done_when_redis_is_back(stack):
    with stack("bridge", "worker") as system:
        run_id = send(system)
        system.redis.stop()
        began = time.monotonic()
        answer = publish(system, run_id)
        assert time.monotonic() - began < 1
        assert answer["status"] == "queued"
        system.redis.start()
        wait_until(lambda: done(system, run_id), "the run to be published")
        assert published_once([run_id])


def test_with_redis_hanging_a_publish_is_accepted_within_a_second_and_done_later(stack):
    with stack("bridge", "worker") as system:
        run_ids = [send(system, suffix=f"_{number}") for number in range(3)]
        system.redis.stall()
        for run_id in run_ids:
            began = time.monotonic()
            publish(system, run_id)
            assert time.monotonic() - began < 1
        system.redis.resume()
        wait_until(lambda: done(system, *run_ids), "the runs to be published")
        assert published_once(run_ids)


def test_with_redis_flushed_nothing_is_lost(stack):
    with stack("bridge") as system:
        run_ids = [send(system, suffix=f"_{number}") for number in range(5)]
        for run_id in run_ids:
            publish(system, run_id)
        system.redis.stop()
        system.redis.start()
        system.start("worker")
        wait_until(lambda: done(system, *run_ids), "the runs to be published")
        assert published_once(run_ids)


def test_with_the_bridge_gone_beat_rings_for_what_it_accepted(stack):
    with stack("bridge") as system:
        run_id = send(system)
        publish(system, run_id)
        system.stop("bridge", signal.SIGKILL)
        system.redis.stop()
        system.redis.start()
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
        assert rows("select outcome from job_attempts where outcome <> 'done'") == [("retry",)]
        assert published_once(run_ids)


def test_bells_doubled_and_forged_change_nothing(stack):
    with stack("bridge", "worker") as system:
        run_id = send(system)
        answer = publish(system, run_id, wait=25)
        assert answer["status"] == "done"
        stranger = Celery(broker=system.redis.url)
        for job_id in (answer["job_id"], "00000000-0000-0000-0000-000000000000", "no uuid"):
            for _ in range(5):
                stranger.send_task("publish.run", kwargs={"job_id": job_id, "run_id": run_id}, queue="publish")
        stranger.send_task("no.such.task", queue="publish")
        stranger.close()
        another = send(system, suffix="_next")
        assert publish(system, another, wait=25)["status"] == "done"
        assert published_once([run_id, another])
        assert rows("select count(*) from job_attempts") == [(2,)]


def test_a_hundred_runs_pushed_by_eight_senders_to_two_workers_are_each_published_once(stack):
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
        assert rows("select total_dossiers, completed_dossiers from batches") == [(40, 40)]


BROKERS = ["redis", *(["amqp"] if listens(5672) else [])]


@pytest.mark.parametrize("broker", BROKERS)
def test_the_broker_may_be(broker, stack):
    url = "amqp://guest:guest@127.0.0.1:5672//" if broker == "amqp" else None
    with stack("bridge", "worker", "beat", broker_url=url) as system:
        run_id = send(system)
        assert publish(system, run_id, wait=25)["status"] == "done"
