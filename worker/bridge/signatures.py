"""Requests that are signed rather than keyed (Standard Webhooks): over the raw body, fresh, and taken once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.concurrency import run_in_threadpool

from models.make import SignedMessage
from worker import db
from worker.bridge.body import read_raw
from worker.bridge.rates import rates
from worker.errors import Unauthorized, Unavailable
from worker.settings import settings

ID, SIGNATURE = "webhook-id", "webhook-signature"
REMEMBERED = timedelta(minutes=15)
"""Longer than a signature counts, five minutes before and after."""

_LONGEST_ID = 200


async def signed(request: Request) -> AsyncIterator[bool]:
    """Whether the request bears a good signature; False where it bears none, or none are taken.

    A message that met an outage is forgotten again: its answer says to send the same once more.

    Raises:
        Unauthorized: it bears one that is wrong, too old, or was taken before.
        RateLimited: its address has sent too many of those, and never a good one.
    """
    secrets = settings().webhook_secrets
    if secrets is None or SIGNATURE not in request.headers:
        yield False
        return
    limits = rates(request)
    mark = limits.admit_signer(request)
    raw = await read_raw(request)
    try:
        await run_in_threadpool(_verify, raw, dict(request.headers), secrets.get_secret_value().split(","))
    except Unauthorized:
        limits.failed(request)  # the address may be a proxy's: whoever signs well there goes on
        raise
    limits.known(mark)
    try:
        yield True
    except (Unavailable, SQLAlchemyError):
        await run_in_threadpool(_forget, request.headers[ID])
        raise


Signed = Annotated[bool, Depends(signed)]


def _verify(raw: bytes, headers: dict[str, str], secrets: list[str]) -> None:
    message_id = headers.get(ID, "")
    if not any(_is_good(raw, headers, secret) for secret in secrets) or len(message_id) > _LONGEST_ID:
        raise Unauthorized(
            "The signature is wrong, or its timestamp is more than five minutes off. Sign the exact bytes of the "
            "body as `id.timestamp.body`."
        )
    with db.transaction() as session:
        if not _is_new(session, message_id):
            raise Unauthorized(
                f"Message {message_id!r} was taken before. Give each request an id of its own, and sign it afresh."
            )


def _is_good(raw: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        Webhook(secret).verify(raw, headers, json_parse=False)
    except (WebhookVerificationError, ValueError, TypeError):  # the library raises all of these for bad headers
        return False
    return True


def _forget(message_id: str) -> None:
    with db.transaction() as session:
        session.execute(delete(SignedMessage).where(SignedMessage.id == message_id))


def _is_new(session: Session, message_id: str) -> bool:
    session.execute(delete(SignedMessage).where(SignedMessage.seen_at < func.now() - REMEMBERED))
    new = insert(SignedMessage).values(id=message_id).on_conflict_do_nothing().returning(SignedMessage.id)
    return session.scalar(new) is not None
