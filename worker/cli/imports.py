"""`columnline import`: put runs into the database from files, in the shape of the samples."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.clean import storable
from models.pipeline import V2Client
from models.production import Client
from worker import db, inbox
from worker.cli.output import AsJson, err, out, print_json, reporting_errors
from worker.errors import Validation

RUN_FIELDS = ("client_id", "seed_data", "dossier_id", "batch_number", "config_snapshot", "expected_contacts")


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Run files, files of clients.", exists=True, dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Put runs and their outputs into the database from files, all of them or none. Publishes nothing."""
    with reporting_errors(as_json=as_json):
        documents = [(path, read(path)) for path in files]
        documents.sort(key=lambda found: "run" in found[1])  # clients first: runs refer to them
        run_ids, clients = [], 0
        with db.transaction() as session:
            for _, document in track(documents, "importing", console=err, transient=True):
                if "run" in document:
                    run_ids.append(import_run(session, document))
                else:
                    clients += import_clients(session, document)
        if as_json:
            print_json({"ok": True, "run_ids": run_ids, "clients": clients})
            return
        if clients:
            out.print(f"Imported {clients} clients.")
        if run_ids:
            out.print(f"Imported {len(run_ids)} runs. Publish them: columnline publish {' '.join(run_ids)}")


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


def import_run(session: Session, document: dict[str, Any]) -> str:
    """Register the file's run and store its steps.

    Raises:
        ClientNotFound: its client is not there.
    """
    run = document["run"]
    run_id: str = run["run_id"]
    fields = {name: storable(run[name])[0] for name in RUN_FIELDS if run.get(name) is not None}
    inbox.register_run(session, run_id, fields)
    inbox.store_outputs(
        session,
        run_id,
        [
            inbox.Output(
                step_name=step["step_name"],
                output=storable(step.get("output"))[0],
                step_id=step.get("step_id"),
                status=step.get("status", "completed"),
            )
            for step in document["steps"]
        ],
    )
    return run_id


def import_clients(session: Session, document: dict[str, Any]) -> int:
    """Insert the file's clients, or bring those that are there to what the file says.

    Returns:
        How many pipeline clients the file has.
    """
    for model, rows in ((Client, document.get("clients", [])), (V2Client, document["v2_clients"])):
        key = next(iter(model.__table__.primary_key)).name
        for row in rows:
            changes = {name: value for name, value in row.items() if name != key}
            session.execute(insert(model).values(**row).on_conflict_do_update(index_elements=[key], set_=changes))
    return len(document["v2_clients"])
