"""Reads SML files with smllib: one line of hex in, one JSON line of its values out: code, number, unit, scaler."""

from __future__ import annotations

import json
import sys

from smllib import SmlStreamReader  # type: ignore[import-not-found]  # only in the peer's own venv
from smllib.errors import CrcError  # type: ignore[import-not-found]  # likewise

for line in sys.stdin:
    reader = SmlStreamReader()
    reader.add(bytes.fromhex(line))
    values: list[list[object]] | None = None
    try:
        frame = reader.get_frame()
        values = [
            [value.obis.obis_code, value.value, value.unit, value.scaler]
            for message in frame.parse_frame()
            for value in getattr(message.message_body, "val_list", [])
        ]
    except CrcError:
        pass
    sys.stdout.write(json.dumps(values, default=str) + "\n")
