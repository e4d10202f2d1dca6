"""Engines that a test process keeps from test to test: with all the SQL they have put together, no connection."""

from collections import OrderedDict

from sqlalchemy import event

_MOST = 8


class Engines:
    """Makes engines as `db.make_engine` does, and gives the same one again for the same arguments."""

    def __init__(self, make):
        self._make = make
        self._made = OrderedDict()

    def __call__(self, *arguments, **named):
        key = (arguments, tuple(named.items()))
        if key not in self._made:
            self._made[key] = self._new(*arguments, **named)
            if len(self._made) > _MOST:
                _, oldest = self._made.popitem(last=False)
                oldest.dispose()
        return self._made[key]

    def _new(self, *arguments, **named):
        engine = self._make(*arguments, **named)

        @event.listens_for(engine, "checkout")
        def note_pool(connection, record, fairy):
            record.info["pool"] = id(engine.pool)

        @event.listens_for(engine, "checkin")
        def close_if_disposed_of(connection, record):
            """A thread that had it when the engine was disposed of gives it back to a pool that is nobody's."""
            if connection is not None and record.info.get("pool") != id(engine.pool):
                connection.close()

        return engine
