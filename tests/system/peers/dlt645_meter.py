"""One meter of the PyPI package dlt645, an implementation that shares no line with ours. Runs in a venv of its own.

Usage: dlt645_meter.py tcp|/dev/pts/N ADDRESS VALUES_JSON; prints `ready PORT` and serves until its input ends.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime

from dlt645 import MeterServerService  # type: ignore[import-not-found]  # only in the peer's own venv
from dlt645.model.types.dlt645_type import Demand  # type: ignore[import-not-found]  # only in the peer's own venv


def main() -> None:
    where, address, values = sys.argv[1:4]
    if where == "tcp":
        meter = MeterServerService.new_tcp_server("127.0.0.1", 0, 30.0)
    else:
        meter = MeterServerService.new_rtu_server(where, 8, 1, 2400, "E", 1.0)
    meter.set_address(bytes.fromhex(address)[::-1])  # the package wants the order of the wire
    for name, value in json.loads(values).items():
        identifier = int(name, 16)
        kind = identifier >> 24
        if kind == 0:
            done = meter.set_00(identifier, value)
        elif kind == 1:
            done = meter.set_01(identifier, Demand(value[0], datetime.fromisoformat(value[1])))
        else:
            done = meter.set_02(identifier, value)
        if not done:
            sys.exit(f"the package refused {name} = {value}")
    if not meter.start():
        sys.exit("the package did not start its server")
    print("ready", getattr(meter.server, "port", 0), flush=True)  # noqa: T201 - how the test learns the port
    sys.stdin.read()
    meter.stop()


main()
