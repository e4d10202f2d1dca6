"""Commands about clients: list, map, show, set, sync, unify."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from worker import db, mapping, wishes
from worker.cli.given import asked_by
from worker.cli.output import AsJson, Exit, err, out, painted, print_json, reporting_errors, table, when
from worker.config import unify as unifying
from worker.config.sync import SETTLE, Side, SyncReport
from worker.config.sync import sync as sync_config
from worker.errors import WrongUsage
from worker.ring import be_brief, ring
from worker.settings import settings
from worker.wishes import ClientSettings

app = typer.Typer(help="Map clients, set what they want, keep both tables of them equal.", no_args_is_help=True)

V2Client = Annotated[str, typer.Argument(help="A v2 client, such as CLT_NORTHWIND_001.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

_LONGEST_VALUE = 60


@app.command("list")
def list_clients(
    unmapped: Annotated[bool, typer.Option("--unmapped", help="Only those whose runs are held.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List v2 clients and where they lead; of those that lead nowhere, who waits, and who may be meant."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        found = mapping.clients(session, settings().client_mapping, unmapped=unmapped, limit=limit)
        if as_json:
            print_json(found)
            return
        shown = table("client", "name", "status", "leads to", "held", "since", "may be meant")
        for row in found:
            leads_to = f"{row.production_client_id} ({row.mapped_by})" if row.mapped_by else "-"
            meant = "; ".join(f"{who.client_id} {who.name} ({who.why})" for who in row.candidates)
            shown.add_row(
                escape(row.v2_client_id),
                escape(row.name),
                escape(row.status),
                leads_to,
                str(row.held_runs or "-"),
                when(row.held_since),
                escape(meant or "-"),
            )
        out.print(shown)


@app.command("map")
def map_client(
    v2_client: V2Client,
    production_client: Annotated[UUID | None, typer.Argument(help="The id of a client of the app.")] = None,
    slug: Annotated[str | None, typer.Option(help="The slug of a client of the app.")] = None,
    create: Annotated[bool, typer.Option("--create", help="Make a client of the app.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lead a v2 client to a client of the app; the runs that were held for it go on at once, in order."""
    with reporting_errors(as_json=as_json):
        be_brief()
        with db.transaction() as session:
            mapped, jobs = mapping.map_client(
                session, settings(), v2_client, production_client_id=production_client, slug=slug, create=create
            )
        ring(*jobs)
        if as_json:
            print_json({"ok": True, **mapped.model_dump(mode="json")})
            return
        made = " (made)" if mapped.created else ""
        out.print(f"{v2_client} leads to {mapped.production_client_id}{made}.", markup=False)
        out.print(f"{mapped.released_jobs} held jobs go on.")
        for warning in mapped.warnings:
            out.print(warning, style="yellow", markup=False)


@app.command()
def show(v2_client: V2Client, as_json: AsJson = False) -> None:
    """Show what counts for a client, and where it comes from."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        _print_settings(wishes.show(session, settings(), v2_client), as_json=as_json)


@app.command("set")
def set_wishes(
    v2_client: V2Client,
    wanted: Annotated[list[str], typer.Argument(help="NAME=VALUE; an empty VALUE takes it back.")],
    as_json: AsJson = False,
) -> None:
    """Set what a client wants: supersede, default_list, drip_schedule, timezone, release_hour."""
    with reporting_errors(as_json=as_json):
        pairs: dict[str, str] = {}
        for text in wanted:
            name, found, value = text.partition("=")
            if not found:
                raise WrongUsage(f"{text!r} is no NAME=VALUE. Write, for instance, release_hour=7.", field=name)
            pairs[name.strip()] = value
        with db.transaction() as session:
            _print_settings(wishes.change(session, settings(), v2_client, pairs, asked_by()), as_json=as_json)


@app.command()
def sync(
    v2_client: Annotated[str | None, typer.Argument(help="Only this v2 client.")] = None,
    field: Annotated[str | None, typer.Option(help="Only this field, such as icp_config.")] = None,
    take: Annotated[
        str | None, typer.Option(help="The side that counts, to settle that one field: v2, production.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let the owner's changes of config fields flow to the other table. Exit status 1 if there are conflicts."""
    with reporting_errors(as_json=as_json):
        with db.transaction() as session:
            report = sync_config(
                session,
                settings(),
                asked_by=asked_by(),
                dry_run=dry_run,
                only=v2_client,
                field=field,
                take=_side(take),
            )
        if as_json:
            print_json(report)
        else:
            _print_sync(report)
    if report.conflicts:
        raise typer.Exit(Exit.FAILED)


