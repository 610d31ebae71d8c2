"""Byte streams to devices: the only I/O in `readers`."""
