"""What must hold of the tables: each function yields one sentence for every row that breaks it.

`shown` has those about what readers see, `promise` those that compare with the client's ledger. I17, that they are
able to fail, is `tests/database/test_mutants.py`.
"""

from models.values import contact_id_of
from tests.chaos.look import invariant
from tests.chaos.promise import PUBLISH
from tests.chaos.watch import MOVES

LONGEST_DUE = 120
"""Seconds: the bound on recovery (notes on reliability, I15), far above backoff, lease and bells' pauses."""


@invariant("I2", "no limbo")
def every_job_is_settled(look):
    for row in look("select kind, key, state, attempt, run_at from jobs where settled_at is null"):
        yield f"{row.kind} of {row.key} is {row.state} after {row.attempt} attempts, due at {row.run_at}"


@invariant("I3", "nothing doubled", always=True)
def one_dossier_of_a_run(look):
    for row in look(
        "select run_id, count(*) as n from dossiers where run_id is not null group by 1 having count(*) > 1"
    ):
        yield f"run {row.run_id} has {row.n} dossiers"


@invariant("I3", "nothing doubled", always=True)
def one_job_of_a_key(look):
    for row in look("select kind, key, count(*) as n from jobs group by 1, 2 having count(*) > 1"):
        yield f"{row.kind} of {row.key} has {row.n} jobs"


@invariant("I3", "nothing doubled", always=True)
def one_contact_of_a_position(look):
    statement = """
        select d.id, d.run_id, array_agg(c.id) as contacts from dossiers d join contacts c on c.dossier_id = d.id
        where d.run_id is not null group by d.id
    """
    for row in look(statement):
        if set(row.contacts) != {contact_id_of(row.id, position) for position in range(len(row.contacts))}:
            yield f"the {len(row.contacts)} contacts of {row.run_id} are not one for each position"


@invariant("I4", "all or nothing", always=True)
def a_done_job_has_a_published_dossier(look):
    statement = """
        select j.key, d.status from jobs j left join dossiers d on d.run_id = j.key
        where j.kind = %(kind)s and j.state = 'done'
          and coalesce(d.status, '') not in ('ready', 'superseded', 'archived')
    """
    for row in look(statement, kind=PUBLISH):
        yield f"the job of {row.key} is done, its dossier is {row.status or 'not there'}"


@invariant("I4", "all or nothing", always=True)
def a_published_dossier_has_a_done_job(look):
    statement = """
        select d.run_id, d.status, j.state
        from dossiers d left join jobs j on j.kind = %(kind)s and j.key = d.run_id
        where d.run_id is not null and d.status = 'ready' and j.state is distinct from 'done'
          and not coalesce((j.payload ->> 'republish')::boolean, false)
    """
    for row in look(statement, kind=PUBLISH):
        yield f"the dossier of {row.run_id} is {row.status}, its job is {row.state or 'not there'}"


@invariant("I4", "all or nothing", always=True)
def a_failed_job_has_an_error_dossier(look):
    statement = """
        select j.key, d.status, j.error ->> 'code' as code from jobs j left join dossiers d on d.run_id = j.key
        where j.kind = %(kind)s and j.state = 'error' and d.status is distinct from 'error'
          and not coalesce((j.payload ->> 'republish')::boolean, false)
    """
    for row in look(statement, kind=PUBLISH):
        yield f"the job of {row.key} is in error ({row.code}), its dossier is {row.status or 'not there'}"


@invariant("I4", "all or nothing", always=True)
def a_dossier_appears_with_the_end_of_its_job(look):
    if not look.has_notes:
        return
    statement = """
        select w.run_id, w.after, m.ends from chaos.writes w
        left join lateral (
          select string_agg(after, ', ') as ends from chaos.moves m
          where m.key = w.run_id and m.kind = %(kind)s and m.transaction = w.transaction) m on true
        where w.after in ('ready', 'error')
          and coalesce(m.ends, '') <> case w.after when 'ready' then 'done' else 'error' end
    """
    for row in look(statement, kind=PUBLISH):
        yield f"the dossier of {row.run_id} became {row.after} in a transaction that made its job {row.ends}"


