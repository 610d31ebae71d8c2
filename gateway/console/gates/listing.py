"""Transactions that somebody asks for: a page of them, all of them as CSV, and how many there were in each hour."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import msgspec

from gateway.config.models import SiteFile
from gateway.console.gates.lanes import FINE, Lane, kinds_of, lanes_of
from gateway.contract.events import Event, Scalar
from gateway.history import Cursor, DayFiles, EventPage, QuestionTimeoutError, event_page

LIMIT: Final = 50
LIMIT_MOST: Final = 200
EXPORT_MOST: Final = 50_000
EXPORT_AT_ONCE: Final = 1_000
HOURS_MOST: Final = 48
COUNTED_MOST: Final = 100_000
TEXT_MOST: Final = 100
US_PER_HOUR: Final = 3_600_000_000
LATEST_US: Final = 9_000_000_000_000_000
MOVES: Final = ("receipts", "others")
"""Kinds that repeat or follow what others have told: no transactions of their own."""
EXCEPTIONS: Final = "exceptions"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_HEAD: Final = ("time_utc", "type", "lane", "direction", "verdict", "reasons", "subject", "name")
_FIELDS: Final = (
    *("truck", "plate", "container", "seal", "seal_state", "weight_kg", "declared_kg", "driver", "holder", "card"),
    *("missing", "duration_s", "closed_by", "opened_at_us", "decided_at_us"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see. `verdicts`: any of them; none for all."""

    types: tuple[str, ...]
    lane: Lane | None = None
    verdicts: tuple[str, ...] = ()
    text: str = ""
    from_us: int = 0
    to_us: int | None = None
    before: Cursor | None = None
    limit: int = LIMIT


class HourCount(msgspec.Struct, frozen=True):
    """What happened in one hour, by verdict; an event without one counts as `none`."""

    from_us: int
    verdicts: dict[str, int]


class Hours(msgspec.Struct, frozen=True):
    """Hours that had something, oldest first. `more`: there were too many to count, the first hours lack some."""

    hours: list[HourCount]
    more: bool
    damaged: list[str]


class Menu(msgspec.Struct, frozen=True):
    """What can be asked for."""

    lanes: tuple[Lane, ...]
    kinds: dict[str, tuple[str, ...]]
    kept_here: bool


class Questions:
    """Understands what is asked of one site."""

    def __init__(self, site: SiteFile) -> None:
        self.lanes = lanes_of(site)
        self.kinds = kinds_of(site)
        self._by_key = {f"{lane.kind}/{lane.name}": lane for lane in self.lanes}

    def asked(self, query: Mapping[str, str]) -> Asked:
        """What a query asks for.

        Raises:
            ValueError: that cannot be asked; the text says what, and what can.
        """
        kind = query.get("kind", "")
        if kind and kind not in self.kinds:
            raise ValueError(f"kind: {kind[:40]!r} is none of {', '.join(self.kinds)}")
        lane = self._by_key.get(query["lane"]) if query.get("lane") else None
        if query.get("lane") and lane is None:
            raise ValueError(f"lane: {query['lane'][:80]!r} is no lane of this site")
        types = self.kinds[kind] if kind else tuple(self._transactions())
        if lane is not None and not kind:
            types = (lane.decision,)
        text = query.get("text", "").strip()
        if len(text) > TEXT_MOST:
            raise ValueError(f"text: has {len(text)} characters; {TEXT_MOST} are the most")
        return Asked(
            types=types,
            lane=lane,
            verdicts=self._verdicts(query.get("verdict", "")),
            text=text,
            from_us=_whole(query, "from_us", 0, 0, LATEST_US),
            to_us=_whole(query, "to_us", LATEST_US, 1, LATEST_US) if query.get("to_us") else None,
            before=Cursor.parse(query["before"]) if query.get("before") else None,
            limit=_whole(query, "limit", LIMIT, 1, LIMIT_MOST),
        )

    def _transactions(self) -> Iterator[str]:
        return (type_ for kind, types in self.kinds.items() if kind not in MOVES for type_ in types)

    def _verdicts(self, verdict: str) -> tuple[str, ...]:
        known = dict.fromkeys(verdict for lane in self.lanes for verdict in lane.verdicts)
        if not verdict:
            return ()
        if verdict == EXCEPTIONS:
            return tuple(each for each in known if each not in FINE)
        if verdict not in known:
            raise ValueError(f"verdict: {verdict[:40]!r} is none of {', '.join((EXCEPTIONS, *known))}")
        return (verdict,)


