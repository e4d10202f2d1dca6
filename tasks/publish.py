"""Publish a run, or show what a publish would make of it."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from models.jobs import JobKind
from models.orders import PublishOrder
from tasks.assemble import assemble
from tasks.load import load_run
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
from worker.attempt import holding
from worker.calendar.chain import summary
from worker.calendar.slots import Place
from worker.celery import app
from worker.db import transaction
from worker.heard import JobFailed
from worker.ring import ring
from worker.settings import settings


@app.task(name=JobKind.PUBLISH.value, throws=(JobFailed,))
def publish_run(*, job_id: str, run_id: str = "") -> None:
    """Publish one accepted run. Safe to receive twice: only the holder of the claim writes."""
    del run_id  # there to be searched for in Flower; the row says what to do
    with holding(job_id, JobKind.PUBLISH, on_error=store_error) as attempt:
        if attempt is None:
            return
        order = PublishOrder.model_validate(attempt.payload)
        with transaction() as session:
            attempt.begin(session)
            run = attempt.store("load", session, load_run, order.run_id, settings().client_mapping)
            draft = attempt.step("assemble", assemble, run.input)
            batch = attempt.store("batch", session, choose_batch, run, order)
            placed, due = attempt.store("dossier", session, upsert_dossier, run, draft, order, batch)
            attempt.store("contacts", session, replace_contacts, run, draft.contacts)
            released_at = attempt.store("link", session, link, run, placed, due=due)
            attempt.store("complete", session, close_run, run, batch)
            outcome = result_of(run, batch) | {
                "contacts_created": len(draft.contacts),
                "released_at": released_at and released_at.isoformat(),
            }
            bells = attempt.store("complete", session, tell_others, attempt.claim, run, order)
            attempt.complete(session, outcome, draft.warnings + placed.notices)
        ring(*bells)  # lost? the sweep rings again


@app.task(name=JobKind.PREVIEW.value, throws=(JobFailed,))
def preview_run(*, job_id: str, run_id: str = "") -> None:
    """Assemble a run as a publish would, and keep what came out as the job's result. Writes nothing else."""
    del run_id
    with holding(job_id, JobKind.PREVIEW, patience=timedelta()) as attempt:
        if attempt is None:
            return
        order = PublishOrder.model_validate(attempt.payload)
        with transaction() as session:
            attempt.begin(session)
            run = attempt.store("load", session, load_run, order.run_id, settings().client_mapping)
            draft = attempt.step("assemble", assemble, run.input)
            placed = attempt.store("link", session, placing, settings(), run, draft, order, lock=False)
            older = attempt.store("link", session, summary, placed.supersedes)
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
