from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.thingmagic_tags import (
    ALL_METADATA,
    Metadata,
    ReadPlan,
    Response,
    Search,
    StreamedTag,
    response_type,
)
from readers.errors import FrameError
from tests.support.codecs.thingmagic import tag as any_tag

START = bytes.fromhex("00 00 01 22 00 00 05 07 22 10 00 1B 03 E8 01 FF")
START_WITH_TID = bytes.fromhex("00 00 01 22 00 00 05 13 22 10 00 1F 03 E8 0F FF 01 09 28 07 D0 00 02 00 00 00 00 06")
LOGGED = bytes.fromhex(
    "10 00 1B 01 FF 01 01 C7 11 0E 08 30 00 00 00 0F 00 00 05 00 00 0F 00 40 10 00 59 6F 59 6F F3 13"
)
CUT = bytes.fromhex("10 00 1B 01 FF 01 01 D9 22 0D C6 5E 00 00 00 14 00 B1 05 00 00 00 00 20 02 18 17 AB")


def test_the_published_start() -> None:
    assert ReadPlan().data() == START
    assert ReadPlan.parse(START) == ReadPlan()


def test_the_start_with_tid_as_the_makers_library_sends_it() -> None:
    plan = ReadPlan(tid_words=6, metadata=0x0FFF)
    assert plan.data() == START_WITH_TID
    assert ReadPlan.parse(START_WITH_TID) == replace(plan, search=plan.search | Search.EMBEDDED)


@given(st.integers(0, 0xFFFF), st.integers(0, 255))
def test_a_plan_comes_back(cycle_ms: int, tid_words: int) -> None:
    plan = ReadPlan(cycle_ms, tid_words)
    assert ReadPlan.parse(plan.data()).data() == plan.data()


def test_flags_that_bring_more_fields() -> None:
    body = bytes.fromhex("10 05 7B 03 E8 00 64 01 FF 00 00 00 05 00 80")  # off time, stop after 5 tags, figures
    plan = ReadPlan.parse(START[:7] + bytes([len(body), 0x22]) + body)
    assert (plan.cycle_ms, plan.metadata, plan.tid_words) == (1000, ALL_METADATA, 0)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("00 00 02", "no start"),
        ("00 00 01 21 00 00 05 07 22 10 00 1B 03 E8 01 FF", "no start"),
        ("00 00 01 22 00 00 03 07 22 10 00 1B 03 E8 01 FF", "another protocol"),
        ("00 00 01 22 00 00 05 08 22 10 00 1B 03 E8 01 FF", "longer or shorter"),
        ("00 00 01 22 00 00 05 07 22 11 00 1B 03 E8 01 FF", "filters are not played"),
        ("00 00 01 22 00 00 05 07 22 10 00 1F 03 E8 01 FF", "3 bytes were to come"),
        (
            "00 00 01 22 00 00 05 13 22 10 00 1F 03 E8 01 FF 01 09 28 07 D0 00 03 00 00 00 00 06",
            "another command for each tag",
        ),
    ],
)
def test_plans_that_are_not_played_are_refused(raw: str, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        ReadPlan.parse(bytes.fromhex(raw))


def test_the_logged_tag() -> None:
    tag = StreamedTag.parse(LOGGED)
    assert (tag.epc.hex(), tag.rssi_dbm, tag.transmitter, tag.receiver) == ("596f596f", -57, 1, 1)
    assert (tag.frequency_khz, tag.since_cycle_ms, tag.phase_deg, tag.gpio) == (919_600, 15, 0, 0x0F)
    assert tag.has_right_crc
    assert tag.parameters() == LOGGED


@given(st.integers(0, 2**32))
def test_what_is_told_is_read(seed: int) -> None:
    tag = any_tag(Random(seed))
    assert StreamedTag.parse(tag.parameters()) == tag


@given(st.integers(0, 2**32), st.integers(0, int(ALL_METADATA)))
def test_every_choice_of_metadata_is_read_by_its_flags(seed: int, flags: int) -> None:
    def chosen(flag: Metadata) -> bool:
        return bool(flags & flag)

    full = any_tag(Random(seed))
    tag = replace(
        full,
        count=full.count if chosen(Metadata.COUNT) else None,
        rssi_dbm=full.rssi_dbm if chosen(Metadata.RSSI) else None,
        transmitter=full.transmitter if chosen(Metadata.ANTENNA) else None,
        receiver=full.receiver if chosen(Metadata.ANTENNA) else None,
        frequency_khz=full.frequency_khz if chosen(Metadata.FREQUENCY) else None,
        since_cycle_ms=full.since_cycle_ms if chosen(Metadata.TIME) else None,
        phase_deg=full.phase_deg if chosen(Metadata.PHASE) else None,
        protocol=full.protocol if chosen(Metadata.PROTOCOL) else None,
        data=full.data if chosen(Metadata.DATA) else None,
        gpio=full.gpio if chosen(Metadata.GPIO) else None,
    )
    assert StreamedTag.parse(tag.parameters()) == tag


@given(st.integers(0, 2**32), st.data())
def test_a_truncated_tag_is_refused(seed: int, data: st.DataObject) -> None:
    raw = any_tag(Random(seed)).parameters()
    with pytest.raises(FrameError):
        StreamedTag.parse(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=80), st.sampled_from([b"", LOGGED[:7], CUT[:20]]))
