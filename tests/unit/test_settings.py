import os
from base64 import b64encode
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from worker.choices import ClientMapping
from worker.settings import SECRET as NEVER_REPEATED
from worker.settings import Settings, SettingsError, env_name, settings

SECRET = "p4ssw0rd"
KEY = f"whsec_{b64encode(b'24 bytes, and not a few.').decode()}"
LIMITS = ["lock_timeout", "statement_timeout", "task_soft_limit", "task_time_limit", "lease", "visibility_timeout"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """No setting is set, whatever machine this is."""
    for name in list(os.environ):
        if name.startswith("COLUMNLINE_") or name in {"DATABASE_URL", "REDIS_URL"}:
            monkeypatch.delenv(name)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def reading(monkeypatch):
    """A function that reads the settings with these variables set."""

    def read(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        return settings()

    return read


@pytest.fixture
def complaints(reading):
    """A function that returns what is said about these variables, one line each."""

    def read(**variables):
        with pytest.raises(SettingsError) as refused:
            reading(**variables)
        head, *lines = str(refused.value).splitlines()
        assert head == "Wrong settings:"
        return [line.removeprefix("  ") for line in lines]

    return read


def test_without_a_variable_every_setting_has_its_default():
    config = settings()
    assert config.database_url is None
    assert config.redis_url is None
    assert config.data_dir == Path(".columnline")
    assert (config.host, config.port) == ("127.0.0.1", 8000)
    assert (config.max_attempts, config.backoff_base, config.backoff_cap) == (8, 2, 300)
    assert [getattr(config, limit) for limit in LIMITS] == [3, 15, 30, 45, 90, 900]
    assert config.job_deadline == 24 * 60 * 60
    assert config.outputs_wait == timedelta(minutes=10)
    assert config.sweep_interval == 5
    assert config.client_mapping is ClientMapping.SLUG


def test_three_names_are_everybodys_and_the_rest_begin_with_ours():
    names = {env_name(field) for field in Settings.model_fields}
    assert {name for name in names if not name.startswith("COLUMNLINE_")} == {
        "DATABASE_URL",
        "REDIS_URL",
        "SENTRY_DSN",
    }
    assert len(names) == len(Settings.model_fields)


def test_every_setting_says_what_it_means():
    assert all(field.description for field in Settings.model_fields.values())


def test_a_setting_is_read_from_its_variable(reading):
    config = reading(
        COLUMNLINE_MAX_ATTEMPTS="3", COLUMNLINE_CLIENT_MAPPING="explicit", COLUMNLINE_DATA_DIR="/data"
    )
    assert config.max_attempts == 3
    assert config.client_mapping is ClientMapping.EXPLICIT
    assert config.data_dir == Path("/data")


def test_the_environment_is_read_once(reading, monkeypatch):
    assert reading(COLUMNLINE_PORT="1").port == 1
    monkeypatch.setenv("COLUMNLINE_PORT", "2")
    assert settings().port == 1


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        settings().port = 9


def test_all_wrong_settings_are_reported_at_once(complaints):
    found = complaints(
        COLUMNLINE_PORT="abc",
        COLUMNLINE_MAX_ATTEMPTS="0",
        COLUMNLINE_LOG_LEVEL="loud",
        COLUMNLINE_LEASES="90",
        DATABASE_URL="mysql://db/app",
        REDIS_URL="http://redis",
        COLUMNLINE_LEASE="10",
        COLUMNLINE_BACKOFF_BASE="900",
    )
    found.remove("COLUMNLINE_TASK_TIME_LIMIT (45 s) must be below COLUMNLINE_LEASE (10 s)")
    found.remove("COLUMNLINE_BACKOFF_BASE (900 s) must not be above COLUMNLINE_BACKOFF_CAP (300 s)")
    assert {line.partition(":")[0] for line in found} == {
        "COLUMNLINE_PORT",
        "COLUMNLINE_MAX_ATTEMPTS",
        "COLUMNLINE_LOG_LEVEL",
        "COLUMNLINE_LEASES",
        "DATABASE_URL",
        "REDIS_URL",
    }
    assert len(found) == 6


@pytest.mark.parametrize(
    "name",
    [name for name, info in Settings.model_fields.items() if info.annotation is float or name.startswith("keep_")],
)
def test_a_time_that_no_date_can_bear_is_refused_at_the_start(complaints, name):
    (line,) = [line for line in complaints(**{env_name(name): "1000000000"}) if "less than or equal" in line]
    assert line.startswith(env_name(name))


def test_what_was_found_is_shown(complaints):
    (line,) = complaints(COLUMNLINE_BACKOFF_BASE="-2")
    assert line.startswith("COLUMNLINE_BACKOFF_BASE: ")
    assert "greater than 0" in line
    assert "'-2'" in line


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("COLUMNLINE_DATADIR", "COLUMNLINE_DATA_DIR"),
        ("COLUMNLINE_MAX_ATTEMPT", "COLUMNLINE_MAX_ATTEMPTS"),
        ("COLUMNLINE_VISIBILITY_TIMOUT", "COLUMNLINE_VISIBILITY_TIMEOUT"),
    ],
)
def test_a_mistyped_name_is_an_error_that_says_which_was_meant(complaints, wrong, meant):
    assert complaints(**{wrong: "1"}) == [f"{wrong}: no such setting; did you mean {meant}?"]


