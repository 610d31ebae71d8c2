from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from readers.codecs.dlt645_status import BLOCK, CommonFaults, General, Operation, PhaseFaults, Status
from readers.meters.dlt645.driver import Dlt645Driver
from readers.meters.dlt645.line import Line
from readers.meters.dlt645.meter import Kept, Meter
from readers.meters.dlt645.status import StatusWatch
from readers.observations import Condition, Observation, Severity, Signal, Signals
from readers.ports.memory import pair, run
from simulator.meters import dlt645
from simulator.meters.dlt645 import Behaviour
from tests.readers.meters.dlt645.scenes import A1, Steady, conditions, listen, settings
from tests.support.talk import linked


def watch() -> tuple[StatusWatch, list[Observation]]:
    heard: list[Observation] = []
    line = Line(pair()[0], heard.append, wake_up_bytes=0, baud=2400)
    given = settings([A1]).meters[0]
    meter = Meter(given, Kept(), line, heard.append, probe=0x00010000, utc_offset_min=480)
    return StatusWatch(meter), heard


def words(*values: int | None) -> Status:
    a, b, c, d, e, f, g = (*values, *(None,) * 7)[:7]
    return Status((a, b, c, d, e, f, g))


def signals(heard: Sequence[Observation]) -> dict[str, Any]:
    return {signal.name: signal.value for o in heard if isinstance(o, Signals) for signal in o.signals}


def told(seen: Callable[[StatusWatch], None]) -> list[Observation]:
    found: list[Observation] = []

    async def scene() -> None:
        status, heard = watch()
        seen(status)
        found.extend(heard)

    run(scene())
    return found


def test_the_relay_is_told_when_it_changes() -> None:
    def seen(status: StatusWatch) -> None:
        for operation in (Operation(0), Operation(0), Operation.RELAY_OPEN | Operation.RELAY_ORDERED_OPEN):
            status.tell(words(0, 0, operation, 0, 0, 0, 0))

    heard = told(seen)
    batches = [o for o in heard if isinstance(o, Signals)]
    assert signals(batches[:1]) == {
        "relay_closed": True,
        "relay_command": "close",
        "supply_protected": False,
        "pre_trip_alarm": False,
        "meter_supply": "main",
    }
    assert list(batches[1].signals) == [Signal("relay_closed", value=False), Signal("relay_command", "trip")]
    assert batches[1].source == "m0"
    assert len(batches) == 2
    assert conditions(heard) == []


def test_faults_begin_and_end_by_phase() -> None:
    def seen(status: StatusWatch) -> None:
        status.tell(words(0, 0, 0, PhaseFaults.PHASE_LOST, 0, PhaseFaults.OVERLOAD, CommonFaults.VOLTAGE_UNBALANCED))
        status.tell(words(General.CLOCK_BATTERY_LOW, 0, 0, 0, 0, PhaseFaults.OVERLOAD, 0))
        status.tell(words(0, 0, 0, 0, 0, 0, 0))

    heard = told(seen)
    assert conditions(heard) == [
        ("phase_lost", "a", True),
        ("overload", "c", True),
        ("voltage_unbalanced", "", True),
        ("phase_lost", "a", False),
        ("voltage_unbalanced", "", False),
        ("battery_low", "clock", True),
        ("battery_low", "clock", False),
        ("overload", "c", False),
    ]
    severities = {o.name: o.severity for o in heard if isinstance(o, Condition)}
    assert severities["phase_lost"] is Severity.FAULT
    assert severities["overload"] is Severity.WARNING


def test_a_word_that_does_not_come_ends_nothing() -> None:
    def seen(status: StatusWatch) -> None:
        reversed_flow = General.ACTIVE_REVERSED | General.READING_BATTERY_LOW
        stuck = Operation.RELAY_ORDERED_OPEN
        status.tell(words(reversed_flow, 0, stuck, PhaseFaults.OVERVOLTAGE, 0, 0, CommonFaults.POWER_FAILED))
        status.tell(words(None, None, None, None, 0, 0, None))
        status.tell(words(None, None, stuck, None, None, None, None))

    heard = told(seen)
    assert {(name, key) for name, key, active in conditions(heard) if active} == {
        ("battery_low", "reading"),
        ("flow_reversed", ""),
        ("overvoltage", "a"),
        ("power_failed", ""),
        ("relay_not_open", ""),
    }
    assert not [name for name, _, active in conditions(heard) if not active]


def test_status_words_of_a_meter_are_read_with_the_others() -> None:
    heard = listen(50, settings([A1], read=["status"]), [A1], {A1: Behaviour(battery_low=True)})
    assert signals(heard)["relay_closed"] is True
    assert conditions(heard) == [("battery_low", "clock", True)]


def test_a_meter_without_the_block_tells_its_relay_all_the_same() -> None:
    heard = listen(50, settings([A1], read=["status"]), [A1], {A1: Behaviour(lacks=frozenset({BLOCK}))})
    assert signals(heard)["relay_closed"] is True
    assert conditions(heard) == []


def test_a_meter_without_status_words_is_told() -> None:
    lacks = frozenset({BLOCK, 0x04000503})
    heard = listen(200, settings([A1], read=["status", "energy"]), [A1], {A1: Behaviour(lacks=lacks)})
    assert conditions(heard) == [("register_unsupported", "04000503", True)]
    assert not signals(heard)


def test_status_words_of_an_impossible_length_are_counted() -> None:
    async def scene() -> list[Observation]:
        heard: list[Observation] = []
        ours, theirs = linked()
        twin = asyncio.create_task(dlt645.serve(theirs, {A1: Steady()}, {A1: Behaviour(garbles=_cut)}))
        talk = asyncio.create_task(Dlt645Driver(settings([A1], read=["status"])).run(ours, heard.append))
        await asyncio.sleep(30)
        for task in (twin, talk):
            task.cancel()
        await asyncio.gather(twin, talk, return_exceptions=True)
        return heard

    heard = run(scene())
    assert "data_length" in {getattr(o, "reason", "") for o in heard}
    assert not signals(heard)


def _cut(raw: bytes) -> bytes:
    """One byte of data less, with length and checksum put right."""
    body = raw[:9] + bytes([raw[9] - 1]) + raw[10:-3]
    return body + bytes([sum(body) & 0xFF, 0x16])
