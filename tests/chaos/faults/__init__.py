"""The faults: each a function that breaks something of the world for some seconds and mends it again.

`FAULTS` lists them by lane. Faults of one lane never overlap, those of different lanes do. Reading order: `table`,
then `processes`, `redis`, `postgres`.
"""

from tests.chaos.faults import postgres, processes, redis
from tests.chaos.faults.table import FAULTS, LANES, Fault, Reason, Skipped, must_hit

__all__ = ["FAULTS", "LANES", "Fault", "Reason", "Skipped", "must_hit", "postgres", "processes", "redis"]
