"""Plays modules of inputs and outputs on Modbus RTU or TCP: the twin of the driver `modbus_io`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from readers.codecs.modbus import (
    READS,
    Frame,
    Function,
    Refusal,
    RtuDecoder,
    Side,
    TcpDecoder,
    encode_rtu,
    encode_tcp,
    packed_bits,
    packed_registers,
)
from readers.driver import Port
from simulator.device import Terminals

DEVICE: Final = "modbus_io"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.05
_ON: Final = b"\xff\x00"
_OFF: Final = b"\x00\x00"


@dataclass(frozen=True, slots=True)
class Bank:
    """What kind of modules are played.

    Attributes:
        is_tcp: frames with a header, any unit address answers as the first module.
        answer_after_s: how long a module thinks.
        mute: units that do not answer. busy: units that say that they are.
    """

    is_tcp: bool = False
    answer_after_s: float = 0.01
    mute: frozenset[int] = frozenset()
    busy: frozenset[int] = frozenset()


async def serve(port: Port, modules: Mapping[int, Terminals], bank: Bank | None = None) -> None:
    """Speak the modules' side until the link ends; modules are named by unit address.

    Raises:
        LinkError: the link ended.
    """
    bank = bank or Bank()
    decoder = TcpDecoder() if bank.is_tcp else RtuDecoder(range(1, 248), of=Side.CLIENT)
    while True:
        data = await port.receive(_GAP_S if decoder.holds else _IDLE_S)
        for request in decoder.feed(data) if data else decoder.gap():
            terminals = modules.get(request.unit) or (next(iter(modules.values())) if bank.is_tcp else None)
            if terminals is None or request.unit in bank.mute:
                continue  # on a line nobody answers for another
            await port.pause(bank.answer_after_s)
            busy = Frame(request.unit, request.function, refusal=Refusal.BUSY, transaction=request.transaction)
            answer = busy if request.unit in bank.busy else answered(request, terminals, port.now_us())
            await port.send(encode_tcp(answer) if bank.is_tcp else encode_rtu(answer))


def answered(request: Frame, terminals: Terminals, now_us: int) -> Frame:
    """What a module with these wires answers."""

    def answer(data: bytes) -> Frame:
        return Frame(request.unit, request.function, data, transaction=request.transaction)

    def refusal(why: Refusal) -> Frame:
        return Frame(request.unit, request.function, refusal=why, transaction=request.transaction)

    if request.function in READS:
        address, count = int.from_bytes(request.data[:2], "big"), int.from_bytes(request.data[2:4], "big")
        if request.function == Function.READ_DISCRETE_INPUTS:
            bits: Sequence[bool] = terminals.inputs(now_us)
        else:
            bits = terminals.outputs()
        if request.function in (Function.READ_DISCRETE_INPUTS, Function.READ_COILS):
            found = list(bits[address : address + count])
            return answer(packed_bits(found)) if len(found) == count else refusal(Refusal.ILLEGAL_ADDRESS)
        registers = list(terminals.analogue_inputs(now_us)[address : address + count])
        return answer(packed_registers(registers)) if len(registers) == count else refusal(Refusal.ILLEGAL_ADDRESS)
    if request.function == Function.WRITE_COIL:
        address, state = int.from_bytes(request.data[:2], "big"), request.data[2:4]
        if address >= len(terminals.outputs()):
            return refusal(Refusal.ILLEGAL_ADDRESS)
        if state not in (_ON, _OFF):
            return refusal(Refusal.ILLEGAL_VALUE)
        terminals.set_output(address + 1, is_on=state == _ON, now_us=now_us)
        return answer(request.data)
    return refusal(Refusal.ILLEGAL_FUNCTION)
