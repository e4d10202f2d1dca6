"""A bridge for tests that send many requests: one database and one application for all of this folder."""

import json
from dataclasses import dataclass
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from models.jobs import Scope
from models.orders import PublishOrder
from tests.conftest import NO_BROKER, SAMPLES, _database, forget_cached
from tests.database.bridge.calls import OLDER_RUN, RUN, STEP
from worker import db, inbox, keys, ring
from worker.bridge import create_app, publish
from worker.cli.imports import import_clients, import_run, read
from worker.settings import settings

NORTHWIND = "6f0d5c1e-0000-4000-8000-000000000001"
DOSSIER = "7a1e0000-0000-4000-8000-000000000001"
BATCH = "7a1e0000-0000-4000-8000-000000000002"
RERUN = "7a1e0000-0000-4000-8000-000000000003"
EXPORT = "7a1e0000-0000-4000-8000-000000000004"


@dataclass(frozen=True)
class Bridge:
    """A bridge in this process, with a registered run and its queued publish, and a dossier that is scheduled."""

    http: TestClient
    keys: dict[Scope, str]
    job_id: UUID

    @property
    def path_values(self):
        """What stands for each parameter of a path."""
        return {
            "run_id": RUN,
            "step_name": STEP,
            "job_id": str(self.job_id),
            "dossier_id": DOSSIER,
            "batch_id": BATCH,
            "rerun_id": RERUN,
            "export_id": EXPORT,
            "format": "csv",
            "client_id": "CLT_NORTHWIND_001",
        }


@pytest.fixture(scope="package")
def shared_database(server_url, admin, template):
    """A database that all tests here share, and this process uses; bells are silent."""
    with pytest.MonkeyPatch.context() as patch:
        for url in _database(server_url, admin, template):
            patch.setenv("DATABASE_URL", url)
            patch.setenv("REDIS_URL", NO_BROKER)
            patch.setenv("COLUMNLINE_MAKE_MODE", "webhook")
            patch.setenv("COLUMNLINE_MAKE_WEBHOOK_URL", "https://hook.eu1.make.com/none")  # no worker is there
            patch.setenv("COLUMNLINE_SIGN_IN_LIMIT", "0")  # hundreds of tests fail to sign in, all from here
            patch.setenv("COLUMNLINE_RATE_LIMIT", "0")
            patch.setenv("COLUMNLINE_SWEEP_INTERVAL", "3600")  # nothing looks while a test changes servers
            patch.setattr(ring.breaker, "_open_until", float("inf"))
            forget_cached()
            ring.be_brief()
            yield url
            forget_cached()


@pytest.fixture(scope="package")
def application(shared_database):
    """A client of the bridge, without a key."""
    with (
        pytest.MonkeyPatch.context() as patch,
        TestClient(create_app(), raise_server_exceptions=False) as client,
    ):
        patch.setattr(publish, "PREVIEW_WAIT", 0)  # no worker is there
        yield client


def put_dossier():
    """Put a dossier in that is scheduled, afresh, with its batch; its client has a drip."""
    drip = '{"days": ["tue"], "time": "09:00"}'
    batch = f"'{BATCH}', '{NORTHWIND}', '7'"
    dossier = f"'{DOSSIER}', '{NORTHWIND}', '{BATCH}', '{OLDER_RUN}', 'Acme', 'v2', 'ready'"
    with db.transaction() as session:
        for statement in (
            f"delete from dossiers where id = '{DOSSIER}'",
            f"insert into batches (id, client_id, batch_number) values ({batch}) on conflict do nothing",
            f"""insert into dossiers (id, client_id, batch_id, run_id, company_name, pipeline_version, status,
                  release_date, release_at) values ({dossier}, '2099-01-20', '2099-01-20 12:00Z')""",
            f"""insert into reruns (id, dossier_id, run_id, asked_by, state, ended_at)
                  values ('{RERUN}', '{DOSSIER}', 'RUN_OF_A_RERUN', 'tests', 'failed', now())""",
            f"update v2_clients set drip_schedule = '{drip}'",
        ):
            session.connection().exec_driver_sql(statement)


def put_export():
    """Put a job in that wrote an export."""
    payload = '{"what": "signals", "format": "csv", "wanted": {}, "bom": false}'
    result = '{"rows": 1, "bytes": 6}'
    with db.transaction() as session:
        for statement in (
            f"""insert into jobs (id, kind, key, payload, state, result, max_attempts, deadline_at, settled_at)
               values ('{EXPORT}', 'export.write', 'tests', '{payload}', 'done', '{result}', 8, now(), now())""",
            f"insert into export_parts (job_id, position, bytes) values ('{EXPORT}', 0, 'a file')",
        ):
            session.connection().exec_driver_sql(statement)


def empty():
    """Take everything but keys from the database, and put the samples' clients in."""
    with db.transaction() as session:
        for table in ("jobs", "dossiers", "batches", "v2_pipeline_logs", "v2_runs", "v2_clients", "clients"):
            session.execute(text(f"delete from {table}"))
        import_clients(session, read(SAMPLES / "clients.json"))


@pytest.fixture(scope="module")
def bridge(application):
    """The bridge as a module of tests finds it; they change nothing that others of the module look at."""
    empty()
    with db.transaction() as session:
        session.execute(text("delete from api_keys"))
        made = {scope: keys.create(session, f"tests-{scope}", scope) for scope in Scope}
        inbox.register_run(session, RUN, {"client_id": "CLT_NORTHWIND_001"})
        job, _ = inbox.accept_publish(session, settings(), PublishOrder(run_id=RUN))
    put_dossier()
    put_export()
    application.headers["X-API-Key"] = made[Scope.OPS]
    return Bridge(application, made, job.id)


@pytest.fixture
def http(bridge):
    """The bridge for tests that do change things: its database is emptied before each."""
    empty()
    return bridge.http


@pytest.fixture
def sample(http):
    """A function that puts a sample run into the database and returns its document: `sample("run_clean")`."""

    def load(name):
        document = json.loads((SAMPLES / f"{name}.json").read_text())
        with db.transaction() as session:
            import_run(session, document)
        return document

    return load


@pytest.fixture
def browser(application, http, bridge):
    """A function that signs in with a key of that scope; the client follows no redirects, and keeps cookies."""
    del application.headers["X-API-Key"]
    application.follow_redirects = False

    def sign_in(scope=Scope.OPS):
        application.cookies.clear()
        answer = application.post("/sign-in", data={"key": bridge.keys[scope], "then": "/jobs"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
        return application

    yield sign_in
    application.cookies.clear()
    application.follow_redirects = True
    application.headers["X-API-Key"] = bridge.keys[Scope.OPS]
