"""Commands about Make.com: rerun, callbacks, and what is imported there."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.jobs import Job, JobKind
from worker import callbacks, db, listing, reruns
from worker.cli.given import DossierName, Since, asked_by, read_dossier, read_since
from worker.cli.output import AsJson, Exit, out, painted, print_json, reporting_errors, table, when
from worker.custom_app import app_files
from worker.ring import be_brief, ring
from worker.scenarios import blueprint
from worker.settings import settings

callbacks_app = typer.Typer(help="What scenarios are told of the ends of publishes.", no_args_is_help=True)
make_app = typer.Typer(help="Ready-made pieces for Make.com.", no_args_is_help=True)


class Blueprint(StrEnum):
    """The scenarios there are."""

    PUBLISH_AND_WAIT = "publish-and-wait"
    PUBLISH_AND_POLL = "publish-and-poll"
    RERUN_WEBHOOK = "rerun-webhook"


def rerun(
    which: DossierName,
    agent: Annotated[list[str] | None, typer.Option(help="Only this agent; may be given several times.")] = None,
    client: Annotated[str | None, typer.Option(help="The v2 client, where several lead to the dossier's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have Make.com run the pipeline again from the dossier's seed; what it publishes replaces the dossier."""
    with reporting_errors(as_json=as_json):
        be_brief()
        with db.transaction() as session:
            made, job = reruns.ask(
                session,
                settings(),
                read_dossier(session, which),
                asked_by(),
                agents=agent,
                client_id=client,
            )
        if job is not None:
            ring(job)
        answer = reruns.answer(made, duplicate=job is None)
        if as_json:
            print_json(answer)
        else:
            state = "open already" if answer.duplicate else answer.status.value
            out.print(f"Rerun {answer.rerun_id}: {state}. Its run is {answer.run_id}.", markup=False)


@callbacks_app.command("list")
def list_callbacks(
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List callbacks, newest first: where each went, and what became of it. Exit status 1 if one failed."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        wanted = listing.JobFilter(kind=JobKind.CALLBACK, since=read_since(since))
        found, _ = listing.page(session, wanted, limit=limit)
        gone = callbacks.gone_since(session, {job.payload["url"] for job in found})
        rows = [_row(job, is_gone=job.payload["url"] in gone) for job in found]
        failed = any(row["state"] == "error" for row in rows)
        if as_json:
            print_json(rows)
        else:
            shown = table("callback", "run", "state", "tries", "answer or why", "made", "to")
            for row in rows:
                why = str(row["http_status"] or row["why"] or "-")
                names = (escape(str(row["run_id"])), painted(str(row["state"])), str(row["attempt"]), escape(why))
                shown.add_row(str(row["job_id"]), *names, str(row["created_at"]), escape(str(row["url"])))
            out.print(shown)
    if failed:
        raise typer.Exit(Exit.FAILED)


@callbacks_app.command()
def replay(
    which: Annotated[list[str], typer.Argument(help="Callback ids, or run ids for all of theirs.")],
    as_json: AsJson = False,
) -> None:
    """Send callbacks again, whatever became of them; an address that was gone counts as there again."""
    with reporting_errors(as_json=as_json):
        be_brief()
        with db.transaction() as session:
            ids = [job_id for name in which for job_id in _callbacks(session, name)]
            again = [callbacks.replay(session, settings(), job_id) for job_id in ids]
        ring(*again)
        if as_json:
            print_json({"ok": True, "job_ids": [job.id for job in again]})
        else:
            out.print(f"{len(again)} sent again.")


@make_app.command("blueprint")
def print_blueprint(
    name: Annotated[Blueprint, typer.Argument(help="Which scenario.")],
    url: Annotated[
        str, typer.Option(help="Where the bridge is, as Make.com reaches it.")
    ] = "https://bridge.example",
) -> None:
    """Print a scenario for Make.com's Import Blueprint."""
    with reporting_errors():
        out.out(json.dumps(blueprint(name.value, url), indent=2), highlight=False)


@make_app.command("app")
def write_app(
    folder: Annotated[Path, typer.Argument(help="Where to write it.", file_okay=False)],
    url: Annotated[
        str, typer.Option(help="Where the bridge is, as Make.com reaches it.")
    ] = "https://bridge.example",
) -> None:
    """Write the files of a custom app: modules Publish, Get job, Rerun and Reschedule, and a trigger."""
    with reporting_errors():
        files = app_files(url)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        out.print(f"{len(files)} files in {folder}.", markup=False)


def _row(job: Job, *, is_gone: bool) -> dict[str, object]:
    error, result = job.error or {}, job.result or {}
    return {
        "job_id": job.id,
        "run_id": job.payload["run_id"],
        "state": job.state,
        "attempt": job.attempt,
        "http_status": result.get("http_status"),
        "why": error.get("detail"),
        "created_at": when(job.created_at),
        "next_at": when(job.run_at) if job.state == "waiting" else None,
        "url": job.payload["url"],
        "gone": is_gone,
    }


def _callbacks(session: Session, name: str) -> list[UUID]:
    of_run = (
        select(Job.id)
        .where(Job.kind == JobKind.CALLBACK, Job.payload["run_id"].astext == name)
        .order_by(Job.created_at)
    )
    found = list(session.scalars(of_run))
    if found:
        return found
    try:
        return [UUID(name)]
    except ValueError:
        raise callbacks.not_found(name) from None
