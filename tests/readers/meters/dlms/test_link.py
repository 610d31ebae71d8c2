from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from readers.bus import NoReplyError
from readers.codecs import dlms_hdlc, dlms_wrapper
from readers.codecs.dlms_hdlc import FROM_METER, Address, Frame, Kind, encode, information, supervisory
from readers.errors import FrameError
from readers.meters.dlms.association import LostError
from readers.meters.dlms.link import HdlcLink, Wire, WrapperLink, address_of, most_information
from readers.observations import Observation, Rejected
from readers.ports.memory import MemoryPort, pair, run

METER, CLIENT = Address(1, 17, 2), Address(16)
UA = Frame(CLIENT, METER, 0x73)
DM = Frame(CLIENT, METER, 0x1F)
PUBLISHED_UA = bytes.fromhex("818014 05020080 06020080 0704 00000001 0804 00000001")


def from_meter(
    send: int, receive: int, apdu: bytes = b"\xc4", *, is_segmented: bool = False, llc: bytes = FROM_METER
) -> Frame:
    return Frame(CLIENT, METER, information(send, receive), llc + apdu, is_segmented)


def ready(number: int) -> Frame:
    return Frame(CLIENT, METER, supervisory(Kind.RECEIVE_READY, number))


Scene = Callable[[HdlcLink], Coroutine[Any, Any, Any]]


def with_meter(replies: list[list[Frame | bytes]], scene: Scene) -> tuple[Any, list[Frame], list[str]]:
    """What the scene returns, the frames that the client sent, and the rejects; each frame has its own replies."""
    ours, theirs = pair("line")
    heard: list[Observation] = []
    sent: list[Frame] = []

    async def meter() -> None:
        decoder = dlms_hdlc.Decoder()
        while True:
            for frame in decoder.feed(await theirs.receive(1.0)):
                sent.append(frame)
                for reply in replies.pop(0) if replies else []:
                    await theirs.send(reply if isinstance(reply, bytes) else encode(reply))

    async def main() -> Any:
        wire = Wire(ours, heard.append, dlms_hdlc.Decoder(), byte_s=0.001, most_bytes=2049)
        link = HdlcLink(wire, "m1", 16, METER, wire.reply_delay(1.0))
        other = asyncio.create_task(meter())
        try:
            return await scene(link)
        finally:
            other.cancel()

    result = run(main())
    return result, sent, [o.reason for o in heard if isinstance(o, Rejected)]


async def ask(link: HdlcLink) -> bytes:
    await link.open()
    await link.send(b"\xc0\x01")
    return await link.receive()


async def order(link: HdlcLink) -> bytes:
    await link.open()
    await link.send(b"\xc3\x01")
    return await link.receive(repeats=False)


def test_a_request_and_its_answer() -> None:
    apdu, sent, rejects = with_meter([[UA], [from_meter(0, 1)]], ask)
    assert apdu == b"\xc4"
    assert [frame.control for frame in sent] == [0x93, 0x10]
    assert sent[1].information == bytes.fromhex("E6E600C001")
    assert rejects == []


def test_an_answer_in_segments_is_put_together() -> None:
    pieces = [from_meter(0, 1, b"ab", is_segmented=True), from_meter(1, 1, b"cd", is_segmented=True, llc=b"")]
    replies: list[list[Frame | bytes]] = [[UA], [pieces[0]], [pieces[1]], [from_meter(2, 1, b"ef", llc=b"")]]
    apdu, sent, _ = with_meter(replies, ask)
    assert apdu == b"abcdef"
    assert [frame.control for frame in sent[2:]] == [0x31, 0x51]


def test_segments_that_come_together_are_not_asked_for() -> None:
    first = Frame(CLIENT, METER, information(0, 1) & ~0x10, FROM_METER + b"ab", is_segmented=True)
    apdu, sent, _ = with_meter([[UA], [first, from_meter(1, 1, b"cd", llc=b"")]], ask)
    assert apdu == b"abcd"
    assert len(sent) == 2


def test_segments_that_come_in_one_piece_are_all_taken() -> None:
    first = Frame(CLIENT, METER, information(0, 1) & ~0x10, FROM_METER + b"ab", is_segmented=True)
    together = encode(first)[:-1] + encode(from_meter(1, 1, b"cd", llc=b""))
    apdu, sent, rejects = with_meter([[UA], [together]], ask)
    assert apdu == b"abcd"
    assert len(sent) == 2
    assert rejects == []


