from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.iec62056 import (
    MAX_BYTES,
    Data,
    DataSet,
    Decoder,
    Frame,
    Identification,
    Request,
    Select,
    encode,
)
from readers.errors import FrameError
from tests.support.codec_properties import comes_back, is_counted_as, slicing_never_matters, truncated_is_no_frame

NAMES = st.from_regex(r"[0-9A-Z]{1,2}\.[0-9A-Z]{1,2}(\.[0-9]{1,2})?(\*[0-9]{2})?", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="()"), max_size=12)
SETS = st.builds(DataSet, NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple))
LINES = st.lists(SETS, min_size=1, max_size=3).map(tuple)
DATA = st.builds(Data, st.lists(LINES, min_size=1, max_size=6).map(tuple), st.booleans())
MODELS = st.text("ABCabc0123456789\\.-@ ", max_size=16)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    DATA,
    st.builds(Request, st.text("0123456789", max_size=16)),
    st.builds(Identification, st.sampled_from(["LGZ", "ISk", "EMH"]), st.sampled_from("0569ABF "), MODELS),
    st.builds(Select, st.sampled_from("0123456"), st.sampled_from("012")),
)


@given(FRAMES, st.booleans())
def test_what_is_encoded_is_decoded(frame: Frame, parity: bool) -> None:  # noqa: FBT001 - drawn
    comes_back(Decoder(), encode(frame, parity=parity), frame)


@given(st.lists(FRAMES, max_size=3), st.binary(max_size=20), st.integers(1, 60))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, [encode(frame) for frame in frames], noise, size)


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_message(noise: bytes, frame: Frame) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    decoder.gap()
    assert decoder.feed(encode(frame))[-1:] == [frame]


@given(FRAMES, st.data())
def test_a_truncated_message_is_no_message(frame: Frame, data: st.DataObject) -> None:
    raw = encode(frame)
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(DATA, st.data())
def test_parity_and_block_check_see_every_wrong_bit(readout: Data, data: st.DataObject) -> None:
    raw = bytearray(encode(readout))
    raw[data.draw(st.integers(1, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert readout not in Decoder().feed(bytes(raw))


@given(st.binary(max_size=600))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(b"\x02" + stream)
    assert decoder.holds <= 601


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("2F 4C 47 5A 35 07", "character"),
        ("AF CC 46", "parity"),
        ("AF CC 47 5A 37 8D 0A", "parity"),
        ("2F 4C 47 0D 0A", "form"),
        ("06 30 35 0D 0A", "form"),
        ("02 31 03 32", "form"),
        ("02 31 28 29 03 30", "checksum"),
        ("02 31 28 29 03 B3", "checksum"),
        ("82 B1 28 A9 03 B2", "checksum"),
        ("82 B1 28 A9 03 32", "parity"),
    ],
)
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason)


@pytest.mark.parametrize("start", [b"\x02", b"/", b"\x06"])
def test_a_message_without_end_is_given_up(start: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(start + b"1" * MAX_BYTES) == []
    assert decoder.take_rejects()["length"] == 1
    assert decoder.holds == 0


def test_what_no_reader_takes_is_refused() -> None:
    with pytest.raises(FrameError, match="at most 32768"):
        encode(Data(((DataSet("1.8.0", ("1" * MAX_BYTES,)),),)))


def test_the_unit_of_a_pulse_is_no_identification() -> None:
    decoder = Decoder()
    assert decoder.feed(b"0.3.0(500*Imp/kWh)\r\n1.8.0(1*kWh)\r\n") == []
    assert decoder.take_rejects()["form"] == 1


def test_values_on_a_line_of_their_own_belong_to_the_name_before() -> None:
    data = Data(((DataSet("1.6.1", ("01.234*kW",)), DataSet("2.6.1", ("0*kW",))), (DataSet("", ("1301311015",)),)))
    assert data.sets == [DataSet("1.6.1", ("01.234*kW",)), DataSet("2.6.1", ("0*kW", "1301311015"))]
    assert Data(((DataSet("", ("ER01",)),),)).sets == [DataSet("", ("ER01",))]


@pytest.mark.parametrize(
    ("model", "product"), [("\\2ZMD", "ZMD"), ("\\@D4EM", "D4EM"), ("\\2\\WZMD", "ZMD"), ("\\", "")]
)
def test_marks_are_no_part_of_the_model(model: str, product: str) -> None:
    assert Identification("LGZ", "5", model).product == product
