"""Plays electricity meters on one DL/T 645-2007 line: the twin of the driver `dlt645`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from readers.codecs.dlt645 import (
    ADDRESS_BYTES,
    BROADCAST,
    IDENTIFIER_BYTES,
    WAKE_UP,
    Control,
    Decoder,
    ErrorBit,
    Frame,
    Function,
    encode,
    identifier_bytes,
    matches,
)
from readers.codecs.dlt645_registers import BLOCKS, Register, registers_of
from readers.driver import Port
from readers.errors import FrameError
from readers.quantities import Phase, Quantity
from simulator.device import Load, MeterState

DEVICE: Final = "dlt645"
_IDLE_S: Final = 1.0
_US_PER_S: Final = 1_000_000
_BITS_PER_CHARACTER: Final = 11
_BYTES_AT_ONCE: Final = 8  # what an adapter hands on together
_PHASES: Final = (Phase.A, Phase.B, Phase.C)
_ZERO: Final = Decimal(0)


@dataclass(slots=True)
class Behaviour:
    """How one meter behaves; may be changed while it is served.

    Attributes:
        silent: it answers nothing.
        refuses_blocks: block reads are answered with `no such data`.
        ignores: data identifiers that are not answered at all.
        part_bytes: replies longer than this come in several frames.
        demand_window_min: the time of the maximum demand is at its end.
        preamble: wake-up bytes before each reply.
        reply_delay_s: 0.02 to 0.5 by the standard.
        garbles: turns a reply into what reaches the line.
    """

    silent: bool = False
    refuses_blocks: bool = False
    ignores: frozenset[int] = frozenset()
    part_bytes: int = 190
    demand_window_min: int = 15
    preamble: int = 4
    reply_delay_s: float = 0.03
    garbles: Callable[[bytes], bytes] | None = None


async def serve(
    port: Port,
    meters: Mapping[str, Load],
    behaviours: Mapping[str, Behaviour] | None = None,
    *,
    baud: int | None = None,
    utc_offset_min: int = 480,
) -> None:
    """Speak for all meters of a line, by their 12-digit addresses, until the link ends.

    Args:
        port: the meters' end of the line.
        meters: what each meter measures.
        behaviours: by address; meters that are not named behave well.
        baud: take the time that each byte needs at that speed; None for no time.
        utc_offset_min: the meters' local time.

    Raises:
        LinkError: the link ended.
    """
    line = _Line(port, meters, behaviours or {}, baud, utc_offset_min)
    while True:
        await line.step()


class _Line:
    def __init__(
        self,
        port: Port,
        meters: Mapping[str, Load],
        behaviours: Mapping[str, Behaviour],
        baud: int | None,
        utc_offset_min: int,
    ) -> None:
        self._port = port
        self._meters = meters
        self._behaviours = behaviours
        self._byte_s = _BITS_PER_CHARACTER / baud if baud else 0.0
        self._utc_offset_min = utc_offset_min
        self._usual = Behaviour()
        self._decoder = Decoder()

    async def step(self) -> None:
        """Wait for requests and answer them."""
        heard = await self._port.receive(_IDLE_S)
        if self._byte_s and heard:
            await self._port.pause(len(heard) * self._byte_s)
        for frame in self._decoder.feed(heard):
            if not frame.is_reply and frame.address != BROADCAST:
                await self._answer(frame)

    async def _answer(self, request: Frame) -> None:
        replies: list[tuple[Behaviour, bytes]] = []
        for address, load in self._meters.items():
            behaviour = self._behaviours.get(address, self._usual)
            if behaviour.silent or not matches(request.address, address):
                continue
            reply = self._reply(address, load, behaviour, request)
            if reply is None:
                continue
            raw = encode(reply)
            if behaviour.garbles is not None:
                raw = behaviour.garbles(raw)
            replies.append((behaviour, bytes([WAKE_UP]) * behaviour.preamble + raw))
        if not replies:
            return
        raw = replies[0][1]
        for _, other in replies[1:]:  # two meters at once: each pulls the line down for its zeros
            size = max(len(raw), len(other))
            raw = bytes(a & b for a, b in zip(raw.ljust(size, b"\xff"), other.ljust(size, b"\xff"), strict=True))
        await self._port.pause(max(behaviour.reply_delay_s for behaviour, _ in replies))
        await self._send(raw)

    async def _send(self, raw: bytes) -> None:
        """All at once, or at the pace of the line."""
        step = _BYTES_AT_ONCE if self._byte_s else len(raw)
        for start in range(0, len(raw), step):
            piece = raw[start : start + step]
            await self._port.pause(len(piece) * self._byte_s)
            await self._port.send(piece)

    def _reply(self, address: str, load: Load, behaviour: Behaviour, request: Frame) -> Frame | None:
        control = request.control | Control.REPLY
        if request.function == Function.READ_ADDRESS:
            return Frame(address, control, bytes.fromhex(address)[::-1][:ADDRESS_BYTES])
        identifier = request.identifier
        if request.function not in (Function.READ, Function.READ_MORE) or identifier is None:
            return Frame(address, control | Control.ERROR, bytes([ErrorBit.OTHER]))
        if identifier in behaviour.ignores:
            return None
        data = self._data(identifier, load, behaviour)
        if data is None:
            return Frame(address, control | Control.ERROR, bytes([ErrorBit.NO_SUCH_DATA]))
        part = request.data[IDENTIFIER_BYTES] if request.function == Function.READ_MORE else 0
        piece = data[part * behaviour.part_bytes : (part + 1) * behaviour.part_bytes]
        if (part + 1) * behaviour.part_bytes < len(data):
            control |= Control.MORE
        number = bytes([part]) if request.function == Function.READ_MORE else b""
        return Frame(address, control, identifier_bytes(identifier) + piece + number)

    def _data(self, identifier: int, load: Load, behaviour: Behaviour) -> bytes | None:
        """The registers of an identifier; None when this meter has no such data."""
        if behaviour.refuses_blocks and identifier in BLOCKS:
            return None
        now_us = self._port.now_us()
        state = load.state(now_us)
        data = b""
        for register in registers_of(identifier):
            try:
                data += register.encode(_value(register, state))
            except (FrameError, KeyError):
                return None
            if register.timed:
                data += self._time(now_us, behaviour.demand_window_min)
        return data or None

    def _time(self, now_us: int, window_min: int) -> bytes:
        """The end of the last demand window in the meter's local time, minute first."""
        local = datetime.fromtimestamp(now_us // _US_PER_S, UTC) + timedelta(minutes=self._utc_offset_min)
        local -= timedelta(minutes=local.minute % window_min)
        return bytes.fromhex(f"{local:%M%H%d%m%y}")


def _value(register: Register, state: MeterState) -> Decimal | None:
    """What the meter has in a register.

    Raises:
        KeyError: this meter has no such register.
    """
    if register.identifier & 0xFF and register.quantity not in (Quantity.FREQUENCY, Quantity.ACTIVE_DEMAND):
        raise KeyError(register.identifier)  # no billing periods
    tariffs = state.active_energy_import_by_tariff_wh
    phase = _PHASES.index(register.phase) if register.phase in _PHASES else None
    by_phase = {
        Quantity.VOLTAGE: state.voltage_v,
        Quantity.CURRENT: state.current_a,
        Quantity.ACTIVE_POWER: state.active_power_w,
        Quantity.REACTIVE_POWER: state.reactive_power_var,
        Quantity.POWER_FACTOR: state.power_factor,
    }
    if register.quantity in by_phase:
        values = by_phase[register.quantity]
        if phase is not None:
            return values[phase]
        if register.quantity is Quantity.POWER_FACTOR:
            return _total_power_factor(state)
        return sum((value for value in values if value is not None), _ZERO)
    if register.tariff is not None:
        if register.quantity is not Quantity.ACTIVE_ENERGY_IMPORT:
            raise KeyError(register.identifier)
        return tariffs[register.tariff - 1]
    return {
        Quantity.ACTIVE_ENERGY_COMBINED: state.active_energy_import_wh + state.active_energy_export_wh,
        Quantity.ACTIVE_ENERGY_IMPORT: state.active_energy_import_wh,
        Quantity.ACTIVE_ENERGY_EXPORT: state.active_energy_export_wh,
        Quantity.FREQUENCY: state.frequency_hz,
        Quantity.ACTIVE_DEMAND: state.active_demand_w,
        Quantity.ACTIVE_DEMAND_MAX: state.active_demand_w,
    }[register.quantity]


def _total_power_factor(state: MeterState) -> Decimal:
    active = sum((value for value in state.active_power_w if value is not None), _ZERO)
    reactive = sum((value for value in state.reactive_power_var if value is not None), _ZERO)
    apparent = (active * active + reactive * reactive).sqrt()
    return active / apparent if apparent else Decimal(1)