def test_what_came_together_with_an_answer_is_late_for_the_next() -> None:
    async def scene(link: HdlcLink) -> bytes:
        apdu = await ask(link)
        await link.send(b"\xc0\x02")
        return apdu + await link.receive()

    together = encode(from_meter(0, 1)) + encode(ready(1))
    replies: list[list[Frame | bytes]] = [[UA], [together], [from_meter(1, 2, b"\xc5")]]
    apdu, _, rejects = with_meter(replies, scene)
    assert apdu == b"\xc4\xc5"
    assert rejects == ["late"]


def test_a_long_request_goes_in_segments_that_the_meter_acknowledges() -> None:
    async def scene(link: HdlcLink) -> bytes:
        await link.open()
        await link.send(bytes(200))
        return await link.receive()

    apdu, sent, _ = with_meter([[UA], [ready(1)], [from_meter(0, 2)]], scene)
    assert apdu == b"\xc4"
    assert [(frame.is_segmented, len(frame.information)) for frame in sent[1:]] == [(True, 128), (False, 75)]


def test_a_meter_that_takes_less_is_given_less() -> None:
    async def scene(link: HdlcLink) -> bytes:
        await link.open()
        await link.send(bytes(80))
        return await link.receive()

    small = Frame(CLIENT, METER, 0x73, bytes.fromhex("8180 06 050180 060140"))
    _, sent, _ = with_meter([[small], [ready(1)], [from_meter(0, 2)]], scene)
    assert [len(frame.information) for frame in sent[1:]] == [64, 19]


def test_a_lost_answer_is_asked_for() -> None:
    apdu, sent, _ = with_meter([[UA], [], [from_meter(0, 1)]], ask)
    assert apdu == b"\xc4"
    assert [frame.control for frame in sent[1:]] == [0x10, 0x11]


def test_a_lost_request_is_sent_again_under_its_number() -> None:
    apdu, sent, _ = with_meter([[UA], [], [ready(0)], [from_meter(0, 1)]], ask)
    assert apdu == b"\xc4"
    assert sent[3] == sent[1]


def test_a_lost_order_is_not_sent_again() -> None:
    with pytest.raises(NoReplyError, match="has not heard"):
        with_meter([[UA], [], [ready(0)], [from_meter(0, 1)]], order)


def test_an_answer_that_came_before_is_not_taken_twice() -> None:
    async def scene(link: HdlcLink) -> list[bytes]:
        found = [await ask(link)]
        await link.send(b"\xc0\x02")
        return [*found, await link.receive()]

    replies: list[list[Frame | bytes]] = [[UA], [from_meter(0, 1)], [from_meter(0, 1)], [from_meter(1, 2, b"\xc5")]]
    found, _, rejects = with_meter(replies, scene)
    assert found == [b"\xc4", b"\xc5"]
    assert rejects == ["foreign_number"]


def test_a_lost_acknowledgement_is_asked_for_and_a_lost_segment_sent_again() -> None:
    async def scene(link: HdlcLink) -> bytes:
        await link.open()
        await link.send(bytes(200))
        return await link.receive()

    apdu, sent, _ = with_meter([[UA], [], [ready(0)], [ready(1)], [from_meter(0, 2)]], scene)
    assert apdu == b"\xc4"
    assert sent[3] == sent[1]
    with pytest.raises(NoReplyError, match="a segment"):
        with_meter([[UA]], scene)


def test_a_silent_meter_is_told_with_its_address() -> None:
    with pytest.raises(NoReplyError, match=r"meter m1 \(client 16, address 02 23 on the line\) does not answer SNRM"):
        with_meter([], ask)
    with pytest.raises(NoReplyError, match="a request"):
        with_meter([[UA]], ask)


def test_a_meter_that_refuses_or_ends_the_link() -> None:
    with pytest.raises(LostError, match="DM"):
        with_meter([[DM]], ask)
    with pytest.raises(LostError, match="disconnected mode"):
        with_meter([[UA], [DM]], ask)


