from __future__ import annotations

import pytest

from readers.codecs.modbus import Frame, Function, Refusal, bits_of, read_request, registers_of, write_coil_request
from simulator.machines.modbus_io import answered


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
