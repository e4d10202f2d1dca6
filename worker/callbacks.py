"""Callbacks: tell a scenario how its publish ended, signed by Standard Webhooks, for hours if need be."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook

from models.jobs import SETTLED, Job, JobKind, JobState
from models.make import GoneCallback
from worker import answers, jobs
from worker.claims import Claim
from worker.errors import JobNotFound
from worker.retry import RetryPolicy
from worker.settings import Settings

POLICY = RetryPolicy(base=timedelta(seconds=5), cap=timedelta(hours=2))
"""With the attempts that `jobs` allows a callback: at once, then more and more rarely for about half a day."""


def order(session: Session, config: Settings, publish: Claim | Job, url: str | None) -> Job | None:
    """Owe a callback about the end of this publish, in the transaction that records that end.

    Args:
        publish: the claim whose attempt ended it, or the job where nobody had it.
        url: whom to tell.

    Returns:
        The job, to be rung for after the commit; None where no address is given, or it is gone.
    """
    if url is None or session.scalar(select(GoneCallback.url).where(GoneCallback.url == url)) is not None:
        return None
    publish_id = publish.job_id if isinstance(publish, Claim) else publish.id
    job, _ = jobs.accept(
        session,
        config,
        kind=JobKind.CALLBACK,
        key=f"{publish_id}/{publish.epoch}",
        client_id=publish.client_id,
        payload={
            "url": url,
            "run_id": publish.payload["run_id"],
            "publish_job_id": str(publish_id),
            "publish_epoch": publish.epoch,
        },
    )
    return job


def message(
    session: Session, config: Settings, callback: Claim
) -> tuple[bytes, dict[bytes | str, bytes | str]] | None:
    """The body and the headers of a callback: the publish's job answer as it is now, signed if a secret is set.

    The id is the callback's own, the same at every try: a receiver knows a message by it. None where the publish
    has begun again since: its next end has a callback of its own.
    """
    publish = jobs.get(session, UUID(callback.payload["publish_job_id"]))
    if publish.state not in SETTLED or publish.epoch != callback.payload["publish_epoch"]:
        return None
    answer = answers.answer(session, publish, base_url=answers.base_url(config, "/"))
    body = answer.model_dump_json().encode()
    headers: dict[bytes | str, bytes | str] = {"Content-Type": "application/json", "User-Agent": "columnline"}
    if config.callback_secret is not None:
        # The database's clock, not ours: receivers refuse what was signed some minutes off their own time.
        now, message_id = session.scalars(select(func.clock_timestamp())).one(), f"msg_{callback.job_id.hex}"
        secret, *_ = config.callback_secret.get_secret_value().split(",")
        headers |= {
            "Webhook-Id": message_id,
            "Webhook-Timestamp": str(int(now.timestamp())),
            "Webhook-Signature": Webhook(secret).sign(message_id, now, body.decode()),
        }
    return body, headers


def mark_gone(session: Session, url: str) -> None:
    """Send nothing more to this address: it has answered 410."""
    session.execute(insert(GoneCallback).values(url=url).on_conflict_do_nothing())


def replay(session: Session, config: Settings, job_id: UUID) -> Job:
    """Send a callback again, whatever became of it; its address counts as there again.

    Raises:
        JobNotFound: no such callback.
    """
    job = jobs.get(session, job_id)
    if job.kind != JobKind.CALLBACK:
        raise not_found(str(job_id))
    session.execute(delete(GoneCallback).where(GoneCallback.url == job.payload["url"]))
    again = jobs.restart(session, config, Job.id == job_id, states=tuple(JobState))
    assert again is not None
    return again


def not_found(name: str) -> JobNotFound:
    """The error for a name that is neither a callback's nor that of a run that has some."""
    return JobNotFound(
        f"{name!r} is no callback, and no run that has some. See: columnline callbacks list.", field="job_id"
    )


def gone_since(session: Session, urls: set[str]) -> dict[str, Any]:
    """Since when these addresses are gone: those that are."""
    rows = session.execute(select(GoneCallback.url, GoneCallback.gone_at).where(GoneCallback.url.in_(urls)))
    return {row.url: row.gone_at for row in rows}