def test_hostile_data_raise_frame_errors_only(data: bytes, head: bytes) -> None:
    for parse in (StreamedTag.parse, ReadPlan.parse, response_type):
        try:
            parse(head + data)
        except FrameError as error:
            assert error.reason in (  # noqa: PT017 - either outcome is right
                "length",
                "range",
                "response",
                "metadata",
                "protocol",
            )


@pytest.mark.parametrize("words", ["0004", "80040001"])
@pytest.mark.parametrize("counted", [0, 1])
def test_xpc_words_are_no_part_of_the_epc(words: str, counted: int) -> None:
    xpc, epc = bytes.fromhex(words), bytes.fromhex("30751FEB705C5904E3D50D70")
    length = len(epc) // 2 + counted * len(xpc) // 2
    tag = replace(StreamedTag.parse(LOGGED), pc_bits=length << 11 | 0x0200, epc=epc, xpc=xpc).with_right_crc()
    assert StreamedTag.parse(tag.parameters()) == tag


def test_a_tag_that_was_cut_as_published_is_refused() -> None:
    with pytest.raises(FrameError, match="PC 0218 announces an XPC word that did not come"):
        StreamedTag.parse(CUT)


def test_an_epc_that_contradicts_its_pc_is_refused() -> None:
    tag = replace(StreamedTag.parse(LOGGED), pc_bits=0x1800)
    with pytest.raises(FrameError, match="PC 1800 announces 6 bytes of EPC, 4 came"):
        StreamedTag.parse(tag.parameters())


def test_a_length_in_bits_that_makes_no_words_is_refused() -> None:
    with pytest.raises(FrameError, match="65 bits of tag are announced"):
        StreamedTag.parse(LOGGED[:23] + b"\x41" + LOGGED[24:])


def test_other_protocols_and_unknown_metadata_are_refused() -> None:
    with pytest.raises(FrameError, match="protocol 03; 05 is Gen2"):
        StreamedTag.parse(replace(StreamedTag.parse(LOGGED), protocol=3).parameters())
    with pytest.raises(FrameError, match="unknown metadata flags 1000"):
        StreamedTag.parse(LOGGED[:3] + b"\x11" + LOGGED[4:])
    with pytest.raises(FrameError, match="response type 02 is no tag"):
        StreamedTag.parse(LOGGED[:5] + b"\x02" + LOGGED[6:])


def test_gen2_metadata_of_newer_firmware_are_passed_over() -> None:
    raw = LOGGED[:3] + b"\x0f" + LOGGED[4:22] + b"\x04\x00\x01" + LOGGED[22:]  # Q, link frequency, target
    assert StreamedTag.parse(raw) == StreamedTag.parse(LOGGED)


def test_a_command_for_the_tag_that_failed_gives_no_data() -> None:
    raw = LOGGED[:19] + b"\x80\x00\x04\x0a" + LOGGED[21:]
    assert StreamedTag.parse(raw) == StreamedTag.parse(LOGGED)


def test_a_second_option_byte_is_passed_over() -> None:
    tag = StreamedTag.parse(b"\x88" + LOGGED)
    assert tag.options == b"\x88\x10"
    assert replace(tag, options=b"\x10") == StreamedTag.parse(LOGGED)


def test_response_types() -> None:
    assert response_type(LOGGED) == Response.TAG
    assert response_type(b"\x88" + LOGGED) == Response.TAG
    assert response_type(bytes.fromhex("00 00 1B 02")) == Response.FIGURES
    with pytest.raises(FrameError, match="1 bytes were to come"):
        response_type(LOGGED[:5])


def test_antenna_16_is_told_as_0() -> None:
    tag = replace(StreamedTag.parse(LOGGED), transmitter=16, receiver=16)
    assert tag.parameters()[8] == 0
    assert StreamedTag.parse(tag.parameters()).transmitter == 16


def test_a_wrong_tag_crc_is_seen() -> None:
    assert not StreamedTag.parse(LOGGED[:-1] + b"\x14").has_right_crc
