from __future__ import annotations

import pytest

from readers.codecs.modbus import Frame, Function, Refusal, bits_of, read_request, registers_of, write_coil_request
from simulator.machines.modbus_machine import DEVICE, WATCHDOG_WITHIN_US, State, StopReason, WarpingMachine

H = Function.READ_HOLDING_REGISTERS
S = 1_000_000


def holding(machine: WarpingMachine, now_us: int, address: int = 0, count: int = 8) -> list[int]:
    answer = machine.answer(read_request(1, H, address, count), now_us)
    assert answer is not None
    return registers_of(answer, count)


def write(machine: WarpingMachine, now_us: int, address: int, *values: int) -> Frame | None:
    if len(values) == 1:
        data = address.to_bytes(2, "big") + values[0].to_bytes(2, "big")
        return machine.answer(Frame(1, Function.WRITE_REGISTER, data), now_us)
    packed = b"".join(value.to_bytes(2, "big") for value in values)
    head = address.to_bytes(2, "big") + len(values).to_bytes(2, "big") + bytes([len(packed)])
    return machine.answer(Frame(1, Function.WRITE_REGISTERS, head + packed), now_us)


def state_of(machine: WarpingMachine) -> State:
    return machine.state


def test_it_runs_up_and_counts_metres() -> None:
    machine = WarpingMachine()
    assert DEVICE == "modbus_machine"
    assert holding(machine, S)[:3] == [State.IDLE, 1, 0]
    machine.start()
    for second in range(2, 63):
        holding(machine, second * S)
    state, _, speed, high, low, reason, broken, status = holding(machine, 62 * S)
    assert (state, speed, reason, broken, status) == (State.EXECUTE, 3000, 0, 0, 1)
    assert 270 < (high << 16 | low) < 300  # 300 m/min, and the running up


def test_a_broken_yarn_holds_it() -> None:
    machine = WarpingMachine()
    machine.break_yarn()
    assert state_of(machine) is State.IDLE  # nothing breaks at rest
    machine.start()
    machine.break_yarn()
    assert holding(machine, S)[0] == State.HELD
    assert (machine.stop_reason, machine.broken_yarns) == (StopReason.YARN_BROKEN, 1)
    machine.start()
    assert state_of(machine) is State.EXECUTE


def test_a_full_beam_ends_the_run() -> None:
    machine = WarpingMachine(beam_m=10.0)
    machine.start()
    for second in range(1, 30):
        machine.advance(second * S)
    assert (machine.state, machine.stop_reason) == (State.IDLE, StopReason.BEAM_FULL)
    assert machine.speed == 0


def test_an_emergency_stop_stays_until_it_is_reset() -> None:
    machine = WarpingMachine()
    machine.start()
    machine.press_emergency_stop()
    machine.start()
    machine.stop()
    machine.reset()
    assert state_of(machine) is State.ABORTED
    assert holding(machine, S)[7] == 0x8000
    machine.release_emergency_stop()
    machine.reset()
    assert state_of(machine) is State.IDLE


def test_orders_from_afar_need_the_switch_and_the_watchdog() -> None:
    machine = WarpingMachine()
    holding(machine, S)

    def start(now_us: int) -> State:
        answer = write(machine, now_us, 20, 1)
        assert answer is not None
        assert answer.refusal is None  # it confirms in any case
        return machine.state

    assert start(S) is State.IDLE
    machine.is_remote = True
    assert start(S) is State.IDLE
    write(machine, S, 21, 1)
    assert start(S + WATCHDOG_WITHIN_US) is State.IDLE
    write(machine, 10 * S, 21, 1)  # not toggled: the same again
    assert start(10 * S) is State.IDLE
    write(machine, 10 * S, 21, 0)
    assert start(11 * S) is State.EXECUTE
    machine.is_remote = False
    write(machine, 12 * S, 20, 2)
    assert (machine.state, machine.stop_reason) == (State.STOPPED, StopReason.REMOTE)


def test_a_fault_is_reset_from_afar() -> None:
    machine = WarpingMachine(is_remote=True)
    machine.press_emergency_stop()
    machine.release_emergency_stop()
    write(machine, S, 21, 1)
    write(machine, S, 20, 4)
    assert state_of(machine) is State.IDLE


def test_set_points() -> None:
    machine = WarpingMachine()
    answer = write(machine, S, 10, 2500)
    assert answer is not None
    assert answer.data.hex() == "000a09c4"
    assert machine.set_speed == 2500
    answer = write(machine, S, 11, 0x42C8, 0)
    assert answer is not None
    assert answer.data.hex() == "000b0002"
    assert holding(machine, S, 11, 2) == [0x42C8, 0]


@pytest.mark.parametrize(
    ("address", "value", "wanted"),
    [(10, 6001, Refusal.ILLEGAL_VALUE), (0, 6, Refusal.ILLEGAL_ADDRESS), (100, 1, Refusal.ILLEGAL_ADDRESS)],
)
def test_writes_that_are_refused(address: int, value: int, wanted: Refusal) -> None:
    machine = WarpingMachine()
    answer = write(machine, S, address, value)
    assert answer is not None
    assert answer.refusal == wanted
    assert machine.writes == []


def test_the_counters_are_reset_by_a_coil() -> None:
    machine = WarpingMachine(length_m=70_000.0, broken_yarns=3)
    answer = machine.answer(write_coil_request(1, 0, is_on=True), S)
    assert answer is not None
    assert (machine.length_m, machine.broken_yarns) == (0.0, 0)
    answer = machine.answer(write_coil_request(1, 1, is_on=True), S)
    assert answer is not None
    assert answer.refusal == Refusal.ILLEGAL_ADDRESS


def test_bits() -> None:
    machine = WarpingMachine(is_remote=True)
    answer = machine.answer(read_request(1, Function.READ_DISCRETE_INPUTS, 0, 2), S)
    assert answer is not None
    assert bits_of(answer, 2) == [True, False]
    answer = machine.answer(read_request(1, Function.READ_COILS, 0, 1), S)
    assert answer is not None
    assert bits_of(answer, 1) == [False]


@pytest.mark.parametrize(
    ("function", "address", "wanted"),
    [
        (H, 29, Refusal.ILLEGAL_ADDRESS),
        (Function.READ_DISCRETE_INPUTS, 2, Refusal.ILLEGAL_ADDRESS),
        (Function.READ_INPUT_REGISTERS, 0, Refusal.ILLEGAL_FUNCTION),
    ],
)
def test_reads_that_are_refused(function: Function, address: int, wanted: Refusal) -> None:
    answer = WarpingMachine().answer(read_request(1, function, address, 2), S)
    assert answer is not None
    assert answer.refusal == wanted


def test_faults() -> None:
    request = read_request(1, H, 0, 1)
    assert WarpingMachine(mute=True).answer(request, S) is None
    busy = WarpingMachine(busy=True).answer(request, S)
    assert busy is not None
    assert busy.refusal == Refusal.BUSY
    deaf = WarpingMachine(deaf_writes=1)
    assert write(deaf, S, 10, 1) is None
    assert deaf.writes == []
    silent = WarpingMachine(silent_writes=1)
    assert write(silent, S, 10, 1) is None
    assert silent.set_speed == 1
    stuck = WarpingMachine(stuck=True)
    assert write(stuck, S, 10, 1) is not None
    assert stuck.set_speed == 3000
