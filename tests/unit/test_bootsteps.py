"""What our workers do besides what every Celery worker does; how they end: `tests/system/test_worker_ends.py`."""

from types import SimpleNamespace

import pytest
from celery import Celery
from celery.events.dispatcher import EventDispatcher

from worker.bootsteps import TellsTogether
from worker.celery import app


@pytest.fixture
def consumer():
    """A consumer as far as its events go: its messages, and what its loop is to do later."""
    sent, later = [], []
    with Celery(broker="memory://").connection_for_write() as connection:
        events = EventDispatcher(connection, buffer_group=["task"], on_send_buffered=lambda: None)
        events.producer.publish = lambda event, **_: sent.append(event)
        loop = SimpleNamespace(call_later=lambda seconds, work: later.append(work) or work)
        yield SimpleNamespace(event_dispatcher=events, hub=loop, sent=sent, later=later)


def test_the_events_of_several_tasks_go_to_flower_in_one_message(consumer):
    TellsTogether(consumer).start(consumer)
    for number in range(3):
        consumer.event_dispatcher.send("task-received", uuid=str(number))
        consumer.event_dispatcher.send("task-succeeded", uuid=str(number))
    assert consumer.sent == []
    (flush,) = consumer.later
    flush()
    ((*first, last),) = consumer.sent
    assert [event["uuid"] for event in first] == ["0", "0", "1", "1", "2"]
    assert (last["type"], last["uuid"]) == ("task-succeeded", "2")

    consumer.event_dispatcher.send("task-received", uuid="3")
    assert len(consumer.later) == 2, "what comes afterwards waits anew"


def test_what_waits_is_sent_before_the_connection_is_closed(consumer):
    step = TellsTogether(consumer)
    step.start(consumer)
    consumer.event_dispatcher.send("task-succeeded", uuid="1")
    step.stop(consumer)
    assert [[event["uuid"] for event in message] for message in consumer.sent] == [["1"]]


def test_how_the_last_tasks_ended_is_sent_before_a_worker_has_ended(consumer):
    step = TellsTogether(consumer)
    step.start(consumer)
    step.stop(consumer)
    consumer.event_dispatcher.send("task-succeeded", uuid="1")
    step.shutdown(consumer)
    assert [[event["uuid"] for event in message] for message in consumer.sent] == [["1"]]


def test_where_there_is_no_loop_events_are_left_as_celery_has_them(consumer):
    consumer.hub = None
    before = consumer.event_dispatcher.on_send_buffered
    TellsTogether(consumer).start(consumer)
    assert consumer.event_dispatcher.on_send_buffered is before


def test_every_worker_has_the_step():
    assert TellsTogether in app.steps["consumer"]
