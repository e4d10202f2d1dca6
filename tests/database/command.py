"""The command line in this process, and what it printed."""

import json

from typer.testing import CliRunner

from worker.cli import app


def columnline(*words):
    """Run a command: `columnline("dossiers", "--json")`; exit status and output."""
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def told(result, status=0):
    """What the command printed as JSON."""
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def shown(result, status=0):
    """What the command printed for people."""
    assert result.exit_code == status, result.output
    return result.stdout


def code_of(result, status=1):
    """The code of the error that the command printed as JSON."""
    return told(result, status)["error"]["code"]
