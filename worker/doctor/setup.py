"""Is it set up as production should be: settings, disk, keys, mappings, callbacks?"""

import os
import shutil
from urllib.parse import urlsplit

from sqlalchemy import exists, func, or_, select, text
from sqlalchemy.orm import Session

from models.jobs import Job, JobState
from models.pipeline import V2Client
from models.production import Client
from worker.clients import is_production_client
from worker.doctor.findings import Findings, ok, problem, typed, warning
from worker.mapping import CURED
from worker.settings import settings

_HERE = {None, "", "localhost", "127.0.0.1", "::1"}
_LITTLE, _TOO_LITTLE = 1_000_000_000, 100_000_000
"""Bytes left on the disk: when to look, and when it is too late."""
_MOST = 20
"""Clients that are named one by one."""

_KEYS = text("""
select name, scope, last_used_at is null as is_unused from api_keys
where revoked_at is null and coalesce(last_used_at, created_at) < now() - interval '90 days' order by name
""")
_UNPROVED = text("""
select conrelid::regclass::text as name, quote_ident(conname) as conname from pg_constraint
where not convalidated and connamespace = 'public'::regnamespace order by 1, 2
""")
_CALLBACKS = text("""
select exists (select from v2_clients where callback_url is not null)
  or exists (select from jobs where kind = 'callback.send' and created_at > now() - interval '30 days')
""")


def settings_look() -> Findings:
    """What will do for trying out, and not for production."""
    config = settings()
    is_fine = True
    for name, found, cure in _unusual():
        is_fine = False
        yield warning(f"{name}: {found}", cure)
    if config.make_mode == "api" and any((config.make_url, config.make_token, config.make_scenario_id)):
        given = (config.make_url, config.make_token, config.make_scenario_id)
        if not all(given):
            is_fine = False
            yield warning(
                "Make.com is half set up for reruns.",
                "Set COLUMNLINE_MAKE_URL, COLUMNLINE_MAKE_TOKEN and COLUMNLINE_MAKE_SCENARIO_ID",
            )
    if is_fine:
        yield ok("The settings will do for production.")


def _unusual() -> list[tuple[str, str, str]]:
    config = settings()
    found = []
    if config.database_url is None:
        found.append(("DATABASE_URL", "none; the embedded PostgreSQL is for trying out.", "Set DATABASE_URL"))
    elif (
        _goes_out(config.database_url.get_secret_value())
        and "sslmode=" not in config.database_url.get_secret_value()
        and "PGSSLMODE" not in os.environ
    ):
        found.append(
            ("DATABASE_URL", "leads to another machine, and does not insist on TLS.", "Add ?sslmode=verify-full")
        )
    if config.redis_url is None:
        found.append(("REDIS_URL", "none; the embedded Redis is for trying out.", "Set REDIS_URL"))
    elif _goes_out(config.redis_url.get_secret_value()) and "@" not in config.redis_url.get_secret_value():
        found.append(("REDIS_URL", "leads to another machine without a password.", "Have the broker ask for one"))
    if config.public_url is not None and config.public_url.startswith("http://"):
        host = urlsplit(config.public_url).hostname
        if host not in _HERE:
            found.append(
                (
                    "COLUMNLINE_PUBLIC_URL",
                    "is http: keys would travel readably.",
                    "Put TLS before the bridge, and set https://…",
                )
            )
    if config.host not in _HERE:
        found.append(
            ("COLUMNLINE_HOST", "the bridge listens to other machines without TLS.", "Put a proxy before it")
        )
    return found


def _goes_out(url: str) -> bool:
    """Whether it leaves this machine and its network; a name without a dot is of that network, as in Compose."""
    host = urlsplit(url).hostname
    return host not in _HERE and host is not None and ("." in host or ":" in host)


def disk() -> Findings:
    """Whether there is room where the embedded servers and the signs of life are."""
    folder = settings().data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < _LITTLE:
        say = problem if free < _TOO_LITTLE else warning
        yield say(f"{free / 1e6:.0f} MB are free at {folder}.", "Make room, or set COLUMNLINE_DATA_DIR")
    else:
        yield ok(f"{free / 1e9:.0f} GB are free at {folder}.")


def mappings(session: Session) -> Findings:
    """Whether every client leads to one of the app's, and constraints were proved on old rows.

    One that is inactive may lead nowhere, as long as no run waits for it.
    """
    is_awaited = exists().where(
        Job.state == JobState.HELD, Job.held_reason.in_(CURED), Job.client_id == V2Client.client_id
    )
    leads_to = func.count(Client.id)
    rows = session.execute(
        select(
            V2Client.client_id, V2Client.production_client_id, leads_to.label("number"), is_awaited.label("holds")
        )
        .outerjoin(Client, is_production_client(settings().client_mapping))
        .where(or_(V2Client.status != "inactive", V2Client.production_client_id.is_not(None), is_awaited))
        .group_by(V2Client.client_id)
        .having(leads_to != 1)
        .order_by(is_awaited.desc(), V2Client.client_id)
    ).all()
    for row in rows[:_MOST]:
        if row.production_client_id is not None:
            target = f"{row.production_client_id}, which is no client"
        else:
            target = f"{row.number or 'no'} clients of the app{'; its runs are held' if row.holds else ''}"
        which = "ID" if row.number else "--slug … (or --create)"
        say = problem if row.holds or row.production_client_id else warning
        yield say(f"{row.client_id} leads to {target}.", f"columnline clients map {typed(row.client_id)} {which}")
    if len(rows) > _MOST:
        yield warning(f"{len(rows) - _MOST} more clients lead to none.", "columnline clients list --unmapped")
    unproved = session.execute(_UNPROVED).all()
    for row in unproved:
        yield warning(
            f"Constraint {row.conname} was not proved on old rows.",
            f"In psql: alter table {row.name} validate constraint {row.conname}",
        )
    if not rows and not unproved:
        yield ok("Every client leads to one of the app's.")


def api_keys(session: Session) -> Findings:
    """Whether keys lie about that nobody uses."""
    idle = session.execute(_KEYS).all()
    for row in idle:
        since = "was never used" if row.is_unused else "was not used for 90 days"
        yield warning(f"Key {row.name} ({row.scope}) {since}.", f"columnline keys revoke {typed(row.name)}")
    if not session.scalar(text("select exists (select from api_keys where revoked_at is null)")):
        yield warning("There is no API key.", "columnline keys create make-production --scope publish")
    elif not idle:
        yield ok("Every API key is in use.")


def callbacks(session: Session) -> Findings:
    """Whether scenarios can tell our callbacks from forged ones, and ask at the address that these name."""
    are_sent = session.scalar(_CALLBACKS)
    if are_sent and settings().callback_secret is None:
        yield warning("Callbacks are sent, and not signed.", "Set COLUMNLINE_CALLBACK_SECRET")
    if are_sent and settings().public_url is None:
        yield warning("Callbacks are sent whose status_url names no host.", "Set COLUMNLINE_PUBLIC_URL")
    if not are_sent or (settings().callback_secret and settings().public_url):
        yield ok("Callbacks are signed and name the bridge's address, or none are sent.")
