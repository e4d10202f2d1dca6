"""What the README lists is what the code has, neither more nor less."""

import re
import tomllib
from itertools import pairwise

import pytest
from typer.main import get_command

from tests.readme import ROOT, TEXT, blocks, code, rows, sections
from worker.bridge import app
from worker.cli import app as columnline
from worker.cli.lazy import LazyCommand
from worker.cli.output import Exit
from worker.errors import ColumnlineError
from worker.settings import Settings, env_name

LONGEST = 540


def descendants(kind):
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


ERRORS = {kind.code: kind for kind in descendants(ColumnlineError) if hasattr(kind, "code")}


def shown(default):
    match default:
        case None:
            return "none"
        case int() | float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


def test_the_settings_table_is_the_settings_class():
    settings = [
        (f"`{env_name(field)}`", shown(info.default), info.description)
        for field, info in Settings.model_fields.items()
    ]
    assert rows("setting") == settings


def test_every_setting_that_the_text_names_exists():
    known = {env_name(field) for field in Settings.model_fields}
    assert set(re.findall(r"\bCOLUMNLINE_\w+", TEXT)) <= known


def test_the_limits_are_named_in_the_order_that_is_asserted():
    text = sections()["Settings"]
    named = re.findall(r"COLUMNLINE_\w+", text[text.index("The limits must rise") :])
    defaults = {env_name(field): info.default for field, info in Settings.model_fields.items()}
    values = [defaults[name] for name in named]
    assert len(values) == 6
    assert all(lower < upper for lower, upper in pairwise(values))


def test_the_error_table_has_every_code_with_its_status():
    listed = [(code(name)[0], int(status)) for name, status, _ in rows("code")]
    assert sorted(listed) == sorted((name, kind.status) for name, kind in ERRORS.items())


@pytest.mark.parametrize(("name", "_status", "text"), rows("code"))
def test_the_text_of_an_error_says_what_it_means_and_what_to_do(name, _status, text):
    meaning, *action = re.split(r"[.:;] ", text.rstrip("."))
    assert meaning
    assert action
    assert len(text) < 200, "one short paragraph"


def commands(group, prefix="columnline"):
    for name, command in group.commands.items():
        command = command.load() if isinstance(command, LazyCommand) else command  # noqa: PLW2901 - itself
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_the_command_table_has_every_command():
    listed = [name for cell, _ in rows("command") for name in code(cell)]
    assert sorted(listed) == sorted(name for name, _ in commands(get_command(columnline)))


def test_every_option_that_the_text_names_belongs_to_a_command_beside_it():
    known = {
        option
        for _, command in commands(get_command(columnline))
        for part in command.params
        for option in part.opts
    }
    text = sections()["Operate it"]
    assert set(re.findall(r"(?<!\w)--[a-z][a-z-]+", text)) <= known


def test_the_exit_statuses_are_the_programs():
    sentence = re.search(r"Exit statuses: (.*)\.", TEXT)[1]
    named = {int(status): meaning for status, meaning in re.findall(r"(\d) ([a-z ]+)", sentence)}
    assert set(named) == {status.value for status in Exit}
    for status in Exit:
        words = status.name.lower().replace("_", " ").replace("ok", "done")
        assert words in named[status.value]


def test_the_call_table_is_what_the_bridge_serves():
    served = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    listed = [call for cell, *_ in rows("call") for call in code(cell)]
    assert sorted(listed) == sorted(served)


def test_every_folder_and_file_that_the_text_names_exists():
    layout = next(block.text for block in blocks("") if block.text.startswith("models/"))
    named = [line.split()[0] for line in layout.splitlines()]
    named += [name for name in code(TEXT) if re.fullmatch(r"(models|worker|tasks|tests)(/[\w.]+)*/?", name)]
    named = [name for name in named if name != "worker"]  # the worker process
    assert len(named) > 6
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_link_leads_to_a_heading():
    anchors = {heading.lower().replace(" ", "-") for heading in sections()}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
    assert not re.findall(r"\]\((?!#)", TEXT), "links to elsewhere would have to be checked"


def test_every_make_target_that_the_text_names_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake (demo|up|test|check|bench|chaos|fuzz)\b", TEXT))
    assert named == targets


def test_make_test_runs_the_tests():
    recipe = re.search(r"^test:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert recipe.startswith("$(BIN)/pytest")
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_one_version_is_named_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.match(rf"## Changes\n\n\*\*{re.escape(version)}\*\*", sections()["Changes"])
    assert app.version == version


def test_each_decision_has_four_lines():
    decisions = sections()["Decisions"].strip().split("\n\n")[1:]
    assert len(decisions) >= 5
    for decision in decisions:
        title, *lines = decision.splitlines()
        assert re.fullmatch(r"\*\*.+\.\*\*", title)
        assert [line.partition(":")[0] for line in lines] == ["- Context", "- Decision", "- Cost"]


def test_the_readme_is_short_and_speaks_of_nothing_a_reader_cannot_see():
    assert len(TEXT.splitlines()) <= LONGEST
    assert not re.search(r"\.\./|/work/|#\d|issue \d", TEXT)
