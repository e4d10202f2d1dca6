"""What is told of an attempt, in logs, to Sentry and to a collector: ids and codes, and nothing of a contact.

Sentry and OpenTelemetry are stood in for: neither is installed where this project is tested.
"""

import io
import json
import logging
import sys
from types import ModuleType, SimpleNamespace

import pytest
from celery.app.trace import build_tracer
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.database import machine
from tests.database.publishing import accept, execute, register
from worker import db, logs, telemetry
from worker.celery import app
from worker.drain import drain
from worker.errors import OutputsInvalid
from worker.heard import JobFailed
from worker.settings import settings

SECRET = "ines@stannardrail.example"
DSN = "https://abc@sentry.example/1"

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture(autouse=True)
def closed():
    yield
    telemetry._Outlets.sentry = telemetry._Outlets.tracer = None
    telemetry._Outlets.flushes = ()


class FakeSentry(ModuleType):
    def __init__(self):
        super().__init__("sentry_sdk")
        self.options, self.events, self.flushed = None, [], 0

    def init(self, **options):
        self.options = options

    def set_tag(self, name, value):
        pass

    def capture_event(self, event):
        self.events.append(event)

    def flush(self, seconds):
        self.flushed += 1


class FakeTracing:
    """OpenTelemetry's modules, as far as they are used; spans end up in a list, their parents beside them."""

    def __init__(self):
        self.spans, self.open, self.flushed = [], [], 0
        provider = SimpleNamespace(
            add_span_processor=lambda processor: None,
            get_tracer=lambda name: SimpleNamespace(start_as_current_span=self._start),
            force_flush=self._flush,
        )
        self.modules = {
            "opentelemetry.sdk.trace": SimpleNamespace(TracerProvider=lambda resource: provider),
            "opentelemetry.sdk.trace.export": SimpleNamespace(BatchSpanProcessor=lambda exporter: exporter),
            "opentelemetry.sdk.resources": SimpleNamespace(Resource=SimpleNamespace(create=dict)),
            "opentelemetry.exporter.otlp.proto.http.trace_exporter": SimpleNamespace(OTLPSpanExporter=object),
            "opentelemetry.trace": SimpleNamespace(get_current_span=lambda: self.open[-1]),
        }

    def _flush(self, milliseconds):
        self.flushed += 1

    def _start(self, name, attributes=None, **options):
        assert options == {"record_exception": False, "set_status_on_exception": False}
        parent = self.open[-1].name if self.open else None
        span = SimpleNamespace(name=name, parent=parent, attributes=dict(attributes))
        span.set_attributes = span.attributes.update
        self.spans.append(span)
        test = self

        class Span:
            def __enter__(self):
                test.open.append(span)

            def __exit__(self, *error):
                test.open.pop()

        return Span()


@pytest.fixture
def sentry(monkeypatch):
    fake = FakeSentry()
    monkeypatch.setitem(sys.modules, "sentry_sdk", fake)
    monkeypatch.setenv("SENTRY_DSN", DSN)
    settings.cache_clear()
    telemetry.configure("worker")
    return fake


@pytest.fixture
def tracing(monkeypatch):
    fake = FakeTracing()
    for name, module in fake.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example")
    telemetry.configure("worker")
    return fake


@pytest.fixture
def logged():
    """A function that gives the lines logged since, as JSON."""
    logs.configure("INFO")
    handler = logging.getLogger().handlers[0]
    before, stream = handler.stream, io.StringIO()
    handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    handler.setStream(before)


def fail(attempt, session):
    def step():
        secret_of_a_contact = SECRET
        raise RuntimeError(secret_of_a_contact)

    attempt.step("store", step)


def test_each_line_of_an_attempt_is_json_and_bears_the_ids_of_job_and_run_and_the_attempt(logged):
    job_id = accept(register("RUN_A"))
    list(drain())
    (line,) = [line for line in logged() if line["event"] == "job_done"]
    assert (line["job_id"], line["run_id"], line["attempt"], line["level"]) == (str(job_id), "RUN_A", 1, "info")
    job_id = machine.accept(payload={"run_id": "RUN_B"})
    machine.attempt(job_id, fail)
    (line,) = [line for line in logged() if line["event"] == "attempt_failed"]
    assert (line["job_id"], line["run_id"], line["attempt"]) == (str(job_id), "RUN_B", 1)
    logs.get("after").warning("later")
    assert "job_id" not in logged()[-1], "cleared at its end"
    assert SECRET not in json.dumps(logged())


def test_what_a_writer_returned_is_quoted_in_the_job_and_neither_in_the_log_nor_to_flower(logged):
    register("RUN_A")
    execute("update v2_pipeline_logs set output = to_jsonb(cast(:prose as text))", prose="Stannard rebuilds")
    job_id = accept("RUN_A")
    app.loader.import_default_modules()
    with pytest.raises(JobFailed) as heard:
        app.tasks["publish.run"](job_id=str(job_id))
    assert "Stannard rebuilds" in machine.read(job_id).error["detail"]
    assert "Stannard" not in f"{logged()}{heard.value}"
    assert "no JSON object" in str(heard.value)


def test_a_line_of_another_program_tells_an_exception_by_its_kind_and_place_and_not_by_its_text(logged):
    server = logging.getLogger("uvicorn.error")
    try:
        int(SECRET)
    except ValueError as error:
        server.exception("Exception in ASGI application")
        server.error("The same", exc_info=error)
    server.error("None is at hand", exc_info=True)
    first, second, third = logged()
    assert SECRET not in f"{first}{second}{third}"
    assert first["error"] == second["error"] == "ValueError"
    assert "test_telemetry.py" in first["trace"][-1]
    assert "error" not in third


