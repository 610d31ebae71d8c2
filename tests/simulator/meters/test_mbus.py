from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import meterbus  # type: ignore[import-untyped]  # it has none
import pytest

from readers.codecs.mbus import Address, Control, Decoder, Done, Frame, Kind, Long, Short, encode
from readers.codecs.mbus_records import HEADER_BYTES, read_header, read_records
from readers.ports.memory import pair, run
from simulator.meters.mbus import Meter, electricity, number, serve
from tests.simulator.meters.loads import Steady

RESET = Short(Control.RESET, 1)
FIRST = Short(0x7B, 1)
SECOND = Short(0x5B, 1)


def meter(number_of: str = "12345678", records_per_frame: int = 50) -> Meter:
    return Meter(electricity(Steady()), number_of, "EMU", device_type=2, records_per_frame=records_per_frame)


def talk(meters: Mapping[int, Meter], *requests: Frame) -> list[list[Frame]]:
    """What comes back to each request."""

    async def scene() -> list[list[Frame]]:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, meters))
        decoder, found = Decoder(), []
        for request in requests:
            await ours.send(encode(request))
            found.append(decoder.feed(await ours.receive(1.0)))
        playing.cancel()
        return found

    return run(scene())


def select(digits: str) -> Long:
    return Long(Control.SEND, Address.SELECTED, Kind.SELECT, bytes.fromhex(digits)[::-1] + b"\xff" * 4)


def test_a_meter_answers_to_its_address_and_to_the_one_for_anybody() -> None:
    replies = talk({1: meter()}, RESET, FIRST, Short(0x5B, Address.ANYBODY), Short(0x7B, 2), Short(0x7B, Address.ALL))
    assert replies[0] == [Done()]
    assert [len(each) for each in replies] == [1, 1, 1, 0, 0]
    (frame,) = replies[1]
    assert isinstance(frame, Long)
    assert (frame.is_reply, frame.address, frame.kind) == (True, 1, Kind.VARIABLE)
    assert read_header(frame.data).number == "12345678"


def test_the_same_request_again_gives_the_same_frame_and_toggling_the_next() -> None:
    replies = talk({1: meter(records_per_frame=3)}, RESET, FIRST, FIRST, SECOND, FIRST, RESET, FIRST)
    frames = [each[0] for each in replies if isinstance(each[0], Long)]
    assert frames[0] == frames[1]
    shown = [read_records(frame.data[HEADER_BYTES:]) for frame in frames]
    assert shown[0][0] != shown[2][0]
    assert shown[0][0][1:] == shown[4][0][1:]
    assert [more for _, more in shown] == [True, True, True, True, True]


@pytest.mark.parametrize(("digits", "is_selected"), [("12345678", True), ("1234FFFF", True), ("12345679", False)])
def test_a_meter_is_selected_by_its_number(digits: str, is_selected: bool) -> None:  # noqa: FBT001 - parametrised
    replies = talk({1: meter()}, select(digits), Short(0x7B, Address.SELECTED), Short(Control.RESET, Address.SELECTED),
                   Short(0x7B, Address.SELECTED))  # fmt: skip
    assert [bool(each) for each in replies] == [is_selected, is_selected, is_selected, False]


def test_two_meters_at_once_are_no_frame() -> None:
    replies = talk({1: meter("12345678"), 2: meter("87654321")}, Short(0x7B, Address.ANYBODY))
    assert not any(isinstance(frame, Long) for frame in replies[0])


def test_an_application_error_comes_in_place_of_data() -> None:
    broken = meter()
    broken.error = 8
    assert talk({1: broken}, FIRST) == [[Long(Control.REPLY, 1, Kind.ERROR, b"\x08")]]


def test_a_foreign_parser_reads_what_it_says() -> None:
    ((frame,),) = talk({1: meter()}, FIRST)
    telegram = meterbus.load(encode(frame))
    assert telegram.body.bodyHeader.interpreted["manufacturer"] == "EMU"
    values = [record.parsed_value for record in telegram.records]
    assert float(values[1]) == 1_234_560
    assert float(values[-2]) == pytest.approx(230.3)


def test_numbers_are_integers_of_four_bytes() -> None:
    assert number(0x2B, Decimal(-2)).raw == b"\xfe\xff\xff\xff"
