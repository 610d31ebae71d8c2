"""The command `tagwharf`. Commands import what they need when they run, so that `check` and `--help` start at once."""

from gateway.cli import daemons, devices, site, tags
from gateway.cli.app import app, main

__all__ = ["app", "daemons", "devices", "main", "site", "tags"]
