"""Questions to the event journal, asked read-only from any process while the rules daemon writes.

A day that cannot be read is left out and named in `damaged`; all others are served.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from gateway import day_sum
from gateway.contract.events import Alarm, Event, decode_alarm, decode_event
from gateway.event_journal import ALTERED, CHECKED_BYTES, US_PER_DAY, VERSION, day_files

T = TypeVar("T")
BUSY_S: Final = 2.0
US_PER_MINUTE: Final = 60_000_000
NS_PER_US: Final = 1_000
LATEST_DAYS: Final = 7  # a meter silent for longer has no latest reading
_EVENTS: Final = "SELECT body FROM events WHERE "
_NEWEST: Final = " ORDER BY at_us DESC, id LIMIT ?"


class MeterValue(NamedTuple):
    """One value of a meter. `exact` is the decimal text, None when the meter said that it has no such value."""

    meter: str
    quantity: str
    unit: str
    phase: str | None
    tariff: int | None
    exact: str | None
    obis: str
    quality: str
    at_us: int
    meter_time_us: int | None


class Step(NamedTuple):
    """Values of one series in `[at_us, at_us + step)`; n of them."""

    at_us: int
    n: int
    mean: float
    low: float
    high: float
    last: float


class EventHistory:
    """The questions. Cheap to make; keeps nothing open between them.

    Attributes:
        damaged: what could not be read during the last question, a line each: file and reason.
    """

    def __init__(self, directory: Path) -> None:
        self.damaged: list[str] = []
        self._directory = directory

    def where(self, subject_or_name: str, limit: int = 1_000) -> list[Event]:
        """Where X was: the newest `limit` events about an EPC, meter, device or named asset, oldest first."""
        wanted = subject_or_name.strip()
        condition = "(subject IN (?, ?) OR name = ? COLLATE NOCASE)"
        return self._events(condition, (wanted, wanted.upper(), wanted), limit)[::-1]

    def passed(self, place: str, from_us: int, to_us: int, limit: int = 10_000) -> list[Event]:
        """What happened at a zone, lane or read point in `[from_us, to_us)`, oldest first."""
        condition = "at_us >= ? AND at_us < ? AND ? IN (zone, from_zone, read_point)"
        return self._events(condition, (from_us, to_us, place), limit, from_us, to_us)[::-1]

    def recent_events(self, limit: int = 100, types: Sequence[str] = ()) -> list[Event]:
        """The newest events, newest first; only of these types, if any are given."""
        places = ", ".join("?" * len(types))
        condition = f"type IN ({places})" if types else "true"
        return self._events(condition, tuple(types), limit)

    def recent_alarms(self, limit: int = 100) -> list[Alarm]:
        """The newest changes of alarms, newest first."""
        found: list[Alarm] = []

        def ask(connection: sqlite3.Connection) -> None:
            rows = connection.execute("SELECT body FROM alarms WHERE true" + _NEWEST, (limit - len(found),))  # noqa: S608  # only question marks
            found.extend([decode_alarm(body) for (body,) in rows])

        for _ in self._ask_each(ask):
            if len(found) >= limit:
                break
        return found

    def latest_readings(self) -> list[MeterValue]:
        """The latest value of each series of each meter, by meter, quantity, phase and tariff."""
        statement = "SELECT meter, quantity, unit, phase, tariff, exact, obis, quality, at_ns, meter_time_us"
        statement += " FROM reading_latest"

        def ask(connection: sqlite3.Connection) -> list[tuple[str, str, str, str, str, str, str, str, int, int]]:
            return connection.execute(statement).fetchall()

        latest: dict[tuple[str, str, str, str], MeterValue] = {}
        for number, rows in enumerate(self._ask_each(ask), start=1):
            for meter, quantity, unit, phase, tariff, exact, obis, quality, at_ns, meter_time_us in rows:
                value = MeterValue(
                    meter=meter,
                    quantity=quantity,
                    unit=unit,
                    phase=phase or None,
                    tariff=int(tariff) if tariff else None,
                    exact=exact,
                    obis=obis,
                    quality=quality,
                    at_us=at_ns // NS_PER_US,
                    meter_time_us=meter_time_us,
                )
                latest.setdefault((meter, quantity, phase, tariff), value)  # newer days come first
            if number == LATEST_DAYS:
                break
        return [latest[key] for key in sorted(latest)]

    def series(
        self,
        meter: str,
        quantity: str,
        from_us: int,
        to_us: int,
        step_us: int,
        *,
        phase: str | None = None,
        tariff: int | None = None,
    ) -> list[Step]:
        """One series in steps of `step_us` from `from_us` to `to_us`; steps without a value are left out.

        Whole minutes are answered from the rollups, finer steps from the readings themselves.
        """
        if step_us <= 0:
            raise ValueError(f"step_us must be positive, not {step_us}")
        if step_us % US_PER_MINUTE == 0 and from_us % US_PER_MINUTE == 0:
            source = "SELECT minute_us AS at, n, total, low, high, last, last_ns FROM reading_minutes"
            unit = 1
        else:
            source = "SELECT at_ns AS at, 1 AS n, value AS total, value AS low, value AS high, value AS last,"
            source += " at_ns AS last_ns FROM readings"
            unit = NS_PER_US
        # max(last_ns) with a bare column: SQLite takes `last` from the row that holds the maximum.
        statement = (
            f"SELECT (at - ?) / ? AS step, sum(n), sum(total), min(low), max(high), last, max(last_ns) FROM ({source}"  # noqa: S608  # our own names
            " WHERE meter = ? AND quantity = ? AND phase = ? AND tariff = ? AND total IS NOT NULL"
            " AND at >= ? AND at < ?) GROUP BY step"
        )
        key = (meter, quantity, phase or "", "" if tariff is None else str(tariff))
        values = (from_us * unit, step_us * unit, *key, from_us * unit, to_us * unit)

        def ask(connection: sqlite3.Connection) -> list[tuple[int, int, float, float, float, float, int]]:
            return connection.execute(statement, values).fetchall()

        steps: dict[int, Step] = {}
        for rows in self._ask_each(ask, from_us, to_us):
            for step, n, total, low, high, last, _ in rows:
                later = steps.get(step)  # a step over midnight has its end in the newer file, asked first
                if later is not None:
                    total += later.mean * later.n  # noqa: PLW2901  # the sums of both days
                    n, low, high = n + later.n, min(low, later.low), max(high, later.high)  # noqa: PLW2901  # as above
                    last = later.last  # noqa: PLW2901  # as above
                steps[step] = Step(from_us + step * step_us, n, total / n, low, high, last)
        return [steps[step] for step in sorted(steps)]

    def _events(
        self,
        condition: str,
        values: tuple[str | int, ...],
        limit: int,
        from_us: int | None = None,
        to_us: int | None = None,
    ) -> list[Event]:
        found: list[Event] = []

        def ask(connection: sqlite3.Connection) -> None:
            rows = connection.execute(_EVENTS + condition + _NEWEST, (*values, limit - len(found)))
            found.extend([decode_event(body) for (body,) in rows])

        for _ in self._ask_each(ask, from_us, to_us):
            if len(found) >= limit:
                break
        return found

    def _ask_each(
        self, ask: Callable[[sqlite3.Connection], T], from_us: int | None = None, to_us: int | None = None
    ) -> Iterable[T]:
        """The answer of each day in `[from_us, to_us)`, newest first; a day is asked when its answer is wanted."""
        self.damaged = []
        for day, path in reversed(day_files(self._directory)):
            if from_us is not None and day < from_us // US_PER_DAY:
                return
            if to_us is not None and day * US_PER_DAY >= to_us:
                continue
            try:
                connection = open_day(path)
            except FileNotFoundError:
                continue  # its age took it away just now
            except sqlite3.Error as error:
                self.damaged.append(f"{path.name}: {error}")
                continue
            try:
                answer = ask(connection)
            except (sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
                self.damaged.append(f"{path.name}: {error}")
                continue
            finally:
                connection.close()
            yield answer


def open_day(path: Path) -> sqlite3.Connection:
    """Open one day to read.

    Raises:
        FileNotFoundError: it is gone. sqlite3.Error: it cannot be read, or is of another version.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    if day_sum.is_altered(path, CHECKED_BYTES):
        raise sqlite3.DatabaseError(ALTERED)
    name = f"file:{quote(str(path))}?mode=ro"
    connection = sqlite3.connect(name, uri=True, timeout=BUSY_S)
    try:
        version = _version(connection)
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(path.name + "-wal").exists():
            raise
        # A closed day has no WAL, and who may only read cannot make one: then nobody else writes either.
        connection = sqlite3.connect(name + "&immutable=1", uri=True)
        version = _version(connection)
    if version not in (0, VERSION):
        connection.close()
        raise sqlite3.NotSupportedError(f"has version {version}, this program reads version {VERSION}")
    if version == 0:  # its first transaction is still under way
        connection.close()
        raise FileNotFoundError(path)
    return connection


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
