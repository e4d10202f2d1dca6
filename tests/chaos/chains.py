"""What must hold of dossiers that replace one another, and of the reruns by which some do."""

from collections import Counter

from models.make import OPEN_RERUNS
from tests.chaos.look import invariant
from tests.chaos.promise import PUBLISH
from tests.chaos.scenario import order_of, was_refused
from tests.makecom import RUN

HIDDEN = "supersedes_dossier_id is null and superseded_by_dossier_id is not null and released_at is null"
"""Replaced before it was shown. If it was in error then, it replaces none, and need not begin a chain."""


@invariant("I18", "one of a chain is shown", always=True)
def a_dossier_has_one_successor(look):
    for row in look(
        "select supersedes_dossier_id as id, count(*) as n from dossiers where supersedes_dossier_id is not null "
        "group by 1 having count(*) > 1"
    ):
        yield f"dossier {row.id} has {row.n} successors"


@invariant("I18", "one of a chain is shown", always=True)
def what_is_replaced_is_not_shown(look):
    for row in look(
        "select older.run_id, newer.run_id as newer from dossiers newer "
        "join dossiers older on older.id = newer.supersedes_dossier_id "
        "where newer.released_at is not null and newer.status in ('ready', 'superseded') "
        "and older.superseded_by_dossier_id is null"
    ):
        yield f"{row.newer} is shown and {row.run_id}, which it replaces, is so too"


@invariant("I18", "one of a chain is shown", always=True)
def what_is_not_shown_is_replaced(look):
    statement = """
        select older.run_id, older.status, newer.run_id as newer from dossiers older
        left join dossiers newer on newer.id = older.superseded_by_dossier_id
          and newer.client_id = older.client_id and newer.released_at is not null
        where (older.status = 'superseded' or older.superseded_by_dossier_id is not null)
          and (newer.id is null or older.status not in ('superseded', 'error'))  -- what failed may have one too
    """
    for row in look(statement):
        yield f"{row.run_id} is {row.status}, its successor is {row.newer or 'not shown'}"


@invariant("I18", "one of a chain is shown", needs_ledger=True)
def of_a_company_one_replaces_none(look):
    """Where each was to replace the newest of its company, they are one chain, in whatever order they came.

    So are their reruns, also where what is run again was in error.
    """
    chained = {entry.run_id: entry.run for entry in look.accepted if entry.run.chained}
    for row in look(
        "select r.run_id, d.run_id as of_run from reruns r join dossiers d on d.id = r.dossier_id "
        "order by r.requested_at"
    ):
        if row.of_run in chained:
            chained[row.run_id] = chained[row.of_run]
    first, hidden = Counter(), Counter()
    for row in look(
        f"select run_id, supersedes_dossier_id is null as first, {HIDDEN} as hidden from dossiers "
        "where status <> 'error' or superseded_by_dossier_id is not null"
    ):
        if (run := chained.get(row.run_id)) is not None:
            first[run.client_id, run.seed] += row.first
            hidden[run.client_id, run.seed] += row.hidden
    for company, number in first.items():
        if not number or number - hidden[company] > 1:
            yield f"of company {company} {number} dossiers replace none, {hidden[company]} of them never shown"


@invariant("I20", "reruns end", always=True)
def a_rerun_ends_with_its_run(look):
    statement = """
        select r.run_id, r.state, j.state as job
        from reruns r join jobs j on j.kind = %(kind)s and j.key = r.run_id
        where j.state = 'done' and r.state <> 'published' or j.state = 'error' and r.state = any(%(open)s)
    """
    for row in look(statement, kind=PUBLISH, open=list(OPEN_RERUNS)):
        yield f"the rerun {row.run_id} is {row.state}, its job {row.job}"


@invariant("I20", "reruns end")
def every_rerun_ends(look):
    for row in look("select run_id, state from reruns where state = any(%(open)s)", open=list(OPEN_RERUNS)):
        yield f"the rerun {row.run_id} is still {row.state}"


@invariant("I20", "reruns end", always=True)
def a_rerun_replaces_what_it_is_a_rerun_of(look):
    statement = f"""
        with recursive older (newest, id) as (
          select d.id, d.supersedes_dossier_id from dossiers d join reruns r on r.run_id = d.run_id
          where d.status <> 'error'
          union
          select o.newest, d.supersedes_dossier_id from older o join dossiers d on d.id = o.id
        )
        select r.run_id, r.dossier_id from reruns r join dossiers d on d.run_id = r.run_id
        where d.status <> 'error' and not ({HIDDEN})
          and not exists (select from older o where o.newest = d.id and o.id = r.dossier_id)
    """
    for row in look(statement):
        yield f"{row.run_id} was published, and does not replace {row.dossier_id}"


@invariant("I20", "reruns end", needs_ledger=True)
def make_is_told_of_a_rerun_once(look):
    told = Counter(order_of(told)["run_id"] for told in look.ledger.make.to(RUN) if not was_refused(told))
    for run_id, times in told.items():
        if times > 1:
            yield f"Make.com was told of {run_id} {times} times"
