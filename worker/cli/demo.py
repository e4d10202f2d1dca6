"""`columnline demo`: the sample runs through the real thing, from HTTP to released dossier, in one command."""

import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import httpx2
import typer
from rich.markup import escape
from rich.progress import track
from sqlalchemy import func, select

from models.jobs import Scope
from models.production import Client
from worker import db, keys
from worker.cli import demo_rerun
from worker.cli.imports import import_clients
from worker.cli.output import Exit, err, out, painted, reporting_errors, table
from worker.cli.up import Concurrency, DataDir, prepare, run
from worker.errors import NotFound, Validation
from worker.settings import env_name, settings

SAMPLES = Path(__file__).parents[2] / "tests" / "samples"
OUTPUTS_DEADLINE = "2"
AGAIN = "run_same_company_again"
RERUN = "run_composer"
MAPPED_TO = "northwind-steel"
TIMED_RUNS = 20
_WAIT = 25


def demo(
    samples: Annotated[Path, typer.Option(help="Where the sample runs are.", file_okay=False)] = SAMPLES,
    data_dir: DataDir = None,
    concurrency: Concurrency = 2,
) -> None:
    """Send the sample runs through the bridge; exit status 0 if each ends as expected."""
    with reporting_errors():
        os.environ.setdefault(env_name("outputs_deadline"), OUTPUTS_DEADLINE)
        settings.cache_clear()
        documents = list(_read(samples))
        with demo_rerun.make_com(SAMPLES.parents[1]) as make:
            _demonstrate(samples, documents, make, data_dir, concurrency)


def _demonstrate(
    samples: Path, documents: list[dict[str, Any]], make: str, data_dir: Path | None, concurrency: int
) -> None:
    """Start everything, play, stop everything, and tell where to look; or exit with status 1."""
    address = prepare(0, data_dir)
    _prepare_database(json.loads((samples / "clients.json").read_text()))
    failures: list[str] = []
    said = settings().data_dir / "demo.log"
    said.parent.mkdir(parents=True, exist_ok=True)
    out.print(f"Starting the bridge, a worker and beat at {address}. What they say goes to {said}.")
    with said.open("w") as log:
        run(
            address,
            concurrency,
            once_ready=lambda: failures.extend(_play(address, make, documents)),
            write=lambda line: print(line, file=log, flush=True),
        )
    for failure in failures:
        err.print(failure, style="red", markup=False)
    if failures:
        raise typer.Exit(Exit.FAILED)
    _print_where_to_look(documents[0]["run"]["run_id"])


def _read(samples: Path) -> Iterator[dict[str, Any]]:
    """The sample runs, each under a new id, so that every demo publishes afresh."""
    paths = sorted(samples.glob("run_*.json"))
    if not paths:
        raise NotFound(f"There are no sample runs in {samples}. Run the demo from a checkout, or give --samples.")
    suffix = f"_{uuid4().hex[:6]}"
    for path in paths:
        text = path.read_text()
        old = json.loads(text)["run"]["run_id"]
        yield json.loads(text.replace(old, old + suffix)) | {"name": path.stem}


def _print_where_to_look(run_id: str) -> None:
    out.print("\nAll samples ended as expected, and everything is stopped. To look around:\n")
    out.print(f"  .venv/bin/columnline status {run_id}")
    out.print("  .venv/bin/columnline errors")
    out.print("  .venv/bin/columnline dossiers")
    out.print("  make up                      and open the address it prints, with /docs at its end")


def _prepare_database(clients: dict[str, Any]) -> None:
    """Have the samples' clients there, as the app and the pipeline would.

    Raises:
        Validation: the database has other clients: real data, perhaps.
    """
    names = [client["name"] for client in clients["clients"]]
    with db.transaction() as session:
        strangers = session.scalar(select(func.count()).where(Client.name.not_in(names)).select_from(Client))
        if strangers:
            raise Validation(
                f"This database has {strangers} other clients: the demo does not write among real data. Point "
                "DATABASE_URL at an empty database, or unset it for an embedded one.",
                field="DATABASE_URL",
            )
        import_clients(session, clients)


@contextmanager
def temporary_key() -> Iterator[str]:
    """A key that may do everything, and is no good after the block, however that ends."""
    name = f"demo-{uuid4().hex[:6]}"
    with db.transaction() as session:
        key = keys.create(session, name, Scope.OPS)
    try:
        yield key
    finally:
        with db.transaction() as session:
            keys.revoke(session, name)


def _play(address: str, make: str, documents: list[dict[str, Any]]) -> list[str]:
    """Send every run, tell what became of it, and return what did not go as expected."""
    with (
        temporary_key() as key,
        httpx2.Client(base_url=f"{address}/columnline", headers={"X-API-Key": key}, timeout=60) as http,
    ):
        failures: list[str] = []
        try:
            for failure in _played(http, make, documents):
                failures.append(failure)  # noqa: PERF402 - what was found before it breaks off is told too
        except (httpx2.HTTPError, AssertionError) as error:
            failures.append(f"It broke off: {error}")
        return failures


