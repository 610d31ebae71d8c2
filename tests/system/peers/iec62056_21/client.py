"""Reads a meter out with iec62056-21 over TCP: client.py PORT ADDRESS prints who answered and its data sets."""

from __future__ import annotations

import json
import sys

from iec62056_21.client import Iec6205621Client  # type: ignore[import-not-found]  # only in the peer's own venv

client = Iec6205621Client.with_tcp_transport(("127.0.0.1", int(sys.argv[1])), device_address=sys.argv[2])
client.connect()
answer = client.standard_readout()
sets = [[each.address, each.value, each.unit] for each in answer.data]
found = {"maker": client.manufacturer_id, "model": client.identification, "baud": client.switchover_baudrate_char}
sys.stdout.write(json.dumps(found | {"sets": sets}))
