from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from readers.bus import NoReplyError
from readers.codecs.dlt698 import REPLY, Decoder, Fragment, FragmentKind, Frame, encode
from readers.codecs.dlt698_apdu import Get, GetNext, GetRecord, Latest, Reply, Request, decode_request
from readers.codecs.dlt698_data import Oad
from readers.meters.dlt698.line import MOST_BLOCKS, Line, RefusedError
from readers.observations import Observation, Rejected
from readers.ports.memory import MemoryPort, run
from simulator.meters import dlt698_wire as wire
from tests.support.talk import linked

A1 = "000000000161"
VOLTAGE = bytes.fromhex("20000200")
VOLTS = wire.array([wire.uint16(2303)])
Device = Callable[[MemoryPort, Request, int], Awaitable[None]]


def value(number: int, oad: bytes = VOLTAGE) -> bytes:
    return bytes([0x85, 1, number]) + oad + b"\1" + VOLTS + b"\0\0"


def reply(
    number: int, apdu: bytes | None = None, *, address: str = A1, client: int = 16, control: int = REPLY
) -> bytes:
    return encode(Frame(address, client, control, value(number) if apdu is None else apdu))


def asked(device: Device, request: Request | None = None) -> tuple[Reply, list[Observation]]:
    """What comes of one question to a device that is asked anew by each frame."""
    heard: list[Observation] = []

    async def serve(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for frame in decoder.feed(await port.receive(1.0)):
                if frame.is_fragment:
                    continue
                await device(port, *decode_request(frame.payload))

    async def scene() -> Reply:
        ours, theirs = linked()
        serving = asyncio.create_task(serve(theirs))
        line = Line(ours, heard.append, client=16, wake_up_bytes=4, baud=9600)
        try:
            return await line.get(line.to(A1, 0), request or Get((Oad(0x2000),)), 2, "m", line.delay())
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    return run(scene()), heard


def reasons(heard: list[Observation]) -> list[str]:
    return [o.reason for o in heard if isinstance(o, Rejected)]


def test_the_reply_to_the_request_is_taken() -> None:
    async def device(port: MemoryPort, request: Request, number: int) -> None:
        assert request == Get((Oad(0x2000),))
        await port.send(reply(number))

    found, heard = asked(device)
    assert found.results[0].oad == Oad(0x2000)
    assert heard == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda number: reply(number, address="000000000162"), "foreign_address"),
        (lambda number: reply(number, client=17), "foreign_client"),
        (lambda number: reply(number + 1), "foreign_number"),
        (lambda number: reply(number, value(number, bytes.fromhex("20010200"))), "foreign_object"),
        (lambda number: reply(number, b"\x87\1\1\0"), "data_service"),
        (lambda number: reply(number, control=0x83), "report"),
        (lambda number: reply(number)[:-4] + b"\0\0\0\x16", "checksum"),
        (lambda number: reply(number, control=REPLY | 0x20, apdu=b"\1"), "fragment"),
        (lambda number: b"\1\2\3" + reply(number)[:3], "noise_bytes"),
    ],
)
def test_all_else_is_counted_and_passed_over(wrong: Callable[[int], bytes], reason: str) -> None:
    async def device(port: MemoryPort, request: Request, number: int) -> None:
        del request
        await port.send(wrong(number))
        await port.pause(0.2)
        await port.send(reply(number))

    found, heard = asked(device)
    assert len(found.results) == 1
    assert reason in reasons(heard)


def test_the_echo_of_the_request_is_no_reply() -> None:
    async def device(port: MemoryPort, request: Request, number: int) -> None:
        del request
        await port.send(encode(Frame(A1, 16, 0x43, bytes([5, 1, number]) + VOLTAGE + b"\0")))
        await port.send(reply(number))

    found, heard = asked(device)
    assert len(found.results) == 1
    assert heard == []


def test_silence_is_asked_twice() -> None:
    requests: list[Request] = []

    async def device(port: MemoryPort, request: Request, number: int) -> None:
        del port, number
        requests.append(request)

    with pytest.raises(NoReplyError, match="meter 000000000161 was asked for 20000200 and did not answer; check"):
        asked(device)
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("apdu", "why"),
    [
        (bytes.fromhex("EE 01 02 00"), "error 2 \\(has no such service\\)"),
        (bytes.fromhex("90 01 01 00 00"), "cannot be read without its keys"),
        (bytes.fromhex("90 02 16 00"), "security module refuses with DAR 22 \\(esam failed\\)"),
        (bytes.fromhex("85 05 01 01 00 00 00 09 00 00"), "DAR 9 \\(block unavailable\\)"),
    ],
)
def test_refusals_say_why(apdu: bytes, why: str) -> None:
    async def device(port: MemoryPort, request: Request, number: int) -> None:
        del request, number
        await port.send(reply(1, apdu))

    with pytest.raises(RefusedError, match=why):
        asked(device)


