"""Errors to Sentry and traces to an OpenTelemetry collector, where they are installed and set up; else nothing.

What leaves is listed here, not filtered: ids, steps, codes and places in the code. No text of an exception, no
body, no header, no variable, so no contact and no key.
"""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from worker import VERSION, logs
from worker.outcomes import sqlstate
from worker.settings import settings

log = logs.get(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own variables; the exporter reads these and all others of the standard by itself."""

_FLUSH_SECONDS = 2


class _Outlets:
    """Where to: set by `configure`, once in each process."""

    sentry: Any = None
    tracer: Any = None
    flushes: tuple[Callable[[], Any], ...] = ()


def configure(process: str) -> None:
    """Open what is set up: `SENTRY_DSN`, and the variables of OpenTelemetry. Call it after a fork, not before."""
    _Outlets.sentry = _Outlets.tracer = None
    _Outlets.flushes = ()
    dsn = settings().sentry_dsn
    if dsn is not None:
        _open("sentry", lambda: _open_sentry(dsn.get_secret_value(), process))
    if any(os.environ.get(name) for name in _ENDPOINTS) and os.environ.get("OTEL_SDK_DISABLED") != "true":
        _open("otel", lambda: _open_tracer(process))


def _open(extra: str, open_it: Callable[[], None]) -> None:
    try:
        open_it()
    except ImportError:
        log.warning("telemetry_missing", hint=f"install columnline[{extra}]")


def _open_sentry(dsn: str, process: str) -> None:
    sentry = import_module("sentry_sdk")
    # No integration: each would send what it finds (bodies, variables, breadcrumbs). We say what is sent.
    sentry.init(
        dsn=dsn,
        release=VERSION,
        default_integrations=False,
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_breadcrumbs=0,
    )
    sentry.set_tag("process", process)
    _Outlets.sentry = sentry
    _Outlets.flushes += (lambda: sentry.flush(_FLUSH_SECONDS),)


def _open_tracer(process: str) -> None:
    trace = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    resource = import_module("opentelemetry.sdk.resources").Resource.create(
        {"service.name": os.environ.get("OTEL_SERVICE_NAME", f"columnline-{process}"), "service.version": VERSION}
    )
    provider = trace.TracerProvider(resource=resource)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    _Outlets.tracer = provider.get_tracer("columnline")
    _Outlets.flushes += (lambda: provider.force_flush(_FLUSH_SECONDS * 1000),)


def flush() -> None:
    """Send what waits to be sent, for two seconds at most: the process ends."""
    for one in _Outlets.flushes:
        one()


@contextmanager
def span(name: str, **ids: Any) -> Iterator[None]:
    """Time the block, as a part of what is timed around it."""
    if _Outlets.tracer is None:
        yield
        return
    attributes = {f"columnline.{key}": value for key, value in ids.items() if value is not None}
    # An exception is not recorded by itself: its text may quote a row.
    with _Outlets.tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ):
        yield


def note(**values: Any) -> None:
    """Add what became known to the span that is open."""
    if _Outlets.tracer is not None:
        current = import_module("opentelemetry.trace").get_current_span()
        current.set_attributes({f"columnline.{key}": value for key, value in values.items() if value is not None})


def report(error: BaseException, **ids: Any) -> None:
    """Tell Sentry of what nobody foresaw: its kind, its SQLSTATE, where it came from, and whose it was."""
    if _Outlets.sentry is None:
        return
    frames = [
        {"filename": frame.filename, "lineno": frame.lineno, "function": frame.name}
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    told = {"type": type(error).__name__, "value": sqlstate(error) or "", "stacktrace": {"frames": frames}}
    tags = {key: str(value) for key, value in ids.items() if value is not None}
    _Outlets.sentry.capture_event({"level": "error", "exception": {"values": [told]}, "tags": tags})
