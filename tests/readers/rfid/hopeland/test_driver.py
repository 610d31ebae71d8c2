from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from readers.codecs.hopeland import Decoder, Frame, Kind, Message, ReaderInfo, encode
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Condition, DeviceInfo, InForce, Observation, Rejected, TagReads, Watching
from readers.ports.memory import START_US, MemoryPort
from readers.ports.open import open_port
from readers.rfid.hopeland import DRIVER, HopelandDriver, HopelandSettings
from simulator.device import Sighting
from simulator.rfid.hopeland import Reader, serve
from simulator.server import DeviceServer
from tests.support.bad_lines import garble, half_open_for_s, hostile_connections, with_echo
from tests.support.heard import epcs_in, reads_in, rejected_in
from tests.support.talk import talk
from tests.support.turns import Turns

EPCS = [bytes.fromhex("AA120000AA02FF0000A40FAA"), bytes.fromhex("300833B2DDD9014000000001"), b"\x12\x34", b""]
TID = bytes.fromhex("E2801105200050D1B8FB0A8C")
Known = tuple[Kind, int]
START: Known = (Kind.RFID, Message.READ_EPC)
STOP: Known = (Kind.RFID, Message.STOP)


class Tags(Turns):
    def __init__(self, epcs: Sequence[bytes] = tuple(EPCS), step_s: float = 0.1, until_s: float = 1e9) -> None:
        super().__init__(epcs, step_s, until_s)

    def sighting(self, _number: int, at_us: int, antenna_port: int, epc: bytes, /) -> Sighting:
        return Sighting(at_us, antenna_port, epc, -50.0, TID)


def listen(
    seconds: float,
    reader: Reader | None = None,
    tags: Tags | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
    **settings: Any,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(), reader)

    return talk(seconds, HopelandDriver(HopelandSettings.model_validate(settings)), device, mangle)


def conditions(heard: Sequence[Observation]) -> list[tuple[str, str, str]]:
    return [(o.name, o.key, o.detail) for o in heard if isinstance(o, Condition)]


def test_a_reader_is_read() -> None:
    heard = listen(60)
    assert DeviceInfo("Hopeland", "CL7206C_20170602", "0.19", "6C:EC:A1:FE:75:3A") in heard
    assert InForce({"region": "us", "tx_power_dbm": "20 20 20 20", "antennas": "1 2 3 4"}) in heard
    assert heard.count(Watching(frozenset({1, 2, 3, 4}))) == 1
    reads = reads_in(heard)
    assert len(reads) > 590
    assert {read.epc for read in reads} == set(EPCS)
    assert {read.pc_bits for read in reads} == {0x3000, 0x0800, 0}
    assert {(read.rssi_dbm, read.tid, read.first_seen_us) for read in reads} == {(-49.8, None, None)}
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_named_antennas_are_read() -> None:
    heard = listen(20, antennas=(2, 4), tags=Tags(step_s=0.01))
    assert {read.antenna_port for read in reads_in(heard)} == {2, 4}
    assert Watching(frozenset({2, 4})) in heard


def test_tid_memory_is_read_along() -> None:
    assert {read.tid for read in reads_in(listen(5, read_tid=6))} == {TID}
    assert {read.tid for read in reads_in(listen(5, read_tid=8))} == {TID}  # as long as it is

    class Bare(Tags):
        def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
            return [seen._replace(tid=b"") for seen in super().heard(antenna_port, start_us, until_us)]

    assert {read.tid for read in reads_in(listen(5, tags=Bare(), read_tid=6))} == {None}


def test_the_readers_own_time_is_told_with_its_offset() -> None:
    heard = listen(10, Reader(stamps=True, clock_offset_us=-3_600_000_000))
    batches = [o for o in heard if isinstance(o, TagReads)]
    assert {batch.clock_offset_us for batch in batches} == {3_600_000_000}
    for batch in batches:
        for read in batch.rows():
            assert read.first_seen_us == read.last_seen_us
            assert read.first_seen_us is not None
            assert (read.first_seen_us + batch.clock_offset_us - START_US) % 100_000 == 0


def test_long_silence_is_ended_by_starting_anew() -> None:
    heard = listen(600, Reader(round_s=1.0, antennas=1), Tags([EPCS[1]], step_s=60))
    assert len(reads_in(heard)) == 10
    assert heard.count(Watching(frozenset({1}))) == 1
    assert not [o for o in heard if isinstance(o, Rejected)]


def test_a_reader_that_finishes_by_itself_is_started_again() -> None:
    heard = listen(30, Reader(finishes_after_rounds=5))
    assert len(reads_in(heard)) > 200


def test_a_client_that_is_there_says_so() -> None:
    heard = listen(120, Reader(confirms_every_s=2.0))
    assert len(reads_in(heard)) > 1_100


def test_a_former_clients_read_is_ended_and_its_tags_are_counted() -> None:
    assert reads_in(listen(10, Reader(reading=True)))
    tag = Frame(Kind.RFID, Message.TAG, bytes.fromhex("00 02 12 34 08 00 01"), is_unasked=True)
    heard = answering(2, {STOP: [tag, tag, Frame(Kind.RFID, Message.STOP, b"\x00")]})
    assert not reads_in(heard)
    assert [(o.count, o.reads_lost) for o in heard if isinstance(o, Rejected) and o.reason == "unasked"] == [(1, 1)] * 2


