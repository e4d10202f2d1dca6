"""What must hold of what readers see: released once, when due, and each client its own."""

from tests.chaos.look import invariant


@invariant("I12", "released once, when due", always=True)
def released_when_due(look):
    statement = """
        select run_id, status, release_at, released_at from dossiers
        where pipeline_version = 'v2' and released_at is not null
          and (released_at < release_at or status in ('error', 'cancelled'))
    """
    for row in look(statement):
        yield f"{row.run_id} ({row.status}) was released at {row.released_at}, and due at {row.release_at}"


@invariant("I12", "released once, when due", always=True)
def released_once(look):
    statement = """
        select d.run_id, count(*) as n from calendar_events e join dossiers d on d.id = e.dossier_id
        where e.action = 'released' group by d.id having count(*) > 1
    """
    for row in look(statement):
        yield f"{row.run_id} was released {row.n} times"


@invariant("I12", "released once, when due")
def what_is_due_is_released(look):
    for row in look(
        "select run_id, release_at from dossiers where status = 'ready' and released_at is null "
        "and release_at < clock_timestamp() - interval '10 seconds'"
    ):
        yield f"{row.run_id} was due at {row.release_at}, and is not released"


@invariant("I13", "clients see their own")
def a_reader_sees_its_own(look):
    for (client_id,) in look("select id from clients"):
        for row in look.as_reader(
            client_id,
            f"select run_id from dossiers where client_id <> '{client_id}' or released_at is null "
            "or released_at > clock_timestamp() or status in ('error', 'cancelled')",
        ):
            yield f"client {client_id} sees {row[0]}"
