"""Publish a run, or show what a publish would make of it."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from models.jobs import Job, JobKind
from models.orders import PublishOrder
from tasks.assemble import assemble
from tasks.load import hold_dossier, load_run
from tasks.placing import Placing, placing
from tasks.store import (
    choose_batch,
    close_run,
    link,
    replace_contacts,
    result_of,
    store_error,
    tell_others,
    upsert_dossier,
)
from worker.attempt import Attempt, holding
from worker.calendar.chain import summary
from worker.calendar.slots import Place
from worker.celery import app
from worker.heard import JobFailed
from worker.ring import ring
from worker.settings import settings


@app.task(name=JobKind.PUBLISH.value, throws=(JobFailed,))
def publish_run(*, job_id: str, run_id: str = "") -> None:
    """Publish one accepted run. Safe to receive twice: only the holder of the claim writes."""
    del run_id  # there to be searched for in Flower; the row says what to do
    with holding(job_id, JobKind.PUBLISH, on_error=store_error) as attempt:
        if attempt is not None:
            bells = attempt.work(_publish, attempt, PublishOrder.model_validate(attempt.payload))
            ring(*bells)  # lost? the sweep rings again


def _publish(session: Session, attempt: Attempt, order: PublishOrder) -> list[Job]:
    if order.republish or attempt.claim.epoch > 1:  # its first claim finds no dossier of it
        attempt.step("load", hold_dossier, session, order.run_id)
    run = attempt.step("load", load_run, session, order.run_id, settings().client_mapping)
    draft = attempt.step("assemble", assemble, run.input)
    batch = attempt.step("batch", choose_batch, session, run, order)
    placed, due = attempt.step("dossier", upsert_dossier, session, run, draft, order, batch)
    attempt.step("contacts", replace_contacts, session, run, draft.contacts)
    released_at = attempt.step("link", link, session, run, placed, due=due)
    attempt.step("complete", close_run, session, run, batch)
    bells = attempt.step("complete", tell_others, session, attempt.claim, run, order)
    outcome = result_of(run, batch) | {
        "contacts_created": len(draft.contacts),
        "released_at": released_at and released_at.isoformat(),
    }
    attempt.complete(session, outcome, draft.warnings + placed.notices)
    return bells


@app.task(name=JobKind.PREVIEW.value, throws=(JobFailed,))
def preview_run(*, job_id: str, run_id: str = "") -> None:
    """Assemble a run as a publish would, and keep what came out as the job's result. Writes nothing else."""
    del run_id
    with holding(job_id, JobKind.PREVIEW, patience=timedelta()) as attempt:
        if attempt is not None:
            attempt.work(_look, attempt, PublishOrder.model_validate(attempt.payload))


def _look(session: Session, attempt: Attempt, order: PublishOrder) -> None:
    run = attempt.step("load", load_run, session, order.run_id, settings().client_mapping)
    draft = attempt.step("assemble", assemble, run.input)
    placed = attempt.step("link", placing, session, settings(), run, draft, order, lock=False)
    older = attempt.step("link", summary, session, placed.supersedes)
    attempt.complete(session, _preview(asdict(draft), placed, older), draft.warnings + placed.notices)


def _preview(draft: dict[str, Any], placed: Placing, older: dict[str, Any] | None) -> dict[str, Any]:
    contacts = [contact | {"id": str(contact["id"])} for contact in draft.pop("contacts")]
    draft.pop("warnings")
    place = placed.place or Place()
    dossier = draft | {
        "release_date": place.day and place.day.isoformat(),
        "release_at": place.at and place.at.isoformat(),
        "pipeline_version": "v2",
    }
    return {"dossier": dossier, "contacts": contacts, "supersedes": older}
