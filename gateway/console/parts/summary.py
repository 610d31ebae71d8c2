"""What stands at the head of every page: is it live, how much comes in, is anything wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from gateway.console.parts.part import Cursor, Heard

if TYPE_CHECKING:
    from gateway.console.parts.alarms import Alarms
    from gateway.console.parts.devices import Devices
    from gateway.console.parts.ledgers import Ledgers
    from gateway.console.parts.reads import Reads

LOUDNESS: Final = ("info", "warning", "critical")


class Summary:
    """Counts over the other parts; a follower gets one object whenever it changes."""

    def __init__(
        self, *, devices: Devices, alarms: Alarms, ledgers: Ledgers, reads: Reads, connected: Callable[[], bool]
    ) -> None:
        self._devices, self._alarms, self._ledgers, self._reads = devices, alarms, ledgers, reads
        self._connected = connected

    def take(self, heard: Heard) -> None:
        """Nothing: it counts what the others keep."""

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """The counts."""
        del query
        return _SummaryCursor(self)

    def now(self) -> dict[str, Any]:
        """The counts now. `unseen`: alarms that nobody has acknowledged; `loudest`: of those."""
        devices = self._devices.whole().values()
        alarms = self._alarms.whole().values()
        unseen = [alarm for alarm in alarms if not alarm.get("acknowledged_by") and not alarm.get("ended")]
        books = self._ledgers.whole().values()
        return {
            "connected": self._connected(),
            "reads_heard": self._reads.heard,
            "devices": len(devices),
            "online": sum(row["state"] == "online" for row in devices),
            "alarms": len(alarms) + self._alarms.left_out,
            "unseen": len(unseen) + self._alarms.left_out_unseen,
            "loudest": max((_loudness(alarm["severity"]) for alarm in unseen), default=-1),
            "newest_unseen_us": max((alarm["since_us"] for alarm in unseen), default=0),
            "balanced": all(book["balanced"] for book in books) if books else None,
        }


def _loudness(severity: str) -> int:
    return LOUDNESS.index(severity) if severity in LOUDNESS else len(LOUDNESS) - 1


class _SummaryCursor:
    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._told: dict[str, Any] | None = None

    def news(self) -> Any | None:
        now = self._summary.now()
        if now == self._told:
            return None
        self._told = now
        return now