@app.command()
def unify(
    dry_run: DryRun = False,
    undo: Annotated[bool, typer.Option("--undo", help="Let both tables go their own ways again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let the app's table own the config fields; the pipeline's reads and writes as before."""
    if undo and dry_run:
        raise typer.BadParameter("--undo does not go with --dry-run: it keeps every value.")
    with reporting_errors(as_json=as_json):
        with db.transaction() as session:
            if undo:
                was = unifying.undo(session)
            else:
                report = unifying.unify(session, settings().client_mapping, dry_run=dry_run)
        if undo:
            if as_json:
                print_json({"ok": True, "done": False, "changed": was})
            else:
                out.print("The tables go their own ways again." if was else "They were not unified.")
            return
        if as_json:
            print_json(report)
        elif report.ok:
            verb = "would be" if dry_run and not report.done else "are"
            out.print(
                f"The config fields {verb} the app's: {report.filled} filled, {len(report.mapped)} mapped by slug."
            )
        else:
            err.print("[red]Not unified: these fields differ, and one value would be lost.[/]")
            shown = table("client of the app", "field", "values")
            for found in report.in_the_way:
                values = "\n".join(f"{side}: {_short(value)}" for side, value in found["values"].items())
                shown.add_row(str(found["client_id"]), found["field"], escape(values))
            err.print(shown)
            err.print(f"Settle each: {SETTLE}.", markup=False)
    if not report.ok:
        raise typer.Exit(Exit.FAILED)


def _side(text: str | None) -> Side | None:
    match text:
        case None | "v2" | "production":
            return text
        case _:
            raise WrongUsage(f"--take is {text!r}. Give v2 or production.", field="take")


def _print_settings(found: ClientSettings, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    out.print(f"{found.v2_client_id}, {found.name}, {found.status}", markup=False)
    out.print(f"leads to {found.production_client_id or 'nobody: its runs are held'}", markup=False)
    shown = table("setting", "value", "from")
    for wish in found.settings:
        shown.add_row(wish.name, escape(_short(wish.value)), wish.source)
    out.print(shown)


def _print_sync(report: SyncReport) -> None:
    if report.skipped:
        out.print(f"Nothing was done: {report.skipped}.", markup=False)
        return
    would = "would be " if report.dry_run else ""
    out.print(
        f"{report.fields} fields compared, {report.copied} {would}copied, {report.conflicts} conflicts. "
        f"Owner: {report.owner.value}."
    )
    if not report.differences:
        return
    shown = table("client", "field", "what", "why", "in v2_clients", "in clients")
    for found in report.differences:
        shown.add_row(
            escape(found.v2_client_id),
            found.field,
            painted(found.action),
            found.reason,
            *map(escape, _difference(found.v2, found.production)),
        )
    out.print(shown)
    if report.conflicts:
        out.print(f"Settle each conflict: {SETTLE}.", markup=False)


def _difference(one: Any, other: Any) -> tuple[str, str]:
    """What of the two values differs: of two objects, the keys that do."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in sorted(one.keys() | other.keys()) if one.get(key, ...) != other.get(key, ...)]
        lines = [
            tuple(f"{key}: {_short(side[key])}" if key in side else f"{key}: -" for side in (one, other))
            for key in keys
        ]
        return "\n".join(line[0] for line in lines), "\n".join(line[1] for line in lines)
    return _short(one), _short(other)


def _short(value: Any) -> str:
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
