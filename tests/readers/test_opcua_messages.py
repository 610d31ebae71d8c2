from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.opcua_messages import (
    MOST_BYTES,
    Answer,
    Call,
    Change,
    Data,
    Item,
    Message,
    Missed,
    Mode,
    Open,
    Policy,
    Read,
    Sample,
    Server,
    Watch,
    Watched,
    Write,
    encode,
    parse,
)

TEXT = st.text(max_size=20)
NUMBER = st.integers(-(1 << 53), 1 << 53)
SAMPLES = st.builds(Sample, st.none() | st.booleans() | TEXT, st.booleans(), TEXT, NUMBER, st.none() | NUMBER)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Open, st.none() | st.sampled_from(Policy), st.sampled_from(Mode)),
    st.builds(Watch, NUMBER, st.lists(st.builds(Item, NUMBER, TEXT, NUMBER, NUMBER), max_size=3).map(tuple)),
    st.builds(Read, NUMBER, st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(Write, NUMBER, TEXT, st.booleans() | TEXT),
    st.builds(Call, NUMBER, TEXT, TEXT),
    st.builds(Watched, NUMBER, st.dictionaries(st.integers(0, 99), TEXT, max_size=3)),
    st.builds(Data, st.lists(st.builds(Change, NUMBER, SAMPLES), max_size=3).map(tuple)),
    st.builds(Missed, TEXT, NUMBER),
    st.builds(Answer, NUMBER, st.lists(SAMPLES, max_size=2).map(tuple), TEXT, TEXT),
    st.just(Server("m", "p", "v", "u", Policy.NONE, Mode.NONE, ("0", "1"), 0, None)),
)


@given(st.lists(MESSAGES, max_size=4), st.binary(max_size=10))
def test_what_is_encoded_is_parsed_wherever_it_stands(messages: list[Message], before: bytes) -> None:
    buffer, at = bytearray(before + b"".join(map(encode, messages))), len(before)
    for message in messages:
        found = parse(buffer, at)
        assert found is not None
        assert found[0] == message
        at += found[1]
    assert at == len(buffer)


@given(MESSAGES, st.data())
def test_a_part_of_a_message_is_none_yet(message: Message, data: st.DataObject) -> None:
    raw = encode(message)
    assert parse(bytearray(raw[: data.draw(st.integers(1, len(raw) - 1))]), 0) is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x1e{\x1e", "truncated"),
        (b"\x1e{\n", "json"),
        (b"\x1e\xff\n", "json"),
        (b"\x1e" + b"[" * 100_000 + b"\n", "fields"),
        (b'\x1e{"type":"dance"}\n', "fields"),
        (b'\x1e{"type":"alive","state":"x"}\n', "fields"),
        (b"\x1e" + b" " * (MOST_BYTES + 2), "length"),
    ],
)
def test_each_check_has_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        parse(bytearray(raw), 0)
    assert refused.value.reason == reason


def test_a_message_that_is_too_long_is_refused() -> None:
    with pytest.raises(FrameError, match="at most 262144"):
        encode(Missed("x" * MOST_BYTES, 1))
