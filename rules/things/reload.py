"""Reads the list of things again when its file changes. One with faults is refused whole, and the old serves on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.health import Health
from gateway.identity import Identities
from gateway.logs import get_log
from rules.own_events import REGISTRY_REFUSED, OwnAlarms
from rules.things.file import RegistryError
from rules.things.registry import Registry
from rules.things.source import ChangingError, Stamp, load, stamp_of

LOOK_EVERY_S: Final = 2.0
SHOWN_FAULTS: Final = 5


class Reloader:
    """Watches one file.

    Args:
        stamp: of the file as it was read at the start.
        install: takes the new registry into use.
    """

    def __init__(
        self,
        path: Path,
        directory: Path,
        identities: Identities,
        *,
        stamp: Stamp | None,
        install: Callable[[Registry], None],
        alarms: OwnAlarms,
        health: Health,
    ) -> None:
        self._path = path
        self._directory = directory
        self._identities = identities
        self._seen = stamp
        self._install = install
        self._alarms = alarms
        self._health = health
        self._log = get_log()

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    async def look(self) -> None:
        """Look once, and read the file if it is another than before."""
        try:
            stamp = await asyncio.to_thread(stamp_of, self._path)
            if stamp == self._seen:
                return
            registry = await asyncio.to_thread(load, self._path, self._directory, self._identities)
        except ChangingError:
            return  # it is looked at again in a moment
        except RegistryError as error:
            self._seen = stamp
            self._refuse(error.faults)
        except (OSError, sqlite3.Error) as error:
            self._seen = None  # should the same file come back, it is read again
            self._refuse([f"cannot be read: {getattr(error, 'strerror', None) or error}"])
        else:
            self._seen = stamp
            self._install(registry)
            self._health.degraded.pop("registry", None)
            self._alarms.clear(REGISTRY_REFUSED, self._path.name, f"{self._path.name} was read")
            self._log.info("registry_loaded", version=registry.version, things=registry.things, cards=registry.cards)

    def _refuse(self, faults: list[str]) -> None:
        more = f"; and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        said = f"{self._path.name}: {'; '.join(faults[:SHOWN_FAULTS])}{more}; the list before it serves on"
        if self._health.degraded.get("registry") != said:
            self._health.trouble(self._log, "registry_refused", level="error", file=str(self._path), reason=said)
        self._health.degraded["registry"] = said
        self._alarms.put(REGISTRY_REFUSED, self._path.name, said)
