"""Plays modules of inputs and outputs on Modbus RTU or TCP: the twin of the driver `modbus_io`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

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


@runtime_checkable
class Settable(Protocol):
    """Terminals with holding registers that may be written; those without show their analogue inputs there."""

    def registers(self) -> Sequence[int]:
        """The holding registers."""

    def set_register(self, number: int, value: int, now_us: int) -> None:
        """A client has written a holding register; they are numbered from 1."""


@dataclass(slots=True)
class Bank:
    """What kind of modules are played; all but `is_tcp` may be changed meanwhile.

    Attributes:
        is_tcp: frames with a header, any unit address answers as the first module.
        answer_after_s: how long a module thinks.
        mute: units that do not answer. busy: units that say that they are.
        writes: how many writes have reached the modules.
        deaf_writes: so many writes are lost on their way, without an answer.
        silent_writes: so many are carried out, and their answer is lost on its way.
        slow_write_s: how much longer a module thinks about a write.
        stuck: outputs, from 0, that confirm a write and do not move.
    """

    is_tcp: bool = False
    answer_after_s: float = 0.01
    mute: frozenset[int] = frozenset()
    busy: frozenset[int] = frozenset()
    writes: int = field(default=0, init=False)
    deaf_writes: int = 0
    silent_writes: int = 0
    slow_write_s: float = 0.0
    stuck: frozenset[int] = frozenset()

    def heard_write(self) -> bool:
        """Count a write; whether it arrives."""
        if self.deaf_writes:
            self.deaf_writes -= 1
            return False
        self.writes += 1
        return True

    def lost_answer(self) -> bool:
        """Whether the answer to a write that was carried out is lost."""
        is_lost = self.silent_writes > 0
        self.silent_writes -= is_lost
        return is_lost


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
            is_write = request.function not in READS
            if is_write and not bank.heard_write():
                continue
            answer = _answer(request, terminals, bank, port.now_us())
            if is_write:
                await port.pause(bank.slow_write_s)
                if bank.lost_answer():
                    continue
            await port.send(encode_tcp(answer) if bank.is_tcp else encode_rtu(answer))


def _answer(request: Frame, terminals: Terminals, bank: Bank, now_us: int) -> Frame:
    if request.unit in bank.busy:
        return Frame(request.unit, request.function, refusal=Refusal.BUSY, transaction=request.transaction)
    if request.function == Function.WRITE_COIL and int.from_bytes(request.data[:2], "big") in bank.stuck:
        return Frame(request.unit, request.function, request.data, transaction=request.transaction)
    return answered(request, terminals, now_us)


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
        values = terminals.analogue_inputs(now_us)
        if request.function == Function.READ_HOLDING_REGISTERS and isinstance(terminals, Settable):
            values = terminals.registers()
        registers = list(values[address : address + count])
        return answer(packed_registers(registers)) if len(registers) == count else refusal(Refusal.ILLEGAL_ADDRESS)
    if request.function == Function.WRITE_COIL:
        address, state = int.from_bytes(request.data[:2], "big"), request.data[2:4]
        if address >= len(terminals.outputs()):
            return refusal(Refusal.ILLEGAL_ADDRESS)
        if state not in (_ON, _OFF):
            return refusal(Refusal.ILLEGAL_VALUE)
        terminals.set_output(address + 1, is_on=state == _ON, now_us=now_us)
        return answer(request.data)
    if request.function == Function.WRITE_REGISTER and isinstance(terminals, Settable):
        address, value = int.from_bytes(request.data[:2], "big"), int.from_bytes(request.data[2:4], "big")
        if address >= len(terminals.registers()):
            return refusal(Refusal.ILLEGAL_ADDRESS)
        terminals.set_register(address + 1, value, now_us)
        return answer(request.data)
    return refusal(Refusal.ILLEGAL_FUNCTION)
