"""Reads look-up tables again when their files change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from gateway.config.rules import LookUpTable
from gateway.health import Health
from rules.own_events import TABLE_REFUSED, OwnAlarms
from rules.reload import LOOK_EVERY_S, FileReloader
from rules.tables.shelf import Kept, Shelf


class TableReloader:
    """Watches the files of all tables that are in use, each by itself: a bad one keeps no other from being read."""

    def __init__(self, shelf: Shelf, *, alarms: OwnAlarms, health: Health) -> None:
        self._shelf = shelf
        self._alarms = alarms
        self._health = health
        self._watched: dict[str, _OneTable] = {}
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read all of them now, changed or not."""
        self._asked.set()

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):  # then nobody asked, and it looks whether a file changed
                async with asyncio.timeout(every_s):
                    await self._asked.wait()
            is_asked = self._asked.is_set()
            self._asked.clear()
            await self.look(now=is_asked)

    async def look(self, *, now: bool = False) -> None:
        """Look once at each file, and read those that are others than before, or in any case `now`."""
        self._follow()
        for one in list(self._watched.values()):
            await one.look(now=now)
        self._follow()

    def _follow(self) -> None:
        """Watch what is on the shelf, as it is defined now."""
        kept = self._shelf.kept
        for name, one in list(self._watched.items()):
            if name not in kept or kept[name].settings != one.settings:
                del self._watched[name]
                one.forget()
        for name, each in kept.items():
            if name not in self._watched:
                self._watched[name] = _OneTable(each, self._shelf, alarms=self._alarms, health=self._health)


class _OneTable(FileReloader[Kept]):
    noun = "table"
    serves_on = "the table before it serves on"

    def __init__(self, kept: Kept, shelf: Shelf, *, alarms: OwnAlarms, health: Health) -> None:
        super().__init__(kept.settings.name, {kept.settings.file: kept.stamp}, alarms=alarms, health=health)
        self.settings: LookUpTable = kept.settings
        self._shelf = shelf
        self._own_alarms = alarms

    @property
    def degradation(self) -> str:
        return f"table {self.settings.name}"

    def files(self) -> Sequence[Path]:
        return (self.settings.file,)

    def load(self) -> Kept:
        return self._shelf.read_one(self.settings)

    def install(self, loaded: Kept) -> None:
        self._shelf.renew(loaded)

    def describe(self, loaded: Kept) -> dict[str, object]:
        return {"table": self.settings.name, "version": loaded.table.version, "rows": loaded.table.rows}

    def discard(self, loaded: Kept) -> None:
        loaded.table.close()

    def forget(self) -> None:
        """The table is gone, or was read anew with another definition: nothing is wrong with it any more."""
        self.health.degraded.pop(self.degradation, None)
        self._own_alarms.clear(TABLE_REFUSED, self.settings.name, f"{self.settings.name} was read, or is gone")
