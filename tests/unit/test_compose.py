"""The image and the services are right, as far as reading can tell; tests/system/test_image.py runs them."""

import asyncio
import itertools
import os
import re
import runpy
import tomllib

import click
import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tests.image import (
    ROOT,
    SECRETS,
    MissingVariable,
    compose,
    dockerfile,
    final_stage,
    from_the_context,
    image_environment,
    parse_command,
    scripts,
    seconds,
    sent_to_the_builder,
)
from tests.readme import TEXT
from worker.bridge.publish import MAX_WAIT
from worker.cli import up
from worker.settings import Settings, env_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SERVICES = compose(**SECRETS)["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
NAMES = sorted(SERVICES)
OPTIONAL = {"prometheus", "grafana"}
USERS = {"prom/prometheus": "nobody", "grafana/grafana": "grafana"}

FIXED = {
    "database_url",  # for what reads the database alone, where a default stands: tested by itself
    "redis_url",  # the service here
    "data_dir",  # the one place in the image that can be written to
    "host",  # where the command has uvicorn listen
    "port",  # as above; `ports` says where others find it
}
HOOKS = {"make_token", "make_webhook_url", "callback_secret", "webhook_secrets"}
"""Secrets that only who calls Make.com, or is called by it, has to know."""

DOCUMENTED = {
    "postgres": {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"},  # the image's own page
    "grafana/grafana": {
        "GF_SECURITY_ADMIN_PASSWORD__FILE",  # Grafana: [security] admin_password, from a file
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
    },
    "columnline": {
        "PGPASSWORD",  # libpq: the password where the URL holds none
        "FORWARDED_ALLOW_IPS",  # uvicorn: whose X-Forwarded-Proto and X-Forwarded-For are believed
        "FLOWER_BASIC_AUTH",  # Flower: its option basic_auth
        "PATH",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
    },
}


def image_of(service):
    return service["image"].partition(":")[0]


def published(service):
    return [port.split(":") for port in service.get("ports", [])]


def test_every_part_of_the_system_is_a_service():
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {
        "postgres",
        "redis",
        "migrate",
        "bridge",
        "worker",
        "beat",
        "flower",
    }
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["metrics"]} == OPTIONAL


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_a_health_check_unless_it_runs_once(name):
    service = SERVICES[name]
    if name == "migrate":
        assert service["restart"] == "no"
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        check = service["healthcheck"]
        assert check["test"][0] == "CMD", "in exec form: no shell to quote for"
        assert seconds(check["timeout"]) <= seconds(check["interval"])


@pytest.mark.parametrize("name", NAMES)
def test_a_service_can_change_nothing_but_its_own_data(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["tmpfs"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "env_file"} & set(service)
    assert all(re.fullmatch(r"[a-z]+:/[\w/]+", volume) for volume in service.get("volumes", [])), (
        "named volumes only"
    )
    assert service["pids_limit"]
    assert service["mem_limit"]


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_read_only_unless_a_secret_from_the_environment_must_be_written_into_it(name):
    kinds = [compose(**SECRETS)["secrets"][secret] for secret in SERVICES[name].get("secrets", [])]
    assert SERVICES[name]["read_only"] is not any("environment" in kind for kind in kinds)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_does_not_run_as_root(name):
    if name in OURS:
        user = [instruction.text for instruction in final_stage() if instruction.word == "USER"][-1]
        assert int(user) >= 1000
        assert "user" not in OURS[name]
    else:
        image = image_of(SERVICES[name])
        assert SERVICES[name]["user"] == USERS.get(image, image), "the user that the image itself makes"


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_reached_from_this_machine_alone(name):
    assert all(address == "127.0.0.1" for address, _, _ in published(SERVICES[name]))
    assert bool(published(SERVICES[name])) == (name in {"bridge", "flower", *OPTIONAL})


@pytest.mark.parametrize("name", NAMES)
def test_a_service_can_run_in_several_copies(name):
    assert not {"container_name", "hostname"} & set(SERVICES[name])


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_of_a_service_is_known_to_what_reads_it(name):
    service = SERVICES[name]
    known = {env_name(field) for field in Settings.model_fields} if name in OURS else set()
    given = set(service.get("environment", {})) | (set(image_environment()) if name in OURS else set())
    assert given <= known | DOCUMENTED.get(image_of(service), set())


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_settings_of_a_service_are_valid(name, monkeypatch):
    for variable in {"DATABASE_URL", "REDIS_URL"} & set(os.environ):
        monkeypatch.delenv(variable)
    for variable, value in (image_environment() | OURS[name]["environment"]).items():
        monkeypatch.setenv(variable, value)
    config = Settings()
    assert (config.database_url is not None) == (name in {"migrate", "bridge", "worker"}), "who reads the database"
    assert (config.redis_url is not None) == (name != "migrate")
    assert config.data_dir.is_relative_to(OURS[name]["tmpfs"][0])


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_setting_in_the_env_file_reaches_the_services_but_for_what_they_fix(name):
    told = {env_name(field): f"as {field} says" for field in Settings.model_fields if field not in FIXED}
    given = compose(**told, **SECRETS)["services"][name]["environment"]
    secret = set() if name in {"bridge", "worker"} else {env_name(field) for field in HOOKS}
    wanted = {variable: value for variable, value in told.items() if variable not in secret}
    assert {variable: given[variable] for variable in given if variable in told} == wanted


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_the_container_fixes_cannot_be_changed_from_the_env_file(name):
    told = {env_name(field): "elsewhere" for field in FIXED - {"database_url"}}
    assert compose(**told, **SECRETS)["services"][name] == OURS[name]


def test_who_reads_the_database_has_its_password_and_nobody_else():
    assert {name for name, service in OURS.items() if "PGPASSWORD" in service["environment"]} == {
        "migrate",
        "bridge",
        "worker",
    }
    assert (
        SERVICES["bridge"]["environment"]["PGPASSWORD"] == SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"]
    )


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_password_that_is_not_set_is_asked_for_by_name(name):
    with pytest.raises(MissingVariable, match=rf"{name}: put it into \.env.*README"):
        compose(**{other: value for other, value in SECRETS.items() if other != name})


def test_no_password_is_written_in_the_files():
    written = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    values = itertools.chain.from_iterable(service.get("environment", {}).items() for service in written.values())
    secret = [(name, value) for name, value in values if re.search("PASSWORD|AUTH|SECRET|TOKEN", name)]
    assert secret
    for name, value in secret:
        if name.endswith("__FILE"):
            assert value.startswith("/run/secrets/")
        elif value is not None:  # else passed through by its name alone
            assert value.startswith("${")
            assert ":?" in value
    assert not re.search(r"://\w+:[^@/]+@", (ROOT / "docker-compose.yml").read_text())


def test_a_database_of_ones_own_takes_the_place_of_the_one_here():
    own = "postgresql://me@db.example/app"
    assert compose(DATABASE_URL=own, **SECRETS)["services"]["worker"]["environment"]["DATABASE_URL"] == own


def test_the_database_that_is_made_is_the_one_that_is_used_and_checked():
    made = SERVICES["postgres"]["environment"]
    url = SERVICES["worker"]["environment"]["DATABASE_URL"]
    assert url == f"postgresql://{made['POSTGRES_USER']}@postgres:5432/{made['POSTGRES_DB']}"
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert {f"--username={made['POSTGRES_USER']}", f"--dbname={made['POSTGRES_DB']}"} <= set(check)
    assert "--host=127.0.0.1" in check, "the server that makes the data answers on the socket alone"


@pytest.mark.parametrize("name", ["migrate", "bridge", "worker"])
def test_nobody_reads_the_database_before_it_is_there_and_migrated(name):
    needed = SERVICES[name]["depends_on"]
    if name == "migrate":
        assert needed["postgres"]["condition"] == "service_healthy"
    else:
        assert needed["migrate"]["condition"] == "service_completed_successfully"


def test_what_watches_is_asked_for_and_gets_its_secrets_and_files_only_then():
    document = compose(**SECRETS)
    for name in OPTIONAL:
        service = SERVICES[name]
        assert {entry["source"] for entry in service["configs"]} <= set(document["configs"])
        assert set(service["secrets"]) <= set(document["secrets"])
    assert all((ROOT / entry["file"]).is_file() for entry in document["configs"].values())
    assert {entry["environment"] for entry in document["secrets"].values()} == {"METRICS_KEY", "GRAFANA_PASSWORD"}
    targets = {entry["source"]: entry["target"] for name in OPTIONAL for entry in SERVICES[name]["configs"]}
    assert f"--config.file={targets['prometheus']}" in SERVICES["prometheus"]["command"]


def client_behind(peer, *forwarded):
    """Whom uvicorn takes for the caller of a bridge that `peer` connects to, with these X-Forwarded-For."""
    seen = []

    async def bridge(scope, *_):
        seen.append(scope["client"][0])

    trusted = SERVICES["bridge"]["environment"]["FORWARDED_ALLOW_IPS"]
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "client": (peer, 1), "headers": headers}
    asyncio.run(ProxyHeadersMiddleware(bridge, trusted)(scope, None, None))
    return seen[0]


@pytest.mark.parametrize("proxy", ["127.0.0.1", "172.18.0.1", "10.1.2.3", "192.168.65.1", "fd00::1"])
def test_the_proxy_says_who_calls_and_what_callers_say_of_themselves_is_not_believed(proxy):
    assert client_behind(proxy, "203.0.113.9") == "203.0.113.9"
    assert client_behind(proxy, "198.51.100.1, 203.0.113.9") == "203.0.113.9"
    assert client_behind(proxy, "198.51.100.1", "203.0.113.9, 10.0.0.7") == "203.0.113.9"
    assert client_behind("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_flower_asks_who_is_there_and_only_shows():
    assert SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"]
    (conf,) = [word.partition("=")[2] for word in SERVICES["flower"]["command"] if word.startswith("--conf")]
    module = runpy.run_path(str(ROOT / conf))
    assert module["read_only"] is True


def test_redis_throws_nothing_away():
    command = SERVICES["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_a_worker_may_finish_its_task_before_it_is_killed():
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > Settings.model_fields["task_time_limit"].default + 10


def test_the_bridge_may_answer_who_waits_before_it_is_killed():
    assert seconds(SERVICES["bridge"]["stop_grace_period"]) > MAX_WAIT + 10


@pytest.mark.parametrize("name", ["bridge", "flower"])
def test_the_published_port_is_the_one_listened_on_and_checked(name):
    ((_, _, inside),) = published(SERVICES[name])
    command = " ".join(SERVICES[name]["command"]).replace("=", " ")
    assert f"--port {inside}" in command
    assert re.search(r"--(host|address) 0\.0\.0\.0", command), "within the container, on every address"
    assert f"127.0.0.1:{inside}/" in SERVICES[name]["healthcheck"]["test"][-1]


def test_the_script_columnline_is_the_one_the_project_installs():
    module, _, function = PROJECT["scripts"]["columnline"].partition(":")
    assert scripts() == {
        "/venv/bin/columnline": f"#!/venv/bin/python\nfrom {module} import {function}\n\n{function}()\n"
    }
    assert image_environment()["PATH"].startswith("/venv/bin:")


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_command_is_one_that_exists_with_options_it_knows(name):
    program, *arguments = OURS[name]["command"]
    parse_command(program, arguments)


def test_the_images_own_command_is_the_bridges():
    (text,) = [instruction.text for instruction in final_stage() if instruction.word == "CMD"]
    assert yaml.safe_load(text) == SERVICES["bridge"]["command"], "in exec form, so that signals reach it"


def test_a_bridge_keeps_an_idle_connection_for_longer_than_a_proxy_or_client_does():
    """Nginx and load balancers keep theirs for a minute; which side closes may meet a request under way."""
    assert "--timeout-keep-alive=75" in up.BRIDGE
    assert set(up.BRIDGE) < set(SERVICES["bridge"]["command"])
    assert "uvicorn worker.bridge:app --timeout-keep-alive=75" in TEXT


def test_a_command_with_an_unknown_option_would_be_found():
    with pytest.raises(click.NoSuchOption):
        parse_command("celery", ["-A", "worker", "beat", "--concurrency", "2"])
    with pytest.raises(KeyError):
        parse_command("columnline", ["upgrade"])


def test_images_are_pinned_to_a_major_version():
    for service in SERVICES.values():
        assert re.search(r":v?\d", service["image"]), service["image"]
    bases = {instruction.words[0] for instruction in dockerfile() if instruction.word == "FROM"}
    (base,) = bases  # what is built in one runs in the other
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", base)[1]
    assert Version(version) in SpecifierSet(PROJECT["requires-python"])


def test_our_image_bears_the_version_of_the_project():
    assert {service["image"] for service in OURS.values()} == {f"columnline:{PROJECT['version']}"}


def test_packages_are_installed_from_hashed_wheels_in_a_stage_of_their_own():
    (install,) = [instruction for instruction in dockerfile() if "install" in instruction.words]
    assert install.stage == 0
    assert "--require-hashes" in install.words
    assert install.words[install.words.index("--only-binary") + 1] == ":all:"
    assert install.words[install.words.index("--requirement") + 1] == "/requirements.txt"
    run = [instruction.text for instruction in final_stage() if instruction.word == "RUN"]
    assert not any(re.search(r"\b(apt|apt-get|pip|curl|wget)\b", text) for text in run), "no tools in the image"


def test_the_image_says_who_it_runs_as_and_what_its_output_is_like():
    assert image_environment()["PYTHONUNBUFFERED"] == "1"
    words = [instruction.word for instruction in final_stage()]
    assert words.index("USER") > max(index for index, word in enumerate(words) if word in {"RUN", "COPY"})
    assert "HEALTHCHECK NONE" in [f"{instruction.word} {instruction.text}" for instruction in final_stage()]


def test_the_image_takes_the_three_packages_whole():
    assert dict(from_the_context()) == {package: f"/app/{package}" for package in ("models", "worker", "tasks")}
    assert image_environment()["PYTHONPATH"] == "/app"
    files = [path.relative_to(ROOT) for source, _ in from_the_context() for path in (ROOT / source).rglob("*.py")]
    assert files
    assert all(sent_to_the_builder(path) for path in files)
    assert sent_to_the_builder("requirements.txt")


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        "tests/samples/run_clean.json",
        "worker/__pycache__/db.cpython-311.pyc",
        ".venv/bin/python",
    ],
)
def test_what_the_image_does_not_need_is_not_sent_to_the_builder(path):
    assert not sent_to_the_builder(path)
