"""A client's drip: the slots in which its dossiers are released one after the other.

The pipeline's `v2_clients.drip_schedule` says `{"days": ["tue", "thu"], "time": "09:00"}`; a client that has none
may have V1's `drip_enabled`, `drip_frequency` and `drip_day`.
"""

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from worker.calendar.moments import moment_of
from worker.errors import DripUnavailable

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {str(number) for number in range(len(_NAMES) + 1)}
_SHORTEST = 2
_EVERY_DAY = frozenset(range(7))
_WORKDAYS = frozenset(range(5))
_MOST_PER_SLOT = 100
_LAST_OF_MONTH = 31


@dataclass(frozen=True, slots=True)
class Drip:
    """When a client's dossiers drip.

    Attributes:
        weekdays: 0 for Monday to 6 for Sunday; of a monthly drip, empty.
        day_of_month: of a monthly drip, 1 to 31; a shorter month's last day stands in.
        odd_weeks: of a fortnightly drip, whether its weeks are the odd ones since the year 1; else None.
        per_slot: how many dossiers a slot takes.
    """

    at: time
    weekdays: frozenset[int] = frozenset()
    day_of_month: int | None = None
    odd_weeks: bool | None = None
    per_slot: int = 1

    def slots(self, after: datetime, where: ZoneInfo) -> Iterator[datetime]:
        """The moments after that one, in order, without end: none comes twice."""
        day, last = after.astimezone(where).date() - timedelta(days=1), after.astimezone(UTC)
        while True:
            if self._is_on(day) and (moment := moment_of(day, self.at, where)) > last:
                yield moment
                last = moment
            day += timedelta(days=1)

    def _is_on(self, day: date) -> bool:
        if self.day_of_month is not None:
            return day.day == min(self.day_of_month, calendar.monthrange(day.year, day.month)[1])
        return day.weekday() in self.weekdays and self.odd_weeks in {None, _is_odd(day)}


def read_drip(schedule: Any, v1: Mapping[str, Any], release_hour: int) -> Drip | None:
    """The client's drip, or None where it has none.

    Args:
        schedule: `v2_clients.drip_schedule`; wins over V1's fields.
        v1: `drip_enabled`, `drip_frequency`, `drip_day`, `drip_next_run` of the production client.
        release_hour: the time of day where none is given.

    Raises:
        DripUnavailable: it has one that cannot be read; says what was found.
    """
    if isinstance(schedule, dict) and schedule.get("days") and schedule.get("enabled") is not False:
        days = schedule["days"]
        return Drip(
            at=_time(schedule.get("time"), release_hour),
            weekdays=frozenset().union(*map(_weekdays, days if isinstance(days, list) else [days])),
            per_slot=_per_slot(schedule.get("per_slot")),
        )
    return _of_v1(v1, time(release_hour)) if v1.get("drip_enabled") else None


def _of_v1(v1: Mapping[str, Any], at: time) -> Drip:
    frequency, day = (v1.get("drip_frequency") or "").strip().lower(), v1.get("drip_day")
    match frequency:
        case "daily":
            return Drip(at, weekdays=_EVERY_DAY)
        case "weekdays":
            return Drip(at, weekdays=_WORKDAYS)
        case "weekly" if day is not None:
            return Drip(at, weekdays=_weekdays(day))
        case "biweekly" | "fortnightly" if day is not None:
            begun = v1.get("drip_next_run")
            return Drip(at, weekdays=_weekdays(day), odd_weeks=_is_odd(begun.date()) if begun else False)
        case "monthly" if isinstance(day, int) and 1 <= day <= _LAST_OF_MONTH:
            return Drip(at, day_of_month=day)
        case _:
            raise _unreadable(
                f"drip_frequency {v1.get('drip_frequency')!r} with drip_day {day!r}",
                "daily, weekdays, weekly, biweekly or monthly, with a drip_day (0 for Sunday to 6; of a month, "
                "1 to 31)",
            )


def _weekdays(day: Any) -> frozenset[int]:
    """The days that a name or a number stands for: 1 is Monday; Sunday is 0 as in PostgreSQL, or 7 as in ISO."""
    if isinstance(day, int) and not isinstance(day, bool) and 0 <= day <= len(_NAMES):
        return frozenset({(day - 1) % 7})
    text = str(day).strip().lower()
    if text in {"daily", "every day", "all"}:
        return _EVERY_DAY
    if text == "weekdays":
        return _WORKDAYS
    if text in _NUMBERS and not isinstance(day, int):
        return _weekdays(int(text))
    found = [number for number, name in enumerate(_NAMES) if len(text) >= _SHORTEST and name.startswith(text)]
    if len(found) != 1:
        raise _unreadable(f"the day {day!r}", 'names such as "tue", or numbers from 1 for Monday to 7')
    return frozenset(found)


def _time(text: Any, release_hour: int) -> time:
    if text is None or text == "":
        return time(release_hour)
    try:
        found = time.fromisoformat(str(text).strip().zfill(5))
    except ValueError:
        raise _unreadable(f"the time {text!r}", 'a time of day such as "09:00"') from None
    if found.tzinfo is not None:
        raise _unreadable(f"the time {text!r}", "a time of day in the client's own zone")
    return found


def _per_slot(value: Any) -> int:
    if value is None:
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_PER_SLOT:
        raise _unreadable(f"per_slot {value!r}", f"a whole number from 1 to {_MOST_PER_SLOT}")
    return value


def _unreadable(found: str, wanted: str) -> DripUnavailable:
    return DripUnavailable(
        f"The client's drip schedule has {found}, which cannot be read. Wanted: {wanted}. Correct it, then send "
        "this again.",
        field="release_date",
    )


def _is_odd(day: date) -> bool:
    return bool((day.toordinal() - 1) // 7 % 2)  # day 1 was a Monday, so that these are whole weeks
