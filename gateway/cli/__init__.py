"""The command `tagwharf`. Commands import what they need when they run, so that `check` and `--help` start at once."""

from gateway.cli import alarms, boards, commands, console, daemons, devices, site, tags
from gateway.cli.app import app, main

__all__ = ["alarms", "app", "boards", "commands", "console", "daemons", "devices", "main", "site", "tags"]