def test_what_is_no_answer_to_snrm_is_passed_over() -> None:
    _, _, rejects = with_meter([[ready(0)], [UA], [from_meter(0, 1)]], ask)
    assert rejects == ["foreign_kind"]


def test_foreign_echoed_garbled_and_late_frames_are_counted_and_passed_over() -> None:
    foreign = Frame(CLIENT, Address(2, 17, 2), information(0, 1), FROM_METER + b"\xc9")
    echo = Frame(METER, CLIENT, 0x10, bytes.fromhex("E6E600C001"))
    garbled = bytearray(encode(from_meter(0, 1)))
    garbled[12] ^= 0x40

    async def scene(link: HdlcLink) -> bytes:
        apdu = await ask(link)
        await asyncio.sleep(1)
        await link.send(b"\xc0\x02")
        return apdu + await link.receive()

    replies: list[list[Frame | bytes]] = [
        [UA],
        [b"\x00\x99", echo, foreign, bytes(garbled), from_meter(0, 1), ready(1)],
        [from_meter(1, 2, b"\xc5")],
    ]
    apdu, _, rejects = with_meter(replies, scene)
    assert apdu == b"\xc4\xc5"
    assert sorted(set(rejects)) == ["checksum", "foreign_address", "late", "noise_bytes"]


def test_what_is_no_apdu_is_refused() -> None:
    with pytest.raises(FrameError, match="llc"):
        with_meter([[UA], [from_meter(0, 1, llc=b"\x00\x00\x00")]], ask)
    endless: list[list[Frame | bytes]] = [
        [from_meter(n % 8, 1, bytes(4), is_segmented=True, llc=FROM_METER if not n else b"")] for n in range(64)
    ]
    with pytest.raises(FrameError, match="64 frames"):
        with_meter([[UA], *endless], ask)
    large: list[list[Frame | bytes]] = [
        [from_meter(n % 8, 1, bytes(1000), is_segmented=True, llc=FROM_METER if not n else b"")] for n in range(4)
    ]
    with pytest.raises(FrameError, match="2048 bytes"):
        with_meter([[UA], *large], ask)


def test_the_end_of_a_link_waits_for_nobody() -> None:
    async def scene(link: HdlcLink) -> None:
        await link.open()
        await link.close(b"")

    _, sent, _ = with_meter([[UA]], scene)
    assert [frame.control for frame in sent] == [0x93, 0x53]


def test_the_parameters_of_ua() -> None:
    assert most_information(PUBLISHED_UA) == 128
    assert most_information(b"") == 128
    assert most_information(bytes.fromhex("8180 03 050180")) == 128
    assert most_information(bytes.fromhex("8180 06 0501FF 060101")) == 32


@pytest.mark.parametrize(
    ("logical", "physical", "size", "raw"),
    [
        (1, None, None, "03"),
        (1, 17, None, "02 23"),
        (1, 17, 4, "00 02 00 23"),
        (1, 1200, None, "00 02 12 61"),
    ],
)
def test_addresses_on_the_line(logical: int, physical: int | None, size: int | None, raw: str) -> None:
    assert address_of(logical, physical, size).encode() == bytes.fromhex(raw)


def test_the_wrapper_carries_apdus_as_they_are() -> None:
    async def main() -> tuple[bytes, list[str]]:
        ours, theirs = pair("tcp")
        heard: list[Observation] = []
        wire = Wire(ours, heard.append, dlms_wrapper.Decoder(), byte_s=0.0, most_bytes=4096)
        link = WrapperLink(wire, "m1", 16, 1, wire.reply_delay(1.0))
        await link.open()
        await link.send(b"\xc0\x01")
        await answer(theirs)
        apdu = await link.receive()
        await link.close(b"\x62")
        with pytest.raises(NoReplyError, match="client 16, logical device 1"):
            await link.receive()
        return apdu, [o.reason for o in heard if isinstance(o, Rejected)]

    async def answer(theirs: MemoryPort) -> None:
        assert await theirs.receive(1.0) == bytes.fromhex("0001 0010 0001 0002 C001")
        for frame in (dlms_wrapper.Frame(2, 16, b"x"), dlms_wrapper.Frame(1, 16, b"\xc4")):
            await theirs.send(dlms_wrapper.encode(frame))

    assert run(main()) == (b"\xc4", ["foreign_address"])
