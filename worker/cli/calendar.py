"""Commands about when readers see dossiers: dossiers, releases, release, archive."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from sqlalchemy.orm import Session

from models.production import DossierStatus
from worker import db
from worker import dossiers as shelf
from worker.calendar import desk, outlook
from worker.cli.given import (
    ClientOption,
    DossierName,
    Since,
    asked_by,
    read_client,
    read_day,
    read_dossier,
    read_since,
    read_until,
)
from worker.cli.output import AsJson, out, painted, print_json, reporting_errors, table, when
from worker.dossier_filter import DossierFilter, ReleaseState
from worker.dossiers import DossierDetail, DossierRow
from worker.errors import ReleaseDateInvalid, WrongUsage
from worker.settings import settings
from worker.view.shown import shown

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


class Version(StrEnum):
    """The pipelines there are."""

    V1 = "v1"
    V2 = "v2"


def dossiers(
    which: Annotated[str | None, typer.Argument(help="A dossier id or a run id; none: a list.")] = None,
    client: ClientOption = None,
    status: Annotated[DossierStatus | None, typer.Option(help="Only with this status.")] = None,
    version: Annotated[Version | None, typer.Option(help="Only of this pipeline.")] = None,
    release: Annotated[
        ReleaseState | None, typer.Option(help="Only those readers see, will see, or will not.")
    ] = None,
    company: Annotated[str | None, typer.Option(help="Part of the company's name or domain.")] = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List dossiers of V1 and V2, newest first; or show one, with what was decided about its release."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        if which is not None:
            _print_one(session, shelf.show(session, read_dossier(session, which)), as_json=as_json)
            return
        wanted = DossierFilter(
            client_id=read_client(session, client),
            status=status,
            pipeline_version=version,
            release=release,
            company=company,
            since=read_since(since),
        )
        found, _ = shelf.page(session, wanted, limit=limit)
        if as_json:
            print_json(found)
            return
        listed = table("dossier", "run", "company", "client", "status", "readers", "batch")
        for row in found:
            names = (escape(row.run_id or row.pipeline_version), escape(row.company_name), escape(row.client_name))
            listed.add_row(
                str(row.dossier_id), *names, painted(row.status), _readers(row), escape(row.batch_number or "-")
            )
        out.print(listed)


def releases(
    until: Annotated[str | None, typer.Option(help="What readers will see by this day.")] = None,
    client: ClientOption = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show the release calendar: what becomes visible when, and what is superseded then."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        client_id = read_client(session, client)
        found, _ = outlook.releases(session, until=read_until(until), client_id=client_id, limit=limit)
        free = outlook.free_slots(session, client_id, settings().client_mapping) if client_id else []
        if as_json:
            print_json({"releases": found, "free_slots": [slot.isoformat() for slot in free]})
            return
        shown = table("visible at", "client's day", "company", "client", "dossier", "supersedes")
        for entry in found:
            replaced = ", ".join(map(str, entry.supersedes))
            if entry.superseded_by:
                replaced = f"not shown: {entry.superseded_by} is newer"
            day = f"{entry.release_date or '-'}{' (drip)' if entry.drip else ''}"
            names = (escape(entry.company_name), escape(entry.client_name))
            shown.add_row(when(entry.release_at), day, *names, str(entry.dossier_id), replaced or "-")
        out.print(shown)
        if free:
            out.print(f"\nFree drip slots: {', '.join(map(when, free))}")


def release(
    which: DossierName,
    date: Annotated[str | None, typer.Option(help="On another day: 2026-01-20, or drip.")] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Not until somebody says so.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a dossier to its readers now; or put it on another day, or take it off the calendar."""
    with reporting_errors(as_json=as_json):
        if hold and date is not None:
            raise WrongUsage("--hold and --date contradict each other. Give one of them.", field="hold")
        day = read_day(date)
        if date is not None and day is None:
            raise ReleaseDateInvalid("--date is empty. Leave it out to release at once.", field="release_date")
        with db.transaction() as session:
            dossier_id = read_dossier(session, which)
            if hold:
                changed = desk.hold(session, dossier_id, asked_by())
            elif day is None:
                changed = desk.release_now(session, dossier_id, asked_by())
            else:
                changed = desk.reschedule(session, dossier_id, day, asked_by())
        _print_changed(dossier_id, changed=changed, as_json=as_json)


def archive(which: DossierName, as_json: AsJson = False) -> None:
    """Archive a dossier; one that readers never saw leaves the calendar, and replaces nothing any more."""
    with reporting_errors(as_json=as_json):
        with db.transaction() as session:
            dossier_id = read_dossier(session, which)
            changed = desk.archive(session, dossier_id, asked_by())
        _print_changed(dossier_id, changed=changed, as_json=as_json)


def _print_changed(dossier_id: UUID, *, changed: bool, as_json: bool) -> None:
    with db.transaction() as session:
        detail = shelf.show(session, dossier_id)
    if as_json:
        print_json({"ok": True, "duplicate": not changed, **detail.model_dump(mode="json")})
    else:
        out.print(f"Dossier {dossier_id}: {_readers(detail)}{'' if changed else ' (as before)'}")


def _readers(row: DossierRow) -> str:
    """What the readers see of it, in a few words."""
    if row.status == DossierStatus.ERROR:
        return row.error_code or "-"
    if row.released_at and row.released_at <= datetime.now(UTC):
        return f"since {when(row.released_at)}"
    if moment := row.release_at or row.released_at:
        return f"from {when(moment)}"
    if row.v1_releases_on:
        return f"from {row.v1_releases_on}, by V1"
    return "held" if row.status == DossierStatus.READY else "-"


def _print_one(session: Session, detail: DossierDetail, *, as_json: bool) -> None:
    if as_json:
        (seen,) = shown(session, [detail.dossier_id])
        print_json(dict(detail) | {"view": seen.view})
        return
    facts = table("", "")
    facts.show_header = False
    for name, value in (
        ("dossier", detail.dossier_id),
        ("company", detail.company_name),
        ("client", detail.client_name),
        ("run", detail.run_id or detail.pipeline_version),
        ("status", detail.status),
        ("readers", _readers(detail)),
        ("batch", detail.batch_number),
        ("supersedes", detail.supersedes_dossier_id),
        ("superseded by", detail.superseded_by_dossier_id),
    ):
        facts.add_row(name, escape(str(value or "-")))
    out.print(facts)
    history = table("when", "what", "asked by", "day", "visible at", "before", title="\nreleases")
    for event in detail.history:
        history.add_row(
            when(event.at),
            event.action,
            escape(event.asked_by),
            str(event.release_date or "-"),
            when(event.release_at),
            when(event.previous_at),
        )
    out.print(history)
