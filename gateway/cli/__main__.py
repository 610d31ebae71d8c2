"""`python -m gateway.cli` is the command `tagwharf`."""

from gateway.cli import main

main()