@invariant("I5", "whole", always=True)
def one_primary_contact(look):
    statement = """
        select d.run_id, count(*) filter (where c.is_primary) as primaries from dossiers d
        join contacts c on c.dossier_id = d.id where d.run_id is not null group by d.id
        having count(*) filter (where c.is_primary) <> 1
    """
    for row in look(statement):
        yield f"the dossier of {row.run_id} has {row.primaries} primary contacts"


@invariant("I5", "whole")
def copy_speaks_of_contacts_that_are_there(look):
    statement = """
        select d.run_id, o ->> 'contact_id' as contact from dossiers d,
          jsonb_path_query(d.copy, 'strict $.outreach[*]', '{}', true) o
        where d.run_id is not null and d.status <> 'error' and o ->> 'contact_id' is not null
          and not exists (select from contacts c where c.dossier_id = d.id and c.id::text = o ->> 'contact_id')
    """
    for row in look(statement):
        yield f"the copy of {row.run_id} speaks of contact {row.contact}, who is not there"


@invariant("I5", "whole", always=True)
def an_error_dossier_has_no_contacts(look):
    for row in look(
        "select d.run_id, count(*) as n from dossiers d join contacts c on c.dossier_id = d.id "
        "where d.status = 'error' group by d.id"
    ):
        yield f"the error dossier of {row.run_id} has {row.n} contacts"


@invariant("I7", "batches count right", always=True)
def counters_say_what_is_there(look):
    statement = """
        select b.batch_number, c.name, b.total_dossiers, b.completed_dossiers, n.total, n.completed
        from batches b join clients c on c.id = b.client_id, lateral (
          select count(*) as total, count(*) filter (where status <> 'error') as completed
          from dossiers d where d.batch_id = b.id) n
        where b.batch_number like 'V2%%' and (b.total_dossiers, b.completed_dossiers) <> (n.total, n.completed)
    """
    for row in look(statement, _=0):
        yield (
            f"batch {row.batch_number} of {row.name} says {row.completed_dossiers} of {row.total_dossiers}, "
            f"there are {row.completed} of {row.total}"
        )


@invariant("I7", "batches count right", always=True)
def one_batch_of_a_number(look):
    for row in look(
        "select client_id, batch_number, count(*) as n from batches group by 1, 2 having count(*) > 1"
    ):
        yield f"client {row.client_id} has {row.n} batches {row.batch_number}"


@invariant("I8", "one success", always=True)
def one_attempt_succeeds(look):
    statement = """
        select j.key, count(*) as n from job_attempts a join jobs j on j.id = a.job_id
        where a.outcome = 'done' and not coalesce((j.payload ->> 'republish')::boolean, false)
        group by j.id having count(*) > 1
    """
    for row in look(statement):
        yield f"{row.n} attempts at {row.key} succeeded"


@invariant("I8", "one success", always=True)
def every_success_is_an_attempts(look):
    if not look.has_notes:
        return
    statement = """
        select j.key, m.ends, a.successes from jobs j,
          lateral (select count(*) as ends from chaos.moves where job_id = j.id and after = 'done') m,
          lateral (select count(*) as successes from job_attempts where job_id = j.id and outcome = 'done') a
        where m.ends <> a.successes
    """
    for row in look(statement):
        yield f"{row.key} became done {row.ends} times, and {row.successes} attempts at it succeeded"


@invariant("I9", "attempts are closed", always=True)
def an_open_attempt_is_the_running_one(look):
    statement = """
        select j.key, a.epoch, j.epoch as now, j.state from job_attempts a join jobs j on j.id = a.job_id
        where a.outcome is null and (j.state <> 'running' or j.epoch <> a.epoch)
    """
    for row in look(statement):
        yield f"the attempt at {row.key} of epoch {row.epoch} is open; the job is {row.state} in epoch {row.now}"


@invariant("I9", "attempts are closed", always=True)
def a_running_job_has_an_open_attempt(look):
    statement = """
        select j.key, j.epoch from jobs j where j.state = 'running' and not exists (
          select from job_attempts a where a.job_id = j.id and a.epoch = j.epoch and a.outcome is null)
    """
    for row in look(statement):
        yield f"{row.key} is running in epoch {row.epoch}, and no attempt is open"


