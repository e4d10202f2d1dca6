"""Production before V2, made up: V1 rows with all that V1's rows contain, the same for the same seed.

`production(seed=1, dossiers=734)` makes the rows; `load(connection, production)` copies them into V1's tables, of
whichever revision. JSON columns are `Jsonb`: `row["copy"].obj` is the content. Half of the dossiers are odd in one
way, which `tests.v1.traits` names, so that a test can ask for one: `production().of("null_texts")`. The rest are
as V1's agents wrote them when all went well.
"""

from dataclasses import dataclass
from random import Random
from uuid import UUID

from psycopg import sql

from tests.v1.rows import Maker


@dataclass(frozen=True)
class Production:
    """The rows of V1's tables, each a dict of its columns, in an order in which they can be inserted.

    Attributes:
        traits: by trait, the ids of the dossiers that have it.
    """

    tables: dict[str, list[dict]]
    traits: dict[str, list[UUID]]

    @property
    def clients(self):
        """The rows of `clients`."""
        return self.tables["clients"]

    @property
    def dossiers(self):
        """The rows of `dossiers`."""
        return self.tables["dossiers"]

    def of(self, trait):
        """The first dossier with this trait."""
        return next(row for row in self.dossiers if row["id"] == self.traits[trait][0])


def production(seed=1, dossiers=734):
    """Make production's rows; with fewer dossiers than there are traits, not all occur."""
    made = Maker(Random(seed))
    for number in range(dossiers):
        made.dossier(number)
    made.chains()
    made.finish()
    return Production(made.tables, made.traits)


def load(connection, production):
    """Copy the rows into the tables over a psycopg connection; columns that V1 does not have get their default."""
    with connection.transaction(), connection.cursor() as cursor:
        for table, rows in production.tables.items():
            if not rows:
                continue
            columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
            copying = sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table), columns)
            with cursor.copy(copying) as copy:
                for row in rows:
                    copy.write_row(tuple(row.values()))
