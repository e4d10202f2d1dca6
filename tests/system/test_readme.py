"""Every command of the README, run as a newcomer would: in order, in a checkout, against real processes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx2
import psutil
import pytest

from tests.image import compose, parse_command
from tests.readme import ROOT, TEXT, blocks, code, rows
from tests.system.stack import free_port, wait_until
from tests.system.waiting import get
from worker.answers import JobAnswer

NOT_RUN = {
    "make test": "it runs this very test; tests/unit/test_docs.py checks what the target does",
    "docker compose": "there is no Docker here; the commands are checked below, the services in test_image.py",
}
LASTING = {  # what runs until it is stopped, and what it says once it is ready
    "make up": "Ready at",
    "uvicorn worker.bridge:app --timeout-keep-alive=75": "Application startup complete",
    "celery -A worker worker": "ready.",
    "celery -A worker beat": "beat: Starting",
    "celery -A worker flower --conf=worker/observability/flowerconfig.py": "Visit me at",
}
FILLED_IN = ("export URL=", "export KEY=")  # what a reader puts in place of the example's

SHELL = blocks("sh")


def commands(block, *beginnings):
    """The block's commands that begin so, without their comments."""
    lines = [line.partition("  #")[0].strip() for line in block.text.splitlines()]
    return [line for line in lines if line.startswith(beginnings)]


def script(block):
    """The block without what is not run, what lasts and what a reader fills in."""
    others = (*NOT_RUN, *LASTING, *FILLED_IN)
    return "".join(line for line in block.text.splitlines(keepends=True) if not line.startswith(others))


def the_block_with(command):
    (block,) = [block for block in SHELL if commands(block, command)]
    return block


