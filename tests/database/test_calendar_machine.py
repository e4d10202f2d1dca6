"""Everything that moves a dossier, in any order: the database must say what a plain model says, after each step.

Nothing moves PostgreSQL's clock, so time passes by moving every moment back by whole days of its client.
"""

import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models.jobs import JobState
from models.values import dossier_id_of
from tasks.publish import publish_run
from tests.database import companies
from tests.database.calendar_model import LISTS, Known, Model, Refused, now
from tests.database.companies import LAKESHORE, LATE, NORTHWIND, PRODUCTION, execute, query
from worker import db
from worker.calendar import desk
from worker.calendar.release import release_due
from worker.errors import ColumnlineError
from worker.heard import JobFailed

EXAMPLES, STEPS = 10, 28
HUNT = int(os.environ.get("CALENDAR_EXAMPLES", "0"))
"""How many examples to try that no run has tried before; without it, always the same few."""
DAILY = '{"days": "daily", "time": "09:00"}'

DOMAINS = {
    "acme.example": ("acme.example", "WWW.Acme.example.", "https://careers.acme.example:8443/jobs?x=1"),
    "one.github.io": ("one.github.io", "http://ONE.github.io/"),
}
picks = st.integers(0, 30)
dates = st.sampled_from([1, 2, 3, "drip", -1])
changes = st.fixed_dictionaries(
    {},
    optional={
        "release_date": dates,
        "list": st.sampled_from([*LISTS, *LISTS, "No such list"]),
        "batch_number": st.sampled_from(["MAKE_1", "MAKE_2"]),
    },
)
who = st.sampled_from([NORTHWIND, NORTHWIND, NORTHWIND, LAKESHORE])
links = st.one_of(
    st.sampled_from([None, {"supersede": "auto"}, {"supersede": "auto"}, {"supersede": "none"}]),
    st.tuples(st.sampled_from(["supersedes_run_id", "supersedes_dossier_id"]), picks),
)


def refusal(action):
    """The code with which the model refuses the action, or None."""
    try:
        action()
    except Refused as refused:
        return str(refused)
    return None


def stored(row):
    """What the model says of a dossier, as the database has it."""
    return {
        "status": row.status,
        "released": row.released_at is not None,
        "day": row.release_date,
        "at": row.release_at,
        "drips": row.drip_position is not None,
        "older": row.supersedes_dossier_id,
        "newer": row.superseded_by_dossier_id,
        "lists": set(row.lists),
        "releases": row.releases if row.run_id else None,
    }


