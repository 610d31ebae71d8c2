"""What the event journal holds of a time, in few words, for comparisons; and single events and alarms by their ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.contract.events import Alarm, Event, decode_alarm, decode_event
from gateway.event_history import open_day
from gateway.event_journal import US_PER_DAY, day_files

_EVENTS: Final = "SELECT id, at_us, type, subject, rule, gateway FROM events WHERE at_us >= ? AND at_us < ?"
_ALARMS: Final = "SELECT body FROM alarms WHERE at_us >= ? AND at_us < ?"
MOST_US: Final = 2**63 - 1


class ToldEvent(NamedTuple):
    """An event, without what it carries."""

    id: str
    at_us: int
    type: str
    subject: str
    rule: str | None
    gateway: str


class EventSpan:
    """The questions.

    Attributes:
        damaged: what could not be read, a line each.
    """

    def __init__(self, directory: Path) -> None:
        self.damaged: list[str] = []
        self._directory = directory

    def events(self, from_us: int, to_us: int) -> Iterator[ToldEvent]:
        """All events in `[from_us, to_us)`, oldest first."""
        query = f"{_EVENTS} ORDER BY at_us, id"
        for row in self._each(query, (from_us, to_us), from_us, to_us):
            yield ToldEvent(*row)

    def alarms(self, from_us: int, to_us: int) -> Iterator[Alarm]:
        """All changes of alarms in `[from_us, to_us)`, oldest first."""
        query = f"{_ALARMS} ORDER BY at_us, id, state"
        for (body,) in self._each(query, (from_us, to_us), from_us, to_us):
            yield decode_alarm(body)

    def event(self, key: str) -> Event | None:
        """The event of this id."""
        found = [decode_event(body) for (body,) in self._each("SELECT body FROM events WHERE id = ?", (key,))]
        return found[-1] if found else None

    def alarm(self, key: str, until_us: int | None = None) -> Alarm | None:
        """When the alarm of this id was raised last, up to a time."""
        query = "SELECT body FROM alarms WHERE id = ? AND state = 'raised' AND at_us <= ? ORDER BY at_us"
        most_us = MOST_US if until_us is None else until_us
        found = [decode_alarm(body) for (body,) in self._each(query, (key, most_us))]
        return found[-1] if found else None

    def _each(
        self, query: str, values: tuple[int | str, ...], from_us: int = 0, to_us: int = MOST_US
    ) -> Iterator[tuple[Any, ...]]:
        self.damaged = []
        for day, path in day_files(self._directory):
            if day < from_us // US_PER_DAY or day * US_PER_DAY >= to_us:
                continue
            try:
                connection = open_day(path)
            except FileNotFoundError:
                continue  # its age took it away just now
            except sqlite3.Error as error:
                self.damaged.append(f"{path.name}: {error}")
                continue
            try:
                yield from connection.execute(query, values)
            except sqlite3.Error as error:
                self.damaged.append(f"{path.name}: {error}")
            finally:
                connection.close()
