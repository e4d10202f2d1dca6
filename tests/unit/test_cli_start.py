"""The command line starts without what it does not need, and says the same as if it had all of it."""

import os
import subprocess
import sys

import pytest
from typer.main import get_command

from tests.database.command import columnline
from worker.cli import COMMANDS, app

REPORT = """
import sys
from worker.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported_by(*words):
    """Every module that this command has imported when it ends; it reaches no database."""
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    ran = subprocess.run(
        [sys.executable, "-c", REPORT, *words],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(ran.stderr.splitlines()[-1].split())


def completed(text):
    """What a shell offers after this text."""
    words = text.split(" ")
    variables = {"COMP_WORDS": text, "COMP_CWORD": str(len(words) - 1), "_COLUMNLINE_COMPLETE": "complete_bash"}
    command = [sys.executable, "-c", "from worker.cli import app; app(prog_name='columnline')"]
    ran = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    return ran.stdout.split()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_beside_a_command_is_how_its_own_help_begins(name):
    standing_in = get_command(app).commands[name]
    own = standing_in.load()
    assert own.name == name
    assert own.help.split("\n\n")[0] == standing_in.help


def test_the_help_lists_every_command_in_order_and_imports_none():
    shown = columnline("--help").stdout
    places = [shown.index(f"│ {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert not imported_by("--help") & {"sqlalchemy", "pydantic", "structlog", "celery", "alembic", "redis"}


def test_a_command_imports_what_it_needs_and_no_other_doors_libraries():
    modules = imported_by("keys", "list")
    assert {"sqlalchemy", "worker.keys"} <= modules
    assert not modules & {"celery", "kombu", "alembic", "redis", "fastapi", "httpx2", "rapidfuzz", "worker.cli.up"}


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("columnline ke", ["keys"]),
        ("columnline keys l", ["list"]),
        ("columnline publish --re", ["--release-date", "--republish"]),
        ("columnline publish --supersede a", ["auto"]),
    ],
)
def test_a_shell_is_offered_commands_their_options_and_values(text, offered):
    assert completed(text) == offered


def test_what_is_no_command_is_wrong_usage_and_the_nearest_one_is_named():
    result = columnline("key", "list")
    assert result.exit_code == 2
    assert "Did you mean 'keys'?" in result.output
