"""The twin against published frames: what a real reader said, or would say, to the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from readers.codecs.hopeland import Ability, Decoder, Frame, Kind, Message, encode
from readers.codecs.hopeland_access import WriteTag
from readers.codecs.hopeland_tags import ReadTags, Tag
from readers.errors import LinkError
from readers.ports.memory import START_US, pair, run
from simulator.device import Radio, Sighting
from simulator.rfid.hopeland import Reader, serve
from tests.support.converse import Air, exchanged
from tests.support.shelf import Shelf, memory

EPC = bytes.fromhex("AAAABBBBCCCC20180411")
START, STARTED = "AA 02 10 00 02 01 01 71 AD", bytes.fromhex("AA 02 10 00 01 00 46 F6")
STOP, STOPPED = "AA 02 FF 00 00 A4 0F", bytes.fromhex("AA 02 FF 00 01 00 0A D8")
FINISHED = Frame(Kind.RFID, Message.FINISHED, b"\x00", is_unasked=True)


def air(*at_s: float, tid: bytes = b"", pc_bits: int | None = None) -> Air:
    return Air(*at_s, made=lambda at_us, port: Sighting(at_us, port, EPC, -55.4, tid, pc_bits=pc_bits))


def converse(
    requests: Sequence[str | bytes], seconds: float = 0.05, radio: Radio | None = None, reader: Reader | None = None
) -> list[bytes]:
    """What the reader answers to each request within that time."""
    return exchanged(lambda port: serve(port, radio or air(), reader), [(each, seconds) for each in requests])


def request(message: int, data: str = "", kind: Kind = Kind.RFID) -> bytes:
    return encode(Frame(kind, message, bytes.fromhex(data)))


def tags(raw: bytes) -> list[Tag]:
    return [Tag.parse(frame.data) for frame in Decoder().feed(raw) if frame.is_unasked and frame.message == Message.TAG]


def test_published_requests_get_the_published_answers() -> None:
    answers = converse(["AA020100020115762D", "AA020200002828", STOP, START], reader=Reader(antennas=1))
    assert [answer.hex() for answer in answers] == [
        "aa020100010092f3",
        "aa02020002011576a5",
        STOPPED.hex(),
        STARTED.hex(),
    ]


def test_questions_about_the_reader_get_answers_as_logged() -> None:
    answers = converse(["AA010000009403", "AA01060000947B", "AA011100009557"])
    info, mac, time = (Decoder().feed(answer)[0].data for answer in answers)
    assert info[:-4] == bytes.fromhex("00 01 00 13 00 10 43 4C 37 32 30 36 43 5F 32 30 31 37 30 36 30 32")
    assert mac == bytes.fromhex("6CECA1FE753A")
    assert len(time) == 8
    assert Decoder().feed(converse(["AA02000000A803"])[0])[0].data == Ability(5, 33, 4, (0, 1, 2, 3, 4)).data()


def test_a_tag_is_told_at_the_end_of_its_round() -> None:
    [answer] = converse([START], 0.3, air(0.05))
    assert answer.startswith(STARTED)
    [tag] = tags(answer)
    assert (tag.epc, tag.pc_bits, tag.antenna_port) == (EPC, 0x2800, 1)
    assert (tag.tid, tag.memory_result, tag.reader_time_us, tag.serial) == (None, None, None, None)


def test_stop_ends_the_read() -> None:
    answers = converse([START, STOP, b""], 0.25, air(0.05, 0.6))
    assert answers[1] == STOPPED
    assert answers[2] == b""


def test_a_single_read_finishes_by_itself() -> None:
    [answer] = converse(["AA021000020100F1A8"], 1.0, air(0.05, 0.5))
    frames = Decoder().feed(answer)
    assert len(tags(answer)) == 1
    assert frames[-1] == FINISHED


def test_antennas_share_a_round() -> None:
    ask = encode(Frame(Kind.RFID, Message.READ_EPC, ReadTags((1, 2, 3)).data()))
    [answer] = converse([ask], 0.2, air(0.0, 0.05, 0.0999))
    assert [tag.antenna_port for tag in tags(answer)] == [1, 2, 3]


def test_tid_is_told_when_asked_for_as_far_as_it_goes() -> None:
    ask = "AA02100005010002000614E7"
    [long] = tags(converse([ask], 0.2, air(0.05, tid=bytes(range(24))))[0])
    assert (long.tid, long.memory_result) == (bytes(range(12)), 0)
    [none] = tags(converse([ask], 0.2, air(0.05))[0])
    assert (none.tid, none.memory_result) == (None, 4)


def test_stamps_and_the_pc_word_are_the_tags_own() -> None:
    reader = Reader(stamps=True, clock_offset_us=5_000_000)
    [tag] = tags(converse([START], 0.2, air(0.05, pc_bits=0x28C3), reader)[0])
    assert (tag.reader_time_us, tag.serial, tag.pc_bits) == (START_US + 5_050_000, 1, 0x28C3)


@pytest.mark.parametrize(
    ("asked", "reader"),
    [
        (request(Message.SET_POWER, "01 22"), Reader()),
        (request(Message.SET_POWER, "05 14"), Reader()),
        (request(Message.READ_EPC, "10 01"), Reader()),
        (request(Message.READ_EPC, "01"), Reader()),
        (request(Message.READ_EPC, "01 01"), Reader(reading=True)),
        (request(Message.STOP), Reader(refuses=frozenset({(Kind.RFID, Message.STOP)}))),
    ],
)
def test_what_a_reader_refuses(asked: bytes, reader: Reader) -> None:
    [answer] = converse([asked], reader=reader)
    assert Decoder().feed(answer)[0].data == b"\x01"


@pytest.mark.parametrize("asked", [request(0x99), request(0x99, kind=Kind.READER), request(0x01, kind=Kind.TEST)])
def test_what_a_reader_does_not_know_is_an_error(asked: bytes) -> None:
    [frame] = Decoder().feed(converse([asked])[0])
    assert (frame.kind, frame.is_unasked, len(frame.data)) == (Kind.ERROR, True, 6)


def test_power_may_be_kept_at_one_antenna() -> None:
    answers = converse(
        [request(Message.SET_POWER, "01 14 02 14"), "AA020200002828"], reader=Reader(antennas=2, powers_dbm={2: 9})
    )
    assert Decoder().feed(answers[1])[0].data == bytes([1, 20, 2, 9])


def test_a_reader_may_be_mute_and_may_finish() -> None:
    reader = Reader(mute=frozenset({(Kind.READER, int(Message.INFO))}), finishes_after_rounds=2)
    answers = converse(["AA010000009403", START, b""], 1.0, reader=reader)
    assert answers[0] == b""
    assert Decoder().feed(answers[1])[-1] == FINISHED
    assert answers[2] == b""


def test_a_client_that_does_not_confirm_is_given_up() -> None:
    async def scene(confirm: bool) -> float:  # noqa: FBT001 - a case
        ours, device = pair()
        twin = asyncio.create_task(serve(device, air(), Reader(confirms_every_s=1.0)))
        decoder = Decoder()
        try:
            while ours.monotonic_s() < 30:
                for frame in decoder.feed(await ours.receive(0.5)):
                    assert (frame.kind, frame.message, frame.is_unasked) == (Kind.READER, Message.CONFIRM, True)
                    if confirm:
                        await ours.send(encode(Frame(Kind.READER, Message.CONFIRM, frame.data)))
        except LinkError:
            pass
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return ours.monotonic_s()

    assert run(scene(confirm=False)) < 8
    assert run(scene(confirm=True)) >= 30


def test_half_a_request_is_forgotten() -> None:
    assert converse(["AA 02 10 00 40 01", STOP], seconds=0.5) == [b"", STOPPED]


def test_the_band_is_told_and_kept() -> None:
    ask = request(Message.GET_BAND)
    answers = converse([ask, request(Message.SET_BAND, "04"), ask, request(Message.SET_BAND, "63"), ask])
    assert [Decoder().feed(answer)[0].data.hex() for answer in answers] == ["03", "00", "04", "01", "04"]


def test_a_filter_leaves_tags_out() -> None:
    other = encode(Frame(Kind.RFID, Message.READ_EPC, ReadTags((1,), epc=b"\x12").data()))
    assert tags(converse([other], 0.3, air(0.05))[0]) == []
    own = encode(Frame(Kind.RFID, Message.READ_EPC, ReadTags((1,), epc=EPC[:2]).data()))
    assert [tag.epc for tag in tags(converse([own], 0.3, air(0.05))[0])] == [EPC]


def test_a_write_is_answered_by_its_code() -> None:
    shelf = Shelf(memory(EPC, user=bytes(4)))
    write = encode(Frame(Kind.RFID, Message.WRITE_EPC, WriteTag(1, EPC, 3, 0, b"\x12\x34").data()))
    answers = converse([write, request(Message.WRITE_EPC, "01")], radio=shelf)
    assert [Decoder().feed(answer)[0].data for answer in answers] == [b"\x00", b"\x03"]
    assert shelf.tags[0].user == b"\x12\x34\0\0"
