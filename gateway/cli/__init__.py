"""The command `tagwharf`. Commands import what they need when they run, so that `check` and `--help` start at once."""

from gateway.cli import commands, daemons, devices, site, tags
from gateway.cli.app import app, main

__all__ = ["app", "commands", "daemons", "devices", "main", "site", "tags"]
