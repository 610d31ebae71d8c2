from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.ascii_line import MOST_LINE_BYTES, Decoder, Found, LineForm, Pattern, Terminator, encode
from readers.errors import FrameError

MARKED = [Terminator.LINE_END, Terminator.CR, Terminator.LF, Terminator.CRLF, Terminator.ETX]
TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
FORMS = st.builds(
    LineForm, st.sampled_from(Terminator), st.sampled_from(["", "\x02", "ID:"]), st.sampled_from(["", "#", "\x04"])
)


@given(TEXTS, FORMS)
def test_what_is_encoded_is_decoded(text: str, form: LineForm) -> None:
    decoder = Decoder(form)
    assert decoder.feed(encode(text, form)) + (decoder.gap() if form.terminator is Terminator.IDLE else []) == [text]
    assert not decoder.take_rejects()


@given(st.lists(TEXTS, max_size=4), FORMS, st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(texts: list[str], form: LineForm, noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(text, form) + noise for text in texts)
    whole, sliced = Decoder(form), Decoder(form)
    found = [line for at in range(0, len(stream), size) for line in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=300), TEXTS, FORMS)
def test_noise_before_a_pause_never_hides_the_next_line(noise: bytes, text: str, form: LineForm) -> None:
    decoder = Decoder(form)
    decoder.feed(noise)
    decoder.gap()
    assert decoder.feed(encode(text, form)) + decoder.gap() == [text]


@given(st.binary(max_size=40), TEXTS, st.sampled_from(MARKED))
def test_noise_right_before_a_start_mark_hides_nothing(noise: bytes, text: str, terminator: Terminator) -> None:
    form = LineForm(terminator, prefix="\x02")
    assert Decoder(form).feed(noise + encode(text, form))[-1:] == [text]


@given(TEXTS, st.sampled_from(MARKED), st.data())
def test_a_truncated_line_is_no_line(text: str, terminator: Terminator, data: st.DataObject) -> None:
    form = LineForm(terminator)
    decoder = Decoder(form)
    assert decoder.feed(encode(text, form)[: data.draw(st.integers(0, len(text)))]) == []
    assert decoder.gap() == []


@given(st.lists(st.binary(max_size=200)), FORMS)
def test_anything_at_all_raises_nothing_and_holds_little(pieces: list[bytes], form: LineForm) -> None:
    decoder = Decoder(form)
    for piece in pieces:
        decoder.feed(piece)
        assert decoder.holds <= MOST_LINE_BYTES


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"12\x8034\r\n", "not_text"),
        (b"1" * (MOST_LINE_BYTES + 1) + b"\r\n", "too_long"),
        (b"ID:1234\r\n", "suffix"),
        (b"1234#\r\n", "prefix"),
        (b"ID:#\r\n", "not_text"),
        (b"xxID:1234#\r\n", "noise_bytes"),
    ],
)
def test_each_check_has_its_counter(raw: bytes, reason: str) -> None:
    form = LineForm(prefix="ID:", suffix="#") if b"I" in raw or b"#" in raw else LineForm()
    decoder = Decoder(form)
    assert decoder.feed(raw) == (["1234"] if reason == "noise_bytes" else [])
    assert decoder.take_rejects() == {reason: 2 if reason == "noise_bytes" else 1}


def test_a_line_is_cut_off_by_a_pause() -> None:
    decoder = Decoder(LineForm())
    assert decoder.feed(b"12") == []
    assert decoder.gap() == []
    assert decoder.feed(b"34\r\n") == ["34"]
    assert decoder.take_rejects() == {"truncated": 1}


def test_a_pause_ends_what_was_too_long() -> None:
    for terminator in (Terminator.CR, Terminator.IDLE):
        decoder = Decoder(LineForm(terminator))
        decoder.feed(b"1" * 500)
        assert decoder.gap() == []
        assert decoder.feed(b"34\r") + decoder.gap() == ["34"]
        assert decoder.take_rejects() == {"too_long": 1}


def test_empty_lines_and_blanks_mean_nothing() -> None:
    decoder = Decoder(LineForm())
    assert decoder.feed(b"\r\n\r\n  \x00 12 34 \t\r\n\n") == ["12 34"]
    assert decoder.gap() == []
    assert not decoder.take_rejects()


def test_of_two_start_marks_the_last_begins_the_line() -> None:
    decoder = Decoder(LineForm(Terminator.CR, prefix="\x02"))
    assert decoder.feed(b"\x0212\x021234\r") == ["1234"]
    assert decoder.take_rejects() == {"noise_bytes": 3}


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        ("{number}", "1EA68671", Found("1EA68671")),
        ("EPC={number};RSSI={rssi_dbm}", "EPC=3075;RSSI=-54.5", Found("3075", -54.5)),
        ("{skip:4}{number:24}{skip}", "3000" + "AB" * 12 + "C7D3", Found("AB" * 12)),
        ("{skip} {number}", "0001234567 123,45678", Found("123,45678")),
        ("[{antenna_port}] {number}!", "[ 2] 3075!", Found("3075", antenna_port=2)),
        ("{number:4}{skip}", "3075", Found("3075")),
        ("{skip};{number};{rssi_dbm} dBm", ";3075;+1 dBm", Found("3075", 1.0)),
    ],
)
def test_patterns_say_where_the_number_stands(pattern: str, line: str, found: Found) -> None:
    assert Pattern(pattern).find(line) == found


@pytest.mark.parametrize(
    ("pattern", "line", "reason"),
    [
        ("ID={number}", "EPC=3075", "pattern"),
        ("{number};", "3075", "pattern"),
        ("{number};{skip}", "3075", "pattern"),
        ("{number:4}", "30751", "pattern"),
        ("{number:4}", "307", "pattern"),
        ("{number:4};{skip}", "30751;", "pattern"),
        ("{skip:2}{number}", "30", "pattern"),
        ("{number}#", "#", "pattern"),
        ("{number} {rssi_dbm}", "3075 strong", "range"),
        ("{number} {rssi_dbm}", "3075 -1e9", "range"),
        ("{number} {antenna_port}", "3075 0", "range"),
        ("{number} {antenna_port}", "3075 256", "range"),
        ("{number} {antenna_port}", "3075 x", "range"),
    ],
)
def test_lines_that_do_not_fit_are_refused(pattern: str, line: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        Pattern(pattern).find(line)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "{number} must stand in it"),
        ("{skip}", "{number} must stand in it"),
        ("{number}{number}", "each field but {skip} once"),
        ("{number}{rssi_dbm}", "{number} has no end"),
        ("{skip}{number}", "{skip} has no end"),
        ("{epc}", "a brace that is no field"),
        ("{number:0}", "a brace that is no field"),
        ("{number}}", "a brace that is no field"),
    ],
)
def test_patterns_that_cannot_be_understood_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("{", r"\{")):
        Pattern(pattern)


@given(st.text(st.sampled_from("a;{}number:skip12"), max_size=30), st.text(st.sampled_from("a;12"), max_size=128))
def test_any_pattern_and_line_end_in_a_find_or_a_named_refusal(pattern: str, line: str) -> None:
    try:
        found = Pattern(pattern).find(line)
    except (ValueError, FrameError):
        return
    assert found.number in line


def test_a_hostile_line_costs_no_more_than_its_length() -> None:
    pattern = Pattern("{skip}a{skip}aa{skip}aaa{skip}aaaa{skip}a{number}b")
    line = "a" * MOST_LINE_BYTES
    began_s = time.perf_counter()
    for _ in range(200):
        with pytest.raises(FrameError):
            pattern.find(line)
    assert time.perf_counter() - began_s < 2.0  # a regular expression would take years
