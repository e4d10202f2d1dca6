"""The machine and its doors: it knows jobs and nothing of dossiers.

Read `settings`, `errors`, `db`, `jobs` (accept, claim, complete, settle), `retry`, `outcomes`, `sweep`, `ring`,
`celery`, then the doors: `bridge/` and `cli/`.
"""

import gc

VERSION = "0.3.0"

# Imports make hundreds of thousands of objects that stay. Python would look through all of them for cycles again
# and again, from 700 new ones on: a sixth of the time that a process needs to start.
gc.set_threshold(10_000)
