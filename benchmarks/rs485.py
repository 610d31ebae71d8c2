"""Meters that the DL/T 645 driver reads each minute on one RS-485 line, five block reads each, in virtual time.

The line is simulated with the time that each byte takes (11 bits a character) and the meters' reply delay. The possible
is what request, reply delay, reply and 3.5 characters of rest take, with one wake-up byte before each request: 50
meters a minute at 2400 baud, 161 at 9600. More than that means that the driver has learnt to leave that byte out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from readers.codecs.dlt645_registers import BLOCKS
from readers.meters.dlt645.driver import Dlt645Driver
from readers.meters.dlt645.settings import Dlt645Settings
from readers.observations import Observation, Readings
from readers.ports.memory import MemoryPort
from readers.ports.memory import run as run_in_virtual_time
from simulator.device import MeterState
from simulator.meters.dlt645 import Behaviour, serve

METERS: Final = 50
LEARNING_S: Final = 120.0
MEASURED_S: Final = 600.0
READ: Final = ("energy", "voltage", "current", "power", "power_factor")
_BLOCKS: Final = (0x0001FF00, 0x0201FF00, 0x0202FF00, 0x0203FF00, 0x0206FF00)
_BITS_PER_CHARACTER: Final = 11
_REQUEST_BYTES: Final = 17
_REPLY_BYTES: Final = 16
_REST_CHARACTERS: Final = 3.5
_S_PER_MIN: Final = 60
_VOLTAGE_V: Final = Decimal("230.0")
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Case:
    """One line. `dead` of its meters are silent; `preamble` is the meters' own wake-up bytes."""

    baud: int
    reply_delay_s: float = 0.02
    preamble: int = 0
    meters: int = METERS
    dead: int = 0


LIMIT_2400: Final = Case(2400)
LIMIT_9600: Final = Case(9600)
TYPICAL_2400: Final = Case(2400, reply_delay_s=0.1, preamble=4)
DEAD_2400: Final = Case(2400, dead=METERS // 10)


class _Wire(MemoryPort):
    """The gateway's end: a serial port, which knows its speed."""

    def __init__(self, baud: int) -> None:
        super().__init__("rs485")
        self._baud = baud

    @property
    def baud(self) -> int | None:
        return self._baud


class _Steady:
    def state(self, now_us: int) -> MeterState:  # noqa: ARG002 - nothing changes
        volts, amperes, watts = (_VOLTAGE_V,) * 3, (Decimal("1.000"),) * 3, (Decimal("230.0"),) * 3
        tariffs = (_ZERO, _ZERO, _ZERO, _ZERO)
        return MeterState(
            _ZERO, tariffs, _ZERO, volts, amperes, watts, (_ZERO,) * 3, (Decimal(1),) * 3, Decimal(50), _ZERO
        )


def run() -> dict[str, Any]:
    """Meters a minute at both speeds, with dead meters among them, and what it costs the processor."""
    before_s = time.process_time()
    limit_2400 = meters_per_min(LIMIT_2400)
    spent_s = time.process_time() - before_s
    figures: dict[str, Any] = {
        "meters_per_min_2400": limit_2400,
        "meters_per_min_2400_possible": possible_per_min(LIMIT_2400),
        "meters_per_min_2400_typical": meters_per_min(TYPICAL_2400),
        "meters_per_min_2400_tenth_dead": meters_per_min(DEAD_2400),
        "meters_per_min_9600": meters_per_min(LIMIT_9600),
        "meters_per_min_9600_possible": possible_per_min(LIMIT_9600),
        "processor_percent_both_sides_2400": 100 * spent_s / (LEARNING_S + MEASURED_S),
    }
    figures["goal"] = "meters_per_min_2400 >= 45"
    return figures


def possible_per_min(case: Case) -> float:
    """Meters a minute when nothing but request, delay, reply and rest takes time."""
    byte_s = _BITS_PER_CHARACTER / case.baud
    sizes = [sum(register.wire_bytes for register in BLOCKS[block]) for block in _BLOCKS]
    overhead_s = (_REQUEST_BYTES + _REPLY_BYTES + case.preamble + _REST_CHARACTERS) * byte_s + case.reply_delay_s
    return _S_PER_MIN / sum(overhead_s + size * byte_s for size in sizes)


def meters_per_min(case: Case, learning_s: float = LEARNING_S, measured_s: float = MEASURED_S) -> float:
    """Meters whose five blocks the driver reads each minute when it always has work."""
    heard = run_in_virtual_time(_driven(case, learning_s, measured_s))
    return heard / len(READ) * _S_PER_MIN / measured_s


async def _driven(case: Case, learning_s: float, measured_s: float) -> int:
    addresses = [f"{number:012d}" for number in range(1, case.meters + 1)]
    behaviour = Behaviour(reply_delay_s=case.reply_delay_s, preamble=case.preamble)
    behaviours = dict.fromkeys(addresses[case.dead :], behaviour)
    behaviours |= {address: Behaviour(silent=True) for address in addresses[: case.dead]}
    settings = Dlt645Settings.model_validate(
        {"meters": _named(addresses), "read": READ, "poll_s": 1, "backfill_days": 0}
    )
    count = 0

    def report(observation: Observation) -> None:
        nonlocal count
        count += isinstance(observation, Readings)

    ours, theirs = _Wire(case.baud), MemoryPort("rs485 (meters)")
    ours.connect(theirs)
    tasks = [
        asyncio.create_task(serve(theirs, {address: _Steady() for address in addresses}, behaviours, baud=case.baud)),
        asyncio.create_task(Dlt645Driver(settings).run(ours, report)),
    ]
    await asyncio.sleep(learning_s)
    before = count
    await asyncio.sleep(measured_s)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return count - before


def _named(addresses: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": f"m{address}", "address": address} for address in addresses]