def page_of(days: DayFiles, asked: Asked) -> EventPage:
    """The newest events of those that are asked for.

    Raises:
        ValueError, QuestionTimeoutError: as `gateway.history` raises them.
    """
    pages = [_ask(days, asked, verdict) for verdict in asked.verdicts or ("",)]
    if len(pages) == 1:
        return pages[0]
    events = sorted((event for page in pages for event in page.events), key=lambda event: (-event.at_us, event.id))
    shown = events[: asked.limit]
    is_more = len(events) > len(shown) or any(page.next is not None for page in pages)
    after = Cursor(shown[-1].at_us, shown[-1].id) if shown and is_more else None
    return EventPage(shown, after, list(dict.fromkeys(line for page in pages for line in page.damaged)))


def each_page(days: DayFiles, asked: Asked, most: int) -> Iterator[EventPage]:
    """Page after page, newest first, until there is no more, or `most` events were given.

    Raises:
        ValueError, QuestionTimeoutError: as above.
    """
    given, wanted = 0, replace(asked, limit=EXPORT_AT_ONCE)
    while given < most:
        page = page_of(days, replace(wanted, limit=min(EXPORT_AT_ONCE, most - given)))
        given += len(page.events)
        yield page
        if page.next is None:
            return
        wanted = replace(wanted, before=page.next)


def hours_of(days: DayFiles, asked: Asked) -> Hours:
    """How many there were in each hour.

    Raises:
        ValueError: the time is longer than two days. QuestionTimeoutError: as above.
    """
    if asked.to_us is None or asked.to_us - asked.from_us > HOURS_MOST * US_PER_HOUR:
        raise ValueError(f"from_us, to_us: ask about {HOURS_MOST} hours at most")
    counts: dict[int, dict[str, int]] = {}
    damaged: dict[str, None] = {}
    is_more = False
    for page in each_page(days, asked, COUNTED_MOST):
        damaged.update(dict.fromkeys(page.damaged))
        is_more = page.next is not None
        for event in page.events:
            hour = (event.at_us - asked.from_us) // US_PER_HOUR  # of the hours that begin with the asked one
            verdict = str(event.fields.get("verdict") or "none")
            found = counts.setdefault(hour, {})
            found[verdict] = found.get(verdict, 0) + 1
    hours = [HourCount(asked.from_us + hour * US_PER_HOUR, counts[hour]) for hour in sorted(counts)]
    return Hours(hours, is_more, list(damaged))


def csv_of(pages: Iterator[EventPage], most: int) -> Iterator[str]:
    """The text of a CSV file, part by part; what a spreadsheet would run as a formula is text in it."""
    yield "\ufeff" + _line([*_HEAD, *_FIELDS, "id"])  # the mark makes spreadsheets read it as UTF-8
    given, damaged, is_more = 0, dict[str, None](), False
    try:
        for page in pages:
            damaged.update(dict.fromkeys(page.damaged))
            given, is_more = given + len(page.events), page.next is not None
            yield "".join(_line(_row(event)) for event in page.events)
    except QuestionTimeoutError as error:  # the file has begun: it can only be told in it
        yield _line([f"# not whole: {error}"])
    for line in damaged:
        yield _line([f"# not readable, left out: {line}"])
    if is_more and given >= most:
        yield _line([f"# there are more than these {most}: ask about a shorter time"])


def _ask(days: DayFiles, asked: Asked, verdict: str) -> EventPage:
    lane = asked.lane
    return event_page(
        days,
        types=asked.types,
        subject=lane.name if lane is not None and not lane.is_zone else "",
        place=lane.name if lane is not None and lane.is_zone else "",
        verdict=verdict,
        text=asked.text,
        from_us=asked.from_us,
        to_us=asked.to_us,
        before=asked.before,
        limit=asked.limit,
    )


def _row(event: Event) -> list[Scalar]:
    fields = event.fields
    return [
        datetime.fromtimestamp(event.at_us / 1e6, UTC).isoformat(timespec="milliseconds"),
        event.type,
        event.zone or event.subject,
        event.direction or fields.get("direction"),
        *(fields.get(name) for name in ("verdict", "reasons")),
        event.subject,
        event.name,
        *(fields.get(name) for name in _FIELDS),
        event.id,
    ]


def _line(values: list[Scalar]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_cell(value) for value in values])
    return text.getvalue()


def _cell(value: Scalar) -> Scalar:
    """A value; a text that begins as a formula does gets an apostrophe, as spreadsheets have it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _whole(query: Mapping[str, str], name: str, absent: int, least: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return absent
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise ValueError(f"{name}: {text[:24]!r} must be a whole number from {least} to {most}")
    return int(text)
