"""The machine and its doors: it knows jobs and nothing of dossiers.

Read `settings`, `errors`, `db`, `jobs` (accept, claim, complete, settle), `retry`, `outcomes`, `sweep`, `ring`,
`celery`, then the doors: `bridge/` and `cli/`.
"""
