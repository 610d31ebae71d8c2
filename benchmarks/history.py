"""The questions of the console to an event journal of 10 million rows, made by the product's own writer.

50 series with a value each second for more than two days, and a million events of presence and gates in the last of
them. The curves are those of the last 24 hours, which begin in one day file and end in another that is still written
to, from the question to the bytes of JSON. Cold: the system has forgotten the files (`posix_fadvise`); SQLite never
remembers pages from one question to the next. Warm: the best of several rounds. Times are of the clock on the wall, of
one process, in which a question takes one core. The writer is measured with what it keeps ready for the console and
without, the two taking turns, as processor time.

    python -m benchmarks.history --small     a thousandth of it, to see that it runs
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway import rollup_tables
from gateway.contract.events import Event, Evidence
from gateway.event_journal import EventJournal, Row
from gateway.history import (
    DayFiles,
    SeriesKey,
    activity,
    curves,
    energy_totals,
    event_page,
    present,
    search,
    zone_counts,
)

SERIES: Final = 50
READINGS: Final = 10_000_000
EVENTS: Final = 1_000_000
THINGS: Final = 50_000
ROUNDS: Final = 5
ROWS_AT_ONCE: Final = 1_000  # a commit of the rules daemon under load
WRITTEN: Final = 100_000
SMALL: Final = 1_000
POINTS: Final = 1_000
US_PER_S: Final = 1_000_000
DAY_S: Final = 86_400
NOW_US: Final = 1_767_268_800_000_000  # 2026-01-01 12:00 UTC
MIB: Final = 1 << 20


def run(*, small: bool = False) -> dict[str, Any]:
    """What the questions take."""
    parts = SMALL if small else 1
    with tempfile.TemporaryDirectory(prefix="tagwharf-history-") as name:
        directory = Path(name)
        figures: dict[str, Any] = {"readings": READINGS // parts, "events": EVENTS // parts}
        journal = EventJournal(directory, keep_days=9, now_us=lambda: NOW_US)
        figures["readings_written_per_s"] = _write(journal, "readings", _readings(READINGS // parts))
        figures["events_written_per_s"] = _write(journal, "events", _events(EVENTS // parts))
        days = DayFiles(directory, within_s=60.0)
        try:
            figures |= _ask_curves(days, SERIES) | _ask_others(days)
        finally:
            journal.close()
        figures["size_mib"] = sum(path.stat().st_size for path in directory.iterdir()) / MIB
    figures["writer_ratio_readings"] = _writer_ratio("readings", _readings, WRITTEN // parts)
    figures["writer_ratio_events"] = _writer_ratio("events", _events, WRITTEN // parts)
    figures["goal"] = "curves_24h_50_series_cold_ms and ..._warm_ms < 300; writer_ratio_readings >= 0.95"
    return figures


def _ask_curves(days: DayFiles, series: int) -> dict[str, Any]:
    keys = [SeriesKey("reading", f"meter-{number // 5}", f"quantity_{number % 5}") for number in range(series)]
    figures: dict[str, Any] = {}
    for label, hours in (("24h", 24), ("1h", 1), ("2d", 48)):
        size = 0

        def ask(span_us: int = hours * 3600 * US_PER_S) -> None:
            nonlocal size
            answer = curves(days, keys, NOW_US - span_us, NOW_US, POINTS)
            if answer.damaged or not all(curve.step for curve in answer.curves):
                raise AssertionError(f"a curve of {span_us} us is empty; {answer.damaged}")
            size = len(msgspec.json.encode(answer))

        _forget(days.directory)
        figures[f"curves_{label}_{series}_series_cold_ms"] = _ms(ask)
        figures[f"curves_{label}_{series}_series_warm_ms"] = min(_ms(ask) for _ in range(ROUNDS))
        figures[f"curves_{label}_kib"] = size / 1024
    return figures


def _ask_others(days: DayFiles) -> dict[str, Any]:
    questions: dict[str, Callable[[], Any]] = {
        "present": lambda: present(days, NOW_US),
        "zone_counts": lambda: zone_counts(days, NOW_US),
        "gate_page": lambda: event_page(days, types=["gate-transaction"], verdict="hold"),
        "activity_24h": lambda: activity(days, NOW_US - DAY_S * US_PER_S, NOW_US),
        "search": lambda: search(days, "csqu30", NOW_US),
        "energy_totals": lambda: energy_totals(days, "meter-1", NOW_US - DAY_S * US_PER_S, NOW_US),
    }
    figures: dict[str, Any] = {}
    for name, question in questions.items():
        _forget(days.directory)
        figures[f"{name}_cold_ms"] = _ms(lambda asked=question: msgspec.json.encode(asked()))  # type: ignore[misc]  # a lambda with a default
        figures[f"{name}_warm_ms"] = min(
            _ms(lambda asked=question: msgspec.json.encode(asked()))  # type: ignore[misc]  # as above
            for _ in range(ROUNDS)
        )
    return figures


def _writer_ratio(table: str, rows: Callable[[int], Iterator[Row]], count: int) -> float:
    """Rows a second with what is kept ready for the console, divided by rows a second without."""
    best = {True: 0.0, False: 0.0}
    for _ in range(ROUNDS):
        for ready in (True, False):
            with tempfile.TemporaryDirectory(prefix="tagwharf-history-") as name:
                journal = EventJournal(Path(name), keep_days=9, now_us=lambda: NOW_US)
                kept = dict(rollup_tables.MADE)
                try:
                    if not ready:
                        rollup_tables.MADE.clear()
                    best[ready] = max(best[ready], _write(journal, table, rows(count), time.process_time))
                finally:
                    rollup_tables.MADE.update(kept)
                    journal.close()
    return best[True] / best[False]


def _write(
    journal: EventJournal, table: str, rows: Iterator[Row], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Write rows as commits of the usual size; how many a second, without the time to make them."""
    spent_s, written = 0.0, 0
    while True:
        batch = [row for _, row in zip(range(ROWS_AT_ONCE), rows, strict=False)]
        if not batch:
            return written / spent_s
        began_s = clock()
        refused = journal.append([{table: batch}])
        spent_s += clock() - began_s
        written += len(batch)
        if refused:
            raise AssertionError(f"the journal refused {refused[0]}")


