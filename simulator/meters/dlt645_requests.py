"""What a simulated meter answers: one request of DL/T 645-2007 or -1997, one reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from readers.codecs import dlt645_1997, dlt645_status
from readers.codecs.dlt645 import (
    BROADCAST,
    IDENTIFIER_BYTES,
    WILDCARD,
    Control,
    ErrorBit,
    Frame,
    Function,
    address_bytes,
    identifier_bytes,
)
from readers.codecs.dlt645_1997 import Function1997
from readers.codecs.dlt645_clock import encode_date, encode_minute_time, encode_second_time, encode_time
from readers.codecs.dlt645_events import (
    KINDS,
    LATEST_CLOSE,
    LATEST_TRIP,
    RECORDS,
    EventRecord,
    encode_count,
    encode_record,
)
from readers.codecs.dlt645_orders import (
    DATE,
    TIME,
    FreezeAt,
    Key,
    read_control,
    read_time_sync,
    read_write,
)
from readers.codecs.dlt645_records import FreezeKind, Which, is_load, read_load_request, registers_of_freeze
from readers.codecs.dlt645_registers import BLOCKS, Register, registers_of
from readers.errors import FrameError
from simulator.meters.dlt645_behaviour import Speaks
from simulator.meters.dlt645_clock import US_PER_S
from simulator.meters.dlt645_history import Snapshot
from simulator.meters.dlt645_meter import Meter, encoded

DEMAND_WINDOW: Final = 0x04000103
DEMAND_STEP: Final = 0x04000104
ADDRESS: Final = 0x04000401
METER_NUMBER: Final = 0x04000402

_FREEZE_CLASS: Final = 0x05
_TIME_TO_DEMAND: Final = 0x1000
_FIRST_NEWER: Final = 0x11  # functions of 2007 that are none of 1997 begin here; TIME_SYNC is in both
_KEY_BYTES: Final = 8


class Answering:
    """Answers for one meter; remembers the rest of a long reply until it is fetched."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._rest: tuple[int, bytes] | None = None

    def answer(self, request: Frame) -> Frame | None:
        """The reply, once the meter has looked at the present; None where it keeps silent."""
        meter = self._meter
        old = request.function < _FIRST_NEWER and request.function not in (Function.TIME_SYNC, Function.SECURITY)
        speaks = meter.behaviour.speaks
        if not meter.is_powered or meter.behaviour.silent:
            return None
        if request.function != Function.TIME_SYNC and speaks is (Speaks.DLT645_2007 if old else Speaks.DLT645_1997):
            return None
        reply = self._old(request) if old else self._new(request)
        if reply is None or request.address == BROADCAST or request.function in meter.behaviour.loses_replies_to:
            return None
        return reply

    def _new(self, request: Frame) -> Frame | None:
        if request.function in (Function.READ, Function.READ_MORE):
            return self._read(request)
        if request.function == Function.READ_ADDRESS:
            return self._reply(request, address_bytes(self._meter.address))
        do = _ORDERS.get(request.function)
        if do is None:
            return self._refuse(request, ErrorBit.OTHER)
        if WILDCARD[0] in request.address:
            return None  # reading is all that may be asked of an unknown meter
        try:
            error = do(self._meter, request)
        except FrameError:
            error = ErrorBit.OTHER
        return self._reply(request) if error is None else self._refuse(request, error)

    def _read(self, request: Frame) -> Frame | None:
        behaviour = self._meter.behaviour
        identifier = request.identifier
        if identifier is None:
            return self._refuse(request, ErrorBit.OTHER)
        if identifier in behaviour.ignores:
            return None
        if behaviour.refuses_blocks and identifier in BLOCKS:
            return self._refuse(request, behaviour.block_error)
        rest = request.data[IDENTIFIER_BYTES:]
        if request.function == Function.READ_MORE:
            return self._more(request, identifier, identifier_bytes(identifier), rest)
        try:
            data = None if identifier in behaviour.lacks else data_of(self._meter, identifier, rest)
        except FrameError:
            return self._refuse(request, ErrorBit.OTHER)
        if data is None:
            return self._refuse(request, ErrorBit.NO_SUCH_DATA)
        return self._first(request, identifier, identifier_bytes(identifier), data)

    def _old(self, request: Frame) -> Frame | None:
        meter = self._meter
        identifier = dlt645_1997.identifier_of(request)
        if request.function not in (Function1997.READ, Function1997.READ_MORE) or identifier is None:
            return self._refuse(request, ErrorBit.OTHER)
        if identifier in meter.behaviour.ignores:
            return None
        if meter.behaviour.refuses_blocks and identifier in dlt645_1997.BLOCKS_1997:
            return self._refuse(request, meter.behaviour.block_error)
        name = dlt645_1997.identifier_bytes(identifier)
        if request.function == Function1997.READ_MORE:
            return self._more(request, identifier, name, request.data[len(name) :])
        data = None if identifier in meter.behaviour.lacks else data_of_1997(meter, identifier)
        if data is None:
            return self._refuse(request, ErrorBit.NO_SUCH_DATA)
        return self._first(request, identifier, name, data)

    def _first(self, request: Frame, identifier: int, name: bytes, data: bytes) -> Frame:
        part_bytes = self._meter.behaviour.part_bytes
        self._rest = (identifier, data[part_bytes:]) if len(data) > part_bytes else None
        more = Control.MORE if self._rest else 0
        return self._reply(request, name + data[:part_bytes], more)

    def _more(self, request: Frame, identifier: int, name: bytes, number: bytes) -> Frame:
        """The part of that number of the reply that was begun last, by its number, for it may be asked for again."""
        if self._rest is None or self._rest[0] != identifier or len(number) != 1 or not number[0]:
            return self._refuse(request, ErrorBit.NO_SUCH_DATA)
        part_bytes = self._meter.behaviour.part_bytes
        rest = self._rest[1][(number[0] - 1) * part_bytes :]
        if not rest:
            return self._refuse(request, ErrorBit.NO_SUCH_DATA)
        more = Control.MORE if len(rest) > part_bytes else 0
        return self._reply(request, name + rest[:part_bytes] + number, more)

    def _reply(self, request: Frame, data: bytes = b"", more: int = 0) -> Frame:
        return Frame(self._meter.address, request.control | Control.REPLY | more, data)

    def _refuse(self, request: Frame, error: ErrorBit) -> Frame:
        return Frame(self._meter.address, request.control | Control.REPLY | Control.ERROR, bytes([error]))


