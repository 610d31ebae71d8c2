"""How a meter's registers really lie, told by what is plausible: voltages of a mains, and its frequency.

A map may count from 1 where the meter counts from 0, or the other way round, and a number may have its low word first.
What the map says is tried first, and stands if it is plausible; another arrangement stands only if it is the one.
Floats with their low word first look much like floats one register further on, whose low word is that of the next: then
the registers around a run of values decide, which should hold nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product
from typing import Final

from readers.codecs.modbus_blocks import Limits, Span, merge
from readers.codecs.modbus_map import MapValue, MeterMap
from readers.quantities import Quantity

VOLTAGE_V: Final = (Decimal(45), Decimal(760))
"""From 57.7 V behind voltage transformers to 690 V between phases."""
FREQUENCY_HZ: Final = (Decimal(45), Decimal(65))
_DEAD_V: Final = Decimal(5)
"""A phase that is not connected shows less."""
_MOST_ADDRESS: Final = 0xFFFF
Read = Callable[[Span], Awaitable[list[int] | None]]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How the registers lie, as against the map."""

    moved_by: int = 0
    is_swapped: bool = False

    def __str__(self) -> str:
        moved = f"addresses {self.moved_by:+d}" if self.moved_by else "addresses as in the map"
        return f"{moved}, words {'the other way round' if self.is_swapped else 'as in the map'}"


AS_MAPPED: Final = Arrangement()
_ALL: Final = tuple(Arrangement(by, swapped) for by, swapped in product((0, -1, 1), (False, True)))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found: the one plausible arrangement, or why there is none."""

    arrangement: Arrangement | None
    detail: str


async def probe(meter_map: MeterMap, read: Read) -> Finding:
    """Find out how the registers lie.

    Raises:
        ReaderError: whatever `read` raises.
    """
    looked_at = [value for value in meter_map.values if value.quantity in (Quantity.VOLTAGE, Quantity.FREQUENCY)]
    if not looked_at:
        return Finding(None, f"map {meter_map.name} has no voltage and no frequency to judge by")
    takes_words = any(value.place.layout.registers > 1 for value in looked_at)
    plausible = []
    seen = ""
    for arrangement in _ALL:
        if arrangement.is_swapped and not takes_words:
            continue
        shown = [each async for each in _shown(looked_at, arrangement, read)]
        if arrangement == AS_MAPPED:
            seen = ", ".join(f"{value.name} {_text(number)}" for value, number in shown)
        if _is_plausible(shown):
            if arrangement == AS_MAPPED:
                return Finding(arrangement, "as the map says")
            plausible.append(arrangement)
    if len(plausible) > 1:
        plausible = await _cleanest(plausible, meter_map, looked_at, read)
    if len(plausible) == 1:
        return Finding(plausible[0], f"{plausible[0]}: the map as it is shows {seen}")
    if plausible:
        return Finding(None, "several arrangements are plausible: " + "; ".join(map(str, plausible)))
    return Finding(None, f"no arrangement shows a mains voltage and frequency; the map as it is shows {seen}")


async def _shown(
    values: list[MapValue], arrangement: Arrangement, read: Read
) -> AsyncIterator[tuple[MapValue, Decimal | None]]:
    for value in values:
        there = value.moved(arrangement.moved_by, swapped=arrangement.is_swapped)
        span = there.place.span
        registers = await read(span) if span.address >= 0 and span.end - 1 <= _MOST_ADDRESS else None
        yield value, None if registers is None else there.secondary(registers)


async def _cleanest(
    candidates: list[Arrangement], meter_map: MeterMap, looked_at: list[MapValue], read: Read
) -> list[Arrangement]:
    """Those with the fewest registers that hold something right before or behind a run of values."""
    runs = merge((value.place.span for value in meter_map.values), Limits())
    mine = {value.place.span for value in looked_at}
    edges = [edge for run in runs if mine.intersection(run.parts) for edge in _edges(run.span)]
    held = dict.fromkeys(candidates, 0)
    for candidate in candidates:
        for edge in edges:
            address = edge.address + candidate.moved_by
            if 0 <= address <= _MOST_ADDRESS and any(await read(replace(edge, address=address)) or ()):
                held[candidate] += 1
    fewest = min(held.values())
    return [candidate for candidate, count in held.items() if count == fewest]


def _edges(run: Span) -> tuple[Span, Span]:
    return Span(run.function, run.address - 1), Span(run.function, run.end)


def _is_plausible(shown: list[tuple[MapValue, Decimal | None]]) -> bool:
    voltages = [number for value, number in shown if value.quantity is Quantity.VOLTAGE]
    frequencies = [number for value, number in shown if value.quantity is Quantity.FREQUENCY]
    live = [each for each in voltages if each is not None and _within(each, VOLTAGE_V)]
    dead = [each for each in voltages if each is None or abs(each) < _DEAD_V]
    return (
        all(each is not None and _within(each, FREQUENCY_HZ) for each in frequencies)
        and len(live) + len(dead) == len(voltages)
        and (bool(live) or not voltages)
    )


def _within(value: Decimal, bounds: tuple[Decimal, Decimal]) -> bool:
    return bounds[0] <= value <= bounds[1]


def _text(number: Decimal | None) -> str:
    return "nothing" if number is None else f"{number:.6g}"
