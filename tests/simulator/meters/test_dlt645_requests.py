"""One request, one reply: the meter's answers byte by byte, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from readers.codecs import dlt645_1997, dlt645_records
from readers.codecs.dlt645 import BROADCAST, WILDCARD, Frame, Function, identifier_bytes
from readers.codecs.dlt645_1997 import Function1997
from readers.codecs.dlt645_clock import clock_us, meter_time_us
from readers.codecs.dlt645_events import KINDS, decode_count, decode_record, decode_time
from readers.codecs.dlt645_orders import (
    Command,
    ControlOrder,
    FreezeAt,
    Key,
    control,
    freeze,
    time_sync,
    write,
    write_clock,
)
from readers.codecs.dlt645_records import FreezeKind, Frozen, LoadClass, Which
from readers.codecs.dlt645_registers import BLOCKS, REGISTERS, decode
from readers.codecs.dlt645_status import BLOCK, RELAY_WORD
from readers.codecs.dlt645_status import decode as decode_status
from readers.ports.memory import START_US
from readers.quantities import Quantity
from simulator.meters.dlt645_behaviour import DAY_SLOTS, Behaviour, Speaks
from simulator.meters.dlt645_meter import Meter
from simulator.meters.dlt645_requests import Answering
from tests.simulator.meters.loads import US_PER_HOUR, Growing, Steady

A1 = "000000000161"
CHINA = 480
MIN_US = 60_000_000
KEY = Key("741852", operator=7)


class Asked:
    """A meter, its clock, and whoever asks it."""

    def __init__(self, load: Growing | Steady | None = None, behaviour: Behaviour | None = None) -> None:
        self.meter = Meter(A1, load or Steady(), behaviour)
        self.answering = Answering(self.meter)
        self.now_us = START_US
        self.meter.look(START_US)

    def after(self, us: int) -> Asked:
        self.now_us += us
        self.meter.look(self.now_us)
        return self

    def ask(self, frame: Frame) -> Frame | None:
        self.meter.look(self.now_us)
        return self.answering.answer(frame)

    def refused(self, frame: Frame) -> int | None:
        """The error byte; None when it is done."""
        reply = self.ask(frame)
        assert reply is not None
        assert reply.function == frame.function
        assert reply.is_error == bool(reply.data)
        return reply.data[0] if reply.is_error else None

    def data(self, identifier: int, argument: bytes = b"") -> bytes:
        """The data of all parts."""
        name = identifier_bytes(identifier)
        reply = self.ask(Frame(A1, Function.READ, name + argument))
        assert reply is not None
        assert not reply.is_error, f"{identifier:08X} is refused with {reply.data.hex()}"
        data, part = reply.data[4:], 0
        while reply.has_more:
            part += 1
            reply = self.ask(Frame(A1, Function.READ_MORE, name + bytes([part])))
            assert reply is not None
            assert reply.data[-1] == part
            data += reply.data[4:-1]
        return data


def read(identifier: int, argument: bytes = b"") -> Frame:
    return Frame(A1, Function.READ, identifier_bytes(identifier) + argument)


@pytest.mark.parametrize("identifier", [*BLOCKS, 0x02800002, 0x02800007, 0x00150000])
def test_every_identifier_is_answered_by_its_registers_or_refused(identifier: int) -> None:
    asked = Asked(Growing(), Behaviour(slots=DAY_SLOTS, integrates_demand=True))
    reply = asked.ask(read(identifier))
    assert reply is not None
    if reply.is_error:
        assert reply.data == b"\x02"
    else:
        assert decode(identifier, reply.data[4:], CHINA)


def test_a_real_meter_has_its_blocks() -> None:
    asked = Asked(Growing(), Behaviour(slots=DAY_SLOTS, integrates_demand=True))
    answered = {block for block in BLOCKS if not (reply := asked.ask(read(block))) or not reply.is_error}
    wanted = {0x0000FF00, 0x0001FF00, 0x0002FF00, 0x0101FF00, 0x0102FF00, 0x020A01FF, 0x020B03FF}
    wanted |= {
        0x0201FF00,
        0x0202FF00,
        0x0203FF00,
        0x0204FF00,
        0x0205FF00,
        0x0206FF00,
        0x0207FF00,
        0x0208FF00,
        0x0209FF00,
    }
    assert wanted <= answered


@pytest.mark.parametrize(
    "identifier",
    [0x0001FF01, 0x00010001, 0x00020100, 0x01020000, 0x00150000, 0x04000508, 0x05060001, 0x06070000, 0x05090001],
)
def test_data_that_the_meter_has_not_are_refused(identifier: int) -> None:
    assert Asked().refused(read(identifier)) == 2


def test_functions_that_the_meter_has_not_are_refused() -> None:
    asked = Asked()
    assert asked.refused(Frame(A1, 0x1F)) == 1
    assert asked.refused(Frame(A1, Function.READ, b"\x00")) == 1
    assert asked.refused(Frame(A1, Function.SET_BAUD, b"\x08")) == 8
    assert asked.refused(Frame(A1, Function.CONTROL, bytes(16))) == 1
    assert asked.refused(Frame(A1, Function.WRITE, bytes(4))) == 1
    assert asked.refused(Frame(A1, Function.CLEAR_METER)) == 1


def test_quirks_of_reading() -> None:
    behaviour = Behaviour(refuses_blocks=True, ignores=frozenset({0x02800002}), lacks=frozenset({0x02010100}))
    asked = Asked(behaviour=behaviour)
    assert asked.refused(read(0x0201FF00)) == 2
    assert asked.ask(read(0x02800002)) is None
    assert asked.refused(read(0x02010100)) == 2
    assert asked.data(0x02010200) == bytes.fromhex("98 22")
    behaviour.silent = True
    assert asked.ask(read(0x02010200)) is None


def test_a_long_reply_comes_in_numbered_parts_that_may_be_asked_for_again() -> None:
    asked = Asked(behaviour=Behaviour(part_bytes=12))
    first = asked.ask(read(0x0001FF00))
    assert first is not None
    assert (first.control, len(first.data)) == (0xB1, 4 + 12)
    more = Frame(A1, Function.READ_MORE, identifier_bytes(0x0001FF00) + b"\x01")
    for _ in range(2):
        rest = asked.ask(more)
        assert rest is not None
        assert (rest.control, len(rest.data), rest.data[-1]) == (0x92, 4 + 8 + 1, 1)
    assert asked.refused(replace(more, data=more.data[:-1] + b"\x02")) == 2
    assert asked.refused(replace(more, data=more.data[:-1] + b"\x00")) == 2
    assert asked.refused(replace(more, data=identifier_bytes(0x0002FF00) + b"\x01")) == 2
    assert len(decode(0x0001FF00, asked.data(0x0001FF00), CHINA)) == 5


def test_status_words_are_answered() -> None:
    asked = Asked()
    assert asked.data(RELAY_WORD) == b"\x00\x00"
    assert len(asked.data(BLOCK)) == 14


def test_trip_and_close_with_read_back_as_published() -> None:
    asked = Asked(Growing())

    def order(command: Command, key: Key = KEY) -> Frame:
        return control(A1, ControlOrder(command, key, asked.now_us + 5 * MIN_US), CHINA)

    assert asked.ask(order(Command.TRIP)) == Frame(A1, 0x9C)
    assert decode_status(RELAY_WORD, asked.data(RELAY_WORD)).is_relay_closed
    assert asked.after(MIN_US).data(RELAY_WORD) == b"\x50\x00"
    assert decode(0x02030000, asked.data(0x02030000))[0].value == 0
    assert asked.ask(order(Command.PERMIT_CLOSE)) == Frame(A1, 0x9C)
    assert asked.after(MIN_US).data(RELAY_WORD) == b"\x10\x00"
    asked.meter.press_key()
    assert asked.after(MIN_US).data(RELAY_WORD) == b"\x00\x00"
    kind = KINDS["disconnection"]
    record = decode_record(kind, asked.data(kind.latest), CHINA)
    assert record is not None
    assert (record.operator, record.began_us) == (7, START_US)  # whole seconds
    assert decode_time(asked.data(0x1D000101), CHINA) == START_US
    assert decode_count(asked.data(KINDS["reconnection"].count)) == 1
    assert asked.refused(order(Command.TRIP, Key("000000"))) == 4


def test_an_order_may_be_carried_out_without_an_answer() -> None:
    asked = Asked(Growing(), Behaviour(loses_replies_to=frozenset({Function.CONTROL})))
    frame = control(A1, ControlOrder(Command.TRIP, KEY, START_US + MIN_US), CHINA)
    assert asked.ask(frame) is None
    assert asked.after(MIN_US).data(RELAY_WORD) == b"\x50\x00"


def test_orders_to_everybody_or_to_a_wildcard_are_not_answered() -> None:
    asked = Asked()
    order = control(A1, ControlOrder(Command.TRIP, KEY, START_US + MIN_US), CHINA)
    assert asked.ask(replace(order, address=WILDCARD)) is None
    assert asked.meter.relay.movement is None
    assert asked.ask(freeze(FreezeAt())) is None
    assert asked.meter.history.frozen(FreezeKind.ORDERED, 1) is not None
    assert asked.ask(replace(read(0x02010100), address=BROADCAST)) is None


def test_an_address_is_told() -> None:
    assert Asked().ask(Frame(WILDCARD, Function.READ_ADDRESS)) == Frame(A1, 0x93, bytes.fromhex(A1)[::-1])


def clock(asked: Asked) -> int:
    return clock_us(asked.data(0x04000101), asked.data(0x04000102), CHINA)


def test_the_clock_is_read_synchronised_and_written() -> None:
    asked = Asked(behaviour=Behaviour(clock_offset_us=100_000_000))
    assert clock(asked) == START_US + 100_000_000
    assert asked.ask(time_sync(START_US, CHINA)) is None  # a broadcast: done, unanswered, unrecorded
    assert clock(asked) == START_US
    assert decode_count(asked.data(KINDS["clock_setting"].count)) == 0
    assert asked.refused(time_sync(START_US, CHINA, A1)) == 1  # once a day
    assert asked.after(24 * US_PER_HOUR).refused(time_sync(asked.now_us + 60 * MIN_US, CHINA, A1)) == 1
    assert asked.refused(time_sync(asked.now_us + MIN_US, CHINA, A1)) is None
    assert decode_count(asked.data(KINDS["clock_setting"].count)) == 1
    far_us = asked.now_us + 100 * US_PER_HOUR
    assert [asked.refused(frame) for frame in write_clock(A1, KEY, far_us, CHINA)] == [None, None]
    assert clock(asked) == far_us
    record = decode_record(KINDS["clock_setting"], asked.data(KINDS["clock_setting"].latest), CHINA)
    assert record is not None
    assert (record.operator, record.ended_us) == (7, far_us)
    programming = decode_record(KINDS["programming"], asked.data(KINDS["programming"].latest), CHINA)
    assert programming is not None
    assert programming.rest[:4] == identifier_bytes(0x04000102)


def test_writing_wants_the_password_and_something_that_can_be_written() -> None:
    asked = Asked()
    assert asked.refused(write(A1, 0x04000102, Key("000000"), b"\x00\x00\x12")) == 4
    assert asked.refused(write(A1, 0x04000103, KEY, b"\x15")) == 2
    assert asked.refused(write(A1, 0x04000102, KEY, b"\x00\x00\x25")) == 1


def test_clearing() -> None:
    asked = Asked(Growing(6_000, Decimal(500_000)), Behaviour(integrates_demand=True, slots=DAY_SLOTS)).after(
        US_PER_HOUR
    )
    assert decode(0x01010000, asked.data(0x01010000), CHINA)[0].value == 6_000
    assert asked.refused(Frame(A1, Function.CLEAR_DEMAND, Key("000000").encode())) == 4
    assert asked.refused(Frame(A1, Function.CLEAR_DEMAND, KEY.encode())) is None
    assert decode(0x01010000, asked.data(0x01010000), CHINA)[0].value == 0
    assert asked.refused(Frame(A1, Function.CLEAR_METER, KEY.encode())) is None
    assert decode(0x00010000, asked.data(0x00010000))[0].value == 0
    assert decode_count(asked.data(KINDS["meter_reset"].count)) == 1
    assert asked.refused(Frame(A1, Function.CLEAR_EVENTS, KEY.encode())) is None
    assert decode_count(asked.data(KINDS["meter_reset"].count)) == 0
    assert decode_count(asked.data(KINDS["event_reset"].count)) == 1


def test_snapshots_are_answered() -> None:
    asked = Asked(Growing(6_000), Behaviour(slots=DAY_SLOTS, integrates_demand=True)).after(24 * US_PER_HOUR)
    at_us = dlt645_records.decode_freeze_time(asked.data(0x05060001), CHINA)
    assert at_us == START_US + 16 * US_PER_HOUR
    identifier = dlt645_records.freeze_identifier(FreezeKind.DAILY, Frozen.IMPORT, 1)
    readings = dlt645_records.decode_freeze(identifier, asked.data(identifier), at_us, CHINA)
    assert readings[0].value == 96_000
    assert sum(r.value for r in readings[1:] if r.value is not None) == 96_000
    for content in (Frozen.DEMAND_IMPORT, Frozen.POWERS, Frozen.EXPORT):
        identifier = dlt645_records.freeze_identifier(FreezeKind.DAILY, content, 1)
        assert dlt645_records.decode_freeze(identifier, asked.data(identifier), at_us, CHINA)
    hourly = dlt645_records.freeze_identifier(FreezeKind.HOURLY, Frozen.IMPORT, 3)
    assert len(asked.data(hourly)) == 4
    assert asked.refused(read(0x05060301)) == 2  # reactive energy has no tariffs here
    assert asked.refused(read(0x05060B01)) == 2
    assert asked.refused(freeze(FreezeAt(), A1)) is None
    assert len(asked.data(0x05010001)) == 5
    assert asked.refused(freeze(FreezeAt(minute=30), A1)) is None
    assert asked.meter.periodic_freeze == FreezeAt(minute=30)


def test_load_records_are_answered() -> None:
    asked = Asked(Growing(6_000)).after(24 * US_PER_HOUR)
    since_us = START_US + 3 * US_PER_HOUR
    identifier = dlt645_records.load_identifier(LoadClass.ALL, Which.FROM_TIME)
    data = asked.data(identifier, dlt645_records.load_request(8, since_us, CHINA))
    records = dlt645_records.decode_load(data, CHINA).records
    assert [record.at_us for record in records] == [since_us + quarter * 15 * MIN_US for quarter in range(8)]
    assert {r.quantity for r in records[0].readings} >= {Quantity.ACTIVE_ENERGY_IMPORT, Quantity.VOLTAGE}
    earliest = asked.data(identifier - 1, dlt645_records.load_request(1, None, CHINA))
    assert dlt645_records.decode_load(earliest, CHINA).records[0].at_us == START_US + 15 * MIN_US
    assert dlt645_records.decode_load(asked.data(identifier + 1), CHINA).records[0].at_us == asked.now_us
    assert asked.data(identifier, dlt645_records.load_request(8, asked.now_us + MIN_US, CHINA)) == b""
    assert asked.refused(read(identifier)) == 1
    assert asked.refused(read(identifier, b"\x0a")) == 1


def test_events_that_have_not_happened_are_zeros() -> None:
    asked = Asked()
    for kind in KINDS.values():
        assert decode_count(asked.data(kind.count)) == 0
        assert decode_record(kind, asked.data(kind.record(10)), CHINA) is None
    assert decode_time(asked.data(0x1E000101), CHINA) is None


def test_parameters() -> None:
    asked = Asked(behaviour=Behaviour(meter_number="202300000777"))
    assert asked.data(0x04000401) == bytes.fromhex(A1)[::-1]
    assert asked.data(0x04000402) == bytes.fromhex("202300000777")[::-1]
    assert (asked.data(0x04000103), asked.data(0x04000104)) == (b"\x15", b"\x15")


def test_without_mains_there_is_no_answer() -> None:
    asked = Asked(behaviour=Behaviour(outages=((START_US + 1, START_US + MIN_US),)))
    assert asked.after(10).ask(read(0x02010100)) is None
    assert asked.after(MIN_US).ask(read(0x02010100)) is not None


def old(asked: Asked, identifier: int) -> Frame | None:
    return asked.ask(dlt645_1997.read(A1, identifier))


def test_a_meter_of_1997() -> None:
    asked = Asked(behaviour=Behaviour(speaks=Speaks.DLT645_1997))
    assert old(asked, 0xB611) == Frame(A1, 0x81, bytes.fromhex("11 B6 30 02"))
    assert old(asked, 0xB61F) == Frame(A1, 0x81, bytes.fromhex("1F B6 30 02 29 02 FF FF"))
    assert old(asked, 0x9010) == Frame(A1, 0x81, bytes.fromhex("10 90 56 34 12 00"))
    assert old(asked, 0xB622) == Frame(A1, 0x81, bytes.fromhex("22 B6 50 01"))
    assert old(asked, 0xC011) == Frame(A1, 0x81, bytes.fromhex("11 C0 00 00 08"))
    assert old(asked, 0xA010) == Frame(A1, 0x81, bytes.fromhex("10 A0 00 25 03"))
    assert old(asked, 0xB010) == Frame(A1, 0x81, bytes.fromhex("10 B0 00 08 01 01"))
    assert old(asked, 0xC119) == Frame(A1, 0xC1, b"\x02")
    assert old(asked, 0x9410) == Frame(A1, 0xC1, b"\x02")
    assert old(asked, 0xB01F) == Frame(A1, 0xC1, b"\x02")
    assert asked.ask(read(0x02010100)) is None
    assert asked.ask(Frame(A1, Function1997.READ, b"\x10")) == Frame(A1, 0xC1, b"\x01")
    assert asked.ask(Frame(A1, Function1997.WRITE, bytes(8))) == Frame(A1, 0xC4, b"\x01")
    assert asked.refused(time_sync(START_US + MIN_US, CHINA, A1)) is None


def test_a_meter_of_1997_with_demands_of_its_own() -> None:
    asked = Asked(Growing(), Behaviour(speaks=Speaks.BOTH, integrates_demand=True, slots=DAY_SLOTS))
    assert old(asked, 0xB010) == Frame(A1, 0x81, bytes.fromhex("10 B0 00 00 00 00"))
    reply = old(asked.after(US_PER_HOUR), 0xB010)
    assert reply is not None
    at_us = dlt645_1997.decode_demand_time(reply.data[2:], asked.now_us, CHINA)
    assert at_us == meter_time_us(bytes.fromhex("16 08 01 01 26"), CHINA)
    assert asked.ask(read(0x02010100)) is not None


def test_quirks_of_a_meter_of_1997() -> None:
    behaviour = Behaviour(
        speaks=Speaks.DLT645_1997,
        refuses_blocks=True,
        ignores=frozenset({0xB630}),
        lacks=frozenset({0xB611}),
        part_bytes=2,
    )
    asked = Asked(behaviour=behaviour)
    assert old(asked, 0xB61F) == Frame(A1, 0xC1, b"\x02")
    assert old(asked, 0xB630) is None
    assert old(asked, 0xB611) == Frame(A1, 0xC1, b"\x02")
    assert old(asked, 0x9010) == Frame(A1, 0xA1, bytes.fromhex("10 90 56 34"))
    more = Frame(A1, Function1997.READ_MORE, bytes.fromhex("10 90 01"))
    assert asked.ask(more) == Frame(A1, 0x82, bytes.fromhex("10 90 12 00 01"))
    assert Asked().ask(dlt645_1997.read(A1, 0x9010)) is None


def test_registers_that_only_2007_knows_do_not_confuse_1997() -> None:
    assert dlt645_1997.identifier_1997(0x02800007) is None
    assert 0x02800007 in REGISTERS
