"""`columnline import`: put runs into the database from files, in the shape of the samples."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.progress import track
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.clean import storable
from models.jobs import Job
from models.pipeline import V2Client
from models.production import Client
from worker import db, inbox
from worker.cli.output import AsJson, err, out, print_json, reporting_errors
from worker.errors import Validation
from worker.fields import Name, OptionalName
from worker.outcomes import breaks_rule, is_wrong_data, named
from worker.ring import be_brief, ring


class Run(BaseModel):
    """A run as a file tells of it; what else stands there is not read."""

    run_id: Name
    client_id: OptionalName = None
    dossier_id: OptionalName = None
    batch_number: OptionalName = None
    expected_contacts: int | None = None
    seed_data: Any = None
    config_snapshot: Any = None


class Step(BaseModel):
    """One step of the run, with what its writer returned."""

    step_name: Name
    step_id: OptionalName = None
    status: str = "completed"
    output: Any = None


class RunFile(BaseModel):
    """A run with all its steps."""

    run: Run
    steps: list[Step]


class ClientsFile(BaseModel):
    """Rows of the app's clients, and of the pipeline's."""

    clients: list[dict[str, Any]] = []
    v2_clients: list[dict[str, Any]]


Document = TypeVar("Document", RunFile, ClientsFile)


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Run files, files of clients.", exists=True, dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Put runs and their outputs into the database from files, all of them or none. Publishes nothing."""
    with reporting_errors(as_json=as_json):
        be_brief()
        documents = [(path, read(path)) for path in files]
        documents.sort(key=lambda found: "run" in found[1])  # clients first: runs refer to them
        run_ids: list[str] = []
        woken: list[Job] = []
        clients = 0
        with db.transaction() as session:
            for path, document in track(documents, "importing", console=err, transient=True):
                with _telling_of(path):
                    if "run" in document:
                        run_id, job = import_run(session, document)
                        run_ids.append(run_id)
                        woken += [job] if job else []
                    else:
                        clients += import_clients(session, document)
        ring(*woken)
        if as_json:
            print_json({"ok": True, "run_ids": run_ids, "clients": clients})
            return
        if clients:
            out.print(f"Imported {clients} clients.")
        if run_ids:
            publish = shlex.join(["columnline", "publish", *run_ids])
            out.print(f"Imported {len(run_ids)} runs. Publish them: {publish}", markup=False, soft_wrap=True)


def read(path: Path) -> dict[str, Any]:
    """The file's document.

    Raises:
        Validation: it is neither a run file nor a file of clients.
    """
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise Validation(f"{path} is not JSON: {error}.", field=str(path)) from None
    if not isinstance(document, dict) or not ({"run", "steps"} <= document.keys() or "v2_clients" in document):
        raise Validation(
            f"{path} is neither a run file (`run`, `steps`) nor a file of clients (`clients`, `v2_clients`).",
            field=str(path),
        )
    return document


def import_run(session: Session, document: dict[str, Any]) -> tuple[str, Job | None]:
    """Register the file's run and store its steps.

    Returns:
        Its id; and its publish, if that waited for outputs: it is due now, to be rung for after the commit.

    Raises:
        ClientNotFound: its client is not there.
        Validation: it is no run.
    """
    found = _as(RunFile, document)
    run_id = found.run.run_id
    told = found.run.model_dump(exclude={"run_id"}, exclude_none=True)
    inbox.register_run(session, run_id, {name: storable(value)[0] for name, value in told.items()})
    outputs = [
        inbox.Output(step.step_name, storable(step.output)[0], step.step_id, step.status) for step in found.steps
    ]
    return run_id, inbox.store_outputs(session, run_id, outputs) if outputs else None


def import_clients(session: Session, document: dict[str, Any]) -> int:
    """Insert the file's clients, or bring those that are there to what the file says.

    Returns:
        How many pipeline clients the file has.

    Raises:
        Validation: these are no clients.
    """
    found = _as(ClientsFile, document)
    for model, rows in ((Client, found.clients), (V2Client, found.v2_clients)):
        key = next(iter(model.__table__.primary_key)).name
        for row in rows:
            if strange := next((name for name in row if name not in model.__table__.columns), None):
                raise Validation(f"`{model.__tablename__}` has no column {strange!r}.", field=strange)
            statement = insert(model).values(**row)
            changes = {name: statement.excluded[name] for name in row if name != key}
            session.execute(
                statement.on_conflict_do_update(index_elements=[key], set_=changes)
                if changes
                else statement.on_conflict_do_nothing()
            )
    return len(found.v2_clients)


def _as(kind: type[Document], document: dict[str, Any]) -> Document:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Validation(f"Field `{field}`: {first['msg']}.", field=field) from None


@contextmanager
def _telling_of(path: Path) -> Iterator[None]:
    """Say in which file something is wrong."""
    try:
        yield
    except Validation as error:
        raise Validation(f"{path}: {error.detail} Nothing was imported.", field=error.field) from None
    except (DBAPIError, UnicodeEncodeError) as error:
        if not (is_wrong_data(error) or breaks_rule(error)):
            raise
        raise Validation(
            f"{path}: the database refuses a value of it, {named(error)}. Nothing was imported.", field=str(path)
        ) from None
