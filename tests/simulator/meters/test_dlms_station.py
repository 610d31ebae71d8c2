from __future__ import annotations

import pytest

from readers.codecs.dlms_hdlc import TO_METER, Address, Frame, Kind, information, supervisory
from readers.ports.memory import START_US
from simulator.meters.dlms_meter import Behaviour, Meter
from simulator.meters.dlms_server import Server
from simulator.meters.dlms_station import Station
from tests.simulator.meters.loads import Steady

AARQ = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400007E1FFFFF")
CLIENT = Address(16)


class Bench:
    def __init__(self, **behaviour: object) -> None:
        meter = Meter(Steady(), physical=17, behaviour=Behaviour(**behaviour))  # type: ignore[arg-type]  # by name
        self.now_s = 0.0
        self.station = Station(Server(meter, lambda: START_US), lambda: self.now_s)

    def say(self, control: int, content: bytes = b"", *, is_segmented: bool = False) -> Frame | None:
        return self.station.answer(Frame(self.station.address, CLIENT, control, content, is_segmented))

    def linked(self) -> Bench:
        reply = self.say(0x93)
        assert reply is not None
        assert reply.kind == Kind.UNNUMBERED_ACKNOWLEDGE
        size = f"{self.station.behaviour.information_bytes:04X}"
        parameters = f"8180140502{size}0602{size}" + "070400000001" + "080400000001"
        assert reply.information.hex().upper() == parameters
        return self


@pytest.mark.parametrize(
    ("physical", "size", "address"),
    [(None, None, "03"), (17, None, "0223"), (17, 4, "00020023"), (300, None, "00020459")],
)
def test_a_station_has_an_address(physical: int | None, size: int | None, address: str) -> None:
    meter = Meter(Steady(), physical=physical, address_bytes=size)
    assert Station(Server(meter, lambda: 0), lambda: 0.0).address.encode().hex() == address


def test_a_frame_for_another_or_to_a_dead_meter_has_no_answer() -> None:
    bench = Bench()
    assert bench.station.answer(Frame(Address(1, 18, 2), CLIENT, 0x93)) is None
    assert Bench(silent=True).say(0x93) is None
    assert Bench(loses_reply=lambda number: number == 1).say(0x93) is None


@pytest.mark.parametrize("control", [0x53, 0x10, 0x11, 0x03])
def test_without_a_link_there_is_only_disconnected_mode(control: int) -> None:
    reply = Bench().say(control)
    assert reply is not None
    assert reply.kind == Kind.DISCONNECTED_MODE


def test_a_link_begins_carries_and_ends() -> None:
    bench = Bench().linked()
    reply = bench.say(information(0, 0), TO_METER + AARQ)
    assert reply is not None
    assert reply.information[3] == 0x61
    assert (reply.send_number, reply.receive_number) == (0, 1)
    again = bench.say(information(0, 0), TO_METER + AARQ)
    assert again == reply
    ready = bench.say(supervisory(Kind.RECEIVE_READY, 1))
    assert ready is not None
    assert ready.kind == Kind.RECEIVE_READY
    assert bench.say(supervisory(Kind.RECEIVE_READY, 0)) == reply
    ended = bench.say(0x53)
    assert ended is not None
    assert ended.kind == Kind.UNNUMBERED_ACKNOWLEDGE


def test_segments_go_both_ways() -> None:
    bench = Bench(information_bytes=20).linked()
    acknowledged = bench.say(information(0, 0), TO_METER + AARQ[:10], is_segmented=True)
    assert acknowledged is not None
    assert (acknowledged.kind, acknowledged.receive_number) == (Kind.RECEIVE_READY, 1)
    reply = bench.say(information(1, 0), AARQ[10:])
    told = b""
    number = 0
    while reply is not None:
        told += reply.information
        assert len(reply.information) <= 20
        if not reply.is_segmented:
            break
        number += 1
        reply = bench.say(supervisory(Kind.RECEIVE_READY, number))
    assert told[3] == 0x61
    assert len(told) == 3 + 2 + told[4]


def test_what_is_no_request_is_rejected_or_acknowledged() -> None:
    bench = Bench().linked()
    reply = bench.say(information(0, 0), b"\x00\x00\x00")
    assert reply is not None
    assert reply.kind == Kind.FRAME_REJECT
    empty = bench.say(information(1, 0), TO_METER)
    assert empty is not None
    assert empty.kind == Kind.RECEIVE_READY
    before_any = Bench().linked().say(information(5, 0), TO_METER)
    assert before_any is not None
    assert before_any.kind == Kind.RECEIVE_READY


def test_an_idle_link_is_forgotten() -> None:
    bench = Bench(forgets_after_s=20.0).linked()
    bench.now_s = 10.0
    assert bench.say(supervisory(Kind.RECEIVE_READY, 0)) is not None
    bench.now_s = 31.0
    reply = bench.say(supervisory(Kind.RECEIVE_READY, 0))
    assert reply is not None
    assert reply.kind == Kind.DISCONNECTED_MODE