def test_a_module_that_knows_nothing_of_itself_is_read_all_the_same() -> None:
    unknown = frozenset((Kind.READER, message) for message in (Message.INFO, Message.MAC, Message.TIME))
    for reader in (Reader(unknown=unknown), Reader(mute=unknown)):
        heard = listen(10, reader)
        assert DeviceInfo("Hopeland") in heard
        assert reads_in(heard)


def test_a_silent_reader_is_a_link_error() -> None:
    with pytest.raises(LinkError, match=r"no byte came in answer to 'stop'.*TCP port 9090 and 115200 8N1"):
        listen(60, Reader(mute=frozenset({STOP, START})))


def test_another_device_is_a_link_error() -> None:
    with pytest.raises(LinkError, match=r"\d+ bytes came but no answer to 'stop': another speed or protocol"):
        answering(60, {STOP: Frame(Kind.LOG, 0, b"")})


def test_a_reader_that_falls_silent_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="message 02 10 was sent 3 times without an answer within 1 s"):
        listen(60, Reader(mute=frozenset({START})))


@pytest.mark.parametrize(("asked_dbm", "in_force"), [(36.0, 33), (1.0, 5)])
def test_power_is_cut_to_what_the_reader_can(asked_dbm: float, in_force: int) -> None:
    heard = listen(5, Reader(antennas=1), tx_power_dbm=asked_dbm)
    detail = f"{asked_dbm:g} dBm asked at antenna ports 1, {in_force} in force"
    assert conditions(heard) == [("setting_differs", "tx_power_dbm", detail)]


def test_power_that_is_not_kept_at_one_antenna_is_said() -> None:
    heard = listen(5, Reader(antennas=2, powers_dbm={2: 10}))
    assert conditions(heard) == [
        ("setting_differs", "tx_power_dbm", "20 dBm asked at antenna ports 1, 2, 20 10 in force")
    ]


@pytest.mark.parametrize(
    ("reader", "name", "detail"),
    [
        (Reader(refuses=frozenset({(Kind.RFID, 1)})), "setting_differs", "the reader answered code 01"),
        (Reader(unknown=frozenset({(Kind.RFID, 1)})), "setting_differs", "the reader answered error 00"),
        (Reader(unknown=frozenset({(Kind.RFID, 2)})), "setting_unverified", "error 00 00 00 02 02 00 00"),
        (Reader(mute=frozenset({(Kind.RFID, 2)})), "setting_unverified", "without an answer"),
    ],
)
def test_power_that_cannot_be_set_or_read_back_is_said(reader: Reader, name: str, detail: str) -> None:
    heard = listen(8, replace(reader, antennas=1), tx_power_dbm=30.0)
    found = conditions(heard)
    assert [(name_, key) for name_, key, _ in found] == [(name, "tx_power_dbm")]
    assert detail in found[0][2]
    assert reads_in(heard)


@pytest.mark.parametrize(
    "reader",
    [
        Reader(unknown=frozenset({(Kind.RFID, 0)})),
        Reader(mute=frozenset({(Kind.RFID, 0)})),
        Reader(refuses=frozenset({(Kind.RFID, 0)})),
    ],
)
def test_a_reader_that_does_not_tell_its_antennas_is_read_at_those_named(reader: Reader) -> None:
    heard = listen(8, reader, antennas=(2,))
    assert [(name, key) for name, key, _ in conditions(heard)] == [("setting_unverified", "antennas")]
    assert {read.antenna_port for read in reads_in(heard)} == {2}


def test_an_antenna_that_is_not_there_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match=r"settings\.antennas names port 5; this reader has 1, 2, 3, 4"):
        listen(5, antennas=(1, 5))


@pytest.mark.parametrize(
    ("reader", "why"),
    [(Reader(refuses=frozenset({START})), "code 01"), (Reader(unknown=frozenset({START})), "error 00")],
)
def test_a_reader_that_refuses_to_read_is_parked(reader: Reader, why: str) -> None:
    with pytest.raises(DeviceRefusedError, match=f"refuses to read at antenna ports 1, 2, 3, 4: {why}"):
        listen(5, reader)


def answering(seconds: float, answers: Mapping[Known, Sequence[Frame] | Frame], **settings: Any) -> list[Observation]:
    """What the driver makes of a reader that answers 00 to everything but the messages in `answers`.

    Several frames are given together.
    """

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                known = (Kind(asked.kind), asked.message)
                wanted = answers.get(known, Frame(asked.kind, asked.message, b"\x00"))
                for frame in wanted if isinstance(wanted, Sequence) else [wanted]:
                    await port.send(encode(frame))

    return talk(seconds, HopelandDriver(HopelandSettings.model_validate(settings)), device)


