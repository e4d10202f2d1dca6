"""Dossiers straight into the table, for tests of those who look at them."""

from datetime import timedelta

from models.values import dossier_id_of
from tests.database.publishing import NORTHWIND, execute, now, one


def add(**values):
    """A dossier of V2 that is ready and held, but for `values`; returns its id, which comes of its run's."""
    if "run_id" in values and values.get("pipeline_version") != "v1":
        values.setdefault("id", dossier_id_of(values["run_id"]))
    columns = {
        "client_id": NORTHWIND,
        "company_name": "Acme",
        "status": "ready",
        "pipeline_version": "v2",
    } | values
    places = ", ".join(f":{name}" for name in columns)
    return one(f"insert into dossiers ({', '.join(columns)}) values ({places}) returning id", **columns).id


def ago(**span):
    """The moment so long ago, by the database's clock."""
    return now() - timedelta(**span)


def ahead(**span):
    """The moment so far ahead, by the database's clock."""
    return now() + timedelta(**span)


def add_batch(number, client=NORTHWIND, **values):
    """A batch straight into the table; returns its id."""
    columns = {"client_id": client, "batch_number": number} | values
    places = ", ".join(f":{name}" for name in columns)
    return one(f"insert into batches ({', '.join(columns)}) values ({places}) returning id", **columns).id


def add_list(name, client=NORTHWIND, *dossier_ids):
    """A list with these dossiers on it; returns its id."""
    list_id = one("insert into lists (client_id, name) values (:c, :n) returning id", c=client, n=name).id
    for dossier_id in dossier_ids:
        execute("insert into dossier_lists (dossier_id, list_id) values (:d, :l)", d=dossier_id, l=list_id)
    return list_id


def set_drip(schedule='{"days": ["tue"], "time": "09:00"}', client="CLT_NORTHWIND_001"):
    """Give the v2 client this drip."""
    execute("update v2_clients set drip_schedule = :s where client_id = :c", s=schedule, c=client)
