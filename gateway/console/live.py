"""What the console shows now: MQTT messages decoded once, and given to every part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.console.parts.alarms import Alarms
from gateway.console.parts.devices import Devices
from gateway.console.parts.events import Events
from gateway.console.parts.ledgers import Ledgers
from gateway.console.parts.part import AlarmNews, Heard, Part
from gateway.console.parts.readings import Readings
from gateway.console.parts.reads import Reads
from gateway.console.parts.summary import Summary
from gateway.contract import batches, events, ledger
from gateway.contract.topics import Topics

SUMMARY: Final = "summary"


class Live:
    """The state of one site as the console shows it.

    Attributes:
        connected: to the broker.
        malformed: messages that could not be read.
        parts: by the names under which pages follow them; pages may add their own.
    """

    def __init__(self, site: str, more: Mapping[str, Part] | None = None) -> None:
        self.site = site
        self.connected = False
        self.malformed = 0
        self._root = Topics(site).root + "/"
        self.devices = Devices()
        self.readings = Readings()
        self.alarms = Alarms()
        self.ledgers = Ledgers()
        self.events = Events()
        self.reads = Reads()
        summary = Summary(
            devices=self.devices,
            alarms=self.alarms,
            ledgers=self.ledgers,
            reads=self.reads,
            connected=lambda: self.connected,
        )
        self.parts: dict[str, Part] = {
            "devices": self.devices,
            "readings": self.readings,
            "alarms": self.alarms,
            "ledgers": self.ledgers,
            "events": self.events,
            "reads": self.reads,
            SUMMARY: summary,
            **(more or {}),
        }

    @staticmethod
    def topics(site: str) -> list[str]:
        """What the console subscribes to."""
        topics = Topics(site)
        return [*topics.batches(), topics.event("+"), topics.alarm("+"), topics.ledger("+")]

    def feed(self, topic: str, payload: bytes) -> None:
        """Take one message; what is malformed is counted."""
        try:
            heard = _decoded(topic.removeprefix(self._root).split("/"), payload)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            self.malformed += 1
            return
        if heard is not None:
            for part in self.parts.values():
                part.take(heard)

    def is_online(self, device: str) -> bool:
        """Whether a device has proven itself, as far as is known."""
        return self.devices.is_online(device)

    def whole(self) -> dict[str, Any]:
        """Everything that is kept, in one picture."""
        return {
            "site": self.site,
            "connected": self.connected,
            "reads": self.reads.whole(),
            "reads_heard": self.reads.heard,
            "devices": self.devices.whole(),
            "readings": self.readings.whole(),
            "events": self.events.whole(),
            "alarms": self.alarms.whole(),
            "ledgers": self.ledgers.whole(),
            "malformed": self.malformed,
        }


def _decoded(levels: list[str], payload: bytes) -> Heard | None:
    """What a message says; None for a topic of a later version.

    Raises:
        msgspec.MsgspecError, RecursionError, UnicodeDecodeError: it is none of ours, or damaged.
    """
    match levels:
        case ["events", _]:
            return events.decode_event(payload)
        case ["alarms", alarm]:
            return AlarmNews(alarm, events.decode_alarm(payload) if payload else None)
        case ["ledger", "rules"]:
            return ledger.decode_rules_ledger(payload)
        case ["ledger", _]:
            return ledger.decode_edge_ledger(payload)
        case [_, _]:
            return batches.decode(payload)
        case _:
            return None
