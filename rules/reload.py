"""Reads files again when they change. What has faults is refused whole, and what was before serves on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from gateway.health import Health
from gateway.logs import get_log
from rules.list_file import ChangingError, RefusedError, Stamp, stamp_of
from rules.own_events import OwnAlarms

LOOK_EVERY_S: Final = 2.0
SHOWN_FAULTS: Final = 5

Loaded = TypeVar("Loaded")
Stamps = Mapping[Path, Stamp | None]
"""Of each file; None for one that is not there."""


class Watcher(Protocol):
    """Reads files again when they change."""

    def ask(self) -> None:
        """Read them now, changed or not."""

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look until cancelled."""


class FileReloader(Generic[Loaded]):
    """Watches some files and takes them into use anew when they change.

    Attributes:
        noun: names the log lines `NOUN_loaded` and `NOUN_refused`, the alarm `NOUN_refused` and, unless it is told
            otherwise, the degradation.
        serves_on: what goes on when the new is refused.
        settles: a file is read only when it has not changed between two looks; somebody may still be writing it.
    """

    noun: str
    serves_on: str
    settles: bool = False

    def __init__(self, subject: str, seen: Stamps | None, *, alarms: OwnAlarms, health: Health) -> None:
        """`subject` is what the alarm is about; `seen` the stamps as of the start, None to read at the first look."""
        self.health = health
        self.log = get_log()
        self._subject = subject
        self._seen = None if seen is None else dict(seen)
        self._moving: Stamps | None = None
        self._alarms = alarms
        self._asked = asyncio.Event()

    @property
    def alarm(self) -> str:
        """The rule that its alarm goes by."""
        return f"{self.noun}_refused"

    @property
    def degradation(self) -> str:
        """What is told to be degraded while its alarm stands."""
        return self.noun

    def files(self) -> Sequence[Path]:
        """What is watched. Called in a thread, at every look."""
        raise NotImplementedError

    def load(self) -> Loaded:
        """Read the files. Called in a thread.

        Raises:
            RefusedError: they have faults. ChangingError: they are being written. OSError, sqlite3.Error: they cannot
                be read.
        """
        raise NotImplementedError

    def install(self, loaded: Loaded) -> None:
        """Take it into use. Called on the event loop, between two steps of the engine."""
        raise NotImplementedError

    def describe(self, loaded: Loaded) -> dict[str, object]:
        """What the log says of it."""
        raise NotImplementedError

    def discard(self, loaded: Loaded) -> None:
        """Let go of what was read and will not be taken into use."""

    def ask(self) -> None:
        """Read the files now, changed or not."""
        self._asked.set()

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(every_s):
                    await self._asked.wait()
            except TimeoutError:
                await self.look()
            else:
                self._asked.clear()
                await self.look(now=True)

    async def look(self, *, now: bool = False) -> None:
        """Look once, and read the files if they are others than before, or in any case `now`."""
        stamps = await asyncio.to_thread(self._stamps)
        if not now and (stamps == self._seen or not self._is_settled(stamps)):
            return
        try:
            loaded = await asyncio.to_thread(self._load, stamps)
        except ChangingError:
            return  # it is looked at again in a moment
        except RefusedError as error:
            self._seen = stamps
            self._refuse(error.faults)
        except (OSError, sqlite3.Error) as error:
            self._seen = None  # should the same file come back, it is read again
            self._refuse([f"cannot be read: {getattr(error, 'strerror', None) or error}"])
        else:
            self._seen = stamps
            self.install(loaded)
            self.health.degraded.pop(self.degradation, None)
            self._alarms.clear(self.alarm, self._subject, f"{self._subject} was read")
            said = f"{self.noun}_loaded"
            self.log.info(said, **self.describe(loaded))

    def _stamps(self) -> dict[Path, Stamp | None]:
        return {path: stamp_or_none(path) for path in self.files()}

    def _is_settled(self, stamps: Stamps) -> bool:
        if not self.settles:
            return True
        before, self._moving = self._moving, stamps
        return before == stamps

    def _load(self, before: Stamps) -> Loaded:
        """Read them; a fault of what is half written is none."""
        try:
            loaded = self.load()
        except RefusedError:
            if self._stamps() != before:
                raise ChangingError(self._subject) from None
            raise
        if self._stamps() != before:
            self.discard(loaded)
            raise ChangingError(self._subject)
        return loaded

    def _refuse(self, faults: list[str]) -> None:
        more = f"; and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        said = f"{self._subject}: {'; '.join(faults[:SHOWN_FAULTS])}{more}; {self.serves_on}"
        if self.health.degraded.get(self.degradation) != said:
            self.health.trouble(self.log, f"{self.noun}_refused", level="error", file=self._subject, reason=said)
        self.health.degraded[self.degradation] = said
        self._alarms.put(self.alarm, self._subject, said)


def stamp_or_none(path: Path) -> Stamp | None:
    """The stamp of a file; None when there is none, or nobody may look."""
    try:
        return stamp_of(path)
    except (OSError, ValueError):  # a name with a NUL is the latter
        return None
