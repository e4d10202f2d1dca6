"""For tests of keeping config fields equal: a field of a v2 client and its production client, and a sync."""

import json

from tests.database.publishing import NORTHWIND, execute, one, query
from worker import db
from worker.config import sync as syncing
from worker.settings import settings

V2, SECOND = "CLT_NORTHWIND_001", "CLT_LAKESHORE_001"
A, B, C = {"v": 1}, {"v": 2}, {"v": 3}


def sync(**options):
    with db.transaction() as session:
        return syncing.sync(session, settings(), asked_by="test", **options)


def put(side, value, *, field="icp_config", client=None):
    """Set a field on one side, None for no value."""
    table, key, default = ("v2_clients", "client_id", V2) if side == "v2" else ("clients", "id", NORTHWIND)
    execute(
        f"update {table} set {field} = cast(:v as jsonb) where {key} = :k",
        v=None if value is None else json.dumps(value),
        k=client or default,
    )


def both(field="icp_config", v2=V2, production=NORTHWIND):
    """What both sides have."""
    row = one(
        f"select v.{field} as v2, c.{field} as production from v2_clients v, clients c "
        "where v.client_id = :v and c.id = :c",
        v=v2,
        c=production,
    )
    return row.v2, row.production


def history(field="icp_config", client=V2):
    rows = query(
        "select action, before, after, asked_by from config_sync_history "
        "where field = :f and v2_client_id = :c order by id",
        f=field,
        c=client,
    )
    return [(row.action, row.before, row.after) for row in rows if row.asked_by == "test"]


def everything():
    tables = ("clients", "v2_clients", "config_sync_state", "config_sync_history")
    return {table: query(f"select * from {table} order by {table}::text") for table in tables}


def found(report, field="icp_config", client=V2):
    """What the report says of a field, as its action and reason."""
    rows = [one for one in report.differences if (one.v2_client_id, one.field) == (client, field)]
    return [(row.action, row.reason) for row in rows]


def other(side):
    return "production" if side == "v2" else "v2"
