"""The rules of the code's shape, read from the code itself."""

import ast
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
LAYERS = ("models", "worker", "tasks", "tests")
PRODUCT = [path for layer in LAYERS[:-1] for path in sorted((ROOT / layer).rglob("*.py"))]
EVERYTHING = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
MIGRATIONS = ROOT / "models" / "migrations"
LONGEST_FILE = 300

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.txt", "requirements-dev.txt")

# Who may catch every exception without raising it again, and what becomes of it.
CATCHES_ALL = {
    ("worker/attempt.py", "holding"): "turns it into an outcome: the one place that does",
    ("worker/attempt.py", "_run_hook"): "logs it; the job's own error must be recorded all the same",
    ("worker/bridge/__init__.py", "_sweep_until"): "logs it; the next sweep may do",
    ("worker/bridge/health.py", "broker_answers"): "whatever a broker's client raises, it is not there",
    ("worker/doctor/run.py", "_findings"): "says so: whatever fails in a look is what was found",
    ("worker/ring.py", "ring"): "whatever a broker's client raises, the sweep rings again",
    ("worker/ring.py", "ring_release"): "whatever a broker's client raises, beat or the next sweep rings again",
    ("worker/ring.py", "_silent"): "whatever a broker's client raises, it is asked again next time",
    ("worker/supervise/supervisor.py", "_report"): "hands it to the thread that raises it",
}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def parse(path):
    return ast.parse(path.read_text(), filename=str(path))


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides where it leads"
            yield node.lineno, node.module


@pytest.mark.parametrize("layer", LAYERS[:-1])
def test_imports_run_one_way_from_tasks_over_worker_to_models(layer):
    above = LAYERS[LAYERS.index(layer) + 1 :]
    wrong = [
        f"{name_of(path)}:{line} imports {module}"
        for path in sorted((ROOT / layer).rglob("*.py"))
        for line, module in imported(parse(path))
        if module.partition(".")[0] in above
    ]
    assert not wrong


def begins_or_ends_a_transaction(call):
    """`.commit()` or `.begin()` of a session, connection or engine; a savepoint's `.begin_nested()` is none."""
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    return function.attr in {"commit", "begin"}


def test_only_the_database_module_opens_and_commits_transactions():
    places = {
        name_of(path)
        for path in PRODUCT
        if MIGRATIONS not in path.parents and any(map(begins_or_ends_a_transaction, calls(parse(path))))
    }
    assert places == {"worker/db.py"}


def test_only_the_database_module_makes_sessions():
    makers = {"Session", "sessionmaker", "scoped_session"}
    places = {
        name_of(path)
        for path in PRODUCT
        for call in calls(parse(path))
        if getattr(call.func, "id", getattr(call.func, "attr", None)) in makers
    }
    assert places == {"worker/db.py"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("session.commit()", True),
        ("engine.begin()", True),
        ("with connection.begin(): pass", True),
        ("session.begin_nested()", False),
    ],
)
def test_the_reading_knows_a_transaction_from_a_savepoint(source, found):
    assert any(map(begins_or_ends_a_transaction, calls(ast.parse(source)))) == found


def messages_sent(tree):
    """How this code has Celery send or schedule something, if it does: names of calls and arguments."""
    for call in calls(tree):
        yield from (
            keyword.arg for keyword in call.keywords if keyword.arg in {"countdown", "eta", "autoretry_for"}
        )
        if not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr in {"send_task", "apply_async", "delay", "signature", "apply"}:
            yield call.func.attr
        # `jobs.retry` and `listing.retry` change rows; a task's own `retry` would be a message with an ETA.
        if call.func.attr == "retry" and getattr(call.func.value, "id", None) not in {"jobs", "listing"}:
            yield "retry"


def test_only_the_bell_sends_messages_and_no_retry_lives_in_the_broker():
    found = {(name_of(path), message) for path in PRODUCT for message in messages_sent(parse(path))}
    assert found == {("worker/ring.py", "send_task")}


@pytest.mark.parametrize(
    "source",
    [
        "publish_run.apply_async(countdown=5)",
        "publish_run.delay()",
        "self.retry()",
        "task.retry(exc=error)",
        "app.task(autoretry_for=(OSError,))",
    ],
)
def test_the_reading_knows_a_message_when_it_sees_one(source):
    assert list(messages_sent(ast.parse(source)))


def all_catching(tree):
    """Functions that catch every exception and go on: each as its name and line."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in own_nodes(function):
            if isinstance(node, ast.ExceptHandler) and catches_all(node.type) and not raises_at_its_end(node):
                yield function.name
            if isinstance(node, ast.Call) and called(node) == "suppress" and any(map(catches_all, node.args)):
                yield function.name


def own_nodes(function):
    """The nodes of a function without those of functions within it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            waiting += ast.iter_child_nodes(node)


