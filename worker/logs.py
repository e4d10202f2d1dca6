"""Logs: a static event name, values as keywords, ids and never a contact's data.

One JSON object a line, or readable lines where a terminal reads. Celery's and uvicorn's own lines go through
the same formatter.
"""

import logging
import sys
import traceback
from typing import Any

import orjson
import structlog

from worker.settings import settings

_FRAMES = 8

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(level: str | None = None) -> None:
    """Set logging up for this process, on standard error, by `COLUMNLINE_LOG_FORMAT` and `COLUMNLINE_LOG_LEVEL`.

    Args:
        level: in place of the setting.
    """
    config = settings()
    console = config.log_format == "console" or (config.log_format == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(
            serializer=lambda value, **_: orjson.dumps(value, default=str).decode()
        )
    )
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _by_places,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level or config.log_level)
    for server in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(server).handlers = []
        logging.getLogger(server).propagate = server != "uvicorn.access"  # a query may hold a hook's address
    # Celery says each task's success in a line of its own; our own line says it with the ids.
    for talker in ("celery.app.trace", "celery.worker.strategy", "alembic.runtime", "httpx2"):
        logging.getLogger(talker).setLevel(logging.WARNING)


def _by_places(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception that another program's line bears, such as uvicorn's of a bug: told as ours are."""
    told = event.pop("exc_info", None)
    exc = told[1] if isinstance(told, tuple) else told if isinstance(told, BaseException) else sys.exc_info()[1]
    if told and exc is not None:
        event.update(error=type(exc).__name__, trace=trace(exc))
    return event


def trace(exc: BaseException) -> list[str]:
    """Where an exception came from, innermost last, for a log: places in the code, and none of its text.

    The text of a database's exception may quote a row.
    """
    frames = traceback.extract_tb(exc.__traceback__)[-_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def get(name: str) -> Any:
    """A logger named after its module."""
    return structlog.get_logger(name)
