"""What must hold of callbacks: each end owes one, and whoever takes them hears the truth, at least once."""

import json
from collections import defaultdict

from tests.chaos.look import invariant
from tests.chaos.promise import FAILURES, PUBLISH, endings
from tests.chaos.scenario import was_taken
from tests.makecom import CALLBACK

SEND = "callback.send"
ENDS = ("done", "error", "cancelled")


def unlucky(look):
    """The callbacks that ended in an error that nothing at their receiver's explains, by their ids."""
    statement = """
        select id from jobs where kind = %(send)s and state = 'error' and error ->> 'code' = any(%(codes)s)
    """
    return [str(row.id) for row in look(statement, send=SEND, codes=list(FAILURES))]


@invariant("I19", "told how it ended", always=True)
def every_end_owes_a_callback(look):
    if not look.has_notes:
        return
    statement = """
        select j.key, m.ends, coalesce(c.owed, 0) as owed from jobs j
        left join (select payload ->> 'publish_job_id' as id, count(*) as owed from jobs where kind = %(send)s
          group by 1) c on c.id = j.id::text,
        lateral (select count(*) as ends from chaos.moves where job_id = j.id and after = any(%(ends)s)) m
        where j.kind = %(publish)s and j.payload ->> 'callback_url' is not null and m.ends <> coalesce(c.owed, 0)
    """
    for row in look(statement, ends=list(ENDS), send=SEND, publish=PUBLISH):
        yield f"{row.key} ended {row.ends} times, and owes {row.owed} callbacks"


@invariant("I19", "told how it ended", needs_ledger=True)
def whoever_asked_was_told_the_truth(look):
    ends = defaultdict(set)
    for row in look("select distinct key, after from chaos.moves where kind = %(kind)s", kind=PUBLISH):
        ends[row.key].add(row.after)
    taken = defaultdict(set)
    for told in look.ledger.make.to(CALLBACK):
        body = json.loads(told["body"])
        if not told["verified"]:
            yield f"a callback about {body['run_id']} has no good signature"
        if body["status"] not in ends[body["run_id"]].intersection(ENDS):
            yield f"a callback says that {body['run_id']} is {body['status']}, which it never was"
        if was_taken(told):
            taken[body["run_id"]].add(body["status"])
    states = endings(look)
    for entry in look.accepted:
        state = states[entry.run_id].state if entry.run_id in states else None
        if entry.run.told and state in ENDS and state not in taken[entry.run_id]:
            yield f"{entry.run_id} ended as {state}, and nobody was told"
