"""What a reader of the app sees: as the role `app_reader`, under row level security."""

from uuid import UUID

import pytest
from sqlalchemy import text

from worker import db

NORTHWIND = UUID("6f0d5c1e-0000-4000-8000-000000000001")
LAKESHORE = UUID("6f0d5c1e-0000-4000-8000-000000000002")

pytestmark = pytest.mark.usefixtures("clients")


def seen_by(client_id, statement):
    """The first column of the rows that a reader of this client sees."""
    with db.transaction() as session:
        session.execute(text("set local role app_reader"))
        if client_id is not None:
            claims = f'{{"client_id": "{client_id}"}}'
            session.execute(text("select set_config('request.jwt.claims', :claims, true)"), {"claims": claims})
        return list(session.scalars(text(statement)))


def add(client_id, name, **columns):
    values = {"client_id": client_id, "company_name": name, **columns}
    expressions = {"released_at": values.pop("released_at", "null")}
    names = ", ".join([*values, *expressions])
    places = ", ".join([*(f":{column}" for column in values), *expressions.values()])
    with db.transaction() as session:
        session.execute(text(f"insert into dossiers ({names}) values ({places})"), values)
        session.execute(
            text("insert into contacts (dossier_id, name) select id, :n from dossiers where company_name = :n"),
            {"n": name},
        )


def test_a_reader_sees_released_dossiers_of_its_own_client_and_their_contacts():
    add(NORTHWIND, "mine", released_at="now()")
    add(NORTHWIND, "not yet", released_at="now() + interval '1 day'")
    add(NORTHWIND, "no date")
    add(NORTHWIND, "failed", status="error")
    add(LAKESHORE, "theirs", released_at="now()")
    for table, column in (("dossiers", "company_name"), ("contacts", "name")):
        assert seen_by(NORTHWIND, f"select {column} from {table}") == ["mine"]
        assert seen_by(LAKESHORE, f"select {column} from {table}") == ["theirs"]
        assert seen_by(None, f"select {column} from {table}") == []


@pytest.mark.parametrize(
    "table", ["jobs", "job_attempts", "api_keys", "v2_runs", "v2_pipeline_logs", "v2_clients"]
)
def test_a_reader_may_not_look_into_the_workers_or_the_pipelines_tables(table):
    with pytest.raises(Exception, match="permission denied"):
        seen_by(NORTHWIND, f"select 1 from {table}")


@pytest.mark.parametrize("table", ["clients", "batches", "dossiers", "contacts", "lists", "dossier_lists"])
def test_a_reader_may_write_nothing(table):
    with pytest.raises(Exception, match="permission denied"):
        seen_by(NORTHWIND, f"delete from {table} returning 1")


def test_every_table_is_under_row_level_security_or_the_pipelines_own():
    with db.transaction() as session:
        open_tables = set(
            session.scalars(
                text(
                    "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' "
                    "and not relrowsecurity"
                )
            )
        )
    assert open_tables == {"v2_clients", "v2_runs", "v2_pipeline_logs", "columnline_schema_version"}
