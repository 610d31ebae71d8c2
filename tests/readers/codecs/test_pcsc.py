from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.pcsc import (
    Decoder,
    historical_bytes,
    processor_atr,
    read_binary,
    select,
    storage_atr,
    technology_of,
)
from readers.pcsc_messages import MOST_BYTES, Kind, Message, encode
from readers.tagdata.cards import Technology

MESSAGES = st.builds(Message, st.sampled_from(Kind), st.binary(max_size=300))


@given(st.lists(MESSAGES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(messages: list[Message], noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(message) + noise for message in messages)
    whole, sliced = Decoder(), Decoder()
    found = [message for at in range(0, len(stream), size) for message in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=60), MESSAGES)
def test_noise_never_hides_the_next_message(noise: bytes, message: Message) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    decoder.gap()
    assert decoder.feed(encode(message)) == [message]


@given(MESSAGES, st.data())
def test_a_truncated_message_is_none(message: Message, data: st.DataObject) -> None:
    raw = encode(Message(message.kind, bytes(len(message.data))))
    decoder = Decoder()
    assert decoder.feed(raw[: data.draw(st.integers(0, len(raw) - 1))]) == []
    assert decoder.holds < MOST_BYTES + 4


@given(st.binary(max_size=15))
def test_a_readers_atr_is_read_back(historical: bytes) -> None:
    assert historical_bytes(processor_atr(historical)) == historical


@given(st.binary(max_size=40), st.binary(min_size=1, max_size=10))
def test_any_atr_has_a_technology_or_none(atr: bytes, uid: bytes) -> None:
    assert technology_of(atr, uid) in (None, *Technology)


@pytest.mark.parametrize(
    ("atr", "uid_bytes", "technology"),
    [
        ("3B8F8001804F0CA000000306030001000000006A", 4, Technology.NFC_A),  # MIFARE Classic 1K, as published
        ("3B8F8001804F0CA0000003060300030000000068", 7, Technology.NFC_A),  # Ultralight, as published
        ("3B8180018080", 7, Technology.NFC_A),  # DESFire, as published
        (storage_atr(0x07, 0x0006).hex(), 4, Technology.NFC_B),
        (storage_atr(0x0B, 0x0014).hex(), 8, Technology.NFC_V),
        (storage_atr(0x11, 0x003B).hex(), 8, Technology.NFC_F),
        (storage_atr(0x03, 0xF012).hex(), 8, Technology.NFC_F),
        (storage_atr(0x04, 0x0001).hex(), 4, None),
        (processor_atr(bytes(8)).hex(), 4, Technology.NFC_B),
        (processor_atr(bytes(8)).hex(), 7, Technology.NFC_A),
        (processor_atr(bytes(5)).hex(), 8, None),
        ("3B6800000073C84013009000", 4, None),
        ("3B8180018081", 7, None),
        ("", 4, None),
    ],
)
def test_the_atr_says_what_a_card_speaks(atr: str, uid_bytes: int, technology: Technology | None) -> None:
    assert technology_of(bytes.fromhex(atr), bytes(uid_bytes)) == technology


def test_commands_of_the_card_standard() -> None:
    assert select(bytes.fromhex("A000000632010105")) == bytes.fromhex("00A4040008A00000063201010500")
    assert read_binary(21, 10, 10) == bytes.fromhex("00B0950A0A")
    assert read_binary(None, 0x1234, 4) == bytes.fromhex("00B0123404")
