"""Reads telegrams with dsmr-parser: one JSON line {"edition", "telegram"} in, one JSON line of what it found out."""

from __future__ import annotations

import json
import sys
from typing import Any

from dsmr_parser import telegram_specifications  # type: ignore[import-not-found]  # only in the peer's own venv
from dsmr_parser.exceptions import InvalidChecksumError, ParseError  # type: ignore[import-not-found]  # likewise
from dsmr_parser.parsers import TelegramParser  # type: ignore[import-not-found]  # likewise


def us(moment: Any) -> int | None:
    return None if moment is None else round(moment.timestamp()) * 1_000_000


def shown(item: Any) -> list[Any]:
    name, value = item
    return [
        name,
        str(getattr(value, "value", None)),
        getattr(value, "unit", None),
        us(getattr(value, "datetime", None)),
    ]


for line in sys.stdin:
    asked = json.loads(line)
    parser = TelegramParser(getattr(telegram_specifications, asked["edition"]))
    try:
        telegram = parser.parse(asked["telegram"])
    except (InvalidChecksumError, ParseError) as error:
        sys.stdout.write(json.dumps({"error": type(error).__name__}) + "\n")
        continue
    devices = {device.channel_id: [shown(item) for item in device] for device in getattr(telegram, "MBUS_DEVICES", [])}
    sys.stdout.write(json.dumps({"values": [shown(item) for item in telegram], "devices": devices}) + "\n")
