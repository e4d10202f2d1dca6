"""`columnline keys`: make, list and revoke the keys of the bridge."""

from typing import Annotated

import typer
from rich.markup import escape

from models.jobs import Scope
from worker import db, keys
from worker.cli.output import AsJson, out, print_json, reporting_errors, table, when

app = typer.Typer(help="API keys of the bridge.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, such as make-production.")],
    scope: Annotated[Scope, typer.Option(help="read looks, publish also sends, ops also acts.")],
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, the only time it can be seen."""
    with reporting_errors(as_json=as_json):
        with db.transaction() as session:
            key = keys.create(session, name, scope)
        if as_json:
            print_json({"ok": True, "name": name, "scope": scope, "key": key})
        else:
            out.print(key, soft_wrap=True)
            out.print("Keep it now: it is stored as a hash and cannot be shown again.", style="dim")


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, revoked ones too; never their secrets."""
    with reporting_errors(as_json=as_json), db.transaction() as session:
        found = keys.every(session)
        if as_json:
            print_json(
                [
                    {
                        "id": key.id,
                        "name": key.name,
                        "scope": key.scope,
                        "created_at": key.created_at,
                        "last_used_at": key.last_used_at,
                        "revoked_at": key.revoked_at,
                    }
                    for key in found
                ]
            )
            return
        shown = table("name", "scope", "created", "last used", "revoked")
        for key in found:
            shown.add_row(
                escape(key.name), key.scope, when(key.created_at), when(key.last_used_at), when(key.revoked_at)
            )
        out.print(shown)


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="The key's name.")], as_json: AsJson = False) -> None:
    """Make a key worthless, at once."""
    with reporting_errors(as_json=as_json):
        with db.transaction() as session:
            keys.revoke(session, name)
        if as_json:
            print_json({"ok": True, "name": name})
        else:
            out.print(f"Key {name!r} is revoked.", markup=False)
