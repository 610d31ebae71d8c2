from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from readers.codecs.thingmagic import Frame, Opcode, Status, crc16
from readers.codecs.thingmagic_tags import StreamedTag
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Condition, Observation, Rejected, TagReads, Watching
from readers.ports.memory import START_US
from simulator.rfid.thingmagic import Module
from tests.readers.rfid.thingmagic.played import EPCS, TID, Tags, answering, listen, refused
from tests.support.heard import reads_in
from tests.support.talk import US_PER_S

LOGGED = StreamedTag.parse(
    bytes.fromhex("10 00 1B 01 FF 01 01 C7 11 0E 08 30 00 00 00 0F 00 00 05 00 00 0F 00 40 10 00 59 6F 59 6F F3 13")
)
STARTED = Frame(Opcode.MULTI_PROTOCOL, b"\x01\x22\x00\x00", Status.SUCCESS)


def streamed(data: bytes, status: int = Status.SUCCESS) -> Frame:
    return Frame(Opcode.READ_TAG_MULTIPLE, data, status)


def states(heard: list[Observation]) -> list[set[int]]:
    return [set(o.antenna_ports) for o in heard if isinstance(o, Watching)]


def told(heard: list[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]


def test_every_read_comes_with_what_the_module_knows_of_it() -> None:
    reads = reads_in(listen(20))
    assert len(reads) > 190
    assert {read.epc for read in reads} == set(EPCS)
    assert {read.rssi_dbm for read in reads} == {-40.0 - n for n in range(20)}
    assert {read.antenna_port for read in reads} == {1}
    assert {read.pc_bits for read in reads} == {0x3000, 0x0800, 0}
    assert all(read.phase_deg is not None and 0 <= read.phase_deg < 180 for read in reads)
    assert {(read.count, read.tid) for read in reads} == {(1, None)}


def test_times_are_those_of_the_read_not_of_its_arrival() -> None:
    heard = listen(20, tags=Tags(step_s=0.137))
    for batch in heard:
        if isinstance(batch, TagReads):
            for read in batch.rows():
                assert read.first_seen_us == read.last_seen_us
                assert read.first_seen_us is not None
                since_us = (read.first_seen_us - START_US) % 137_000
                assert min(since_us, 137_000 - since_us) <= 1_000  # the module counts milliseconds
                assert read.first_seen_us <= batch.received_at_us


def test_tid_memory_is_read_along() -> None:
    assert {read.tid for read in reads_in(listen(5, read_tid=6))} == {TID}
    assert {read.tid for read in reads_in(listen(5, read_tid=2))} == {TID[:4]}
    assert {read.tid for read in reads_in(listen(5, read_tid=8))} == {None}  # longer than the tag's


def test_antennas_take_turns() -> None:
    reads = reads_in(listen(20, Module(ports={1: True, 2: True, 4: True})))
    assert Counter(read.antenna_port for read in reads).keys() == {1, 2, 4}


def test_the_read_filter_is_off_so_that_tags_are_read_again() -> None:
    assert Counter(read.epc for read in reads_in(listen(20)))[EPCS[0]] > 40


def test_a_single_antenna_with_a_high_return_loss_does_not_read_until_a_whole_cycle_is_good() -> None:
    heard = listen(20, Module(troubles={3: Status.HIGH_RETURN_LOSS, 4: Status.HIGH_RETURN_LOSS}))
    assert told(heard) == [("high_return_loss", "1", True), ("high_return_loss", "1", False)]
    assert states(heard) == [{1}, set(), {1}]


def test_of_several_antennas_the_others_may_still_read() -> None:
    heard = listen(20, Module(ports={1: True, 2: True}, troubles={3: Status.HIGH_RETURN_LOSS}))
    assert told(heard) == [("high_return_loss", "", True), ("high_return_loss", "", False)]
    assert states(heard) == [{1, 2}]


@pytest.mark.parametrize(
    ("status", "name", "key"),
    [
        (Status.TOO_HOT, "over_temperature", ""),
        (Status.NO_ANTENNA, "antenna_disconnected", "1"),
        (Status.CHANNEL_BUSY, "no_free_channel", ""),
    ],
)
def test_other_troubles_have_their_names(status: Status, name: str, key: str) -> None:
    heard = listen(20, Module(troubles={3: status}))
    assert told(heard) == [(name, key, True), (name, key, False)]
    assert states(heard) == [{1}, set(), {1}]


def test_a_trouble_at_the_start_is_waited_out() -> None:
    refusal = refused(Opcode.MULTI_PROTOCOL, Status.TOO_HOT)
    heard = answering(10, {Opcode.MULTI_PROTOCOL: [refusal, refusal, STARTED]})
    assert told(heard)[0] == ("over_temperature", "", True)


def test_statuses_that_are_none_of_its_business_are_counted() -> None:
    heard = listen(10, Module(troubles={1: Status.BUFFER_FULL, 2: 0x040A}))
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["status_0601", "status_040a"]
    assert states(heard) == [{1}]


def test_a_module_that_is_broken_inside_is_a_link_error() -> None:
    with pytest.raises(LinkError, match=r"reports status 7F01 \(internal assertion failed\); switch it off and on"):
        listen(10, Module(troubles={2: Status.ASSERTION}))


def test_a_module_that_tells_no_cycles_is_still_watched_over() -> None:
    heard = listen(60, Module(reports_cycles=False), Tags([EPCS[1]], step_s=2.5))
    assert len(reads_in(heard)) >= 23
    assert states(heard) == [{1}]


def test_a_module_that_shows_no_sign_is_not_watched() -> None:
    heard = listen(60, Module(reports_cycles=False), Tags([EPCS[1]], until_s=10))
    assert states(heard) == [{1}, set()]
    assert told(heard) == [("rounds_unconfirmed", "", True)]


def test_signs_after_silence_are_believed_again() -> None:
    class Late(Tags):
        def heard(self, antenna_port: int, start_us: int, until_us: int) -> list:  # type: ignore[type-arg]  # as Tags
            return super().heard(antenna_port, start_us, until_us) if start_us > START_US + 30 * US_PER_S else []

    heard = listen(60, Module(reports_cycles=False), Late([EPCS[1]]))
    assert told(heard) == [("rounds_unconfirmed", "", True), ("rounds_unconfirmed", "", False)]
    assert states(heard) == [{1}]


def test_a_start_without_an_answer_counts_when_the_stream_runs() -> None:
    with pytest.raises(LinkError, match="asked 3 times to stop"):
        answering(30, {Opcode.MULTI_PROTOCOL: streamed(LOGGED.parameters())})
    once = [streamed(LOGGED.parameters()), Frame(Opcode.MULTI_PROTOCOL, b"\x02", 0)]
    heard = answering(4, {Opcode.MULTI_PROTOCOL: once})
    assert [(read.epc, read.first_seen_us) for read in reads_in(heard)] == [(LOGGED.epc, None)]
    assert states(heard) == [{1}]


def test_a_start_without_any_answer_is_tried_again() -> None:
    stopped = Frame(Opcode.MULTI_PROTOCOL, b"\x02", 0)
    heard = answering(30, {Opcode.MULTI_PROTOCOL: stopped})
    assert told(heard) == [("rounds_unconfirmed", "", True)]


def test_a_start_that_is_refused_twice_parks_the_reader() -> None:
    with pytest.raises(DeviceRefusedError, match=r"refuses to read continuously with status 0109; another driver"):
        answering(10, {Opcode.MULTI_PROTOCOL: refused(Opcode.MULTI_PROTOCOL, 0x0109)})


def test_a_start_that_is_refused_once_is_tried_again() -> None:
    refusal = refused(Opcode.MULTI_PROTOCOL, Status.BAD_PARAMETER)
    heard = answering(2, {Opcode.MULTI_PROTOCOL: [refusal, refusal, STARTED, streamed(b"", Status.NO_TAGS)]})
    assert not told(heard)


@pytest.mark.parametrize(
    ("data", "reads", "reasons"),
    [
        (b"", 0, []),
        (LOGGED.parameters()[:-2], 0, ["length"]),
        (replace(LOGGED, air_crc=0).parameters(), 0, ["air_crc"]),
        (replace(LOGGED, protocol=3).parameters(), 0, ["protocol"]),
        (bytes.fromhex("10 01 1B 01 FF 02 03 00"), 0, []),
        (replace(LOGGED, transmitter=None, rssi_dbm=None, phase_deg=None, count=None).parameters(), 1, []),
        (replace(LOGGED, count=0, since_cycle_ms=None).parameters(), 1, []),
    ],
)
def test_what_the_stream_may_say(data: bytes, reads: int, reasons: list[str]) -> None:
    stop = Frame(Opcode.MULTI_PROTOCOL, b"\x02", 0)
    heard = answering(2, {Opcode.MULTI_PROTOCOL: [streamed(data), stop]})
    assert len(reads_in(heard)) == reads
    assert [o.reason for o in heard if isinstance(o, Rejected)] == reasons
    assert sum(o.reads_lost for o in heard if isinstance(o, Rejected)) == len(reasons)


def test_the_air_crc_may_be_ignored() -> None:
    wrong = streamed(replace(LOGGED, air_crc=0).parameters())
    stop = Frame(Opcode.MULTI_PROTOCOL, b"\x02", 0)
    heard = answering(2, {Opcode.MULTI_PROTOCOL: [wrong, stop]}, air_crc="ignored")
    assert len(reads_in(heard)) == 1


def test_a_stream_that_ends_by_itself_is_started_again() -> None:
    end = streamed(bytes.fromhex("10 00 1B 01 FF 00"))
    stop = Frame(Opcode.MULTI_PROTOCOL, b"\x02", 0)
    tag = streamed(LOGGED.parameters())
    heard = answering(2, {Opcode.MULTI_PROTOCOL: [end, stop, tag, stop]})
    assert len(reads_in(heard)) == 1


def test_reads_that_fail_the_air_crc_are_known_to_be_lost() -> None:
    def break_epc(data: bytes) -> list[bytes]:
        if data[2:3] != bytes([Opcode.READ_TAG_MULTIPLE]) or len(data) < 20:
            return [data]
        wrong = bytearray(data[: data[1] + 7])
        wrong[-6] ^= 0x10
        wrong[-2:] = crc16(bytes(wrong[1:-2])).to_bytes(2, "big")
        return [bytes(wrong) + data[len(wrong) :]]

    heard = listen(5, tags=Tags([EPCS[1]]), mangle=break_epc)
    assert not reads_in(heard)
    lost = [o for o in heard if isinstance(o, Rejected)]
    assert {o.reason for o in lost} == {"air_crc"}
    assert sum(o.reads_lost for o in lost) > 40
