from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.pcsc_messages import MOST_BYTES, Kind, Message, encode, parse

MESSAGES = st.builds(Message, st.sampled_from(Kind), st.binary(max_size=300))


@given(st.lists(MESSAGES, max_size=4), st.binary(max_size=10))
def test_what_is_encoded_is_parsed_wherever_it_stands(messages: list[Message], before: bytes) -> None:
    buffer, at = bytearray(before + b"".join(map(encode, messages))), len(before)
    for message in messages:
        found = parse(buffer, at)
        assert found == (message, len(message.data) + 4)
        at += found[1]
    assert parse(buffer, at) is None


@given(MESSAGES, st.data())
def test_a_part_of_a_message_is_none_yet(message: Message, data: st.DataObject) -> None:
    raw = encode(message)
    assert parse(bytearray(raw[: data.draw(st.integers(0, len(raw) - 1))]), 0) is None


@pytest.mark.parametrize(("raw", "reason"), [(b"PX", "kind"), (b"PA\x04\x01", "length")])
def test_each_check_has_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        parse(bytearray(raw), 0)
    assert refused.value.reason == reason


def test_a_message_that_is_too_long_is_refused() -> None:
    with pytest.raises(FrameError, match="1025 bytes; at most 1024"):
        encode(Message(Kind.ANSWER, bytes(MOST_BYTES + 1)))