def test_other_programs_variables_are_not_ours_to_judge(reading):
    assert reading(CELERY_LOGLEVEL="x", PORT="y", COLUMN="z").port == 8000


@pytest.mark.parametrize(("lower", "upper"), list(pairwise(LIMITS)))
def test_each_limit_must_be_below_the_one_that_is_its_safety_net(complaints, reading, lower, upper):
    most = getattr(settings(), upper)
    (line,) = complaints(**{env_name(lower): f"{most:g}"})
    assert line == f"{env_name(lower)} ({most:g} s) must be below {env_name(upper)} ({most:g} s)"
    assert getattr(reading(**{env_name(lower): str(most - 0.001)}), lower) == most - 0.001


@pytest.mark.parametrize(
    ("url", "read_as"),
    [
        ("postgresql://u@db/app", "postgresql+psycopg://u@db/app"),
        ("postgres://u@db/app", "postgresql+psycopg://u@db/app"),
        ("postgresql+psycopg://u@db/app", "postgresql+psycopg://u@db/app"),
        ("  postgresql://u@db/app\n", "postgresql+psycopg://u@db/app"),
    ],
)
def test_a_database_url_is_taken_however_it_is_written(reading, url, read_as):
    assert reading(DATABASE_URL=url).database_url.get_secret_value() == read_as


@pytest.mark.parametrize(
    "scheme", ["redis", "rediss", "redis+socket", "redis+sentinel", "sentinel", "amqp", "amqps"]
)
def test_a_broker_url_of_each_known_kind_is_taken(reading, scheme):
    assert reading(REDIS_URL=f"{scheme}://broker/0").redis_url.get_secret_value() == f"{scheme}://broker/0"


@pytest.mark.parametrize("name", [name for name, info in Settings.model_fields.items() if info.default is None])
@pytest.mark.parametrize("nothing", ["", "  "])
def test_an_empty_variable_is_as_good_as_none_where_there_need_be_none(reading, name, nothing):
    assert getattr(reading(**{env_name(name): nothing}), name) is None


def test_a_hook_is_taken_however_it_is_written(reading):
    config = reading(COLUMNLINE_MAKE_WEBHOOK_URL=" https://hook.eu1.make.com/abc?x=1\n")
    assert config.make_webhook_url.get_secret_value() == "https://hook.eu1.make.com/abc?x=1"


