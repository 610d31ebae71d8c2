from __future__ import annotations

import asyncio

import pytest

from readers.codecs.modbus import (
    Frame,
    Function,
    Refusal,
    bits_of,
    encode_rtu,
    read_request,
    registers_of,
    write_coil_request,
)
from readers.ports.memory import pair, run
from simulator.machines.modbus_io import Bank, answered, serve


class Wires:
    def __init__(self) -> None:
        self.coils = [False, True]

    def inputs(self, now_us: int) -> list[bool]:
        return [now_us > 5, True, False]

    def analogue_inputs(self, now_us: int) -> list[int]:
        return [now_us, 7]

    def outputs(self) -> list[bool]:
        return self.coils

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        assert now_us
        self.coils[number - 1] = is_on


class Drive(Wires):
    """One with holding registers."""

    def __init__(self) -> None:
        super().__init__()
        self.words = [5, 6]

    def registers(self) -> list[int]:
        return self.words

    def set_register(self, number: int, value: int, now_us: int) -> None:
        assert now_us
        self.words[number - 1] = value


def test_reads_show_the_wires_at_that_time() -> None:
    wires = Wires()
    request = read_request(1, Function.READ_DISCRETE_INPUTS, 0, 3)
    assert bits_of(answered(request, wires, 5), 3) == [False, True, False]
    assert bits_of(answered(request, wires, 6), 3) == [True, True, False]
    assert registers_of(answered(read_request(1, Function.READ_INPUT_REGISTERS, 0, 2), wires, 9), 2) == [9, 7]


def test_a_coil_is_switched_and_confirmed() -> None:
    wires = Wires()
    request = write_coil_request(1, 0, is_on=True, transaction=4)
    answer = answered(request, wires, 1)
    assert (answer.data, answer.transaction) == (request.data, 4)
    assert wires.coils == [True, True]


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (read_request(1, Function.READ_COILS, 1, 2), Refusal.ILLEGAL_ADDRESS),
        (write_coil_request(1, 2, is_on=True), Refusal.ILLEGAL_ADDRESS),
        (Frame(1, 5, b"\0\0\x12\x34"), Refusal.ILLEGAL_VALUE),
        (Frame(1, 16, bytes(7)), Refusal.ILLEGAL_FUNCTION),
    ],
)
def test_what_a_module_does_not_do_is_refused(request_: Frame, refusal: Refusal) -> None:
    assert answered(request_, Wires(), 1).refusal == refusal


def test_holding_registers_are_written_where_there_are_some() -> None:
    drive, request = Drive(), Frame(1, Function.WRITE_REGISTER, b"\0\1\x12\x34")
    assert answered(request, drive, 1).data == request.data
    assert registers_of(answered(read_request(1, Function.READ_HOLDING_REGISTERS, 0, 2), drive, 1), 2) == [5, 0x1234]
    assert answered(Frame(1, Function.WRITE_REGISTER, b"\0\2\0\0"), drive, 1).refusal == Refusal.ILLEGAL_ADDRESS
    assert answered(request, Wires(), 1).refusal == Refusal.ILLEGAL_FUNCTION


@pytest.mark.parametrize(
    ("bank", "answers", "coils", "writes"),
    [
        (Bank(), True, [True, True], 1),
        (Bank(deaf_writes=1), False, [False, True], 0),
        (Bank(silent_writes=1), False, [True, True], 1),
        (Bank(stuck=frozenset({0})), True, [False, True], 1),
        (Bank(busy=frozenset({1})), True, [False, True], 1),
        (Bank(slow_write_s=0.3), True, [True, True], 1),
    ],
)
def test_what_may_become_of_a_write(*, bank: Bank, answers: bool, coils: list[bool], writes: int) -> None:
    wires = Wires()

    async def scene() -> bytes:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, {1: wires}, bank))
        await ours.send(encode_rtu(write_coil_request(1, 0, is_on=True)))
        await ours.pause(0.2)
        early = await ours.receive(0)
        await ours.pause(0.3)
        assert bool(early) == (answers and not bank.slow_write_s)
        data = early + await ours.receive(0)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        return data

    assert bool(run(scene())) is answers
    assert (wires.coils, bank.writes) == (coils, writes)