def test_blocks_are_asked_for_one_after_the_other_with_one_number() -> None:
    numbers: list[int] = []

    async def device(port: MemoryPort, request: Request, number: int) -> None:
        numbers.append(number)
        which = 0 if isinstance(request, GetRecord) else getattr(request, "block", 0) + 1
        row = bytes.fromhex("50040200") + b"\1\0" + VOLTAGE + b"\1\1" + VOLTS
        head = bytes([0x85, 5, number, which == 2]) + which.to_bytes(2, "big")
        await port.send(reply(number, head + b"\2\1" + row + b"\0\0"))

    found, heard = asked(device, GetRecord(Oad(0x5004), Latest(3), (Oad(0x2000),)))
    assert len(found.records) == 3
    assert len(set(numbers)) == 1
    assert heard == []


def test_blocks_without_end_and_out_of_order() -> None:
    async def endless(port: MemoryPort, request: Request, number: int) -> None:
        which = getattr(request, "block", -1) + 1
        await port.send(reply(number, bytes([0x85, 5, number, 0]) + which.to_bytes(2, "big") + b"\1\0\0\0"))

    with pytest.raises(RefusedError, match=f"no end after {MOST_BLOCKS} blocks"):
        asked(endless)

    async def wild(port: MemoryPort, request: Request, number: int) -> None:
        del request
        await port.send(reply(number, bytes([0x85, 5, number, 0, 0, 7]) + b"\1\0\0\0"))

    with pytest.raises(NoReplyError, match="lost the thread"):
        asked(wild)


def test_a_fragment_that_is_lost_is_no_reply() -> None:
    async def device(port: MemoryPort, request: Request, number: int) -> None:
        del request
        part = Fragment(FragmentKind.FIRST, 0, value(number)[:5])
        await port.send(reply(number, part.encode(), control=REPLY | 0x20))

    with pytest.raises(NoReplyError):
        asked(device)


def test_a_later_block_that_is_refused() -> None:
    async def device(port: MemoryPort, request: Request, number: int) -> None:
        if isinstance(request, GetNext):
            await port.send(reply(number, bytes([0x85, 5, number, 1, 0, 1, 0, 11, 0, 0])))
        else:
            await port.send(reply(number, bytes([0x85, 5, number, 0, 0, 0]) + b"\1\0\0\0"))

    with pytest.raises(RefusedError, match="DAR 11 \\(no blocks\\)"):
        asked(device)


def test_late_bytes_and_the_echo_of_a_neighbour_are_dropped_before_the_next_request() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = linked()
        line = Line(ours, heard.append, client=16, wake_up_bytes=0, baud=9600)
        for _ in range(3):
            await theirs.send(reply(9) + encode(Frame(A1, 16, 0x43, b"\5")))
        with pytest.raises(NoReplyError):
            await line.get(line.to(A1, 0), Get((Oad(0x2000),)), 1, "m", line.delay())
        line.stray(reply(3) + b"\x68\x17")

    run(scene())
    assert reasons(heard).count("late") == 4


def address_of_the_only_one(answer: Frame) -> tuple[str | None, list[str]]:
    heard: list[Observation] = []

    async def scene() -> str:
        ours, theirs = linked()
        line = Line(ours, heard.append, client=16, wake_up_bytes=0, baud=9600)

        async def serve() -> None:
            decoder = Decoder()
            while True:
                for frame in decoder.feed(await theirs.receive(1.0)):
                    _, number = decode_request(frame.payload)
                    apdu = bytearray(answer.payload)
                    apdu[2] = number
                    await theirs.send(encode(replace(answer, payload=bytes(apdu))))

        serving = asyncio.create_task(serve())
        try:
            return await line.ask_address("m", line.delay())
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    try:
        return run(scene()), reasons(heard)
    except NoReplyError:
        return None, reasons(heard)


def test_an_address_is_that_of_the_reply_or_what_it_says() -> None:
    said = b"\x85\1\0" + bytes.fromhex("40010200") + b"\1" + wire.octets(bytes.fromhex(A1)) + b"\0\0"
    assert address_of_the_only_one(Frame("202611230698", 16, REPLY, said)) == ("202611230698", [])
    assert address_of_the_only_one(Frame("A" * 12, 16, REPLY, said)) == (A1, [])
    number = b"\x85\1\0" + bytes.fromhex("40010200") + b"\1" + wire.uint16(1) + b"\0\0"
    found, counted = address_of_the_only_one(Frame("A" * 12, 16, REPLY, number))
    assert (found, set(counted)) == (None, {"data_type"})
    refused = b"\x85\1\0" + bytes.fromhex("40010200") + b"\0\6\0\0"
    assert address_of_the_only_one(Frame("A" * 12, 16, REPLY, refused)) == (None, [])
