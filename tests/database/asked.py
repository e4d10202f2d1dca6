"""What a test itself asks the database: threads of a bridge in this process ask for other things meanwhile."""

import threading
from contextlib import contextmanager

from sqlalchemy import event

from worker import db


@contextmanager
def asked():
    """Listen to this thread in the block; yields the list of statements and their parameters."""
    found, here = [], threading.get_ident()

    def listen(connection, cursor, statement, parameters, *_):
        if threading.get_ident() == here:
            found.append((statement, parameters))

    event.listen(db.engine(), "before_cursor_execute", listen)
    try:
        yield found
    finally:
        event.remove(db.engine(), "before_cursor_execute", listen)
