"""`python -m flows.cli` is `safe-harbor`."""

from flows.cli import main

main()