class Checkout:
    """A checkout whose virtual environment is the one that runs this test, and a shell that remembers exports."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("COLUMNLINE_") and name not in {"DATABASE_URL", "REDIS_URL", "MAKEFLAGS"}
        } | {
            "COLUMNLINE_PORT": str(self.port),
            "UVICORN_PORT": str(self.port),
            "FLOWER_PORT": str(free_port()),
            "FLOWER_UNAUTHENTICATED_API": "true",
        }
        for path in ROOT.iterdir():
            if not path.name.startswith(".") or path.name == ".ci":
                (folder / path.name).symlink_to(path)
        (folder / ".venv").mkdir()
        (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        (folder / ".venv" / ".ready").touch()

    def run(self, text):
        """Run a script as a shell would that stops at the first failure; returns what it printed."""
        exports = self.folder / "exports"
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{text}\nexport -p > {shlex.quote(str(exports))}"],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{text}\nended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        for name in ("PATH", "URL", "KEY"):
            if exported := re.search(rf'^declare -x {name}="(.*)"$', exports.read_text(), re.MULTILINE):
                self.env[name] = exported[1]
        return ran.stdout

    @contextmanager
    def running(self, *commands):
        """Commands that last, from when all are ready to their end: Ctrl-C for make, SIGTERM for a single process.

        Yields:
            The file with what the first of them says.
        """
        started = [(command, *self._start(command)) for command in commands]
        try:
            for command, process, log in started:
                wait_until(lambda c=command, p=process, f=log: self._ready(c, p, f), f"{command} to be ready")
            yield started[0][2]
            for command, process, log in started:
                assert process.poll() is None, log.read_text()
                os.killpg(process.pid, signal.SIGINT) if command.startswith("make") else process.terminate()
            for _, process, _ in started:
                process.wait(60)
        finally:
            for _, process, _ in started:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def _start(self, command):
        log = self.folder / (re.sub(r"\W+", "-", command) + ".log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.env,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return process, log

    def _ready(self, command, process, log):
        assert process.poll() is None, log.read_text()
        return LASTING[command] in log.read_text()

    def still_running(self):
        """The processes that work in the checkout or below it."""

        def folder_of(process):
            try:
                return Path(process.cwd())
            except (psutil.Error, FileNotFoundError):
                return Path("/")

        return [process for process in psutil.process_iter() if folder_of(process).is_relative_to(self.folder)]


@pytest.fixture
def checkout():
    """Not under pytest's own folder, whose path may be too long for a socket's."""
    with tempfile.TemporaryDirectory(prefix="columnline-readme-") as folder:
        made = Checkout(Path(folder))
        try:
            yield made
            wait_until(lambda: not made.still_running(), f"the end of {made.still_running()}")
        finally:
            for process in made.still_running():
                process.kill()


def test_make_demo_shows_every_sample_ending_as_expected_and_leaves_nothing_running(checkout):
    said = checkout.run(script(the_block_with("make demo")))
    assert "All samples ended as expected" in said
    assert all(path.stem in said for path in (ROOT / "tests" / "samples").glob("run_*.json"))


def test_a_newcomer_gets_through_the_readme_from_make_up_to_the_single_processes(checkout):
    todo = [block for block in SHELL if block != the_block_with("make demo") and not commands(block, "docker")]
    up, path, request, operate, single = todo
    with checkout.running(*commands(up, "make up")) as log:
        key = wait_until(lambda: re.search(r"^ +(clk_\S+)$", log.read_text(), re.MULTILINE), "the first key")[1]
        wait_until(lambda: is_ready(checkout.port), "the bridge")
        checkout.run(script(path))
        (url,) = commands(path, "export URL=")
        checkout.env |= {"URL": url.removeprefix("export URL=").replace("8000", str(checkout.port)), "KEY": key}

        decoder, answers = json.JSONDecoder(), checkout.run(script(request))
        registered, end = decoder.raw_decode(answers)
        stored, end = decoder.raw_decode(answers, end)
        published, end = decoder.raw_decode(answers, end)
        run, end = decoder.raw_decode(answers, end)
        assert end == len(answers)
        assert registered["created"] is True
        assert stored["stored"] == 2
        compare_with_the_example(published)
        assert (run["status"], run["job"]["job_id"]) == ("published", published["job_id"])

        check_the_scopes(checkout)

        said = checkout.run(script(operate))
        assert said.count(published["run_id"]) >= 2
        assert re.search(r"clk_\w+", said)
    for command in single.text.splitlines():
        assert command.startswith(("columnline", *LASTING)), "each line is a process of its own"
    checkout.run(script(single))
    with checkout.running(*commands(single, *LASTING)):
        assert is_ready(checkout.port)
        again = json.loads(checkout.run(f"columnline publish {published['run_id']} --republish --wait --json"))
        assert again[0]["status"] == "done"
        (search,) = [text for text in code(TEXT) if text.startswith("kwargs:")]
        url = f"http://127.0.0.1:{checkout.env['FLOWER_PORT']}/api/tasks"
        wait_until(lambda: get(url, params={"search": search}).raise_for_status().json(), "flower to find it")
        assert get(url, params={"search": f"{search}0"}).json() == {}


def is_ready(port):
    try:
        return get(f"http://127.0.0.1:{port}/readyz", timeout=5).json()["status"] == "ready"
    except httpx2.HTTPError:
        return False


def check_the_scopes(checkout):
    """Each call of the table lets the scope beside it through, and not the next narrower one."""
    keys = {None: None, "ops": checkout.env["KEY"]}
    for scope in ("read", "publish"):
        made = json.loads(checkout.run(f"columnline keys create scope-{scope} --scope {scope} --json"))
        keys[scope] = made["key"]
    narrower = {"read": None, "publish": "read", "ops": "publish"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{checkout.port}", timeout=30) as http:

        def status(call, scope):
            method, path = call.split(" ")
            path = re.sub(r"{(run_id|step_name|client_id)}", "NOTHING", path)
            path = re.sub(r"{\w+}", str(uuid4()), path)
            return http.request(method, path, headers={"X-API-Key": keys[scope]} if scope else {}).status_code

        for cell, _, scope in rows("call"):
            for call in code(cell):
                if scope == "none":
                    assert status(call, None) == 200, call
                else:
                    assert status(call, narrower[scope]) in {401, 403}, call
                    assert status(call, scope) in {200, 201, 202, 400, 404, 422}, call


def compare_with_the_example(answer):
    """The example has the answer's keys in their order, values of the same types, and those that do not vary."""
    (example,) = (json.loads(block.text) for block in blocks("json"))
    assert list(example) == list(answer) == list(JobAnswer.model_fields)
    assert {key: type(value) for key, value in example.items()} == {
        key: type(value) for key, value in answer.items()
    }
    vary = {"job_id", "dossier_id", "batch_id", "batch_number", "list_ids", "status_url"}
    fixed = [key for key in example if key not in vary and not key.endswith("_at")]
    assert {key: example[key] for key in fixed} == {key: answer[key] for key in fixed}


@pytest.mark.parametrize("beginning", NOT_RUN, ids=lambda beginning: f"{beginning}: {NOT_RUN[beginning]}")
def test_what_is_not_run_is_in_the_readme(beginning):
    assert any(commands(block, beginning) for block in SHELL)


def test_the_docker_commands_name_services_and_commands_that_exist(checkout):
    block = the_block_with("docker compose up --build")
    checkout.run(script(block))
    secrets = dict(line.split("=", 1) for line in (checkout.folder / ".env").read_text().splitlines())
    services = compose(**secrets)["services"]
    for command in commands(block, "docker"):
        match shlex.split(command)[2:]:
            case ["up", *options]:
                options = set(options) - {"--build", "--detach", "--scale"}
                assert {option.partition("=")[0] for option in options} <= set(services)
            case ["exec", service, program, *arguments]:
                assert service in services
                parse_command(program, arguments)
            case other:
                raise AssertionError(other)


def test_every_block_of_shell_is_accounted_for():
    assert len(SHELL) == TEXT.count("```sh")
    assert len(SHELL) == len(re.findall(r"^```(?:sh|bash|shell|console)$", TEXT, re.MULTILINE))
    (inline,) = re.findall(r"`(make check)`", TEXT)
    assert inline in (ROOT / ".ci" / "run").read_text()
