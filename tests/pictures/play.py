"""Plays the demonstration into an InfluxDB of version 1, until it is interrupted: `play.py URL DIRECTORY PORT`."""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.demo.run import DemoSettings, run
from tests.support.board_store import DATABASE

if __name__ == "__main__":
    url, directory, port = sys.argv[1:]
    settings = DemoSettings(
        influx=url, influx_api="v1", influx_bucket=DATABASE, keep=Path(directory), console_port=int(port)
    )
    sys.exit(run(settings))
