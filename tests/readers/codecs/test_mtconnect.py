from __future__ import annotations

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.mtconnect import (
    DEEPEST,
    EXECUTION,
    MOST_ITEMS,
    MOST_TEXT,
    Decoder,
    Header,
    microseconds,
    read_document,
)
from readers.errors import FrameError
from readers.http_messages import Answer, encode
from tests.support.codecs.mtconnect import sample

HEADER = (
    '<Header instanceId="7" firstSequence="1" lastSequence="2" nextSequence="3" creationTime="2026-11-23T12:00:00Z"/>'
)


def streams(body: str, header: str = HEADER) -> bytes:
    return (
        f'<MTConnectStreams xmlns="urn:mtconnect.org:MTConnectStreams:1.3">{header}{body}</MTConnectStreams>'.encode()
    )


def component(body: str) -> bytes:
    return streams(
        f'<Streams><DeviceStream name="m"><ComponentStream component="Path">{body}</ComponentStream></DeviceStream>'
        "</Streams>"
    )


@given(st.lists(st.integers(0, 1 << 30), max_size=3), st.binary(max_size=40), st.integers(1, 400))
def test_slicing_never_matters(seeds: list[int], noise: bytes, size: int) -> None:
    stream = noise + b"".join(sample(Random(seed)) + noise for seed in seeds)
    whole, sliced = Decoder(), Decoder()
    found = [answer for at in range(0, len(stream), size) for answer in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_noise_never_hides_the_next_answer(noise: bytes, body: bytes) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    decoder.gap()
    assert decoder.feed(encode(Answer(200, body))) == [Answer(200, body)]


def test_a_document_as_agents_write_it() -> None:
    found = read_document(
        component(
            '<Samples><Position dataItemId="x" sequence="1" timestamp="2026-11-23T12:00:00.25Z">125.5</Position>'
            "</Samples>"
            '<Events><Execution dataItemId="exec" name="e" sequence="2">ACTIVE</Execution>'
            '<VariableDataSet count="1" dataItemId="v" sequence="3"><Entry key="100">66.3</Entry></VariableDataSet>'
            "</Events>"
            '<Condition><Unavailable dataItemId="sys" sequence="4" type="SYSTEM"/>'
            '<Warning dataItemId="sys" nativeCode="313" sequence="5" type="LOGIC_PROGRAM">PALLET &amp; ARM</Warning>'
            "</Condition>"
        )
    )
    assert found.header == Header(7, 1, 2, 3, 1_795_435_200_000_000, "")
    assert [(each.category, each.kind, each.item, each.text, each.sequence) for each in found.observations] == [
        ("SAMPLE", "Position", "x", "125.5", 1),
        ("EVENT", "Execution", "exec", "ACTIVE", 2),
        ("EVENT", "VariableDataSet", "v", "", 3),
        ("CONDITION", "Unavailable", "sys", "", 4),
        ("CONDITION", "Warning", "sys", "PALLET & ARM", 5),
    ]
    assert found.observations[0].at_us == 1_795_435_200_250_000
    assert found.observations[4].native_code == "313"
    assert {each.device for each in found.observations} == {"m"}


def test_errors_and_their_older_form() -> None:
    for body in (
        '<Errors><Error errorCode="OUT_OF_RANGE">too late</Error></Errors>',
        '<Error errorCode="OUT_OF_RANGE">too late</Error>',
    ):
        document = read_document(f"<MTConnectError>{HEADER}{body}</MTConnectError>".encode())
        assert document.errors == [("OUT_OF_RANGE", "too late")]


BOMB = b'<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><MTConnectStreams><Header/>&b;</MTConnectStreams>'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BOMB, "entity"),
        (b'<!DOCTYPE MTConnectStreams SYSTEM "file:///etc/passwd"><MTConnectStreams/>', "entity"),
        (BOMB.decode().encode("utf-16"), "encoding"),
        (b"\xff\xfe", "encoding"),
        (b"", "xml"),
        (b"<html><body>404</body></html>", "root"),
        (b"<MTConnectStreams><Header>", "xml"),
        (b"<MTConnectStreams/>", "root"),
        (b"<MTConnectStreams><Header/>&b;</MTConnectStreams>", "xml"),
        (streams("<a>" * DEEPEST + "</a>" * DEEPEST), "depth"),
        (component(f"<Events>{'<E/>' * (MOST_ITEMS + 1)}</Events>"), "length"),
    ],
    ids=range(11),
)
def test_what_is_dangerous_or_no_document_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        read_document(body)
    assert refused.value.reason == reason


def test_another_encoding_that_it_only_claims_changes_nothing() -> None:
    text = f'<?xml version="1.0" encoding="UTF-7"?>{component("<Events><E>+ADw-</E></Events>").decode()}'
    assert read_document(text.encode()).observations[0].text == "+ADw-"
    assert read_document(b"\xef\xbb\xbf" + text.encode()).observations


def test_texts_and_attributes_are_cut_short() -> None:
    long = "x" * 100_000
    (found,) = read_document(component(f'<Events><E dataItemId="{long}">{long}</E></Events>')).observations
    assert len(found.text) == len(found.item) == MOST_TEXT


@pytest.mark.parametrize("text", ["-1", "1e3", "٣", "", "9" * 40, "0x10"])
def test_a_number_that_is_none_is_0(text: str) -> None:
    assert read_document(streams("", f'<Header instanceId="{text}"/>')).header.instance == 0


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z"]
)
def test_a_time_that_is_none(text: str) -> None:
    assert microseconds(text) is None


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_document_or_refused(body: bytes) -> None:
    with contextlib.suppress(FrameError):
        assert read_document(body).root


def test_every_word_of_execution_is_a_state() -> None:
    assert EXECUTION["ACTIVE"] == "execute"
    assert EXECUTION["FEED_HOLD"] == EXECUTION["INTERRUPTED"] == "held"
    assert "UNAVAILABLE" not in EXECUTION
