"""Sheets for a spreadsheet: curves, intervals, bars and registers as CSV, which runs nothing that a device said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from gateway.console.metering.books import Books, Intervals
from gateway.history import Curves

US: Final = 1_000_000
_FORMULA: Final = frozenset("=+-@\t\r\n")


def cell(value: object) -> object:
    """A cell; a text that a spreadsheet would take for a formula gets an apostrophe before. Numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" ")[:1] in _FORMULA and not _is_number(value):
        return f"'{value}"
    return value


def sheet(rows: Iterable[Sequence[object]]) -> bytes:
    """RFC 4180, with a byte order mark, without which spreadsheets guess the encoding."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "replace")


def curves_sheet(found: Curves, zone: tzinfo) -> bytes:
    """A row for each step in which anything is known, with mean, low, high and last of each series."""
    head: list[object] = ["time", "time_us"]
    columns: list[dict[int, int]] = []
    for curve in found.curves:
        key = curve.key
        name = " ".join(part for part in (key.device, key.name, key.phase, key.tariff and f"T{key.tariff}") if part)
        head += [f"{name} {kind} [{curve.unit}]" for kind in ("mean", "low", "high", "last")]
        columns.append({step: place for place, step in enumerate(curve.step)})

    def rows() -> Iterable[list[object]]:
        yield head
        for step in sorted({step for each in columns for step in each}):
            at_us = found.from_us + step * found.step_us
            row: list[object] = [local(at_us, zone), at_us]
            for curve, places in zip(found.curves, columns, strict=True):
                place = places.get(step)
                values = (curve.mean, curve.low, curve.high, curve.last)
                row += ["" if place is None else each[place] for each in values]
            yield row
        yield from _notes(found.damaged)

    return sheet(rows())


def intervals_sheet(found: Intervals, zone: tzinfo) -> bytes:
    """A row for each interval; what is missing is a row, too."""
    unit = found.unit
    head = ["from", "to", "quality", f"energy [{unit}]", f"estimated part [{unit}]"]
    head += [f"{tariff} [{unit}]" for tariff in found.tariffs]
    head += [f"register at start [{unit}]", f"register at end [{unit}]", "cost", "currency"]

    def rows() -> Iterable[list[object]]:
        yield list(head)
        for each in found.intervals:
            row: list[object] = [local(each.from_us, zone), local(each.to_us, zone), each.quality, each.energy]
            row += [each.estimated, *(each.tariffs.get(tariff) for tariff in found.tariffs)]
            yield [*row, each.register_start, each.register_end, each.cost, each.currency]
        if found.more:
            yield ["# there are more: ask about a shorter time"]
        yield from _notes(found.damaged)

    return sheet(rows())


def bars_sheet(found: Books, unit: str, zone: tzinfo) -> bytes:
    """A row for each day, or hour, and tariff; rows without a tariff are the totals of those with one."""

    def rows() -> Iterable[list[object]]:
        yield ["from", "to", "tariff", f"energy [{unit}]", f"estimated part [{unit}]", "quality", "cost", "currency"]
        for bar in found.bars:
            times = (local(bar.from_us, zone), local(bar.to_us, zone))
            yield [*times, bar.tariff or "total", bar.energy, bar.estimated, bar.quality, bar.cost, bar.currency]
        yield from _notes(found.damaged)

    return sheet(rows())


def registers_sheet(registers: Iterable[Mapping[str, Any]], zone: tzinfo) -> bytes:
    """The registers of a meter as they are now."""

    def rows() -> Iterable[list[object]]:
        yield ["quantity", "phase", "tariff", "value", "unit", "quality", "received", "meter time", "obis"]
        for row in registers:
            meter_time = row.get("meter_time_us")
            yield [
                *(row["quantity"], row.get("phase"), row.get("tariff"), row["value"], row["unit"]),
                *(row.get("quality", "good"), local(row["received_at_us"], zone)),
                *("" if meter_time is None else local(meter_time, zone), row["obis"]),
            ]

    return sheet(rows())


def local(at_us: int, zone: tzinfo) -> str:
    """A time by the clocks of the site, with its distance to UTC."""
    try:
        return datetime.fromtimestamp(at_us / US, zone).isoformat(timespec="seconds")
    except (OverflowError, ValueError):  # a meter's own clock may say anything
        return str(at_us)


def _notes(damaged: Iterable[str]) -> Iterable[list[object]]:
    return ([f"# not readable, left out: {line}"] for line in damaged)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
