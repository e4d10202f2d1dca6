"""Every setting, its default and its meaning, read once from the environment (design, "Running it").

`DATABASE_URL`, `REDIS_URL` and `SENTRY_DSN` bear the names everybody uses, the rest begin with `COLUMNLINE_`.
All wrong ones are reported together, a name nobody knows among them: a typing error must not become a default.
"""

import difflib
import itertools
import os
import re
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from worker import hook_settings
from worker.choices import BatchStrategy, ClientMapping, ConfigOwner, MakeMode, SupersedePolicy

PREFIX = "COLUMNLINE_"
UNPREFIXED = {"database_url", "redis_url", "sentry_dsn"}
SECRET = {
    "database_url",
    "redis_url",
    "sentry_dsn",
    "make_token",
    "make_webhook_url",
    "callback_secret",
    "webhook_secrets",
}
"""Fields whose values are never repeated: a URL holds a password too."""

OPTIONAL = SECRET | {"make_url", "make_scenario_id", "public_url"}
"""Fields that may be absent: an empty variable is as good as none, and spaces around a value do not count."""

LONGEST = 2_000_000
"""Seconds, about three weeks: PostgreSQL counts its limits in milliseconds of 32 bits."""

CHAIN = ("lock_timeout", "statement_timeout", "task_soft_limit", "task_time_limit", "lease", "visibility_timeout")
"""Limits, each below the one that is its safety net."""

Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
Days = Annotated[int, Field(ge=1, le=36_500)]
"""A century at most: what is never to be pruned is old enough then, and a date before it still is one."""


class SettingsError(Exception):
    """The environment is wrong; the text names every wrong setting, what was found and what is wanted."""


