"""The calendar in plain Python, for the machine that compares the two: what each action should lead to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from models.values import dossier_id_of
from tests.database.companies import LAKESHORE, NORTHWIND

LISTS = ("Inbox", "Hot leads")
SLOT = time(9)


class Refused(Exception):
    """The model expects the error of this code, and that nothing changes."""


@dataclass
class Client:
    zone: ZoneInfo
    hour: int
    drips: bool

    def moment(self, day, at=None):
        return datetime.combine(day, at or time(self.hour), self.zone).astimezone(UTC)


@dataclass(eq=False)
class Known:
    """A dossier as it should be."""

    id: object
    client: str
    company: str
    born: int
    run_id: str | None = None
    status: str = "ready"
    seen_at: datetime | None = None
    day: date | None = None
    at: datetime | None = None
    drips: bool = False
    older: "Known | None" = None
    newer: "Known | None" = None
    lists: set = field(default_factory=set)
    asked: dict = field(default_factory=dict)
    failed: bool = False

    @property
    def seen(self):
        return self.seen_at is not None and self.seen_at <= now()

    @property
    def never_shown(self):
        return self.run_id is not None and self.status in {"error", "archived"} and self.seen_at is None

    def ancestors(self) -> Iterator["Known"]:
        found = self.older
        while found is not None:
            yield found
            found = found.older

    def as_stored(self):
        return {
            "status": self.status,
            "released": self.seen,
            "day": self.day,
            "at": self.at,
            "drips": self.drips,
            "older": self.older and self.older.id,
            "newer": self.newer and self.newer.id,
            "lists": self.lists,
            "releases": int(self.seen) if self.run_id else None,
        }

    def leave_calendar(self):
        self.at, self.drips = None, False


def now():
    return datetime.now(UTC)


class Model:
    """All dossiers, by id, and the two clients."""

    def __init__(self):
        self.known = {}
        self.births = 0
        self.clients = {
            NORTHWIND: Client(ZoneInfo("America/Toronto"), 7, drips=True),
            LAKESHORE: Client(ZoneInfo("America/Detroit"), 8, drips=False),
        }

    def all(self):
        return list(self.known.values())

    def add(self, dossier):
        self.known[dossier.id] = dossier
        return dossier

    def born(self):
        self.births += 1
        return self.births

    def is_free(self, older, dossier):
        """Whether nothing but this dossier replaces the older one, or is to."""
        return older.newer in {None, dossier} and not any(
            one.older is older for one in self.all() if one is not dossier
        )

    # Publishing

    def publish(self, dossier, *, has_outputs=True, at_the_door=True):
        """Publish the dossier for the first time, or after an error, as `asked` has it."""
        asked = dossier.asked
        if at_the_door:
            self._check_door(dossier)
        self.add(dossier)
        dossier.failed, dossier.status = True, "error"
        if not has_outputs:
            raise Refused("outputs_missing")
        if dossier.newer is not None:  # replaced meanwhile: it is published, hidden, and takes no other's place
            dossier.failed, dossier.born, dossier.lists = False, self.born(), {asked.get("list", "Inbox")}
            dossier.status = "superseded"
            return
        day, at, drips = self.place(dossier, asked.get("release_date"))
        before, older = dossier.older, self.named(dossier)
        if older is None and asked.get("supersede") != "none":
            older = before or (self.newest(dossier, now_born=True) if self._is_auto(asked) else None)
        if older is not before:
            self.close_gaps(dossier, older, now_born=True)
        dossier.failed, dossier.born, dossier.lists = False, self.born(), {asked.get("list", "Inbox")}
        dossier.status, dossier.older = "ready", older
        self.reopen_gaps(before)
        dossier.day, dossier.at, dossier.drips = day, at, drips
        if at is None or at <= now():
            self.show(dossier)

    def republish(self, dossier, asked):
        """Publish the dossier again with these options."""
        before, dossier.asked = dossier.asked, asked
        try:
            self._check_door(dossier)
        except Refused:
            dossier.asked = before
            raise
        dossier.failed = True
        day, at, drips, places = dossier.day, dossier.at, dossier.drips, False
        if "release_date" in asked and not dossier.seen:
            if dossier.status != "ready":
                raise Refused("dossier_not_ready")
            (day, at, drips), places = self.place(dossier, asked["release_date"]), True
        keeps = dossier.status != "ready" and asked.get("supersede") == "auto"
        if dossier.status != "ready" and not keeps and any(name.startswith("supersede") for name in asked):
            raise Refused("dossier_not_ready")
        relinks, older = not keeps, self.named(dossier)
        if older is None and not keeps:
            relinks = asked.get("supersede") == "none" or (self._is_auto(asked) and dossier.older is None)
            older = self.newest(dossier, now_born=False) if relinks and self._is_auto(asked) else None
        if relinks and dossier.seen and dossier.older not in {None, older}:
            raise Refused("supersede_taken")
        dossier.failed = False
        dossier.day, dossier.at, dossier.drips = day, at, drips
        if relinks:
            self.close_gaps(dossier, older, now_born=False)
            dossier.older, linked = older, dossier.older
            self.reopen_gaps(linked)
        dossier.lists |= {asked["list"]} if "list" in asked else set()
        if (relinks and dossier.seen) or (places and at <= now()):
            self.show(dossier)

    def _is_auto(self, asked):
        return asked.get("supersede") == "auto"

    def _check_door(self, dossier):
        asked = dossier.asked
        if asked.get("list", "Inbox") not in LISTS:
            raise Refused("list_not_found")
        if asked.get("release_date") == "drip":
            self.place(dossier, "drip")
        if dossier.seen and "release_date" in asked:
            _, at, drips = self.place(dossier, asked["release_date"])
            if drips or at > now():
                raise Refused("already_released")
        self.named(dossier)

    def place(self, dossier, asked):
        client = self.clients[dossier.client]
        if asked is None:
            return None, None, False
        if asked != "drip":
            return asked, client.moment(asked), False
        if not client.drips or dossier.run_id is None:
            raise Refused("drip_unavailable")
        others = (one for one in self.all() if one is not dossier and one.client == dossier.client and one.drips)
        taken = {one.at for one in others}
        day = now().astimezone(client.zone).date()
        while (slot := client.moment(day, SLOT)) <= now() or slot in taken:
            day += timedelta(days=1)
        return day, slot, True

    def named(self, dossier):
        run_id, dossier_id = dossier.asked.get("supersedes_run_id"), dossier.asked.get("supersedes_dossier_id")
        if run_id is None and dossier_id is None:
            return None
        older = self.known.get(dossier_id or dossier_id_of(run_id))
        if older is None:
            raise Refused("dossier_not_found")
        if older.client != dossier.client:
            raise Refused("supersede_other_client")
        if older is dossier or dossier in older.ancestors():
            raise Refused("validation")
        if not self.is_free(older, dossier):
            raise Refused("supersede_taken")
        return older

    def newest(self, dossier, *, now_born):
        found = [
            one
            for one in self.all()
            if (one.client, one.company, one.status) == (dossier.client, dossier.company, "ready")
            and one is not dossier
            and (now_born or one.born < dossier.born)
            and one.newer is None
            and self.is_free(one, dossier)
            and dossier not in one.ancestors()
        ]
        return max(found, key=lambda one: one.born, default=None)

    def close_gaps(self, dossier, older, *, now_born):
        """Dossiers that nobody ever saw get the link that they were to have, where this one is to replace them."""
        ours = {dossier}
        while older is not None and older.never_shown and older.older is None:
            ours.add(older)
            before = self.was_to_replace(older, dossier, lambda: self.newest(dossier, now_born=now_born))
            if before is None or ours & {before, *before.ancestors()}:
                return
            older.older = older = before

    def was_to_replace(self, gap, newer, newest):
        run_id, dossier_id = gap.asked.get("supersedes_run_id"), gap.asked.get("supersedes_dossier_id")
        if run_id is None and dossier_id is None:
            return newest() if self._is_auto(gap.asked) else None
        found = last = self.known.get(dossier_id or dossier_id_of(run_id))
        while found is not None:
            if found.client != gap.client:
                return None
            after = [one for one in self.all() if one.older is found and one not in {gap, newer}]
            last, found = found, after[0] if after else found.newer
            found = None if found in {gap, newer} else found
        return last

    def reopen_gaps(self, older):
        """What they were to replace is free again once nothing is to replace them."""
        while older is not None and older.never_shown and self.is_free(older, None):
            older.older, older = None, older.older

    # The calendar

    def show(self, dossier):
        """Readers see this one from now on, and those it replaces as superseded."""
        if not dossier.seen:
            dossier.seen_at = now()
            if dossier.at is None or dossier.at > now():
                dossier.leave_calendar()  # before its time: its slot is free again
        self.replace(dossier.ancestors(), dossier)

    def replace(self, chain, newer):
        """This one takes the place of those, up to the first that was replaced before."""
        for older in chain:
            if older.newer is not None:
                break
            older.newer = newer
            if older.status == "ready":
                older.status = "superseded"
            if older.seen_at is None:
                older.leave_calendar()

    def tick(self):
        """Everything that is due, as if each had been released at its moment."""
        waiting = [one for one in self.all() if one.status == "ready" and one.seen_at is None and one.at]
        for one in waiting:
            if not one.drips:
                one.at = self.clients[one.client].moment(one.day)
        due = [one for one in waiting if one.at <= now()]
        for one in sorted(due, key=lambda one: (one.at, -len(list(one.ancestors())))):
            if one.status == "ready":
                self.show(one)

    def shift(self, days):
        """Time passes."""
        back = timedelta(days=days)
        for one in self.all():
            zone = self.clients[one.client].zone
            one.day = one.day and one.day - back
            one.at = one.at and (one.at.astimezone(zone) - back).astimezone(UTC)
            one.seen_at = one.seen_at and one.seen_at - back

    # What ops do

    def _unseen(self, dossier):
        if dossier.seen:
            raise Refused("already_released")
        if dossier.status != "ready":
            raise Refused("dossier_not_ready")

    def release_now(self, dossier):
        if dossier.seen and dossier.status == "archived":
            raise Refused("dossier_not_ready")
        if not dossier.seen:
            self._unseen(dossier)
            self.show(dossier)

    def reschedule(self, dossier, asked):
        self._unseen(dossier)
        wanted = self.place(dossier, asked)
        if wanted == (dossier.day, dossier.at, dossier.drips):
            return
        dossier.day, dossier.at, dossier.drips, dossier.seen_at = *wanted, None
        if dossier.at <= now():
            self.show(dossier)

    def hold(self, dossier):
        self._unseen(dossier)
        if (dossier.day, dossier.at) != (None, None):
            dossier.day, dossier.seen_at = None, None
            dossier.leave_calendar()

    def archive(self, dossier):
        if dossier.status == "archived":
            return
        if dossier.status not in {"ready", "superseded"}:
            raise Refused("dossier_not_ready")
        if not dossier.seen:
            after = [one for one in self.all() if one.older is dossier]
            for one in after:
                one.older = dossier.older
            before = dossier.older
            dossier.older = dossier.day = dossier.seen_at = None
            self.reopen_gaps(before)
            dossier.leave_calendar()
        dossier.status = "archived"