@pytest.mark.parametrize("wrong", [f"h.com/{SECRET}", f"ftp://h.com/{SECRET}", "https://", f"https:///{SECRET}"])
def test_a_hook_that_is_no_web_address_is_refused_and_not_repeated(complaints, wrong):
    assert complaints(COLUMNLINE_MAKE_WEBHOOK_URL=wrong) == [
        "COLUMNLINE_MAKE_WEBHOOK_URL: must be an address that begins with https:// or http://"
    ]


@pytest.mark.parametrize("name", ["COLUMNLINE_CALLBACK_SECRET", "COLUMNLINE_WEBHOOK_SECRETS"])
@pytest.mark.parametrize(
    "wrong",
    [
        "abc",
        KEY.removeprefix("whsec_"),
        KEY.upper(),
        f"whsec_{b64encode(b'23 bytes are not enough').decode()}",
        f"{KEY[:-8]}!{KEY[-8:]}",
        f"{KEY},abc",
        f"{KEY},",
    ],
)
def test_a_signing_secret_that_can_be_guessed_is_refused_with_how_to_make_one_and_not_repeated(
    complaints, name, wrong
):
    (line,) = complaints(**{name: wrong})
    assert line.startswith(f"{name}: must be whsec_ and base64 of 24 bytes or more")
    assert "openssl rand -base64 32" in line
    assert not any(part and part in line for part in wrong.split(","))


def test_several_signing_secrets_are_divided_by_commas(reading):
    assert (
        reading(COLUMNLINE_WEBHOOK_SECRETS=f" {KEY} , {KEY}").webhook_secrets.get_secret_value() == f"{KEY},{KEY}"
    )


@pytest.mark.parametrize(
    "wrong", ["https://hook.make.com/x", "hook.make.com/x", "h.com:443", "[::1]", "a..b", "a b"]
)
def test_what_can_be_no_host_of_a_callback_is_refused(complaints, wrong):
    (line,) = complaints(COLUMNLINE_CALLBACK_HOSTS=f"*.make.com,{wrong}")
    assert line.startswith(f"COLUMNLINE_CALLBACK_HOSTS: {wrong!r} is no host")


def test_hosts_of_callbacks_are_names_patterns_and_addresses_or_none(reading):
    for hosts in (
        "",
        "*",
        "*.make.com, HOOKS.example,",
        "127.0.0.1,fd00::1,::1",
        "hook_*.eu-1.make.com",
        "hook?.make.com",
    ):
        assert reading(COLUMNLINE_CALLBACK_HOSTS=hosts).callback_hosts == hosts


@pytest.mark.parametrize(
    "variables",
    [
        {"DATABASE_URL": f"mysql://u:{SECRET}@db/app"},
        {"DATABASE_URL": f"u:{SECRET}@db/app"},
        {"REDIS_URL": f"http://:{SECRET}@broker"},
        {"REDIS_URL": f":{SECRET}@broker"},
        {"COLUMNLINE_DATABASE_URL": f"postgresql://u:{SECRET}@db/app"},
        {"DATABASE_URL": f"postgresql://u:{SECRET}@db/app", "COLUMNLINE_LEASE": "1"},
        {"DATABASE_URL": f"postgresql://u:{SECRET}@db/app", "COLUMNLINE_PORT": "x"},
    ],
)
def test_no_url_is_shown_in_a_message(complaints, variables):
    assert not any(SECRET in line for line in complaints(**variables))


def test_no_password_is_shown_where_settings_are_printed(reading):
    config = reading(DATABASE_URL=f"postgresql://u:{SECRET}@db/app", REDIS_URL=f"redis://:{SECRET}@broker")
    assert SECRET not in f"{config!r} {config} {config.model_dump()}"


def test_what_is_hidden_where_settings_are_printed_is_never_repeated_in_a_message_and_the_other_way_round():
    hidden = {name for name, info in Settings.model_fields.items() if info.annotation == SecretStr | None}
    assert hidden == NEVER_REPEATED
