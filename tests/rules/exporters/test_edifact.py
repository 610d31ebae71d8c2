from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.config.gate_exports import CharacterSet
from rules.exporters.edifact import interchange, message, segment, written
from tests.rules.exporters.edi_reading import read_interchange, read_segment, without_end

LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20)
ELEMENT = st.one_of(LATIN, st.lists(LATIN, min_size=2, max_size=4).map(tuple))


@given(st.lists(ELEMENT, min_size=1, max_size=6))
def test_another_parser_reads_what_was_meant(elements: list[str | tuple[str, ...]]) -> None:
    wanted = [without_end([each] if isinstance(each, str) else list(each)) for each in elements]
    while wanted and not wanted[-1]:
        wanted.pop()
    assume(wanted)
    assert read_segment(segment("FTX", *elements)) == ("FTX", wanted)


@pytest.mark.parametrize(
    ("text", "as_written"),
    [("A+B", "A?+B"), ("10:15", "10?:15"), ("O'NEIL", "O?'NEIL"), ("WHAT?", "WHAT??"), ("?+:'", "???+?:?'")],
)
def test_service_characters_are_released(text: str, as_written: str) -> None:
    assert segment("FTX", text) == f"FTX+{as_written}'"


def test_empty_ends_are_not_written() -> None:
    assert segment("EQD", "CN", ("A", "", ""), "", "", "5") == "EQD+CN+A+++5'"
    assert segment("TDT", "1", "", "3", ("", "")) == "TDT+1++3'"
    assert segment("TDT", "1", ("", "146", "")) == "TDT+1+:146'"
    assert segment("UNS") == "UNS'"


def test_an_interchange_counts_what_it_holds() -> None:
    body = interchange(
        "REF1",
        (("SENDER", "14"), ("RECEIVER", "")),
        ("260302", "0915"),
        message("REF1", ("CODECO", "D", "95B", "UN", "ITG14"), ["BGM+34+1+9'", "CNT+16:1'"]),
        characters=CharacterSet.UNOA,
        is_test=True,
    )
    assert body == (
        b"UNA:+.? 'UNB+UNOA:2+SENDER:14+RECEIVER+260302:0915+REF1++++++1'UNH+REF1+CODECO:D:95B:UN:ITG14'"
        b"BGM+34+1+9'CNT+16:1'UNT+4+REF1'UNZ+1+REF1'"
    )
    read = read_interchange(body)
    assert (read.sender, read.recipient) == (["SENDER", "14"], "RECEIVER")


@pytest.mark.parametrize(
    ("text", "characters", "found"),
    [
        ("hh-ab 123", CharacterSet.UNOA, "HH-AB 123"),
        ("hh-ab 123", CharacterSet.UNOC, "hh-ab 123"),
        ("Mü 1", CharacterSet.UNOA, None),
        ("Mü 1", CharacterSet.UNOC, "Mü 1"),
        ("Mu\u0308 1", CharacterSet.UNOC, "Mü 1"),
        ("粤B12345", CharacterSet.UNOC, None),
        ("ıabc", CharacterSet.UNOA, None),
        ("a\nb", CharacterSet.UNOA, None),
        ("a\x85b", CharacterSet.UNOC, None),
        ("a@b", CharacterSet.UNOA, None),
        ("1234567890", CharacterSet.UNOA, "1234567890"),
        ("12345678901", CharacterSet.UNOA, None),
        ("", CharacterSet.UNOA, None),
        (None, CharacterSet.UNOA, None),
    ],
)
def test_what_cannot_be_written_whole_is_not_written(
    text: str | None, characters: CharacterSet, found: str | None
) -> None:
    assert written(text, 10, characters) == found


@given(st.text(max_size=12), st.sampled_from(CharacterSet))
def test_whatever_is_written_can_be_sent(text: str, characters: CharacterSet) -> None:
    found = written(text, 10, characters)
    if found is not None:
        sent = segment("FTX", found).encode("latin-1")
        assert read_segment(sent.decode("latin-1")) == ("FTX", [[found]])
