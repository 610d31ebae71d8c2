"""The devices: the state of each, and how much it was heard to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract import batches

DEVICES_MOST: Final = 2_000
GATEWAY_AWAY: Final = "gateway_away"
OFFLINE: Final = "offline"


class Devices:
    """Rows by name: what the device's last status says. Of one whose gateway is away nobody knows anything."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, Any]] = {}
        self._away: dict[str, str] = {}
        self._rows = Rows(DEVICES_MOST)

    def take(self, heard: Heard) -> None:
        """Take a status, or count what a device said since its last: one comes only when something else changes."""
        if isinstance(heard, batches.StatusBatch):
            if heard.device in self._said or len(self._said) < DEVICES_MOST:
                self._said[heard.device] = msgspec.to_builtins(heard)
                self._show(heard.device)
                if heard.device == heard.gateway:
                    self._gateway(heard)
        elif isinstance(heard, batches.Header):
            said = self._said.get(heard.device)
            if said is not None and (items := batches.item_count(heard)):
                said["heard"] = said.get("heard", 0) + items
                self._show(heard.device)

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All devices."""
        del query
        return self._rows.follow()

    def whole(self) -> dict[str, dict[str, Any]]:
        """All devices, by name."""
        return dict(self._rows.items())

    def is_online(self, device: str) -> bool:
        """Whether a device has proven itself, as far as is known."""
        row = self._rows.get(device)
        return row is not None and row["state"] == "online"

    def _gateway(self, status: batches.StatusBatch) -> None:
        """A gateway came or went: with it, all its devices."""
        was_away = status.gateway in self._away
        if status.state == OFFLINE:
            self._away[status.gateway] = status.reason
        else:
            self._away.pop(status.gateway, None)
        if was_away or status.gateway in self._away:
            for name, said in self._said.items():
                if said["gateway"] == status.gateway:
                    self._show(name)

    def _show(self, name: str) -> None:
        said = self._said[name]
        reason = self._away.get(said["gateway"])
        if reason is not None and name != said["gateway"]:
            detail = f"gateway {said['gateway']} is offline: {reason}"
            said = {**said, "state": OFFLINE, "reason": GATEWAY_AWAY, "detail": detail, "watched": []}
        self._rows.put(name, dict(said))