def data_of(meter: Meter, identifier: int, argument: bytes) -> bytes | None:
    """What the meter has under an identifier of 2007, a request's argument given; None: it has no such data.

    Raises:
        FrameError: the argument is impossible.
    """
    if registers := registers_of(identifier):
        return _of_registers(meter, registers)
    if dlt645_status.is_status(identifier):
        return dlt645_status.encode(identifier, meter.status())
    if identifier >> 24 == _FREEZE_CLASS:
        return _of_freeze(meter, identifier)
    if is_load(identifier):
        return _of_profile(meter, identifier, argument)
    if identifier in _PARAMETERS:
        return _PARAMETERS[identifier](meter)
    return _of_events(meter, identifier)


def data_of_1997(meter: Meter, identifier: int) -> bytes | None:
    """What the meter has under an identifier of 1997; None: it has no such data."""
    if identifier in (dlt645_1997.DATE, dlt645_1997.TIME):
        return _PARAMETERS[DATE if identifier == dlt645_1997.DATE else TIME](meter)
    try:
        demand = identifier - _TIME_TO_DEMAND
        if dlt645_1997.demand_time_identifier(demand) == identifier:
            return _demand_time(meter, demand)
        data = b""
        for register in dlt645_1997.registers_of(identifier):
            value, _ = meter.value(_of_2007(register))
            data += encoded(register, None if value is None else abs(value))
    except KeyError:
        return None
    return data or None


def _demand_time(meter: Meter, identifier: int) -> bytes:
    """`mm hh DD MM` of a maximum demand; zeros when there is none yet."""
    (register,) = dlt645_1997.registers_of(identifier)
    _, at_us = meter.value(_of_2007(register))
    return _timed(meter, at_us)[: dlt645_1997.DEMAND_TIME_BYTES]


def _of_2007(register: Register) -> Register:
    name = dlt645_1997.identifier_2007(register.identifier)
    assert name is not None, "each register of 1997 stands for one of 2007"
    return replace(register, identifier=name)


def _timed(meter: Meter, at_us: int | None) -> bytes:
    return bytes(5) if at_us is None else encode_minute_time(at_us, meter.utc_offset_min)


def _of_registers(meter: Meter, registers: tuple[Register, ...]) -> bytes | None:
    data = b""
    for register in registers:
        try:
            value, at_us = meter.value(register)
        except KeyError:
            return None
        data += encoded(register, value) + (_timed(meter, at_us) if register.timed else b"")
    return data


def _of_freeze(meter: Meter, identifier: int) -> bytes | None:
    _, kind, content, back = identifier.to_bytes(4, "big")
    if kind not in {each.value for each in FreezeKind}:
        return None
    snapshot = meter.history.frozen(FreezeKind(kind), back)
    if snapshot is None:
        return None
    if content == 0:
        return _timed(meter, snapshot.shown_us)
    registers = registers_of_freeze(identifier)
    try:
        return b"".join(_of_snapshot(meter, snapshot, register) for register in registers) or None
    except KeyError:
        if kind != FreezeKind.HOURLY:
            return None
        return _of_snapshot(meter, snapshot, registers[0])  # an hourly one has totals alone


def _of_snapshot(meter: Meter, snapshot: Snapshot, register: Register) -> bytes:
    kind, di2, tariff, _ = register.identifier.to_bytes(4, "big")
    if kind == 2:  # noqa: PLR2004 - DI3 of instantaneous values
        index = tariff + (0 if di2 == 3 else 4)  # noqa: PLR2004 - DI2 of active power
        return encoded(register, snapshot.powers[index])
    value, at_us = meter.of_totals(snapshot.totals, kind, di2, tariff)
    return encoded(register, value) + (_timed(meter, at_us) if register.timed else b"")


