"""The app and V1's pipeline at work on a database: readers, writers, reports, and a watch on who waits for whom.

None of them knows a column that V1 does not have.
"""

import json
import threading
import time
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

PAGE = """
select id, company_name, company_domain, lead_score, timing_urgency, primary_signal, batch_id, release_date,
  released_at, supersedes_dossier_id, superseded_by_dossier_id
from dossiers where status in ('ready', 'superseded') order by released_at desc limit 50
"""
DETAIL = """
select d.find_leads, d.enrich_lead, d.enrich_contacts, d.copy, d.insight, d.media, d.sources, b.batch_number,
  (select jsonb_agg(to_jsonb(c) - 'enrichment_data' order by c.is_primary desc) from contacts c
   where c.dossier_id = d.id) as contacts,
  (select array_agg(l.name) from dossier_lists x join lists l on l.id = x.list_id
   where x.dossier_id = d.id) as lists
from dossiers d left join batches b on b.id = d.batch_id where d.id = %s
"""
REPORTED = ("clients", "batches", "dossiers", "v2_clients", "v2_runs")
WAITING = """
select l.pid, l.relation::regclass::text, l.mode, extract(epoch from clock_timestamp() - l.waitstart) as waited,
  a.query
from pg_locks l join pg_stat_activity a using (pid)
where not l.granted and l.waitstart is not null and a.datname = current_database()
  and l.locktype <> 'virtualxid'  -- an index built concurrently waits for transactions: nobody queues behind it
"""


class Life:
    """What is going on beside a migration.

    Attributes:
        turns: by name, how often each of them got through.
        errors: what any of them met.
        touched: the dossiers that the writer inserted or updated.
        longest: of every wait for a lock that was seen: `(seconds, mode, table, query)`, longest first.
    """

    def __init__(self, url):
        self.url, self.turns, self.errors, self.touched, self.waits = url, {}, [], set(), {}
        self.over = threading.Event()

    @property
    def longest(self):
        return sorted(self.waits.values(), reverse=True)

    def run(self, name, turn, pause=0.0, **options):
        """Take turns until it is over; an error ends it."""
        try:
            with psycopg.connect(self.url, **options) as connection:
                while not self.over.is_set():
                    turn(connection)
                    self.turns[name] = self.turns.get(name, 0) + 1
                    time.sleep(pause)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.errors.append((name, error))

    def read(self, client):
        """A page of dossiers and one of them, as the signed-in user's client sees them."""

        def turn(connection):
            with connection.transaction():
                connection.execute("set local role app_reader")
                claims = json.dumps({"client_id": str(client)})
                connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
                page = connection.execute(PAGE).fetchall()
                assert page, "this client has dossiers"
                (detail,) = connection.execute(DETAIL, [page[self.turns.get(client, 0) % len(page)][0]]).fetchall()
                assert detail is not None

        return turn

    def write(self, client):
        """A dossier that grows agent by agent, with a contact, and an older one that it changes."""

        def turn(connection):
            dossier = uuid4()
            with connection.transaction():
                connection.execute(
                    "insert into dossiers (id, client_id, company_name, status, find_leads, agents_completed) "
                    "values (%s, %s, 'Written meanwhile', 'enriching', %s, '{find-lead}')",
                    [dossier, client, Jsonb({"company_name": "Written meanwhile"})],
                )
                connection.execute(
                    "insert into contacts (dossier_id, name, is_primary) values (%s, 'Meanwhile', true)", [dossier]
                )
            with connection.transaction():
                connection.execute(
                    "update dossiers set status = 'ready', released_at = now(), insight = %s, updated_at = now() "
                    "where id = %s",
                    [Jsonb("null"), dossier],
                )
                old = connection.execute(
                    "update dossiers set lead_score = 55, updated_at = now() where id = (select id from dossiers "
                    "where client_id = %s and status = 'archived' order by updated_at limit 1) returning id",
                    [client],
                ).fetchone()
            self.touched |= {dossier, *(old or ())}

        return turn

    def report(self, table, seconds):
        """A reader that takes its time: whoever wants the table for itself must wait for it."""

        def turn(connection):
            with connection.transaction():
                connection.execute(f"select count(*), pg_sleep({seconds}) from {table}")

        return turn

    def watch(self, connection):
        """See who waits for a lock right now, and since when."""
        for pid, table, mode, waited, query in connection.execute(WAITING).fetchall():
            key = (pid, table, mode, query, round(time.monotonic() - float(waited), 1))
            self.waits[key] = max(self.waits.get(key, (0.0,)), (float(waited), mode, table or "", query[:200]))


@contextmanager
def going_on(url, readers, writer, reporting):
    """The app of these clients, V1's pipeline writing for one, reports of `reporting` seconds on each table."""
    life = Life(url)
    workers = [(client, life.read(client), 0.02, {}) for client in readers]
    workers += [("writer", life.write(writer), 0.01, {})]
    workers += [(f"report of {table}", life.report(table, reporting), 0.05, {}) for table in REPORTED]
    workers += [("watch", life.watch, 0.02, {"autocommit": True})]
    threads = [
        threading.Thread(target=life.run, args=[name, turn, pause], kwargs=options)
        for name, turn, pause, options in workers
    ]
    for thread in threads:
        thread.start()
    try:
        yield life
    finally:
        life.over.set()
        for thread in threads:
            thread.join()
