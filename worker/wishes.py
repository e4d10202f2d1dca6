"""What a client wants otherwise than the settings say: shown with where each comes from, and set, validated."""

import json
import os
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, Field
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.clean import storable
from models.pipeline import V2Client
from models.production import Client
from worker.calendar.align import realign
from worker.calendar.drip import read_drip
from worker.choices import SupersedePolicy
from worker.clients import is_production_client, no_v2_client
from worker.errors import ClientUnmapped, DripUnavailable, WrongUsage
from worker.outgoing import check_url
from worker.settings import Settings, env_name, settings

Source = Literal["client", "environment", "default"]
DRIP_KEYS = {"days", "time", "per_slot", "enabled"}
_LAST_HOUR = 23
_DIGITS = 2
_LONGEST = 128


class Wish(BaseModel):
    """One thing a client may want."""

    name: str
    value: Any
    source: Source = Field(description="where it comes from")


class ClientSettings(BaseModel):
    """A client and everything that is set for it."""

    v2_client_id: str
    name: str
    status: str
    production_client_id: UUID | None
    settings: list[Wish]


def show(session: Session, config: Settings, v2_client_id: str) -> ClientSettings:
    """What counts for a client, and where it comes from.

    Raises:
        ClientNotFound: no such v2 client.
    """
    v2, client = _read(session, config, v2_client_id)
    wishes = [
        _wish("supersede", v2.supersede, config.supersede.value, "supersede"),
        _wish("default_list", v2.default_list, config.default_list, "default_list"),
        _wish("drip_schedule", v2.drip_schedule, None, None),
        _wish("callback_url", v2.callback_url, None, None),
    ]
    if client is not None:
        wishes += [
            Wish(name="timezone", value=client.timezone, source="client"),
            Wish(name="release_hour", value=client.release_hour, source="client"),
        ]
        if client.drip_enabled and v2.drip_schedule is None:
            v1 = {"frequency": client.drip_frequency, "day": client.drip_day}
            wishes.append(Wish(name="drip (V1)", value=v1, source="client"))
    return ClientSettings(
        v2_client_id=v2_client_id,
        name=v2.client_name,
        status=v2.status,
        production_client_id=client and client.id,
        settings=wishes,
    )


def change(
    session: Session, config: Settings, v2_client_id: str, wanted: dict[str, str], asked_by: str
) -> ClientSettings:
    """Set what a client wants; empty text takes a wish back. Scheduled releases move with its hour and zone.

    Raises:
        ClientNotFound: no such v2 client.
        ClientUnmapped: its zone or hour is to be set, and it has no production client.
        WrongUsage: a name nobody knows, or a value that will not do; nothing is changed.
    """
    _, client = _read(session, config, v2_client_id)
    own: dict[str, Any] = {}
    of_app: dict[str, Any] = {}
    for name, value in wanted.items():
        if name in _READERS_OF_APP:
            of_app[name] = _READERS_OF_APP[name](value.strip())
        elif name in _READERS:
            own[name] = _READERS[name](value.strip())
        else:
            known = ", ".join([*_READERS, *_READERS_OF_APP])
            raise WrongUsage(f"There is no setting {name!r} of a client. Those there are: {known}.", field=name)
    if own:
        statement = update(V2Client).where(V2Client.client_id == v2_client_id).values(**own, updated_at=func.now())
        session.execute(statement.execution_options(synchronize_session=False))
    if of_app:
        if client is None:
            raise ClientUnmapped(
                f"Client {v2_client_id!r} is not mapped, so it has no {' and no '.join(of_app)}. Map it first: "
                f"columnline clients map {v2_client_id}.",
                field=next(iter(of_app)),
            )
        of_client = update(Client).where(Client.id == client.id).values(**of_app, updated_at=func.now())
        session.execute(of_client.execution_options(synchronize_session=False))
        realign(session, asked_by)
    return show(session, config, v2_client_id)


def _read(session: Session, config: Settings, v2_client_id: str) -> tuple[Any, Any]:
    """The v2 client and its production client, or None for that."""
    v2 = session.execute(
        select(
            V2Client.client_name,
            V2Client.status,
            V2Client.supersede,
            V2Client.default_list,
            V2Client.drip_schedule,
            V2Client.callback_url,
        ).where(V2Client.client_id == v2_client_id)
    ).one_or_none()
    if v2 is None:
        raise no_v2_client(v2_client_id)
    clients = session.execute(
        select(
            Client.id,
            Client.timezone,
            Client.release_hour,
            Client.drip_enabled,
            Client.drip_frequency,
            Client.drip_day,
        )
        .join(V2Client, is_production_client(config.client_mapping))
        .where(V2Client.client_id == v2_client_id)
    ).all()
    return v2, clients[0] if len(clients) == 1 else None


def _wish(name: str, own: Any, otherwise: Any, setting: str | None) -> Wish:
    if own is not None:
        return Wish(name=name, value=own, source="client")
    is_set = setting is not None and env_name(setting) in os.environ
    return Wish(name=name, value=otherwise, source="environment" if is_set else "default")


def _supersede(text: str) -> str | None:
    if text and text not in set(SupersedePolicy):
        raise WrongUsage(f"supersede is {text!r}. Give {' or '.join(SupersedePolicy)}.", field="supersede")
    return text or None


def _list(text: str) -> str | None:
    """The list's name; `none` for no list, empty for what the settings say."""
    if len(text) > _LONGEST:
        raise WrongUsage(f"default_list is longer than {_LONGEST} characters.", field="default_list")
    return "" if text == "none" else text or None


def _json(text: str) -> Any:
    """The JSON value of a text, if the database can store it; else None."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    _, replaced = storable(value)
    return None if replaced else value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _drip(text: str) -> Any:
    if not text:
        return None
    schedule = _json(text)
    if isinstance(schedule, dict) and (unknown := schedule.keys() - DRIP_KEYS):
        raise WrongUsage(
            f"drip_schedule has {sorted(unknown)}, which means nothing. Known: {', '.join(sorted(DRIP_KEYS))}.",
            field="drip_schedule",
        )
    try:
        drip = read_drip(schedule, {}, 0) if isinstance(schedule, dict) else None
    except DripUnavailable as error:
        raise WrongUsage(error.detail, field="drip_schedule") from None
    if drip is None:
        raise WrongUsage(
            f'drip_schedule is {text!r}. Give JSON such as {{"days": ["tue"], "time": "09:00"}}.',
            field="drip_schedule",
        )
    return schedule


def _callback_url(text: str) -> str | None:
    if text:
        check_url(text, settings().callback_hosts)
    return text or None


def _timezone(text: str) -> str:
    if text not in available_timezones():
        raise WrongUsage(f"timezone is {text!r}. Give an IANA name such as America/Toronto.", field="timezone")
    return ZoneInfo(text).key


def _hour(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS or int(text) > _LAST_HOUR:
        raise WrongUsage(f"release_hour is {text!r}. Give an hour from 0 to 23.", field="release_hour")
    return int(text)


_READERS = {
    "supersede": _supersede,
    "default_list": _list,
    "drip_schedule": _drip,
    "callback_url": _callback_url,
}
_READERS_OF_APP = {"timezone": _timezone, "release_hour": _hour}
