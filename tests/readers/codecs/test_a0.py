from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.a0 import (
    MAX_DATA_BYTES,
    RSSI_OFFSET_DBM,
    Command,
    Decoder,
    Failure,
    Frame,
    Result,
    RoundEnd,
    TagReport,
    encode,
    inventory_answer,
    pc_bits_for,
    result_name,
    status_of,
)
from readers.errors import FrameError
from tests.support.codec_properties import (
    comes_back,
    is_counted_as,
    noise_hides_no_frame,
    slicing_never_matters,
    truncated_is_no_frame,
)

BYTES = st.integers(0, 255)
FRAMES = st.builds(Frame, BYTES, BYTES, st.binary(max_size=MAX_DATA_BYTES))
EPCS = st.binary(max_size=62).filter(lambda epc: len(epc) % 2 == 0)
EPC = bytes.fromhex("A01301890430A00A018900FF")
TAGS = EPCS.flatmap(
    lambda epc: st.builds(
        TagReport,
        st.integers(0, 63),
        st.integers(1, 8),
        st.just(pc_bits_for(epc)),
        st.just(epc),
        st.integers(RSSI_OFFSET_DBM, -2),
        st.none() | st.integers(0, 65_535),
    )
)
ENDS = st.builds(RoundEnd, st.integers(0, 0xFFFFFF), st.integers(1, 8), st.integers(0, 0xFFFF)) | st.builds(
    RoundEnd, st.integers(0, 0xFFFFFF), duration_ms=st.integers(0, 0xFFFFFFFF)
)
FAILURES = st.builds(Failure, BYTES)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    comes_back(Decoder(), encode(frame), frame)


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, map(encode, frames), noise, size)


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@pytest.mark.parametrize("seed", range(200))
def test_noise_right_before_a_frame_only_delays_it(seed: int) -> None:
    """Start bytes in the noise may announce more than comes; what follows, or a silence, shows that they lied."""
    rng = Random(seed)
    noise = bytes(rng.choice([0xA0, 0x00, 0x13, 0xFF, 0x7E]) for _ in range(rng.randint(1, 8)))
    frame = Frame(1, Command.REAL_TIME, TagReport(1, 1, pc_bits_for(EPC), EPC, -60).data())
    decoder = Decoder()
    found = decoder.feed(noise + encode(frame)) + decoder.gap()
    assert frame in found


@given(FRAMES, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    plain = Frame(1, frame.command if frame.command != 0xA0 else 0, bytes(len(frame.data)))
    raw = encode(plain)
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=800))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < MAX_DATA_BYTES + 5


@pytest.mark.parametrize(("raw", "reason"), [("A0 02 01 72", "length"), ("A0 03 01 72 EB", "checksum")])
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason)


@given(FRAMES, st.data())
def test_no_single_wrong_bit_ever_passes(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode(frame))
    at = data.draw(st.integers(2, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    decoder = Decoder()
    assert frame not in [*decoder.feed(bytes(raw)), *decoder.gap()]


def test_data_that_no_frame_can_hold_are_refused() -> None:
    with pytest.raises(FrameError, match="253 bytes of data; at most 252"):
        encode(Frame(1, 0x72, bytes(253)))


@given(TAGS)
def test_a_tag_of_any_epc_length_antenna_and_phase(tag: TagReport) -> None:
    assert TagReport.parse(tag.data()) == tag


@given(TAGS, ENDS, FAILURES, st.integers(0, 7))
def test_lengths_tell_tags_ends_and_errors_apart(tag: TagReport, end: RoundEnd, failure: Failure, antenna: int) -> None:
    one = Command.FAST_SWITCH if end.antenna is None else Command.SESSION
    assert inventory_answer(Frame(1, one, tag.data())) == tag
    assert inventory_answer(Frame(1, one, end.data())) == end
    assert inventory_answer(Frame(1, one, bytes([failure.code]))) == failure
    of_one = Frame(1, Command.FAST_SWITCH, bytes([antenna, failure.code]))
    assert inventory_answer(of_one) == Failure(failure.code, antenna + 1)


@pytest.mark.parametrize("xpc", ["0004", "80040001"])
def test_xpc_words_are_no_part_of_the_epc(xpc: str) -> None:
    words = bytes.fromhex(xpc)
    tag = TagReport(0, 1, pc_bits_for(words + EPC) | 0x0200, EPC, -50, None, words)
    assert TagReport.parse(tag.data()) == tag


@given(BYTES, st.binary(max_size=100))
def test_hostile_answers_raise_frame_errors_only(command: int, data: bytes) -> None:
    try:
        inventory_answer(Frame(1, command, data))
    except FrameError as error:
        assert error.reason == "length"  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("04 30 00 E2 00 42", "PC 3000 announces 12 bytes of EPC, 2 came"),
        ("04 02 00 42", "an XPC word that did not come"),
        ("", "0 bytes are no answer to an inventory"),
        ("01 02 03", "3 bytes are no answer to an inventory"),
    ],
)
def test_data_that_contradict_themselves_are_refused(data: str, text: str) -> None:
    with pytest.raises(FrameError, match=text):
        inventory_answer(Frame(1, Command.REAL_TIME, bytes.fromhex(data)))


@pytest.mark.parametrize(
    ("command", "data", "status"),
    [
        (Command.SET_WORK_ANTENNA, "10", Result.SUCCESS),
        (Command.GET_WORK_ANTENNA, "03", None),
        (Command.GET_WORK_ANTENNA, "22", Result.ANTENNA_MISSING),
        (Command.GET_POWER, "10", None),  # 16 dBm
        (Command.GET_POWER, "41", Result.PARAMETER_INVALID),
        (Command.GET_FIRMWARE, "01 09", None),
        (Command.GET_FIRMWARE, "11", Result.COMMAND_FAIL),
        (Command.GET_TEMPERATURE, "01 1B", None),
        (Command.GET_RETURN_LOSS, "0A", None),
        (Command.GET_RETURN_LOSS, "EE", Result.RETURN_LOSS_FAIL),
        (Command.GET_DETECTOR, "11", None),
        (0x99, "10", Result.SUCCESS),
    ],
)
def test_whether_an_answer_has_a_result_code_depends_on_command_and_length(
    command: int, data: str, status: int | None
) -> None:
    assert status_of(Frame(1, command, bytes.fromhex(data))) == status


def test_codes_have_names() -> None:
    assert result_name(0x36) == "no_tag"
    assert result_name(0x55) == "copyright_authentication_fail"
    assert result_name(0x99) == "error_99"
