"""The Celery app: `celery -A worker worker`, `celery -A worker beat`, `celery -A worker flower`.

Redis is a doorbell, PostgreSQL is the truth: no results, no retries, no ETAs, no chords in the broker. Every
option that departs from Celery's default has its reason beside it.
"""

import gc
import time
from pathlib import Path
from typing import Any

from celery import Celery, signals
from kombu.entity import Exchange, Queue
from sqlalchemy.orm import configure_mappers

from models.domain_name import company_key
from worker import db, logs, telemetry
from worker.bootsteps import EndsInTime, TellsTogether
from worker.heard import Discreet
from worker.heartbeats import EVERY, Pulse
from worker.servers import broker_url
from worker.settings import settings

QUEUE_OF = {
    "publish.*": "publish",
    "release.*": "release",
    "callback.*": "callback",
    "rerun.*": "rerun",
    "export.*": "export",
    "clients.*": "clients",
    "jobs.prune": "prune",
    "jobs.*": "sweep",
}
"""A queue for each kind of work, so that none waits behind another."""

RELEASE = "release.due"
"""The task that releases what is due."""

PRUNE_LOOK = 3600.0
"""Seconds between looks whether a day has passed since all was pruned: beat forgets when it last asked."""


def configuration() -> dict[str, Any]:
    """Celery's settings, made of ours at the first use, so that importing this module does nothing."""
    config = settings()
    url = broker_url()
    return {
        "broker_url": url,
        "broker_transport_options": _transport_options(url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # the broker comes back some day
        "broker_pool_acquire_timeout": 1,
        "task_publish_retry": False,  # a lost bell is rung again by the sweep
        "result_backend": None,
        "task_ignore_result": True,
        "accept_content": ["json"],
        "task_serializer": "json",
        "event_serializer": "json",
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_reject_on_worker_lost": False,  # the lease counts lost workers, a redelivery loop does not
        "task_soft_time_limit": config.task_soft_limit,
        "task_time_limit": config.task_time_limit,
        "task_routes": {pattern: {"queue": queue} for pattern, queue in QUEUE_OF.items()},
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in QUEUE_OF.values()],
        "task_default_queue": "publish",
        "task_create_missing_queues": False,  # a mistyped queue is an error, not a place nobody looks at
        "worker_disable_prefetch": True,
        "worker_prefetch_multiplier": 1,
        "worker_max_tasks_per_child": 1000,
        "worker_max_memory_per_child": 400_000,  # KiB
        "worker_soft_shutdown_timeout": config.task_soft_limit,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # the copy that comes again is a no-op
        "worker_send_task_events": True,  # what Flower shows
        "task_send_sent_event": False,  # it would cost the bridge a message for each bell, and says nothing new
        "worker_hijack_root_logger": False,
        "timezone": "UTC",
        "enable_utc": True,
        "beat_max_loop_interval": min(5.0, config.sweep_interval),
        "beat_scheduler": "worker.schedule:Beat",
        "beat_schedule": {
            "sweep": {"task": "jobs.sweep", "schedule": config.sweep_interval},
            "release": {"task": RELEASE, "schedule": config.release_interval},
            "sync": {"task": "clients.sync", "schedule": config.config_sync_interval},
            "prune": {"task": "jobs.prune", "schedule": PRUNE_LOOK},
        },
    }


def _transport_options(url: str) -> dict[str, Any]:
    if not url.startswith(("redis", "sentinel")):
        return {}
    return {
        "visibility_timeout": settings().visibility_timeout,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": not url.startswith("redis+socket"),
        "health_check_interval": 10,
        "retry_on_timeout": False,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    }


app = Celery("columnline", include=["tasks"], task_cls=Discreet)
app.set_default()
app.add_defaults(configuration)
app.steps["worker"].add(EndsInTime)
app.steps["consumer"].add(TellsTogether)


@signals.worker_process_init.connect
def _forget_parents_connections(**_: Any) -> None:
    """Run in each new child: sockets opened before the fork belong to the parent, threads stay with it."""
    db.dispose(close=False)
    telemetry.configure("worker")
    gc.freeze()  # what was imported stays: a full collection need not look through it in the middle of a publish


@signals.worker_process_shutdown.connect
def _send_what_waits(**_: Any) -> None:
    telemetry.flush()


@signals.worker_init.connect
def _prepare_children(**_: Any) -> None:
    """Do before the children are forked what the first publish of each would else do.

    The Public Suffix List is read, and the mapped classes get to know each other.
    """
    company_key("example.com")
    configure_mappers()


@signals.setup_logging.connect
def _log_as_we_do(**_: Any) -> None:
    logs.configure()


class _Loop:
    """This worker's loop: when it last turned, and what tells other machines so."""

    turned = -float("inf")
    pulse: Pulse | None = None

    @classmethod
    def turns(cls) -> bool:
        """Whether it turned lately: it does so every other second, unless it hangs or the broker is away."""
        return time.monotonic() - cls.turned < EVERY


@signals.worker_ready.connect
def _begin_pulse(**_: Any) -> None:
    """Begin once the children are forked: a thread of ours has no part in them."""
    _Loop.turned = time.monotonic()
    _Loop.pulse = Pulse("worker", _Loop.turns).start()


@signals.worker_shutting_down.connect
def _end_pulse(**_: Any) -> None:
    if _Loop.pulse is not None:
        _Loop.pulse.stop()


@signals.heartbeat_sent.connect
def _say_alive(**_: Any) -> None:
    """Touch the file a health check looks at: cheaper and truer than a ping through the broker."""
    _Loop.turned = time.monotonic()
    alive("worker").touch()


def alive(process: str) -> Path:
    """The file whose age tells whether `process` (worker, beat) still turns its loop."""
    folder = settings().data_dir / "alive"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / process