class Settings(BaseSettings):
    """The settings of one process, frozen. Field docs are the README's table.

    Durations are seconds. The limits form a chain whose order is asserted here, because each is the
    safety net of the one before it: a statement ends before its task's soft limit, a task before its
    lease, a lease before the broker would deliver the bell again.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="PostgreSQL 15 to 18; absent: an embedded one under the data directory",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("REDIS_URL"),
        description="the broker: redis, rediss, redis+socket, redis+sentinel or amqp; absent: embedded",
    )
    data_dir: Path = Field(default=Path(".columnline"), description="embedded servers' data, and signs of life")
    host: str = Field(default="127.0.0.1", min_length=1, description="address the bridge listens on under `up`")
    port: int = Field(default=8000, ge=0, le=65535, description="port of the bridge under `up`")
    log_format: str = Field(
        default="auto", pattern="^(auto|json|console)$", description="auto: json unless a terminal reads"
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="log level")

    max_attempts: int = Field(default=8, ge=1, le=100, description="attempts before a job is an error")
    backoff_base: Seconds = Field(default=2, description="first pause between attempts")
    backoff_cap: Seconds = Field(default=300, description="longest pause between attempts")
    job_deadline: Seconds = Field(default=86_400, description="how long outages may put a job off")
    outputs_deadline: float = Field(
        default=600, ge=0, le=LONGEST, description="how long a publish waits for missing outputs"
    )

    lock_timeout: Seconds = Field(default=3, description="longest wait for a row lock")
    statement_timeout: Seconds = Field(default=15, description="longest statement")
    task_soft_limit: Seconds = Field(default=30, description="a task is asked to stop")
    task_time_limit: Seconds = Field(default=45, description="a task is killed")
    lease: Seconds = Field(default=90, description="a worker not heard of by then counts as dead")
    visibility_timeout: Seconds = Field(default=900, description="Redis delivers a bell again")

    sweep_interval: Seconds = Field(default=5, description="how often the sweep looks")
    release_interval: Seconds = Field(default=60, description="how often beat releases what is due")
    ring_pause: Seconds = Field(default=10, description="pause before a due job is rung again; grows")

    pool_size: int = Field(default=10, ge=1, description="connections to PostgreSQL per process, at most")

    rate_limit: int = Field(
        default=6000, ge=0, description="requests a minute of each key to one bridge, at most; 0: no limit"
    )
    sign_in_limit: int = Field(
        default=120, ge=0, description="failed sign-ins a minute from one address, at most; 0: no limit"
    )

    client_mapping: ClientMapping = Field(
        default=ClientMapping.SLUG, description="`explicit`, or `slug` as the fallback where no mapping is set"
    )
    config_owner: ConfigOwner = Field(
        default=ConfigOwner.V2,
        description="whose config fields flow to the other table of clients: `v2`, `production`; `separate`: none",
    )
    config_sync_interval: Seconds = Field(default=3600, description="how often beat syncs config fields")
    make_mode: MakeMode = Field(
        default=MakeMode.API,
        description="how a rerun starts the scenario: `api`, or `webhook` for its custom webhook",
    )
    make_url: str | None = Field(
        default=None, pattern=r"^https?://[^/]+/?$", description="Make.com's zone, such as `https://eu1.make.com`"
    )
    make_token: SecretStr | None = Field(default=None, description="API token, for the mode `api`")
    make_scenario_id: int | None = Field(
        default=None, ge=1, description="the pipeline's scenario, for the mode `api`"
    )
    make_webhook_url: SecretStr | None = Field(
        default=None, description="the pipeline's custom webhook, for the mode `webhook`"
    )
    rerun_timeout: Seconds = Field(
        default=2700, description="how long a rerun may take from its start to its publish"
    )
    callback_hosts: str = Field(
        default="*.make.com",
        description="hosts callbacks may go to, by commas; a private address only where it is named literally",
    )
    callback_secret: SecretStr | None = Field(
        default=None, description="`whsec_` and base64 of 24 bytes or more: signs callbacks, by Standard Webhooks"
    )
    webhook_secrets: SecretStr | None = Field(
        default=None, description="the same, by commas: a request signed with one needs no key"
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="the bridge's address in `status_url`; none: as it was called",
    )

    sentry_dsn: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("SENTRY_DSN"),
        description="where Sentry hears of what nobody foresaw; needs `columnline[sentry]`",
    )
    keep_previews: Days = Field(default=7, description="days until previews and exports are pruned")
    keep_jobs: Days = Field(
        default=30,
        description="days until other jobs are pruned that are done or cancelled, but for publishes",
    )
    keep_errors: Days = Field(
        default=180, description="days until jobs in error are pruned, and attempts at publishes"
    )
    keep_history: Days = Field(default=730, description="days until history of config fields is pruned")

    batch_strategy: BatchStrategy = Field(
        default=BatchStrategy.DAILY,
        description="`daily`; `run`: opened when a run is registered; `make`: by `batch_number`; `none`",
    )
    supersede: SupersedePolicy = Field(
        default=SupersedePolicy.EXPLICIT,
        description="`explicit`: where asked for; `auto`: the company's newest dossier, unless told otherwise",
    )
    default_list: str = Field(
        default="Inbox", max_length=128, description="the list of every new dossier, made on demand; empty: none"
    )

    @field_validator(*OPTIONAL, mode="before")
    @classmethod
    def _trimmed(cls, found: Any) -> Any:
        return found.strip() or None if isinstance(found, str) else found

    @field_validator("database_url")
    @classmethod
    def _postgres_only(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        scheme, found, rest = url.get_secret_value().partition("://")
        if not found or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
            raise ValueError("must begin with postgresql://")
        try:
            make_url(f"postgresql+psycopg://{rest}")
        except (ArgumentError, ValueError):
            raise ValueError("is no URL; look at its port, and at characters that must be escaped") from None
        return SecretStr(f"postgresql+psycopg://{rest}")

    @field_validator("redis_url")
    @classmethod
    def _broker(cls, url: SecretStr | None) -> SecretStr | None:
        known = {"redis", "rediss", "redis+socket", "redis+sentinel", "sentinel", "amqp", "amqps"}
        if url is not None and url.get_secret_value().partition("://")[0] not in known:
            raise ValueError(f"must begin with one of {', '.join(sorted(known))}, followed by ://")
        return url

    @field_validator("make_webhook_url")
    @classmethod
    def _web_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.fullmatch(r"(?i:https?)://[^/\s]\S*", url.get_secret_value()):
            raise ValueError("must be an address that begins with https:// or http://")
        return url

    @field_validator("callback_secret", "webhook_secrets")
    @classmethod
    def _secrets(cls, secret: SecretStr | None) -> SecretStr | None:
        return secret and SecretStr(hook_settings.signing_secrets(secret.get_secret_value()))

    @field_validator("callback_hosts")
    @classmethod
    def _hosts(cls, hosts: str) -> str:
        return hook_settings.host_patterns(hosts)

    @field_validator("backoff_cap")
    @classmethod
    def _cap_of_backoff(cls, cap: float, info: ValidationInfo) -> float:
        base = info.data.get("backoff_base", cap)
        if base > cap:
            raise ValueError(
                f"{env_name('backoff_base')} ({base:g} s) must not be above {env_name('backoff_cap')} ({cap:g} s)"
            )
        return cap

    @field_validator(CHAIN[-1])
    @classmethod
    def _chain_of_limits(cls, last: float, info: ValidationInfo) -> float:
        """Asked of the last limit, not of the whole, which is not asked where any other setting is wrong."""
        found = info.data | {CHAIN[-1]: last}
        wrong = [
            f"{env_name(lower)} ({found[lower]:g} s) must be below {env_name(upper)} ({found[upper]:g} s)"
            for lower, upper in itertools.pairwise(name for name in CHAIN if name in found)
            if not found[lower] < found[upper]
        ]
        if wrong:
            raise ValueError("\n  ".join(wrong))
        return last

    @property
    def outputs_wait(self) -> timedelta:
        """How long a publish waits for missing outputs before they count as missing for good."""
        return timedelta(seconds=self.outputs_deadline)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read at the first call.

    Raises:
        SettingsError: naming all settings that are wrong or unknown.
    """
    problems = list(_unknown_names())
    found: Settings | None = None
    try:
        found = Settings()
    except ValidationError as error:
        problems += [_sentence(problem) for problem in error.errors()]
    if found is None or problems:
        raise SettingsError("Wrong settings:\n" + "\n".join(f"  {problem}" for problem in problems))
    return found


def env_name(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    return field.upper() if field in UNPREFIXED else PREFIX + field.upper()


def _unknown_names() -> list[str]:
    known = {env_name(field) for field in Settings.model_fields} | {f"{PREFIX}FAILPOINTS"}
    problems = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(
                name.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in known], n=1
            )
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            problems.append(f"{name}: no such setting{hint}")
    return problems


def _sentence(problem: Any) -> str:
    where = str(problem["loc"][0]) if problem["loc"] else ""
    name = env_name(where.lower()) if where else ""
    message = problem["msg"].removeprefix("Value error, ")
    if not name or message.startswith(PREFIX):
        return str(message)
    shown = "" if where.lower().removeprefix(PREFIX.lower()) in SECRET else f" (found {problem['input']!r})"
    return f"{name}: {message}{shown}"
