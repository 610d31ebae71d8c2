"""The identifier tables of the PyPI package dlt645, an implementation that shares no line with ours, as JSON.

Each identifier has its items in order: name, format and unit, as `[["...", "XXXXXX.XX", "kWh"]]`. Runs in a venv of
its own.
"""

from __future__ import annotations

import json
import sys

from dlt645 import MeterServerService  # type: ignore[import-not-found]  # only in the peer's own venv


def main() -> None:
    meter = MeterServerService.new_tcp_server("127.0.0.1", 0, 30.0)
    tables = {}
    for identifier, items in meter.data_map.items():
        listed = items if isinstance(items, list) else [items]
        tables[f"{int(identifier):08X}"] = [[item.name, item.data_format, item.unit] for item in listed]
    json.dump(tables, sys.stdout)


main()
