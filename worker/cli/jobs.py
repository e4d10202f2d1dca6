"""Commands about runs and their jobs: publish, status, errors, retry, drain."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from models.jobs import Job, JobKind, JobState
from models.orders import PublishOrder
from models.pipeline import V2Run
from worker import answers, db, inbox, jobs, listing
from worker.answers import JobAnswer
from worker.cli.given import Since, read_day, read_since
from worker.cli.output import AsJson, Exit, err, out, print_json, reporting_errors
from worker.cli.shown import print_answers, print_detail, print_overview
from worker.drain import drain as drain_jobs
from worker.errors import ColumnlineError, JobNotFound, WrongUsage
from worker.ring import be_brief, ring
from worker.settings import settings
from worker.waiting import wait_for

RunIds = Annotated[list[str], typer.Argument(help="Run ids.")]
Which = Annotated[str | None, typer.Argument(help="A run id or a job id; none: an overview.")]

_WAIT = 3600.0


class Supersede(StrEnum):
    """What `--supersede` may say."""

    AUTO = "auto"
    NONE = "none"


def publish(
    run_ids: RunIds,
    release_date: Annotated[str | None, typer.Option(help="Day to release on: 2026-01-20, or drip.")] = None,
    list_name: Annotated[str | None, typer.Option("--list", help="List to put it on.")] = None,
    supersede: Annotated[
        Supersede | None, typer.Option(help="Replace the company's newest dossier, or none.")
    ] = None,
    supersedes: Annotated[str | None, typer.Option(help="Replace this one: a run id or a dossier id.")] = None,
    batch_number: Annotated[str | None, typer.Option(help="Batch, where Make.com numbers them.")] = None,
    republish: Annotated[bool, typer.Option("--republish", help="Assemble again what is published.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until each has ended or is held.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish finished runs. Exit status 1 if one was refused or ended in error."""
    with reporting_errors(as_json=as_json):
        be_brief()
        options = {
            "release_date": read_day(release_date),
            "list": list_name,
            "supersede": supersede,
            "batch_number": batch_number,
            "republish": republish,
        }
        answered: list[JobAnswer] = []
        for run_id in run_ids:
            try:
                with db.transaction() as session:
                    order = PublishOrder(run_id=run_id, **options, **_superseded(session, supersedes))
                    job, new = inbox.accept_publish(session, settings(), order)
                    answered.append(answers.answer(session, job, duplicate=not new))
            except ColumnlineError as error:
                answered.append(answers.refusal(error, run_id))
                continue
            if new:
                ring(job)
        if wait:
            answered = list(_waited(answered))
        print_answers(answered, as_json=as_json)
    if any(not answer.ok for answer in answered):
        raise typer.Exit(Exit.FAILED)


def status(which: Which = None, as_json: AsJson = False) -> None:
    """Show a job with its attempts, or how many jobs are in which state."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        if which is None:
            print_overview(session, as_json=as_json)
            return
        job = _job(session, which)
        shown = answers.detail(session, job, jobs.attempts(session, job.id))
        if as_json:
            print_json(shown)
            return
        print_detail(shown)


def errors(
    since: Since = None,
    client: Annotated[str | None, typer.Option(help="Only of this v2 client.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List what needs somebody: jobs in error, held ones, and reruns without an end, each with what to do."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        wanted = listing.JobFilter(client_id=client, since=read_since(since))
        failed, _ = listing.page(session, replace(wanted, state=JobState.ERROR), limit=limit)
        held, _ = listing.page(session, replace(wanted, state=JobState.HELD), limit=limit)
        hanging = listing.hanging_reruns(session, wanted, limit=limit)
        found = [answers.answer(session, job) for job in (*failed, *held, *hanging)]
        if not found and not as_json:
            out.print("Nothing needs you.", style="green")
            return
        print_answers(found, as_json=as_json)


def retry(
    which: Annotated[list[str] | None, typer.Argument(help="Run ids or job ids.")] = None,
    state: Annotated[JobState | None, typer.Option(help="All in this state.")] = None,
    code: Annotated[str | None, typer.Option(help="All with this error code.")] = None,
    client: Annotated[str | None, typer.Option(help="All of this v2 client.")] = None,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Make jobs due again that are in error, cancelled, held or waiting: those named, or those a filter finds."""
    with reporting_errors(as_json=as_json):
        be_brief()
        wanted = listing.JobFilter(state=state, code=code, client_id=client, since=read_since(since))
        if which and wanted != listing.JobFilter():
            raise WrongUsage("Name jobs, or give a filter: one of the two would be ignored.", field="which")
        with db.transaction() as session:
            if which:
                tried = inbox.restart(session, settings(), [_job(session, name).id for name in which])
                retried = [job for job, changed in tried if changed]
            else:
                retried = listing.retry(session, settings(), wanted, limit=1000)
            answered = [answers.answer(session, job) for job in retried]
        ring(*retried)
        if as_json:
            print_json({"ok": True, "retried": len(retried), "job_ids": [job.id for job in retried]})
        else:
            out.print(f"{len(retried)} made due again.")
            if answered:
                print_answers(answered)


def drain(as_json: AsJson = False) -> None:
    """Work off all due jobs in this process, without the broker: for the day Redis is gone."""
    with reporting_errors(as_json=as_json):
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=err, transient=True) as progress:
            task = progress.add_task("looking for due jobs")
            done = 0
            for done, job in enumerate(drain_jobs(), 1):
                progress.update(task, description=f"{done} worked off, last: {job.key}")
        if as_json:
            print_json({"ok": True, "worked_off": done})
        else:
            out.print(f"{done} attempts made; nothing is due now.")


def _waited(answered: list[JobAnswer]) -> Iterator[JobAnswer]:
    """Each answer again, once its job has ended or is held."""
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("publishing", total=len(answered))
        for answer in answered:
            if answer.job_id is None:
                yield answer
            else:
                job = wait_for(answer.job_id, _WAIT)
                with db.transaction() as session:
                    yield answers.answer(session, job, duplicate=answer.duplicate)
            progress.advance(task)


def _job(session: Session, name: str) -> Job:
    job = jobs.find(session, JobKind.PUBLISH, name)
    if job is not None:
        return job
    try:
        return jobs.get(session, UUID(name))
    except ValueError:
        raise JobNotFound(
            f"There is no publish of a run {name!r}, and it is no job id. Publish it: columnline publish {name}.",
            field="run_id",
        ) from None


def _superseded(session: Session, name: str | None) -> dict[str, Any]:
    """A run's id comes before a dossier's: it may be of the same form."""
    if name is None:
        return {}
    if not session.scalar(select(exists().where(V2Run.run_id == name))):
        with suppress(ValueError):
            return {"supersedes_dossier_id": UUID(name)}
    return {"supersedes_run_id": name}
