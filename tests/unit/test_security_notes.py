"""The threat model names tests, settings and scopes that exist, and is short enough to be read."""

import re
from pathlib import Path

from models.jobs import Scope
from tests.readme import TEXT
from worker.settings import Settings, env_name

ROOT = Path(__file__).parents[2]
NOTES = (ROOT / ".github" / "SECURITY.md").read_text()
CODE = set(re.findall(r"`([^`\n]+)`", NOTES))


def test_every_file_that_it_names_exists():
    named = {name for name in CODE if "/" in name}
    assert len(named) > 20
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_every_entry_point_names_a_test():
    rows = [row for row in NOTES.splitlines() if row.startswith("| ") and "`tests/" in row]
    body = NOTES.split("| entry |")[1].split("\n\n")[0].splitlines()[2:]
    assert rows == body


def test_every_setting_that_it_names_exists():
    known = {env_name(field) for field in Settings.model_fields}
    named = {name for name in CODE if name.startswith("COLUMNLINE_")}
    assert named
    assert named <= known


def test_what_else_it_names_is_known():
    rest = {name for name in CODE if "/" not in name and not name.startswith("COLUMNLINE_")}
    assert rest == {"make check", "FORWARDED_ALLOW_IPS", Scope.READ.value, Scope.OPS.value}


def test_it_is_a_page_and_the_readme_leads_to_it():
    assert len(NOTES.splitlines()) <= 70
    assert ".github/SECURITY.md" in TEXT
