from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.iot_json import MOST_RECORD_BYTES, Decoder, Event, State, decoded, encode
from readers.codecs.iot_messages import encode_impinj, parse_impinj
from readers.errors import FrameError
from tests.support.codecs.iot_json import AT_US, event

TEXTS = st.integers(0, 2**32).map(lambda seed: encode_impinj(event(Random(seed))))


@given(text=TEXTS, is_sequence=st.booleans())
def test_what_is_encoded_is_decoded(*, text: bytes, is_sequence: bool) -> None:
    decoder = Decoder(parse_impinj)
    (record,) = decoder.feed(encode(text, is_sequence=is_sequence))
    assert record.text == text
    assert record.events == (parse_impinj(text),)
    assert not decoder.take_rejects()


@given(st.lists(TEXTS, max_size=3), st.binary(max_size=40), st.integers(1, 50))
def test_slicing_never_matters(texts: list[bytes], noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(text, is_sequence=True) + noise for text in texts)
    whole, sliced = Decoder(parse_impinj), Decoder(parse_impinj)
    found = [record for at in range(0, len(stream), size) for record in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=200), TEXTS)
def test_noise_before_a_start_mark_hides_nothing(noise: bytes, text: bytes) -> None:
    records = Decoder(parse_impinj).feed(noise + encode(text, is_sequence=True))
    assert records[-1].text == text


@given(TEXTS, st.data())
def test_a_truncated_record_is_none(text: bytes, data: st.DataObject) -> None:
    decoder = Decoder(parse_impinj)
    cut = data.draw(st.integers(1, len(text)))
    assert decoder.feed(text[:cut]) == []
    assert decoder.gap() == []
    assert decoder.take_rejects() == {"truncated": 1}
    assert decoder.holds == 0


@given(st.lists(st.binary(max_size=200)))
def test_anything_at_all_raises_nothing(pieces: list[bytes]) -> None:
    decoder = Decoder(parse_impinj)
    for piece in pieces:
        decoder.feed(piece)
        assert decoder.holds <= MOST_RECORD_BYTES


def test_a_record_without_end_is_bounded_and_counted_once() -> None:
    decoder = Decoder(parse_impinj)
    for _ in range(40):
        assert decoder.feed(b"x" * 10_000) == []
        assert decoder.holds <= MOST_RECORD_BYTES
    text = encode_impinj(Event(AT_US, state=State.IDLE))
    assert [record.text for record in decoder.feed(b"\n" + encode(text))] == [text]
    assert decoder.take_rejects() == {"too_long": 1}


def test_what_the_port_has_dropped_is_counted_by_its_reason() -> None:
    decoder = Decoder(parse_impinj)
    noted = b"\x1e\x1aoverflow 12\n\x1e\x1atoo_long 1\n\x1e\x1aretained 2\n"
    assert decoder.feed(noted + b"\x1e\x1a\xff\n\x1e\x1amade_up 3\n\x1e\x1aoverflow\n\x1e\x1aoverflow 0\n") == []
    assert decoder.take_rejects() == {"overflow": 12, "too_long": 1, "retained": 2, "json": 4}


def test_good_objects_of_an_array_are_kept() -> None:
    decoder = Decoder(parse_impinj)
    good = encode_impinj(Event(AT_US, state=State.IDLE))
    (record,) = decoder.feed(encode(b"[" + good + b',{},"text",' + good + b"]"))
    assert record.events == (Event(AT_US, state=State.IDLE),) * 2
    assert decoder.take_rejects() == {"unknown": 1, "fields": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[]", "unknown"),
        (b"[1", "json"),
        (b"[" * 100_000, "json"),
        (b'{"x":' * 50_000, "json"),
        (b'{"eventType":"\xff"}', "json"),
        (b"7", "fields"),
    ],
)
def test_each_check_has_its_counter(text: bytes, reason: str) -> None:
    decoder = Decoder(parse_impinj)
    assert decoder.feed(encode(text)) == []
    assert decoder.take_rejects() == {reason: 1}
    assert decoder.reject_sample


def test_blank_lines_mean_nothing() -> None:
    decoder = Decoder(parse_impinj)
    assert decoder.feed(b"\r\n\n\x1e\n  \x00\n") == []
    assert not decoder.take_rejects()


def test_decoding_names_what_is_wrong() -> None:
    import msgspec

    with pytest.raises(FrameError, match="fields"):
        decoded(msgspec.json.Decoder(int), b'"x"')