def test_answers_that_make_no_sense_are_counted() -> None:
    heard = answering(3, {})
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["length", "length"]  # info, time
    assert DeviceInfo("Hopeland", serial="00") in heard
    assert {(name, key) for name, key, _ in conditions(heard)} == {
        ("setting_unverified", "antennas"),
        ("setting_differs", "tx_power_dbm"),
    }


def test_text_of_the_reader_is_cleaned() -> None:
    info = ReaderInfo((1, 2), (3, 4), b"CL\x007206\xff\n ", 5)
    heard = answering(3, {(Kind.READER, 0): Frame(Kind.READER, 0, info.data())})
    [found] = [o for o in heard if isinstance(o, DeviceInfo)]
    assert (found.model, found.firmware) == ("CL7206\N{REPLACEMENT CHARACTER}", "3.4")


def test_what_the_reader_says_by_itself_is_counted_where_it_is_not_known() -> None:
    started = Frame(Kind.RFID, Message.READ_EPC, b"\x00")
    said = [
        started,
        Frame(Kind.RFID, 0x30, b"\x01", is_unasked=True),
        Frame(Kind.READER, Message.CONFIRM, b"\x01", is_unasked=True),
        Frame(Kind.RFID, Message.TAG, b"\x01", is_unasked=True),
        Frame(Kind.ERROR, 0, bytes(6), is_unasked=True),
        Frame(Kind.READER, Message.MAC, bytes(6)),
    ]
    heard = answering(4, {START: said})
    reasons = [o.reason for o in heard if isinstance(o, Rejected)]
    assert reasons[2:] == ["notice_0230", "notice_0112", "length", "error", "answer"]


def test_an_error_in_answer_to_stop_is_as_good() -> None:
    heard = answering(4, {STOP: Frame(Kind.ERROR, 0, bytes(6), is_unasked=True)})
    assert "error" in {o.reason for o in heard if isinstance(o, Rejected)}
    assert Watching(frozenset({1})) in heard


def test_a_start_that_is_refused_once_is_tried_again() -> None:
    refused = 0

    async def device(port: MemoryPort) -> None:
        nonlocal refused
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                answer = b"\x00"
                if (asked.kind, asked.message) == START and not refused:
                    refused, answer = 1, b"\x05"
                await port.send(encode(Frame(asked.kind, asked.message, answer)))

    heard = talk(4, HopelandDriver(HopelandSettings()), device)
    assert refused
    assert Watching(frozenset({1})) in heard


def test_a_reader_that_finishes_at_once_is_not_asked_without_end() -> None:
    starts = 0

    async def device(port: MemoryPort) -> None:
        nonlocal starts
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                await port.send(encode(Frame(asked.kind, asked.message, b"\x00")))
                if (asked.kind, asked.message) == START:
                    starts += 1
                    await port.send(encode(Frame(Kind.RFID, Message.FINISHED, b"\x02", is_unasked=True)))

    talk(10, HopelandDriver(HopelandSettings()), device)
    assert 50 < starts <= 101


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_wrong_tag_is_reported_and_most_right_ones_are(seed: int) -> None:
    heard = listen(300, mangle=functools.partial(garble, Random(seed), 0.2))
    reads = [read.epc for read in reads_in(heard)]
    assert set(reads) == set(EPCS)
    assert len(reads) > 2_300  # of 3,000 at a tenth to a fifth of lost frames
    assert sum(o.count for o in heard if isinstance(o, Rejected)) > 100


@pytest.mark.parametrize("seed", range(12))
def test_a_hostile_link_ends_in_a_reader_error_or_in_reads(seed: int) -> None:
    def device(number: int, port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, Tags(), Reader(reading=number > 0, confirms_every_s=3.0))

    heard = hostile_connections(seed, HopelandDriver(HopelandSettings()), device)
    assert set(epcs_in(heard)) == set(EPCS)


def test_a_half_open_link_is_noticed() -> None:
    driver = HopelandDriver(HopelandSettings())
    assert half_open_for_s(driver, lambda port: serve(port, Tags(), Reader()), "02 FF was sent 3 times") < 25


def test_local_echo_is_stripped() -> None:
    heard = with_echo(20, HopelandDriver(HopelandSettings()), lambda port: serve(port, Tags()))
    assert len(reads_in(heard)) > 190
    assert not rejected_in(heard)


def test_a_reader_is_read_over_tcp_at_its_own_port_number() -> None:
    assert DRIVER.tcp_port == 9090
    heard: list[Observation] = []

    class Now:
        def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
            return [Sighting((start_us + until_us) // 2, antenna_port, EPCS[0], -50.0)]

    async def scene() -> None:
        async with DeviceServer(lambda port: serve(port, Now(), Reader(round_s=0.02))) as server:
            port = await open_port(f"tcp://127.0.0.1:{server.port}", DRIVER)
            driver = asyncio.create_task(HopelandDriver(HopelandSettings()).run(port, heard.append))
            async with asyncio.timeout(10):
                while len(reads_in(heard)) < 20:
                    await asyncio.sleep(0.01)
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)
            await port.close()

    asyncio.run(scene())
    assert {read.epc for read in reads_in(heard)} == {EPCS[0]}
