"""`columnline doctor`: what may be wrong around the worker, and what to type about each.

Read `findings` (what a check says), `run` (every check, in order), then the checks: `database`, `access`,
`broker`, `work`, `setup`. A check only looks: it changes nothing, and says nothing of a secret or of a contact.
"""