def called(call):
    return getattr(call.func, "id", getattr(call.func, "attr", None))


def catches_all(kind):
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(name is None or getattr(name, "id", None) in {"Exception", "BaseException"} for name in names)


def raises_at_its_end(handler):
    return isinstance(handler.body[-1], ast.Raise)


def test_only_the_places_that_say_why_catch_every_exception_and_go_on():
    found = {(name_of(path), function) for path in PRODUCT for function in all_catching(parse(path))}
    assert found == set(CATCHES_ALL)


@pytest.mark.parametrize(
    "body",
    [
        "try: ...\n except Exception: pass",
        "try: ...\n except: pass",
        "try: ...\n except (ValueError, BaseException) as e: log(e)",
        "with contextlib.suppress(Exception): ...",
    ],
)
def test_the_reading_knows_a_catch_all_when_it_sees_one(body):
    assert list(all_catching(ast.parse("def f():\n " + body))) == ["f"]


def test_no_file_of_the_product_is_so_long_that_nobody_reads_it():
    long = {
        name_of(path): count for path in PRODUCT if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert not long


def test_every_package_says_what_it_is_for():
    silent = [
        name_of(path) for path in PRODUCT if path.name == "__init__.py" and not ast.get_docstring(parse(path))
    ]
    assert not silent


def test_every_ignored_type_error_names_its_code():
    unnamed = []
    for path in EVERYTHING:
        with path.open("rb") as file:
            comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        unnamed += [
            f"{name_of(path)}:{comment.start[0]}"
            for comment in comments
            if re.search(r"type:\s*ignore(?!\[)|noqa(?!:)", comment.string)
        ]
    assert not unnamed


def pins(lock):
    """The pinned packages of a lock file: name to version and number of hashes."""
    text = (ROOT / lock).read_text()
    found = {}
    for entry in re.split(r"\n(?=\S)", text):
        if pin := re.match(r"([a-z0-9._-]+)==(\S+)", entry):
            found[pin[1]] = (pin[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)))
    return found


def wanted(lock):
    """The requirements that this lock file must meet."""
    project = PROJECT["project"]
    found = list(project["dependencies"])
    if lock == "requirements-dev.txt":
        found += project["optional-dependencies"]["embedded"] + PROJECT["dependency-groups"]["dev"]
    return [Requirement(text) for text in found]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_registry_and_no_host(lock):
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|index-url|find-links|trusted-host|--index|\bpypi\b", text, re.IGNORECASE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_file_is_pinned_with_a_hash(lock):
    lines = [line for line in (ROOT / lock).read_text().splitlines() if line and line[0] not in " #"]
    assert len(lines) == len(pins(lock)), "a line that is no pin"
    assert not [name for name, (_, hashes) in pins(lock).items() if hashes == 0]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_holds_every_dependency_at_a_version_the_project_allows(lock):
    found = pins(lock)
    unmet = [
        str(requirement)
        for requirement in wanted(lock)
        if requirement.name not in found or found[requirement.name][0] not in requirement.specifier
    ]
    assert wanted(lock)
    assert not unmet


def test_both_lock_files_pin_the_same_versions():
    product, development = map(pins, LOCKS)
    assert {name: development.get(name) for name in product} == product


def test_no_pattern_repeats_a_group_possessively_which_python_before_3_11_5_reads_wrongly():
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for package in ("models", "worker", "tasks")
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"\)[*+?]\+|\)\{[\d,]+\}\+|\(\?>", line)
    ]
    assert not found


def test_the_tools_read_the_code_as_the_oldest_python_that_is_supported():
    oldest = min(SpecifierSet(PROJECT["project"]["requires-python"]), key=str).version
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


def test_the_layers_are_all_there():
    assert all((ROOT / layer / "__init__.py").exists() for layer in LAYERS)
    assert all(any(path.is_relative_to(ROOT / layer) for path in PRODUCT) for layer in LAYERS[:-1])


@pytest.mark.parametrize(
    "asks",
    [
        "from models.tables import TABLES; print(*TABLES)",
        "from worker import migrate; from models.base import Base; print(*sorted(Base.metadata.tables))",
    ],
)
def test_every_table_is_known_to_whoever_asks_for_all_of_them(asks):
    source = "\n".join(path.read_text() for path in sorted((ROOT / "models").glob("*.py")))
    told = subprocess.run(
        [sys.executable, "-c", asks], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert told.split() == sorted(re.findall(r'^    __tablename__ = "(\w+)"', source, re.MULTILINE))


def test_all_tables_are_read_where_all_of_them_are_known():
    reads = [
        name_of(path)
        for path in PRODUCT
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"Base.metadata", "Base.registry"}
    ]
    assert reads == ["models/tables.py"]
