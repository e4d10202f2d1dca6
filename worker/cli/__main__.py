"""`python -m worker.cli` is `columnline`."""

from worker.cli import main

main()