@invariant("I10", "attempts are bounded", always=True)
def attempts_and_losses_are_bounded(look):
    for row in look("select key, attempt, max_attempts, lost from jobs where attempt > max_attempts or lost > 3"):
        yield f"{row.key} has {row.attempt} attempts of {row.max_attempts}, and {row.lost} losses"


@invariant("I11", "fenced", always=True)
def epochs_rise(look):
    for row in look(
        "select j.key, j.epoch, max(a.epoch) as newest from jobs j join job_attempts a on a.job_id = j.id "
        "group by j.id having max(a.epoch) > j.epoch"
    ):
        yield f"{row.key} is in epoch {row.epoch}, an attempt at it in {row.newest}"


@invariant("I11", "fenced", always=True)
def every_move_is_legal(look):
    if not look.has_notes:
        return
    statement = """
        select key, before, after, epoch_before, epoch_after, republishes from (
          select *, lag(after) over same as left_as, lag(epoch_after) over same as left_in from chaos.moves
          window same as (partition by job_id order by number)) m
        where left_as is distinct from before and left_as is not null or left_in <> epoch_before
          or epoch_after < epoch_before
          or epoch_after <> epoch_before + case when before = 'running' and after <> 'queued' then 0
            when after in ('running', 'queued', 'cancelled') and not (before = 'held' and after <> 'cancelled')
            then 1 else epoch_after - epoch_before end
    """
    for row in look(statement):
        yield (
            f"{row.key} went from {row.before} in epoch {row.epoch_before} to {row.after} in epoch "
            f"{row.epoch_after}, which is not its next step"
        )
    for row in look("select distinct key, before, after, republishes from chaos.moves"):
        if row.after not in MOVES[row.before] or (row.before == "done" and not row.republishes):
            yield f"{row.key} went from {row.before} to {row.after}, which nothing may do"


@invariant("I15", "alive", always=True)
def nothing_due_is_left_lying(look):
    """Looked at while the rest still ends: afterwards nothing is due that could lie.

    While everything breaks, anything may lie. From when all is healed on, something may be due, or its lease be
    over, for so long and no longer, counted from when any job last ended: a slow machine is slow, and goes on.
    """
    healed = "-infinity" if look.before is None else look.before.get("healed")
    if healed is None:
        return
    statement = """
        with due (what, of, since) as (
          select kind, key, case state when 'running' then leased_until else run_at end from jobs
            where state in ('queued', 'waiting', 'running')
          union all
          select 'the release', run_id, release_at from dossiers where status = 'ready' and released_at is null
            and release_at is not null)
        select what, of, extract(epoch from clock_timestamp() - since) as age from due
        where greatest(since, %(healed)s::timestamptz, (select max(settled_at) from jobs))
          < clock_timestamp() - make_interval(secs => %(longest)s)
    """
    for row in look(statement, healed=healed, longest=LONGEST_DUE):
        yield f"{row.what} of {row.of} is due since {row.age:.0f} s, and nothing ends any more"


@invariant("I16", "nothing leaks")
def no_session_is_left_hanging(look):
    """Neither in a transaction nor in a statement that goes on although whoever sent it is gone."""
    statement = """
        select pid, state, query from pg_stat_activity
        where datname = current_database() and application_name = 'columnline'
          and (state = 'active' or state like 'idle in transaction%%')
          and state_change < clock_timestamp() - interval '5 seconds'
    """
    for row in look(statement, _=0):
        yield f"session {row.pid} is {row.state} after {row.query[:80]!r}"


@invariant("I6", "right content", always=True)
def a_dossier_is_what_was_asked_for_last(look):
    statement = """
        select j.key, j.payload ->> 'batch_number' as asked, b.batch_number as found
        from jobs j join dossiers d on d.run_id = j.key join batches b on b.id = d.batch_id
        where j.kind = %(kind)s and j.state = 'done' and j.payload ->> 'batch_number' <> b.batch_number
    """
    for row in look(statement, kind=PUBLISH):
        yield f"{row.key} is in batch {row.found}, and was asked for in {row.asked}"
