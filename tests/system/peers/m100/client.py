"""Talks to a module with the package rfid-r200, in a venv of its own. Usage: client.py TTY JSON; prints JSON.

The JSON asks for a list of steps: ["hw_info"], ["get_power"], ["set_power", dBm], ["read_tags"], ["send", command,
parameters in hex].
"""

from __future__ import annotations

import json
import sys
from typing import Any

from src.rfid_r200 import R200  # type: ignore[import-not-found]  # only in the peer's own venv


def done(reader: Any, step: list[Any]) -> Any:
    """What the package makes of one step."""
    if step[0] == "send":
        reader.send_command(step[1], list(bytes.fromhex(step[2])))
        return [
            {"type": each.type, "command": each.command, "ok": each.checksum_ok, "parameters": bytes(each.params).hex()}
            for each in reader.receive()
        ]
    if step[0] == "read_tags":
        tags, error = reader.read_tags()
        seen = [{"epc": bytes(tag.epc).hex(), "pc": tag.pc, "rssi": tag.rssi, "crc": tag.crc} for tag in tags]
        return {"tags": seen, "error": None if error is None else str(error)}
    return getattr(reader, step[0])(*step[1:])


def main() -> None:
    """Run the steps."""
    reader = R200(sys.argv[1], timeout=0.5)
    print(json.dumps([done(reader, step) for step in json.loads(sys.argv[2])]))  # noqa: T201 - the answer
    reader.close()


main()