def _played(http: httpx2.Client, make: str, documents: list[dict[str, Any]]) -> Iterator[str]:
    shown = table("sample", "outcome", "why", title="\nWhat became of the sample runs")
    for document in track(documents, "publishing", console=err, transient=True):
        _send(http, document)
        answer = _publish(http, document)
        outcome = _outcome(answer)
        if outcome != document["expect"]:
            yield f"{document['name']}: expected {document['expect']}, got {outcome}: {answer}"
        shown.add_row(document["name"], painted(outcome.partition(":")[0]), escape(_why(answer, document)))
    if failure := _map(http, documents, shown):
        yield failure
    out.print(shown)
    if failure := _rerun(http, make, documents):
        yield failure
    _print_latency(http, next(document for document in documents if document["name"] == "run_clean"))


def _send(http: httpx2.Client, document: dict[str, Any]) -> None:
    """Register the run and push its outputs, as a scenario would."""
    run = document["run"]
    registered = {name: value for name, value in run.items() if name not in {"run_id", "triggered_by"}}
    http.put(f"/runs/{run['run_id']}", json=registered).raise_for_status()
    outputs = [{name: step[name] for name in ("step_name", "step_id", "output")} for step in document["steps"]]
    http.post(f"/runs/{run['run_id']}/outputs", json={"outputs": outputs}).raise_for_status()


def _publish(http: httpx2.Client, document: dict[str, Any]) -> dict[str, Any]:
    run_id = document["run"]["run_id"]
    options = document["publish"] | ({"supersede": "auto"} if document["name"] == AGAIN else {})
    answered = http.post(f"/publish/{run_id}", params={"wait": _WAIT}, json=options)
    found: dict[str, Any] = answered.raise_for_status().json()
    return found


def _outcome(answer: dict[str, Any]) -> str:
    """The answer in the words of a sample's `expect`."""
    match answer:
        case {"status": "done"}:
            return "ready"
        case {"status": "error", "error": {"code": code}}:
            return f"error:{code}"
        case {"status": "held", "held_reason": reason}:
            return f"held:{reason}"
        case _:
            return str(answer["status"])


def _why(answer: dict[str, Any], document: dict[str, Any]) -> str:
    if answer["error"]:
        return f"{answer['error']['code']}: {answer['error']['detail']}"
    repairs = f", {len(answer['warnings'])} repairs" if answer["warnings"] else ""
    replaced = " Supersedes the older dossier." if answer["supersedes_dossier_id"] else ""
    return f"{answer['contacts_created']} contacts{repairs}. {document['note']}{replaced}"


def _map(http: httpx2.Client, documents: list[dict[str, Any]], shown: Any) -> str | None:
    """Cure the held run as ops would: map its client, and it goes on."""
    held = next(document for document in documents if document["expect"].startswith("held"))
    client_id = held["client"]["client_id"]
    mapped = http.put(f"/clients/{client_id}/mapping", json={"slug": MAPPED_TO}).raise_for_status().json()
    run = http.get(f"/runs/{held['run']['run_id']}", params={"wait": _WAIT}).json()
    answer = run["job"]
    outcome = _outcome(answer)
    shown.add_row(
        held["name"], painted(outcome), f"its client was mapped: {mapped['released_jobs']} held job goes on"
    )
    return None if outcome == "ready" else f"{held['name']} after mapping: {answer}"


def _rerun(http: httpx2.Client, make: str, documents: list[dict[str, Any]]) -> str | None:
    """Have one of the samples run again, all the way round; returns what did not go as expected."""
    document = next(document for document in documents if document["name"] == RERUN)
    dossier_id = http.get(f"/runs/{document['run']['run_id']}").json()["job"]["dossier_id"]
    shown = table("step", "outcome", title=f"\nA rerun of {RERUN}, with a stand-in for Make.com")
    try:
        for step, outcome in demo_rerun.play(http, make, dossier_id, document):
            shown.add_row(step, outcome)
    except AssertionError as error:
        return f"the rerun of {RERUN}: {error}"
    finally:
        out.print(shown)
    return None


def _print_latency(http: httpx2.Client, document: dict[str, Any]) -> None:
    """How long a publish takes from the POST to the released dossier, one at a time, nothing else running."""
    took = []
    text = json.dumps(document)
    for number in range(TIMED_RUNS):
        old = document["run"]["run_id"]
        again = json.loads(text.replace(old, f"{old}_{number}"))
        _send(http, again)
        began = time.perf_counter()
        answer = _publish(http, again)
        took.append((time.perf_counter() - began) * 1000)
        assert answer["released_at"], answer
    out.print(
        f"\nFrom POST to released, idle, {TIMED_RUNS} publishes one at a time: "
        f"median {statistics.median(took):.0f} ms, slowest {max(took):.0f} ms."
    )
