"""What must hold between the client's ledger and the tables: nothing lost, every end the right one, every word."""

from dataclasses import asdict
from decimal import Decimal

from models.clean import storable
from models.config import CONFIG_FIELDS
from models.values import RunInput, StepOutput, dossier_id_of
from tasks.assemble import assemble
from tasks.store import SECTIONS
from tests.chaos.load import inputs
from tests.chaos.look import invariant
from tests.chaos.plan import Manner
from tests.chaos.world import V1_BATCH
from worker import db

PUBLISH = "publish.run"
COLUMNS = ("company_name", "company_domain", "lead_score", "timing_urgency", "primary_signal", "agents_completed")
FAILURES = ("internal", "unavailable")
"""Ends of a run that had bad luck: they say to retry, which the client does."""
V1 = {
    "dossiers": ("t", "dossiers t where pipeline_version = 'v1'"),
    "contacts": ("t", "contacts t where dossier_id in (select id from dossiers where pipeline_version = 'v1')"),
    "batches": ("t", f"batches t where batch_number = '{V1_BATCH}'"),
    "clients": (f"to_jsonb(t) - array{['updated_at', *CONFIG_FIELDS]}", "clients t"),
}
"""What of V1's a V2 has no business with, by table; config fields of its clients are V2's to sync."""
MOST_FILES = 60
MOST_MEMORY = 300 * 2**20


def endings(look):
    """How each publish ended, by run id."""
    statement = """
        select key, id, state, error ->> 'code' as code, attempt, lost, rings, settled_at from jobs
        where kind = %(kind)s
    """
    return {row.key: row for row in look(statement, kind=PUBLISH)}


def unlucky(look):
    """The entries whose job ended in an error that nothing in their data explains."""
    found = endings(look)
    return [
        entry
        for entry in look.accepted
        if (row := found.get(entry.run_id)) is not None and row.state == "error" and row.code in FAILURES
    ]


@invariant("I1", "nothing lost", always=True, needs_ledger=True)
def every_accepted_run_has_its_job(look):
    found = {row.key: row.id for row in look("select key, id from jobs where kind = %(kind)s", kind=PUBLISH)}
    for entry in look.accepted:
        if entry.run_id not in found:
            yield f"{entry.run_id} was accepted, and there is no job"
        elif str(found[entry.run_id]) != entry.job_id:
            yield f"{entry.run_id} was accepted as job {entry.job_id}, and the job is {found[entry.run_id]}"


@invariant("I1", "nothing lost", needs_ledger=True)
def every_accepted_run_ends_as_it_should(look):
    found = endings(look)
    for entry in look.accepted:
        row = found.get(entry.run_id)
        if row is None:
            continue
        ending = f"error:{row.code}" if row.state == "error" else row.state
        right = "done" if entry.expect == "ready" else entry.expect
        allowed = {"yes": {"cancelled"}, "maybe": {"cancelled", right}, "no": {right}}[entry.cancelled]
        if ending not in allowed:
            yield f"{entry.run_id} ended as {ending}, not as {' or '.join(sorted(allowed))}"


@invariant("I1", "nothing lost", needs_ledger=True)
def the_bridge_keeps_its_contract(look):
    yield from look.ledger.complaints


@invariant("I6", "right content", needs_ledger=True)
def every_dossier_says_what_its_outputs_say(look):
    rows = look("select d.* from dossiers d where run_id is not null and status <> 'error'")
    people = {}
    for row in look(
        "select c.* from contacts c join dossiers d on d.id = c.dossier_id where d.run_id is not null"
    ):
        people.setdefault(row.dossier_id, {})[row.id] = row
    for row in rows:
        entry = look.ledger.entries.get(row.run_id)
        if entry is None:
            yield f"there is a dossier of {row.run_id}, which was never sent"
            continue
        draft = assemble(_input(entry))
        for name in (*COLUMNS, *SECTIONS):
            stored, right = getattr(row, name), _as_stored(getattr(draft, name))
            if stored != right:
                yield f"{name} of {row.run_id} is {str(stored)[:200]}, not {str(right)[:200]}"
        there = people.get(row.id, {})
        if set(there) != {contact.id for contact in draft.contacts}:
            yield f"{row.run_id} has {len(there)} contacts, not the {len(draft.contacts)} of its outputs"
            continue
        for contact in draft.contacts:
            for name, right in asdict(contact).items():
                if getattr(there[contact.id], name) != _as_stored(right):
                    yield f"{name} of contact {contact.id} of {row.run_id} is another"


def _input(entry):
    return RunInput(
        run_id=entry.run_id,
        dossier_id=dossier_id_of(entry.run_id),
        seed_data=storable(entry.document["run"].get("seed_data") or {})[0],
        expected_contacts=entry.document["run"].get("expected_contacts"),
        outputs=tuple(
            StepOutput(step_id=step["step_id"], step_name=step["step_name"], output=step["output"])
            for step in inputs(entry)
        ),
    )


def _as_stored(value):
    """The value as it comes back from JSON: tuples are lists; ids and text stay what they are."""
    if isinstance(value, dict | list | tuple):
        return db.loads(db.dumps(value))
    return float(value) if isinstance(value, Decimal) else value


@invariant("I12", "released once, when due", needs_ledger=True)
def scheduled_runs_are_released_when_their_day_has_come(look):
    released = {
        row.run_id: row.released_at is not None
        for row in look("select run_id, released_at from dossiers where run_id is not null and status = 'ready'")
    }
    for entry in look.accepted:
        right = entry.run.manner is not Manner.SCHEDULED or entry.day_came
        if released.get(entry.run_id, right) != right:
            yield f"{entry.run_id} is {'not ' if right else ''}released"


@invariant("I14", "V1 untouched", needs_ledger=True)
def v1_is_as_it_was(look):
    for table, digest in v1(look).items():
        if digest != look.before["v1"][table]:
            yield f"{table} of V1 have changed"


@invariant("I16", "nothing leaks", needs_ledger=True)
def processes_are_no_larger(look):
    for name, sizes in look.before["after"].items():
        files, memory = sizes
        if files > look.before["files"] + MOST_FILES:
            yield f"{name} holds {files} files open; at first the largest held {look.before['files']}"
        if memory > look.before["memory"] + MOST_MEMORY:
            yield f"{name} takes {memory >> 20} MB; at first the largest took {look.before['memory'] >> 20} MB"
    for pid in look.before["outlived"]:
        yield f"process {pid} has outlived the one that started it"


def v1(look):
    """A digest of everything V1 has, by table."""
    return {
        table: look(f"select md5(string_agg(({row})::text, '|' order by id)) as digest from {rows}")[0].digest
        for table, (row, rows) in V1.items()
    }
