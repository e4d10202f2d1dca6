"""From a client's local day to a moment: pure, and the same on every server."""

from datetime import UTC, date, datetime, time, timezone
from zoneinfo import ZoneInfo


def zone(name: str | None) -> ZoneInfo:
    """The time zone of that name; UTC where there is none: V1 never checked the column."""
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, LookupError, OSError):  # an odd name, an unknown one, a directory's
        return ZoneInfo("UTC")


def moment_of(day: date, at: time, where: ZoneInfo) -> datetime:
    """The moment, in UTC, at which it is `at` on that day there (roadmap §5).

    As RFC 5545, section 3.3.5 has it: a time that the clocks skip is read with the offset from before the gap,
    which is as much later as the gap is long; of a time that comes twice, the first counts.
    """
    return datetime.combine(day, at.replace(fold=0), tzinfo=where).astimezone(UTC)


def day_of(asked: date | datetime, where: ZoneInfo) -> date:
    """The day that was asked for. A moment is read there: Make.com sends the user's midnight in UTC."""
    return asked.astimezone(where).date() if isinstance(asked, datetime) else asked


def local(moment: datetime, where: ZoneInfo | timezone) -> datetime:
    """The moment by the clocks there; as it is where there would be no such date (V1 has the year 9999)."""
    try:
        return moment.astimezone(where)
    except OverflowError:
        return moment
