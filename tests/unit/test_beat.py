"""Beat, as Celery drives it."""

import pytest
from celery.beat import Scheduler, Service

from worker import ring, schedule
from worker.celery import app
from worker.schedule import Beat


def test_a_beat_that_was_closed_ends_at_its_next_turn_also_where_the_signals_exception_was_lost(monkeypatch):
    turns = []
    beat = Service(app, scheduler_cls=Beat)

    def told_to_end(scheduler, *_):
        turns.append(scheduler)
        beat.sync()  # as Celery's handler of signals does, before it raises; nothing is raised here
        return 0

    monkeypatch.setattr(Scheduler, "tick", told_to_end)
    beat.start()
    assert len(turns) == 1


@pytest.mark.parametrize("waits", [False, True])
def test_an_entry_is_sent_unless_one_that_was_sent_before_still_waits(monkeypatch, waits):
    sent, asked = [], []
    monkeypatch.setattr(Scheduler, "apply_entry", lambda _, entry, producer=None: sent.append(entry.task))
    monkeypatch.setattr(schedule, "waits", lambda task: asked.append(task) or waits)
    beat = Beat(app, lazy=True)
    beat.setup_schedule()
    for entry in beat.schedule.values():
        beat.apply_entry(entry)
    assert len(asked) == len(app.conf.beat_schedule)
    assert sent == ([] if waits else asked)


def test_no_message_of_beat_expires_by_the_clock_of_the_worker_that_takes_it():
    assert not any("expires" in entry.get("options", {}) for entry in app.conf.beat_schedule.values())


def test_of_what_beat_sends_nothing_shares_a_queue_with_anything_else_it_sends():
    """Else what waits of the one would keep the other from being sent."""
    queues = [ring.queue_of(entry["task"]) for entry in app.conf.beat_schedule.values()]
    assert len(set(queues)) == len(queues)
