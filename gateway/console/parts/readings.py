"""The latest value of each register of each meter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.batches import ReadingBatch

READINGS_MOST: Final = 50_000


class Readings:
    """Rows by `meter/quantity/phase/tariff`."""

    def __init__(self) -> None:
        self._rows = Rows(READINGS_MOST)

    def take(self, heard: Heard) -> None:
        """Take readings."""
        if isinstance(heard, ReadingBatch):
            for reading in heard.readings:
                key = f"{heard.device}/{reading.quantity}/{reading.phase or ''}/{reading.tariff or ''}"
                self._rows.put(
                    key,
                    {"meter": heard.device, "received_at_us": heard.received_at_us, **msgspec.to_builtins(reading)},
                )

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All readings, or those of one meter: `meter`."""
        meter = query.get("meter")
        return self._rows.follow() if not meter else _OfMeter(self._rows.follow(), meter + "/")

    def whole(self) -> dict[str, dict[str, Any]]:
        """All readings, by key."""
        return dict(self._rows.items())


class _OfMeter:
    """The readings of one meter alone."""

    def __init__(self, all_of_them: Cursor, prefix: str) -> None:
        self._all, self._prefix = all_of_them, prefix

    def news(self) -> Any | None:
        news = self._all.news()
        if news is None:
            return None
        rows = {key: row for key, row in news["rows"].items() if key.startswith(self._prefix)}
        return {"whole": news["whole"], "rows": rows} if rows or news["whole"] else None
