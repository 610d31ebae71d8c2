"""The day files of an event journal, asked one after the other, each read-only and for a bounded time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from gateway.event_history import open_day
from gateway.event_journal import day_files
from gateway.event_tables import US_PER_DAY
from gateway.rollup_tables import names

T = TypeVar("T")
MOST_US: Final = 2**63 // 1_000 - 1  # as nanoseconds it still fits into 64 bits
TEXT_MOST: Final = 512
STEPS_BETWEEN_LOOKS: Final = 20_000
"""Steps of SQLite's machine, of some 0.1 us each, between two looks at the clock."""


class QuestionTimeoutError(Exception):
    """A question took too long; the message says what to do."""


class DayFiles(msgspec.Struct, frozen=True):
    """Where an event journal is, and how many seconds a question may take. Safe to share among threads."""

    directory: Path
    within_s: float = 5.0


class Day(NamedTuple):
    """One day file, open to be read.

    Attributes:
        names: its tables and indexes; a file that an earlier version wrote has fewer.
    """

    connection: sqlite3.Connection
    names: frozenset[str]

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table."""
        return frozenset(row[0] for row in self.connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))

    def rows(self, statement: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of an answer."""
        return self.connection.execute(statement, values).fetchall()


class Question:
    """One question to all days: its deadline, and what could not be read.

    Attributes:
        damaged: a line for each file that could not be read.
    """

    def __init__(self, days: DayFiles) -> None:
        self.damaged: list[str] = []
        self._days = days
        self._until = time.monotonic() + days.within_s

    def ask(
        self, answer: Callable[[Day], T], from_us: int = 0, to_us: int = MOST_US, *, newest_first: bool = True
    ) -> Iterator[T]:
        """What each day of `[from_us, to_us)` answers. A day is asked when its answer is wanted.

        Raises:
            QuestionTimeoutError: the time is over.
        """
        files = [
            path
            for day, path in day_files(self._days.directory)
            if day >= from_us // US_PER_DAY and day * US_PER_DAY < to_us
        ]
        for path in reversed(files) if newest_first else files:
            self._look_at_clock()
            try:
                connection = open_day(path)
            except FileNotFoundError:
                continue  # its age took it away just now
            except sqlite3.Error as error:
                self.damaged.append(f"{path.name}: {error}")
                continue
            try:
                connection.set_progress_handler(self._is_over, STEPS_BETWEEN_LOOKS)
                found = answer(Day(connection, names(connection)))
            except (sqlite3.Error, msgspec.MsgspecError) as error:
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                    self._look_at_clock()
                self.damaged.append(f"{path.name}: {error}")
                continue
            finally:
                connection.close()
            yield found

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until

    def _look_at_clock(self) -> None:
        if self._is_over():
            raise QuestionTimeoutError(
                f"the event journal did not answer within {self._days.within_s:g} s; ask about a shorter time"
            )


def check_span(from_us: int, to_us: int, *, days_most: int | None = None) -> None:
    """Raises ValueError unless `[from_us, to_us)` is a time, and not longer than allowed."""
    if not 0 <= from_us < to_us <= MOST_US:
        raise ValueError(f"from_us = {from_us}, to_us = {to_us}: must be 0 <= from_us < to_us <= {MOST_US}")
    if days_most is not None and to_us - from_us > days_most * US_PER_DAY:
        raise ValueError(f"from_us = {from_us}, to_us = {to_us}: must be at most {days_most} days apart")


def check_count(name: str, value: int, most: int) -> None:
    """Raises ValueError unless `value` is within 1 to `most`."""
    if not 1 <= value <= most:
        raise ValueError(f"{name} = {value}: must be 1 to {most}")


def check_texts(**texts: str) -> None:
    """Raises ValueError for a text that is too long, or that no database takes."""
    for name, text in texts.items():
        if len(text) > TEXT_MOST:
            raise ValueError(f"{name}: must be at most {TEXT_MOST} characters, has {len(text)}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name}: holds half a character") from None


def last_days_from(now_us: int, last_days: int, most: int) -> int:
    """The beginning of the last days; raises ValueError unless they are 1 to `most`."""
    check_count("last_days", last_days, most)
    return max(0, now_us - last_days * US_PER_DAY)