def _of_profile(meter: Meter, identifier: int, argument: bytes) -> bytes:
    count, since_us = read_load_request(argument, meter.utc_offset_min)
    which = Which(identifier & 0xFF)
    if which is Which.LATEST:
        return meter.history.latest_load_record()
    if which is Which.FROM_TIME and since_us is None:
        raise FrameError("range", "load records are asked for from a time that is not given", argument)
    return meter.history.load_records(count, since_us if which is Which.FROM_TIME else None)


def _of_events(meter: Meter, identifier: int) -> bytes | None:
    if identifier in (LATEST_TRIP, LATEST_CLOSE):
        kind = KINDS["disconnection" if identifier == LATEST_TRIP else "reconnection"]
        latest = meter.history.record_of(kind, 1)
        at_us = None if latest is None else latest.began_us
        return bytes(6) if at_us is None else encode_second_time(at_us, meter.utc_offset_min)
    for kind in KINDS.values():
        if identifier == kind.count:
            return encode_count(meter.history.count_of(kind))
        if kind.latest <= identifier < kind.latest + RECORDS:
            record = meter.history.record_of(kind, identifier - kind.latest + 1)
            return encode_record(record or EventRecord(kind, None), meter.utc_offset_min)
    return None


def _date(meter: Meter) -> bytes:
    return encode_date(meter.shown_us, meter.utc_offset_min)


def _time(meter: Meter) -> bytes:
    return encode_time(meter.shown_us, meter.utc_offset_min)


_PARAMETERS: Final[dict[int, Callable[[Meter], bytes]]] = {
    DATE: _date,
    TIME: _time,
    DEMAND_WINDOW: lambda meter: bytes.fromhex(f"{meter.behaviour.demand_window_min:02d}"),
    DEMAND_STEP: lambda meter: bytes.fromhex(f"{meter.behaviour.tick_min:02d}"),
    ADDRESS: lambda meter: address_bytes(meter.address),
    METER_NUMBER: lambda meter: address_bytes(meter.meter_number),
}


def _sync(meter: Meter, request: Frame) -> ErrorBit | None:
    before_us, wanted_us = meter.shown_us, read_time_sync(request.data, meter.utc_offset_min)
    if not meter.clock.sync(meter.now_us, wanted_us, meter.behaviour.sync_within_s):
        return ErrorBit.OTHER
    meter.clock_moved()
    if request.address != BROADCAST:  # a broadcast leaves no record
        meter.history.happened(EventRecord(KINDS["clock_setting"], before_us, wanted_us))
    return None


def _control(meter: Meter, request: Frame) -> ErrorBit | None:
    return meter.order(read_control(request.data, meter.utc_offset_min))


def _freeze(meter: Meter, request: Frame) -> ErrorBit | None:
    when = FreezeAt.decode(request.data)
    if when == FreezeAt():
        meter.freeze(FreezeKind.ORDERED, meter.shown_us)
    else:
        meter.periodic_freeze = when
    return None


def _write(meter: Meter, request: Frame) -> ErrorBit | None:
    written = read_write(request.data)
    if not meter.opens(written.key):
        return ErrorBit.NOT_AUTHORISED
    if written.identifier not in (DATE, TIME):
        return ErrorBit.NO_SUCH_DATA
    local = meter.shown_us
    date = written.value if written.identifier == DATE else _date(meter)
    time = written.value if written.identifier == TIME else _time(meter)
    shown_us = read_time_sync(time + date[1:], meter.utc_offset_min)
    meter.set_clock(shown_us + (local % US_PER_S if written.identifier == DATE else 0))
    meter.history.happened(EventRecord(KINDS["clock_setting"], local, shown_us, written.key.operator))
    identifiers = identifier_bytes(written.identifier).ljust(IDENTIFIER_BYTES * 10, b"\xff")
    meter.done("programming", written.key, identifiers)
    return None


def _clear(kind: str, clear: Callable[[Meter], None]) -> Callable[[Meter, Frame], ErrorBit | None]:
    def do(meter: Meter, request: Frame) -> ErrorBit | None:
        key = Key.decode(request.data[:_KEY_BYTES])
        if not meter.opens(key):
            return ErrorBit.NOT_AUTHORISED
        clear(meter)
        meter.done(kind, key)
        return None

    return do


_ORDERS: Final[dict[int, Callable[[Meter, Frame], ErrorBit | None]]] = {
    Function.TIME_SYNC: _sync,
    Function.CONTROL: _control,
    Function.FREEZE: _freeze,
    Function.WRITE: _write,
    Function.SET_BAUD: lambda _meter, _request: ErrorBit.BAUD_FIXED,
    Function.CLEAR_DEMAND: _clear("demand_reset", lambda meter: meter.accounts.clear_demands()),
    Function.CLEAR_METER: _clear("meter_reset", lambda meter: meter.accounts.clear()),
    Function.CLEAR_EVENTS: _clear("event_reset", lambda meter: meter.history.clear_events()),
}
