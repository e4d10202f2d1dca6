"""What our workers do besides what every Celery worker does, as steps of its start and its end."""

import os
import threading
from typing import Any

from celery import bootsteps

from worker.settings import settings

TOGETHER = 0.1
"""Seconds for which what Flower is to hear is collected."""


class EndsInTime(bootsteps.StartStopStep):
    """A worker that begins to end has ended before the leases of its jobs have.

    Celery waits for its children without limit, also when it gives up by itself. One that was killed at the wrong
    moment keeps it waiting for ever: alive, so that no supervisor starts another, and deaf.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        """Nothing begins here."""

    def stop(self, parent: Any) -> None:
        """Nothing is to be stopped."""

    def close(self, parent: Any) -> None:
        """Come first of all that ends: from now on, time counts."""
        del parent
        config = settings()
        patience = config.task_soft_limit + config.task_time_limit
        watch = threading.Timer(patience, os._exit, [os.EX_SOFTWARE])
        watch.daemon = True
        watch.start()


class TellsTogether(bootsteps.StartStopStep):
    """The events of several tasks go to Flower in one message.

    Celery sends one at each turn of its loop, some three a task, which costs its main process a third of its time.
    """

    requires = ("celery.worker.consumer.events:Events",)

    def start(self, parent: Any) -> None:
        """Have this connection's events wait for others; where there is no loop, Celery sends each by itself."""
        events = parent.event_dispatcher
        if parent.hub is None or events is None:
            return
        is_due = False

        def flush() -> None:
            nonlocal is_due
            is_due = False
            events.flush()

        def soon() -> None:
            nonlocal is_due
            if not is_due:
                is_due = True
                parent.hub.call_later(TOGETHER, flush)

        events.on_send_buffered = soon

    def stop(self, parent: Any) -> None:
        """Send what waits: the loop that would has ended. What failed before is left to the next connection."""
        if parent.event_dispatcher is not None:
            parent.event_dispatcher.flush(errors=False)

    def shutdown(self, parent: Any) -> None:
        """Send how the last tasks ended: the children are waited for after this has been stopped."""
        self.stop(parent)
