"""Talks to a reader with the package pyImpinj, in a venv of its own. Usage: client.py TTY JSON; prints JSON.

The JSON asks for a list of steps: a method of the package's reader with its arguments by position, and a mapping of
those by name. An inventory brings what the package has heard until the end of the round or an error.
"""

from __future__ import annotations

import json
import queue
import sys
from typing import Any

from pyImpinj import ImpinjR2KReader  # type: ignore[import-not-found]  # only in the peer's own venv

ADDRESS = 1
WITHIN_S = 5.0


def done(reader: Any, heard: queue.Queue[dict[str, Any]], step: list[Any]) -> Any:
    """What the package makes of one step."""
    name, *arguments = step
    named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    if name == "fast_switch_ant_inventory":
        named = {"param": named}
    result = getattr(reader, name)(*arguments, **named)
    if name not in ("rt_inventory", "session_inventory", "fast_switch_ant_inventory"):
        return result.hex() if isinstance(result, bytes) else result
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != "DONE":
        found.append(heard.get(timeout=WITHIN_S))
        if found[-1].get("logs") == "Antenna miss error.":
            break
    return found


def main() -> None:
    """Run the steps."""
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    reader = ImpinjR2KReader(heard, address=ADDRESS)
    reader.connect(sys.argv[1])
    reader.worker_start()
    print(json.dumps([done(reader, heard, step) for step in json.loads(sys.argv[2])]))  # noqa: T201 - the answer
    reader.worker_close()


main()
