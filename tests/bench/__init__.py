"""Benchmarks: `python -m tests.bench` runs them all, interleaved with what each is compared with.

Reading order: `servers` and `stock` (what is measured on, and with), `programs` and `usage` (what runs, and what
it costs), `rounds` (medians and ratios); then the benchmarks `drain` with `limit`, `recording` and `predecessor`,
`latency`, `bridge` with `peer`, both with `client`, `growth` with `release`, `start`; then `report` and `plots`.
"""
