"""The command `tagwharf`. Commands import what they need when they run, so that `check` and `--help` start at once."""

from gateway.cli import alarms, backup, boards, broker, commands, console, daemons, devices, init, site, support, tags
from gateway.cli.app import app, main

__all__ = [
    "alarms",
    "app",
    "backup",
    "boards",
    "broker",
    "commands",
    "console",
    "daemons",
    "devices",
    "init",
    "main",
    "site",
    "support",
    "tags",
]
