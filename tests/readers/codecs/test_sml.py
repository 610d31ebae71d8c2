from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.sml import (
    ESCAPE,
    MAX_BYTES,
    Decoder,
    Field,
    File,
    Message,
    Number,
    encode,
    encode_field,
    encode_message,
    messages,
    read_field,
)
from readers.errors import FrameError
from tests.support.codec_properties import comes_back, slicing_never_matters, truncated_is_no_frame

# what ends with 00 is told from what fills up by the number of bytes alone
DATA = st.lists(st.sampled_from([b"\x1b", ESCAPE, b"\x1a", b"\x00", b"\x01\x01\x01\x01", b"abc"]), max_size=12).map(
    lambda parts: b"".join(parts) + b"\x00"
) | st.binary(max_size=80).map(lambda data: data + b"\x00")
FILES = st.builds(File, DATA, st.booleans(), st.sampled_from([0, 0, 4])).filter(
    lambda file: not file.more_fill or len(file.data) % 4 == 0
)


@st.composite
def numbers(draw: st.DrawFn) -> Number:
    size, is_signed = draw(st.integers(1, 8)), draw(st.booleans())
    bits = 8 * size
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    return Number(draw(st.integers(least, most)), size, is_signed)


LEAVES: st.SearchStrategy[Field] = st.one_of(st.binary(max_size=300), st.booleans(), numbers())
FIELDS: st.SearchStrategy[Field] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=20).map(tuple), max_leaves=30
)
SHALLOW: st.SearchStrategy[Field] = st.lists(LEAVES, max_size=8).map(tuple)
MESSAGES = st.builds(Message, st.binary(max_size=20), st.integers(0, 0xFFFF), SHALLOW)


def depth(field: Field) -> int:
    return 1 + max((depth(each) for each in field), default=0) if isinstance(field, tuple) else 0


@given(FILES)
def test_what_is_encoded_is_decoded(file: File) -> None:
    comes_back(Decoder(), encode(file), file)


@given(st.lists(FILES, max_size=3), st.binary(max_size=30), st.integers(1, 60))
def test_slicing_never_matters(files: list[File], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, [encode(file) for file in files], noise, size)


@given(st.binary(max_size=60), FILES)
def test_noise_never_hides_the_next_good_file(noise: bytes, file: File) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    decoder.gap()
    assert decoder.feed(encode(file))[-1:] == [file]


@given(FILES, FILES, st.data())
def test_a_file_that_is_cut_off_does_not_hide_the_next(first: File, second: File, data: st.DataObject) -> None:
    raw = encode(first)
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))].rstrip(b"\x1b")
    assert Decoder().feed(cut + encode(second))[-1:] == [second]


@given(FILES, st.data())
def test_a_truncated_file_is_no_file(file: File, data: st.DataObject) -> None:
    raw = encode(file)
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=600))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    for file in decoder.feed(ESCAPE + stream):
        messages(file)
    assert decoder.holds <= 604


def test_a_file_without_end_is_given_up() -> None:
    decoder = Decoder()
    assert decoder.feed(ESCAPE + b"\1\1\1\1" + b"a" * MAX_BYTES) == []
    assert decoder.take_rejects()["length"] == 1
    assert decoder.holds == 0


def test_what_no_reader_takes_is_refused() -> None:
    with pytest.raises(FrameError, match="at most 8192"):
        encode(File(bytes(MAX_BYTES)))


@given(FIELDS.filter(lambda field: depth(field) <= 8))
def test_fields_come_back(field: Field) -> None:
    raw = encode_field(field)
    assert read_field(raw) == (field, len(raw))


@given(FIELDS.filter(lambda field: depth(field) <= 8), st.data())
def test_a_truncated_field_is_a_fault(field: Field, data: st.DataObject) -> None:
    raw = encode_field(field)
    with pytest.raises(FrameError, match="end"):
        read_field(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=200))
def test_hostile_fields_raise_frame_errors_only(raw: bytes) -> None:
    try:
        read_field(raw)
    except FrameError as error:
        assert error.reason in ("depth", "field", "end")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("71 71 71 71 71 71 71 71 71 71 01", "depth"),
        ("60", "field"),
        ("6A 00 00 00 00 00 00 00 00 00", "field"),
        ("43 00 00", "field"),
        ("12 00", "field"),
        ("80 00", "field"),
        ("81 71 01", "field"),
        ("FF 8F 8F 0F", "field"),
        ("F1", "end"),
        ("8F 8F 0F 00", "end"),
    ],
)
def test_each_fault_of_a_field_has_its_reason(raw: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        read_field(bytes.fromhex(raw))
    assert caught.value.reason == reason


def test_a_list_that_announces_millions_costs_nothing() -> None:
    with pytest.raises(FrameError, match="end"):
        read_field(bytes.fromhex("FF 8F 0F 01 01"))


@given(st.lists(MESSAGES, max_size=3), st.booleans())
def test_messages_come_back(made: list[Message], is_kermit: bool) -> None:  # noqa: FBT001 - drawn
    data = b"".join(encode_message(message, is_kermit=is_kermit) for message in made)
    assert messages(File(data, is_kermit)) == (made, [])
    assert messages(File(b"\0\0" + data, is_kermit)) == (made, [])


@given(MESSAGES, MESSAGES)
def test_a_message_with_a_wrong_checksum_does_not_harm_the_next(first: Message, second: Message) -> None:
    raw = bytearray(encode_message(first))
    raw[-2] ^= 1
    found, faults = messages(File(bytes(raw) + encode_message(second)))
    assert found == [second]
    assert [fault.reason for fault in faults] == ["message_checksum"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("01", "message_form"),
        ("75 01 01 01 01 01", "message_form"),
        ("76 01 01 01 72 62 01 01 01 00", "message_form"),
        ("76 01 01 01 72 62 01 01 63 00 00 01", "message_form"),
        ("76 01 01 01 01 63 00 00 00", "message_form"),
        ("76 71 01 01 01 72 62 01 01 63 00 00 00", "message_form"),
        ("76 01 01 01 72 01 01 63 00 00 00", "message_form"),
        ("76 01 01 01 72 62 01", "message_end"),
    ],
)
def test_what_is_no_message_is_a_fault(raw: str, reason: str) -> None:
    found, faults = messages(File(bytes.fromhex(raw)))
    assert not found
    assert [fault.reason for fault in faults] == [reason]
