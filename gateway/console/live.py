"""What the console shows now: kept from MQTT, bounded, handed out as differences.

Ten thousand reads a second cannot be read by a person. The page gets a sample of the newest, and counts of all.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import msgspec

from gateway.contract import batches, events, ledger
from gateway.contract.topics import Topics

READS_SHOWN: Final = 60
EVENTS_SHOWN: Final = 100
DEVICES_MOST: Final = 2_000
READINGS_MOST: Final = 50_000
ALARMS_MOST: Final = 2_000
LEDGERS_MOST: Final = 256
GATEWAY_AWAY: Final = "gateway_away"


class Live:
    """The state of one site as the console shows it.

    `feed` takes what MQTT brings; `whole` gives everything, `changes` what is new since it was asked last.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.connected = False
        self.malformed = 0
        self._root = Topics(site).root + "/"
        self._reads: deque[dict[str, Any]] = deque(maxlen=READS_SHOWN)
        self._new_reads: deque[dict[str, Any]] = deque(maxlen=READS_SHOWN)
        self._reads_heard = 0
        self._devices: dict[str, dict[str, Any]] = {}
        self._readings: dict[str, dict[str, Any]] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_SHOWN)
        self._new_events: deque[dict[str, Any]] = deque(maxlen=EVENTS_SHOWN)
        self._alarms: dict[str, dict[str, Any]] = {}
        self._ledgers: dict[str, dict[str, Any]] = {}
        self._changed: set[str] = set()

    @staticmethod
    def topics(site: str) -> list[str]:
        """What the console subscribes to."""
        topics = Topics(site)
        return [*topics.batches(), topics.event("+"), topics.alarm("+"), topics.ledger("+")]

    def feed(self, topic: str, payload: bytes) -> None:
        """Take one message; what is malformed is counted."""
        levels = topic.removeprefix(self._root).split("/")
        try:
            self._sort(levels, payload)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            self.malformed += 1

    def is_online(self, device: str) -> bool:
        """Whether a device has proven itself, as far as is known."""
        return self._shown_devices().get(device, {}).get("state") == "online"

    def whole(self) -> dict[str, Any]:
        """Everything, for a page that opens."""
        return {
            "site": self.site,
            "connected": self.connected,
            "reads": list(self._reads),
            "reads_heard": self._reads_heard,
            "devices": self._shown_devices(),
            "readings": self._readings,
            "events": list(self._events),
            "alarms": self._alarms,
            "ledgers": self._ledgers,
            "malformed": self.malformed,
        }

    def changes(self) -> dict[str, Any]:
        """What is new since this was asked last."""
        changed, self._changed = self._changed, set()
        parts = {
            "devices": self._shown_devices() if "devices" in changed else {},
            "readings": self._readings,
            "alarms": self._alarms,
            "ledgers": self._ledgers,
        }
        news: dict[str, Any] = {name: part for name, part in parts.items() if name in changed}
        news |= {"connected": self.connected, "reads_heard": self._reads_heard, "malformed": self.malformed}
        for name, fresh in (("reads", self._new_reads), ("events", self._new_events)):
            if fresh:
                news[name] = list(fresh)
                fresh.clear()
        return news

    def _shown_devices(self) -> dict[str, dict[str, Any]]:
        """The devices as they are: of one whose gateway is away nobody knows anything, whatever was said last."""
        away = {
            name: row for name, row in self._devices.items() if name == row["gateway"] and row["state"] == "offline"
        }
        if not away:
            return self._devices
        return {
            name: row
            if name in away or (gateway := away.get(row["gateway"])) is None
            else {
                **row,
                "state": "offline",
                "reason": GATEWAY_AWAY,
                "detail": f"gateway {row['gateway']} is offline: {gateway['reason']}",
                "watched": [],
            }
            for name, row in self._devices.items()
        }

    def _sort(self, levels: list[str], payload: bytes) -> None:
        match levels:
            case ["events", _]:
                event = msgspec.to_builtins(events.decode_event(payload))
                self._events.append(event)
                self._new_events.append(event)
            case ["alarms", alarm_id]:
                self._alarm(alarm_id, payload)
            case ["ledger", process] if process not in self._ledgers and len(self._ledgers) >= LEDGERS_MOST:
                pass
            case ["ledger", "rules"]:
                self._ledgers["rules"] = msgspec.to_builtins(ledger.decode_rules_ledger(payload))
                self._changed.add("ledgers")
            case ["ledger", gateway]:
                book = ledger.decode_edge_ledger(payload)
                self._ledgers[gateway] = msgspec.to_builtins(book) | {
                    "balanced": all(account.balanced for account in book.accounts.values())
                }
                self._changed.add("ledgers")
            case [_, _]:
                self._batch(batches.decode(payload))
            case _:
                pass  # a topic of a later version

    def _alarm(self, alarm_id: str, payload: bytes) -> None:
        alarm = events.decode_alarm(payload) if payload else None
        if alarm is None or alarm.state != "raised":
            self._alarms.pop(alarm_id, None)
        elif alarm_id in self._alarms or len(self._alarms) < ALARMS_MOST:
            self._alarms[alarm_id] = msgspec.to_builtins(alarm)
        self._changed.add("alarms")

    def _batch(self, batch: batches.Batch) -> None:
        items = batches.item_count(batch)
        if items and (device := self._devices.get(batch.device)) is not None:
            device["heard"] = device.get("heard", 0) + items  # a status comes only when something else changes
            self._changed.add("devices")
        if isinstance(batch, batches.ReadBatch):
            self._reads_heard += len(batch.reads)
            for read in batch.reads[-READS_SHOWN:]:
                row = {"device": batch.device, **msgspec.to_builtins(read)}
                self._reads.append(row)
                self._new_reads.append(row)
        elif isinstance(batch, batches.StatusBatch):
            if batch.device in self._devices or len(self._devices) < DEVICES_MOST:
                self._devices[batch.device] = msgspec.to_builtins(batch)
                self._changed.add("devices")
        elif isinstance(batch, batches.ReadingBatch):
            for reading in batch.readings:
                key = "/".join(
                    (batch.device, reading.quantity, reading.phase or "", str(reading.tariff or "")),
                )
                if key in self._readings or len(self._readings) < READINGS_MOST:
                    self._readings[key] = {
                        "meter": batch.device,
                        "received_at_us": batch.received_at_us,
                        **msgspec.to_builtins(reading),
                    }
            self._changed.add("readings")
