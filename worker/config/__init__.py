"""Two tables of clients, one truth: the config fields of `v2_clients` and `clients` (roadmap §3).

Read `sync` (keep both equal, per field), then `unify` (one owner, the other its mirror).
"""
