"""The least a bridge could be: one route that inserts one row of `jobs`, with the same pool and transactions."""

from fastapi import FastAPI
from sqlalchemy import text

from worker import db

_INSERT = text(
    "insert into jobs (kind, key, payload, max_attempts, deadline_at) "
    "values ('publish.run', :key, '{}', 8, now() + interval '1 day')"
)

app = FastAPI()


@app.get("/livez")
def livez():
    """The process is alive."""
    return {"ok": True}


@app.post("/columnline/publish/{run_id}", status_code=202)
def publish(run_id: str):
    """Insert the row."""
    with db.transaction() as session:
        session.execute(_INSERT, {"key": run_id})
    return {"ok": True}
