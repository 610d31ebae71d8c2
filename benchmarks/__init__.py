"""The numbers that the design promises, measured. `python3 dev.py bench [--only NAME ...] [--json FILE]`."""
