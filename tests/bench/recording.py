"""Record what psycopg is given to send, and write it as a script for pgbench."""

import re
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.json import Jsonb
from sqlalchemy import event

from worker import db
from worker.stored import dumps

MOST_PARAMETERS = 255
"""pgbench takes no more in a statement."""

_ID = re.compile(r"(\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)")
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?s|%%")
_VARIABLE = re.compile(r"(?<!:):[A-Za-z_]")


@dataclass(frozen=True)
class Sent:
    """A statement with each set of parameters it was given; `together`: in one round trip with its neighbours."""

    statement: str
    parameters: tuple
    together: bool = False


BEGIN, COMMIT = Sent("BEGIN", ((),)), Sent("COMMIT", ((),))
PING = ";"
"""What SQLAlchemy sends to learn whether a connection lives."""


@contextmanager
def recording():
    """Record what this process sends to its database in the block, in new connections; yields the list."""
    sent = []

    class Cursor(psycopg.Cursor):
        def execute(self, query, params=None, **options):
            if str(query).strip() != PING:
                self._begin()
                piped = self.connection.pgconn.pipeline_status != pq.PipelineStatus.OFF
                parts = _parts(str(query), params)
                sent.extend(Sent(one, (params or (),), piped or len(parts) > 1) for one in parts)
            return super().execute(query, params, **options)

        def executemany(self, query, params_seq, **options):
            self._begin()
            sent.append(Sent(str(query), tuple(params_seq), together=True))
            return super().executemany(query, sent[-1].parameters, **options)

        def _begin(self):
            if self.connection.info.transaction_status == pq.TransactionStatus.IDLE:
                _close(sent)
                if not self.connection.autocommit:
                    sent.append(BEGIN)

    def connecting(_dialect, _record, _args, parameters):
        parameters["cursor_factory"] = Cursor

    db.dispose()
    event.listen(db.engine(), "do_connect", connecting)
    try:
        with db.engine().connect() as connection:  # what a new connection asks is not the publish's
            connection.exec_driver_sql("select 1")
        sent.clear()
        yield sent
        _close(sent)
    finally:
        db.dispose()


def _parts(query, params):
    """The statements of a query: without parameters, psycopg sends several at once as they are."""
    return [query] if params else [part.strip() for part in query.split(";") if part.strip()]


def _close(sent):
    """End the transaction that was recorded, if one is open: psycopg does so without a cursor."""
    ends = (
        word for word in (one.statement.strip().upper() for one in reversed(sent)) if word in {"BEGIN", "COMMIT"}
    )
    if next(ends, None) == "BEGIN":
        sent.append(COMMIT)


def written(sent, names, clients, groups):
    """The script, and its variables by name.

    Args:
        sent: what was recorded.
        names: the expression that stands for a value, by the value's text; `:n` in it is the publish's number,
            `:k` that of its group.
        clients: how many clients pgbench has: each takes every so-many-th number.
        groups: how many there are.
    """
    lines = ["\\set i :i + 1", f"\\set n :i * {clients} + :client_id", f"\\set k :n % {groups}"]
    variables, by_value, piped = {}, {}, False
    for one in sent:
        if one.together != piped:
            lines.append("\\startpipeline" if one.together else "\\endpipeline")
            piped = one.together
        lines += [
            _statement(one.statement, parameters, names, variables, by_value) + ";"
            for parameters in one.parameters
        ]
    return "\n".join([*lines, *(["\\endpipeline"] if piped else []), ""]), variables


def _statement(statement, parameters, names, variables, by_value):
    assert not _VARIABLE.search(statement), f"pgbench would take a part of this for a variable: {statement}"
    positions = iter(parameters) if isinstance(parameters, (tuple, list)) else None
    count = 0

    def expression(found):
        nonlocal count
        if found[0] == "%%":
            return "%"
        value = next(positions) if positions is not None else parameters[found[1]]
        if value is None:
            return "NULL"
        count += 1
        if str(value) in names:
            return _named(value, names)
        if isinstance(value, list) and names.keys() & set(map(str, value)):
            return f"array[{', '.join(_named(item, names) for item in value)}]"
        text, cast = _as_text(value)
        if not isinstance(value, Jsonb):
            return f"{variable(text)}{cast}"
        parts = _ID.split(text)  # each second one is an id
        parts[1::2] = [names.get(found) or variable(found) for found in parts[1::2]]
        parts[::2] = [variable(between) for between in parts[::2]]
        return f"({' || '.join(parts)}){cast}"

    def variable(text):
        name = by_value.setdefault(text, f"p{len(by_value)}")
        variables[name] = text
        return f":{name}"

    found = _PLACEHOLDER.sub(expression, statement) if parameters else statement
    assert count <= MOST_PARAMETERS, f"{count} parameters are more than pgbench takes"
    return found


def _named(value, names):
    """What stands for an id of the recorded publish; another id is as it was."""
    expression = names.get(str(value)) or f"'{value}'"
    return f"({expression})" + ("" if isinstance(value, str) else "::uuid")


def _as_text(value):
    """A parameter as libpq sends it, and the cast that says its type where psycopg says it."""
    if isinstance(value, Jsonb):
        return dumps(value.obj), "::jsonb"
    dumper = Transformer().get_dumper(value, PyFormat.TEXT)
    text = bytes(dumper.dump(value)).decode()
    info = psycopg.adapters.types.get(dumper.oid) if dumper.oid else None
    if info is None:
        return text, ""
    return text, f"::{info.regtype}" + ("[]" if dumper.oid == info.array_oid else "")