def _readings(count: int) -> Iterator[Row]:
    """A value each second of each series, the last now; drawn so that neighbours differ as they do."""
    seconds = max(1, count // SERIES)
    stretch = 1 if seconds > DAY_S else 2 * DAY_S // seconds  # few rows are spread over the same time
    for second in range(seconds):
        at_ns = (NOW_US - (seconds - second) * stretch * US_PER_S) * 1_000
        for number in range(SERIES):
            tenths = (second * 7 + number * 131 + second * second % 97) % 25_000
            meter, quantity = f"meter-{number // 5}", f"quantity_{number % 5}"
            exact = f"{tenths / 10:.1f}"
            yield at_ns + number, meter, quantity, "W", "", "", tenths / 10, exact, "1-0:1.7.0", "good", None


def _events(count: int) -> Iterator[Row]:
    """Things that move through a yard of 40 zones; each hundredth event is a receipt of the gate."""
    kinds = ("arrived", "moved", "moved", "moved", "departed")
    for number in range(count):
        at_us = NOW_US - (count - number) * DAY_S * US_PER_S // count
        thing = number * 7919 % THINGS
        evidence = Evidence(gateway="edge-1", epoch=1, sequence_from=number, sequence_to=number + 3, reads=12)
        if number % 100 == 0:
            event = Event(
                id=f"{number:020x}",
                type="gate-transaction",
                at_us=at_us,
                subject=f"lane-{number // 100 % 4}",
                evidence=evidence,
                rule=f"gate-lane-{number // 100 % 4}",
                fields={"verdict": "open" if number % 700 else "hold", "container": f"CSQU{thing:06d}3"},
            )
        else:
            event = Event(
                id=f"{number:020x}",
                type=kinds[number // THINGS % len(kinds)],
                at_us=at_us,
                subject=f"3034257BF7194E4000{thing:06X}",
                name=f"CSQU{thing:06d}3",
                zone=f"yard-{number % 40}",
                evidence=evidence,
            )
        yield (
            *(event.at_us, event.id, event.type, event.subject, event.name, event.zone, None, None, None, event.rule),
            *(None, "edge-1", 1, number, number + 3, msgspec.json.encode(event)),
        )


def _forget(directory: Path) -> None:
    """Have the system forget what it remembers of the files."""
    for path in directory.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def _ms(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return (time.perf_counter() - began_s) * 1e3


if __name__ == "__main__":
    print(json.dumps(run(small="--small" in sys.argv[1:]), indent=2))
