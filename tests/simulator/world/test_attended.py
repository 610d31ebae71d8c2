from __future__ import annotations

import pytest

from readers.codecs.modbus import Frame, Function
from simulator.machines.modbus_machine import State, StopReason, WarpingMachine
from simulator.world.attended import LONGEST_STOP_S, Attended, expected

START_US = 1_767_225_600_000_000
READ = Frame(1, Function.READ_HOLDING_REGISTERS, b"\x00\x00\x00\x06")


def test_the_yarn_breaks_and_is_mended() -> None:
    machine = WarpingMachine()
    machine.start()
    attended = Attended(machine, START_US + 6_000_000, START_US + 22_000_000)
    seen = []
    for second in (5, 7, 21, 23, 90):
        assert attended.answer(READ, START_US + second * 1_000_000) is not None
        seen.append((machine.state, machine.stop_reason))
    running, broken = (State.EXECUTE, StopReason.NONE), (State.HELD, StopReason.YARN_BROKEN)
    assert seen == [running, broken, broken, running, running]
    assert attended.answer_after_s == machine.answer_after_s


def test_what_was_missed_happens_at_the_next_request() -> None:
    machine = WarpingMachine()
    machine.start()
    attended = Attended(machine, START_US, START_US + 1)
    attended.answer(READ, START_US + 9)
    assert (machine.state, machine.broken_yarns) == (State.EXECUTE, 1)


@pytest.mark.parametrize(("longer_us", "count"), [(0, 0), (1, 1)])
def test_only_a_long_stop_is_told(longer_us: int, count: int) -> None:
    due_us = START_US + round(LONGEST_STOP_S * 1e6)
    found = expected("warper-1", START_US, due_us + longer_us)
    assert [each.at_us for each in found] == [due_us] * count
