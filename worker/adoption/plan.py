"""What migrating would change, and whether it can: facts compared with what is wanted, and nothing else."""

from typing import Literal

from pydantic import BaseModel

from worker.adoption import obstacles
from worker.adoption.facts import Facts
from worker.adoption.obstacle import Obstacle
from worker.adoption.wanted import Wanted


class Step(BaseModel):
    """A migration that is to be run."""

    revision: str
    does: str


class TableChange(BaseModel):
    """What becomes of a table: created whole, or left as it is but for what is added.

    Attributes:
        rebuilt: indexes that an interrupted migration left INVALID: dropped and built anew.
    """

    table: str
    action: Literal["created", "adopted"]
    columns: list[str] = []
    indexes: list[str] = []
    rebuilt: list[str] = []
    constraints: list[str] = []
    triggers: list[str] = []

    @property
    def adds(self) -> bool:
        """Whether anything of it becomes different."""
        return bool(self.columns or self.indexes or self.rebuilt or self.constraints or self.triggers)


class Plan(BaseModel):
    """The way from the database's revision to the one that is wanted.

    Attributes:
        ok: nothing stands in the way.
        role: whether `app_reader` is created.
    """

    ok: bool
    before: str | None
    after: str
    steps: list[Step]
    role: bool
    tables: list[TableChange]
    obstacles: list[Obstacle]

    @property
    def certain(self) -> list[Obstacle]:
        """What would surely make migrating, or every publish after it, fail."""
        return [obstacle for obstacle in self.obstacles if obstacle.certain]


def compare(wanted: Wanted, facts: Facts) -> Plan:
    """The plan for this database."""
    found = obstacles.find(wanted, facts)
    pending = wanted.pending or ()
    not_ours = {obstacle.subject for obstacle in found if obstacle.kind == "table"}
    return Plan(
        ok=not found,
        before=facts.revision,
        after=wanted.head,
        steps=[Step(revision=revision.id, does=revision.does) for revision in pending],
        role=facts.revision is None and "dossiers" not in facts.tables and not facts.reader_exists,
        tables=[*_created(wanted, facts), *_adopted(wanted, facts, not_ours)] if pending else [],
        obstacles=found,
    )


def _created(wanted: Wanted, facts: Facts) -> list[TableChange]:
    return [TableChange(table=table, action="created") for table in wanted.creates if table not in facts.tables]


def _adopted(wanted: Wanted, facts: Facts, not_ours: set[str]) -> list[TableChange]:
    """Tables that are there: all that pending migrations find, also those to which they add nothing."""
    concerned = dict.fromkeys((*wanted.creates, *wanted.adds, *(index.table for index in wanted.indexes.values())))
    return [_added(table, wanted, facts) for table in concerned if table in facts.tables.keys() - not_ours]


def _added(table: str, wanted: Wanted, facts: Facts) -> TableChange:
    adds = wanted.adds.get(table)
    indexes = [name for name, index in wanted.indexes.items() if index.table == table]
    return TableChange(
        table=table,
        action="adopted",
        columns=[name for name in adds.columns if name not in facts.tables[table].columns] if adds else [],
        indexes=[name for name in indexes if name not in facts.indexes],
        rebuilt=[name for name in indexes if name in facts.indexes and not facts.indexes[name].valid],
        constraints=[name for name in adds.constraints if (table, name) not in facts.constraints] if adds else [],
        triggers=[name for name in adds.triggers if (table, name) not in facts.triggers] if adds else [],
    )
