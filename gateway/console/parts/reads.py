"""The newest tag reads. Ten thousand a second are more than a person can read: a page gets some, and counts of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.console.parts.part import Cursor, Heard, Newest
from gateway.console.parts.read_filter import DeviceRead, read_filter
from gateway.contract.batches import ReadBatch

READS_KEPT: Final = 20_000
AT_ONCE: Final = 60


class Reads:
    """The newest reads."""

    def __init__(self) -> None:
        self.newest: Newest[DeviceRead] = Newest(READS_KEPT)

    @property
    def heard(self) -> int:
        """All that were heard since the console started."""
        return self.newest.heard

    def take(self, heard: Heard) -> None:
        """Take reads."""
        if isinstance(heard, ReadBatch):
            device = heard.device
            self.newest.extend([DeviceRead(device, read) for read in heard.reads])

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """Those that a filter lets through; see `read_filter`."""
        return self.newest.follow(read_row, most=AT_ONCE, at_first=AT_ONCE, select=read_filter(query))

    def whole(self) -> list[dict[str, Any]]:
        """The newest of them, oldest first."""
        found, _ = self.newest.after(max(0, self.newest.heard - AT_ONCE))
        return [read_row(item) for item in reversed(found)]


def read_row(item: DeviceRead) -> dict[str, Any]:
    """A read as pages take it."""
    return {"device": item.device, **msgspec.to_builtins(item.read)}