def test_an_exception_of_the_database_bears_no_value_that_was_to_be_stored(database):
    with pytest.raises(DBAPIError) as failed, db.transaction() as session:
        session.execute(text("select 1 / 0 where :contact <> ''"), {"contact": SECRET})
    assert SECRET not in str(failed.value)


def test_a_task_of_beats_that_fails_tells_celery_flower_and_sentry_the_kind_and_not_a_word_of_it(
    sentry, logged, monkeypatch
):
    def fails():
        execute("do $$ begin raise unique_violation using detail = 'ines@stannardrail.example'; end $$")

    monkeypatch.setattr("tasks.sweep.sweep", fails)
    app.loader.import_default_modules()
    task = app.tasks["jobs.sweep"]
    result = build_tracer(task.name, task, app=app)("id", (), {}, {"id": "id", "task": task.name}).retval
    assert SECRET not in f"{logged()}{sentry.events}{result}"
    assert str(result.exception) == "IntegrityError (SQLSTATE 23505)"
    assert "task_failed" in [line["event"] for line in logged()]
    assert sentry.events


def test_no_path_that_was_asked_for_is_logged_whoever_starts_the_server(logged):
    access = logging.getLogger("uvicorn.access")
    access.addHandler(logging.StreamHandler())  # as uvicorn does, before it loads the bridge
    logs.configure("INFO")
    assert not access.hasHandlers()


def test_sentry_hears_of_what_nobody_foresaw_by_ids_and_places_and_not_a_word_of_it(sentry):
    job_id = machine.accept(payload={"run_id": "RUN_A", "contact": SECRET})
    machine.attempt(job_id, fail)
    (event,) = sentry.events
    assert event["exception"]["values"][0]["type"] == "RuntimeError"
    assert event["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "step"
    assert event["tags"] == {"job_id": str(job_id), "run_id": "RUN_A", "kind": machine.KIND, "step": "store"}
    assert SECRET not in json.dumps(event)


def test_sentry_hears_nothing_of_errors_that_have_a_code_of_their_own(sentry):
    def invalid(attempt, session):
        raise OutputsInvalid("The output of 10_WRITER_INTRO is prose.", step="load")

    machine.attempt(machine.accept(), invalid)
    assert sentry.events == []


def test_sentry_is_opened_without_anything_that_looks_around_by_itself(sentry):
    assert sentry.options["dsn"] == DSN
    assert sentry.options["default_integrations"] is False
    assert sentry.options["auto_enabling_integrations"] is False
    assert sentry.options["include_local_variables"] is False
    assert sentry.options["send_default_pii"] is False
    assert sentry.options["max_breadcrumbs"] == 0
    telemetry.flush()
    assert sentry.flushed == 1


def test_the_bridge_tells_of_its_bugs(sentry, http, monkeypatch):
    telemetry.configure("bridge")
    monkeypatch.setattr("worker.bridge.overview.progress.page", lambda *_, **__: 1 / 0)
    assert http.get("/columnline/batches").status_code == 500
    (event,) = sentry.events
    assert event["exception"]["values"][0]["type"] == "ZeroDivisionError"
    assert event["tags"] == {"method": "GET"}


def test_an_attempt_is_a_span_with_its_steps_below_it_and_its_end_on_it(tracing):
    job_id = accept(register("RUN_A"))
    list(drain())
    whole, *steps = tracing.spans
    assert (whole.name, whole.parent) == ("publish.run", None)
    assert whole.attributes["columnline.job_id"] == str(job_id)
    assert (whole.attributes["columnline.run_id"], whole.attributes["columnline.attempt"]) == ("RUN_A", 1)
    assert {step.parent for step in steps} == {"publish.run"}
    assert {"load", "assemble"} <= {step.name for step in steps}
    telemetry.flush()
    assert tracing.flushed == 1


def test_a_span_of_a_bad_end_bears_the_code_and_not_the_text(tracing):
    machine.attempt(machine.accept(), fail)
    assert tracing.spans[0].attributes["columnline.outcome"] == "retry"
    assert tracing.spans[0].attributes["columnline.code"] == "internal"
    assert SECRET not in str([span.attributes for span in tracing.spans])


@pytest.mark.parametrize(
    ("variable", "value", "extra"),
    [("SENTRY_DSN", DSN, "sentry"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example", "otel")],
)
def test_what_is_set_up_and_not_installed_is_said_and_harms_nothing(variable, value, extra, monkeypatch, logged):
    for module in ("sentry_sdk", "opentelemetry.sdk.trace"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.setenv(variable, value)
    settings.cache_clear()
    telemetry.configure("worker")
    (line,) = [line for line in logged() if line["event"] == "telemetry_missing"]
    assert line["hint"] == f"install columnline[{extra}]"
    assert machine.attempt(machine.accept()) == "done"


def test_what_is_not_set_up_is_not_even_looked_for(monkeypatch, logged):
    monkeypatch.setattr(telemetry, "import_module", pytest.fail)
    telemetry.configure("worker")
    assert machine.attempt(machine.accept()) == "done"
    assert not [line for line in logged() if line["event"] == "telemetry_missing"]


def test_a_collector_can_be_turned_off_by_the_standard_variable(tracing, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry.configure("worker")
    machine.attempt(machine.accept())
    assert tracing.spans == []
