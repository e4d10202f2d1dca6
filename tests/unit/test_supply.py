"""`make check` refuses an unknown licence and a known vulnerability, and never passes in silence."""

import json
import re
import sys
from email.message import Message
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.supply import audit, licences

ROOT = Path(__file__).parents[2]


def metadata(**fields):
    found = Message()
    found["Name"] = fields.pop("name", "a_package")
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            found[name.replace("_", "-")] = value
    return found


def distribution(**fields):
    return SimpleNamespace(metadata=metadata(**fields), version="1")


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("(GPL-2.0-only OR AGPL-3.0-only) AND MIT", False),
        ("GPL-3.0-only OR MIT AND AGPL-3.0-only", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("Proprietary", False),
        ("", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT MIT", False),
        ("AND MIT", False),
    ],
)
def test_an_expression_permits_what_it_says(expression, is_allowed):
    assert licences.permits(expression) == is_allowed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"License_Expression": "MIT", "License": "GPL"}, "MIT"),
        ({"Classifier": ["License :: OSI Approved", "License :: OSI Approved :: MIT License"]}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, "unknown"),
        ({"License": "Apache License\n   Version 2.0"}, "Apache-2.0"),
        ({"License": "You may do what we like. " * 50}, "unknown"),
        ({"Classifier": "Programming Language :: Python"}, ""),
    ],
)
def test_a_package_is_taken_at_its_word(fields, said):
    assert licences.named(metadata(**fields)) == said


def test_unknown_and_forbidden_licences_are_named_and_a_grant_ends_when_the_licence_changes():
    found = [
        distribution(name="fine", License_Expression="MIT"),
        distribution(name="copyleft", License_Expression="GPL-3.0-only"),
        distribution(name="silent"),
        distribution(name="psycopg", License_Expression="LGPL-3.0-only"),
        distribution(name="Psycopg_Binary", License_Expression="AGPL-3.0-only"),
    ]
    assert licences.problems(found) == [
        "copyleft 1: GPL-3.0-only",
        "psycopg-binary 1: AGPL-3.0-only",
        "silent 1: names no licence",
    ]


def test_every_package_that_is_installed_may_be_used(capsys):
    assert licences.main() == 0, capsys.readouterr().out


def test_every_grant_is_for_a_package_that_is_pinned():
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    assert licences.GRANTED.keys() <= pinned


HURT = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.0"]}


def told(*packages):
    return json.dumps({"dependencies": list(packages)})


def test_a_known_vulnerability_fails_and_says_where_it_is_mended():
    found = audit.read(1, told({"name": "a", "version": "1.0", "vulns": [HURT]}), "")
    assert found.vulnerable == ["a 1.0: PYSEC-1, mended in 2.0"]
    assert found.failed
    assert "1 packages asked about, 1 vulnerabilities" in found.sentence("f")


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-1"])
def test_one_that_we_live_with_is_not_told_again(name):
    package = {"name": "a", "version": "1.0", "vulns": [HURT]}
    assert not audit.read(1, told(package), "", {name: "why"}).failed


def test_every_vulnerability_that_we_live_with_says_why():
    assert all(len(why) > 20 for why in audit.IGNORED.values())


def test_packages_that_could_not_be_asked_about_are_said_so_and_pass():
    skipped = {"name": "a", "skip_reason": "not found"}
    nothing = audit.read(0, told(skipped), "")
    assert not nothing.failed
    assert "NOT CHECKED" in nothing.sentence("f")
    some = audit.read(0, told(skipped, {"name": "b", "version": "1", "vulns": []}), "")
    assert (
        some.sentence("f")
        == "audit of f: 1 packages asked about, 0 vulnerabilities; it could not be asked about a"
    )


def test_a_service_that_cannot_be_reached_is_said_so_and_passes():
    found = audit.read(1, "", "Traceback …\nrequests.exceptions.ConnectionError: Max retries exceeded")
    assert not found.failed
    assert found.sentence("f").startswith("audit of f: NOT CHECKED")


@pytest.mark.parametrize("output", ["", "[]", "{}", "no json"])
def test_a_tool_that_fails_for_another_reason_fails_the_check(output):
    found = audit.read(1, output, "No module named pip_audit")
    assert found.failed
    assert "No module named pip_audit" in found.sentence("f")


def test_a_service_that_hangs_is_given_up():
    hanging = (sys.executable, "-c", "import time; time.sleep(600)")
    assert "no answer within 0.5 s" in audit.ask("f", hanging, 0.5).sentence("f")


def test_make_check_asks_both():
    recipe = (ROOT / "Makefile").read_text()
    assert "-m tests.supply.licences" in recipe
    assert "-m tests.supply.audit requirements-dev.txt" in recipe
    assert "make check" in (ROOT / ".ci" / "run").read_text()