class Calendar(RuleBasedStateMachine):
    @initialize()
    def empty(self):
        companies.empty()
        execute("update clients set release_hour = case slug when 'northwind-steel' then 7 else 8 end")
        execute("update v2_clients set drip_schedule = :s where client_id = :c", c=NORTHWIND, s=DAILY)
        for client, name in ((client, name) for client in PRODUCTION for name in LISTS):
            execute("insert into lists (client_id, name) values (:c, :n)", c=PRODUCTION[client], n=name)
        self.model, self.runs = Model(), 0

    # What happens

    @precondition(lambda self: len(self.model.known) < len(DOMAINS) + 1)
    @rule(domain=st.sampled_from(sorted(DOMAINS)), spelling=picks, client=who)
    def v1_writes_a_dossier(self, domain, spelling, client):
        spellings = DOMAINS[domain]
        dossier_id = companies.add_v1(spellings[spelling % len(spellings)], client=client)
        self.model.add(Known(dossier_id, client, domain, self.model.born(), seen_at=now()))

    @rule(
        domain=st.sampled_from(sorted(DOMAINS)),
        spelling=picks,
        client=who,
        options=changes,
        link=links,
        fails=st.sampled_from([False, False, False, True]),
    )
    def a_run_is_published(self, domain, spelling, client, options, link, fails):
        run_id, self.runs = f"RUN_{self.runs}", self.runs + 1
        spellings = DOMAINS[domain]
        without = (LATE,) if fails else ()
        companies.register(run_id, spellings[spelling % len(spellings)], client=client, without=without)
        new = Known(dossier_id_of(run_id), client, domain, 0, run_id=run_id)
        self.publish(
            new, self.asked(client, options, link), lambda: self.model.publish(new, has_outputs=not fails)
        )

    @precondition(lambda self: self.ends_of_chains())
    @rule(pick=picks, when=dates, fails=st.sampled_from([False, False, False, True]))
    def a_successor_is_scheduled(self, pick, when, fails):
        older = self.pick(pick, self.ends_of_chains())
        options = {"release_date": when} if older.client == NORTHWIND or when != "drip" else {}
        run_id, self.runs = f"RUN_{self.runs}", self.runs + 1
        companies.register(run_id, older.company, client=older.client, without=(LATE,) if fails else ())
        new = Known(dossier_id_of(run_id), older.client, older.company, 0, run_id=run_id)
        asked = self.asked(older.client, options, {"supersedes_dossier_id": older.id})
        self.publish(new, asked, lambda: self.model.publish(new, has_outputs=not fails))

    @precondition(lambda self: self.failed_runs())
    @rule(pick=picks, anew=st.booleans(), options=changes, link=links)
    def a_failed_run_is_completed_and_tried_again(self, pick, anew, options, link):
        old = self.pick(pick, self.failed_runs())
        companies.complete(old.run_id)
        if anew:
            asked = self.asked(old.client, options, link)
            self.publish(old, asked, lambda: self.model.publish(old))
        else:
            job = companies.retry(old.run_id)
            self.ends(job, refusal(lambda: self.model.publish(old, at_the_door=False)))

    @precondition(lambda self: self.published())
    @rule(pick=picks, options=changes, link=links)
    def a_run_is_published_again(self, pick, options, link):
        old = self.pick(pick, self.published())
        has_a_place = old.seen or old.status == "ready"  # what may be linked of others, test_chain_requests says
        asked = self.asked(old.client, options, link if has_a_place else None)
        before = companies.dump()
        code = refusal(lambda: self.model.republish(old, asked))
        if code and old.asked is not asked:  # at the door already
            self.refuses(code, lambda: companies.accept(old.run_id, republish=True, **asked))
            return
        job_id = companies.accept(old.run_id, republish=True, **asked)
        with suppress(JobFailed):
            publish_run(job_id=str(job_id))
        assert not code or companies.dump() == before
        list(release_due())
        self.ends(companies.job_of(old.run_id), code)

    @precondition(lambda self: self.settled())
    @rule(pick=picks)
    def the_same_request_comes_again(self, pick):
        old = self.pick(pick, self.settled())
        before = companies.dump()
        companies.accept(old.run_id, **old.asked)
        assert companies.dump() == before

    @precondition(lambda self: self.model.known)
    @rule(pick=st.sampled_from([0, 0, 0, 1, 2]), action=st.sampled_from(["release_now", "hold", "archive"]))
    def somebody_acts(self, pick, action):
        self.act(self.pick(pick, self.unseen_first()), action)

    @precondition(lambda self: self.model.known)
    @rule(pick=st.sampled_from([0, 0, 0, 1, 2]), when=dates)
    def somebody_reschedules(self, pick, when):
        found = self.pick(pick, self.unseen_first())
        self.act(found, "reschedule", self.day(found.client, when))

    @rule(client=st.sampled_from([NORTHWIND, LAKESHORE]), hour=st.sampled_from([0, 7, 9, 15, 23]))
    def a_client_changes_its_hour(self, client, hour):
        execute("update clients set release_hour = :hour where id = :id", hour=hour, id=PRODUCTION[client])
        self.model.clients[client].hour = hour

    @rule()
    def beat_ticks(self):
        list(release_due())
        self.model.tick()
        assert not query(
            "select 1 from dossiers where status = 'ready' and released_at is null and release_at <= now()"
        )

    @rule(days=st.sampled_from([1, 1, 2]))
    def days_pass(self, days):
        companies.days_pass(days)
        self.model.shift(days)

    # What must hold

    @invariant()
    def the_database_says_what_the_model_says(self):
        rows = companies.relations()
        assert {row.id: stored(row) for row in rows} == {one.id: one.as_stored() for one in self.model.all()}

    @invariant()
    def readers_see_what_is_released_of_their_own(self):
        for client in PRODUCTION:
            seen = companies.read_by(client)
            assert set(seen) == {one.id for one in self.model.all() if one.client == client and one.seen}
            assert "error" not in seen.values()

    @invariant()
    def chains_are_lines_with_one_current_dossier(self):
        rows = {row.id: row for row in companies.relations()}
        older = {row.id: row.supersedes_dossier_id for row in rows.values() if row.supersedes_dossier_id}
        assert max(Counter(older.values()).values(), default=0) <= 1
        currents = Counter()
        for row in rows.values():
            end = row.id
            for _ in rows:
                end = older.get(end, end)
            assert end not in older, "a circle"
            currents[end] += row.released_at is not None and row.superseded_by_dossier_id is None
            replaced_by = rows.get(row.superseded_by_dossier_id)
            if replaced_by is None:
                assert row.status != "superseded"
            else:
                assert replaced_by.released_at is not None
        assert max(currents.values(), default=0) <= 1

    @invariant()
    def batches_count_their_dossiers(self):
        assert not query(
            """select 1 from batches b cross join lateral (
                 select count(*) as total, count(*) filter (where status <> 'error') as completed
                 from dossiers where batch_id = b.id) d
               where (b.total_dossiers, b.completed_dossiers) is distinct from (d.total, d.completed)"""
        )

    @invariant()
    def a_drip_slot_holds_one_dossier(self):
        assert not query(
            """select 1 from dossiers where drip_position is not null and status = 'ready'
               group by client_id, release_at having count(*) > 1"""
        )

    # Helpers

    def pick(self, number, among):
        return among[number % len(among)]

    def ends_of_chains(self):
        return [one for one in self.model.all() if self.model.is_free(one, one)]

    def unseen_first(self):
        """Those in the middle of a chain come before all others."""
        return sorted(self.model.all(), key=lambda one: (one.seen, self.model.is_free(one, one), -one.born))

    def failed_runs(self):
        return [one for one in self.model.all() if one.status == "error"]

    def published(self):
        return [one for one in self.model.all() if one.run_id and one.status != "error"]

    def settled(self):
        return [one for one in self.published() if not one.failed]

    def day(self, client, when):
        if when == "drip":
            return when
        return now().astimezone(self.model.clients[client].zone).date() + timedelta(days=when)

    def asked(self, client, options, link):
        asked = dict(options)
        if "release_date" in asked:
            asked["release_date"] = self.day(client, asked["release_date"])
        if isinstance(link, tuple):
            name, number = link
            by_run = name == "supersedes_run_id"
            among = [one.run_id if by_run else one.id for one in self.model.all() if one.run_id or not by_run]
            unknown = "RUN_UNKNOWN" if by_run else dossier_id_of("RUN_UNKNOWN")
            return asked | {name: self.pick(number, [*among[::-1], unknown])}
        return asked | (link or {})

    def publish(self, dossier, asked, expected):
        before = (dossier.asked, dossier.failed)
        dossier.asked, dossier.failed = asked, False
        code = refusal(expected)
        if code and not dossier.failed:  # at the door already
            dossier.asked, dossier.failed = before
            self.refuses(code, lambda: companies.accept(dossier.run_id, **asked))
        else:
            self.ends(companies.publish(dossier.run_id, **asked), code)

    def ends(self, job, code):
        assert (job.state, job.error and job.error["code"]) == (JobState.ERROR if code else JobState.DONE, code)
        self.model.tick()

    def refuses(self, code, action):
        before = companies.dump()
        with pytest.raises(ColumnlineError) as raised:
            action()
        assert raised.value.code == code
        assert companies.dump() == before

    def act(self, dossier, action, *given):
        def really():
            with db.transaction() as session:
                getattr(desk, action)(session, dossier.id, *given, "the machine")

        code = refusal(lambda: getattr(self.model, action)(dossier, *given))
        if code:
            self.refuses(code, really)
        else:
            really()


def test_whatever_happens_in_whatever_order_readers_see_what_they_should(clients, setting):
    setting(outputs_deadline=0)
    run_state_machine_as_test(
        Calendar,
        settings=settings(
            max_examples=HUNT or EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not HUNT,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
