from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.uhfreader import (
    EPC_BYTES_MOST,
    MAX_BODY_BYTES,
    MAX_FRAME_BYTES,
    SMART_SESSION,
    AntennaState,
    Command,
    Decoder,
    Form,
    Frame,
    Heartbeat,
    Inventory,
    Tag,
    antenna_byte,
    encode,
    parse_report,
    parse_tags,
    tag_block,
    tag_data,
)
from readers.errors import FrameError
from tests.support.codec_properties import (
    comes_back,
    is_counted_as,
    noise_hides_no_frame,
    slicing_never_matters,
    truncated_is_no_frame,
)

BODIES = st.binary(min_size=1, max_size=MAX_BODY_BYTES)
FRAMES = st.builds(
    Frame, st.integers(0, 255), st.sampled_from([c for c in Command if c != Command.NOT_UNDERSTOOD]), BODIES
)
EPCS = st.binary(max_size=40).filter(lambda epc: len(epc) % 2 == 0)
TAGS = st.builds(
    Tag,
    EPCS,
    st.just(()),
    st.integers(0, 255),
    st.one_of(st.none(), st.binary(min_size=12, max_size=12)),
    st.just(b"\x01\x02\x03\x04"),
    st.integers(0, 0xFFFFFF),
)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    comes_back(Decoder(), encode(frame), frame)
    assert bytes([frame.status]) + frame.data == frame.body


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, map(encode, frames), noise, size)


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@given(st.binary(min_size=1, max_size=60), FRAMES)
def test_noise_right_before_a_frame_hides_it_until_the_pause_at_most(noise: bytes, frame: Frame) -> None:
    decoder = Decoder()
    assert frame in decoder.feed(noise + encode(frame)) + decoder.gap()


@given(st.integers(0, 255), st.integers(1, MAX_BODY_BYTES), st.data())
def test_a_truncated_frame_is_no_frame(address: int, size: int, data: st.DataObject) -> None:
    raw = encode(Frame(address, Command.INVENTORY, bytes(size)))
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=600))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < MAX_FRAME_BYTES


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("03", "noise_bytes"),
        ("05 00 99 00 00 00", "command"),
        ("07 00 00 FE 00 00 00 00", "length"),
        ("07 00 01 01 01 00 1E 4C", "checksum"),
        ("56 00 00 00 00 00", "length"),  # what some device servers say every now and then
    ],
)
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason, once=False)


def test_commands_are_frames_for_those_who_want_them() -> None:
    raw = encode(Frame(0xFF, Command.INFO))
    assert raw == bytes.fromhex("04 FF 21 19 95")
    assert Decoder(least=4).feed(raw) == [Frame(0xFF, Command.INFO)]
    assert Decoder().feed(raw) == []


def test_bodies_that_no_length_can_say_are_refused() -> None:
    with pytest.raises(FrameError, match="252 bytes of body; at most 251"):
        encode(Frame(0, Command.INFO, bytes(252)))


@given(
    st.builds(
        Inventory,
        antenna=st.integers(1, 16),
        scan_ds=st.integers(0, 255),
        q=st.integers(0, 15),
        session=st.sampled_from([0, 1, 2, 3, SMART_SESSION]),
        target=st.sampled_from([0, 1]),
        fast_id=st.booleans(),
        with_phase=st.booleans(),
    )
)
def test_the_parameters_of_an_inventory(inventory: Inventory) -> None:
    assert Inventory.parse(inventory.parameters()) == inventory


@pytest.mark.parametrize(
    ("inventory", "published"),
    [
        (Inventory(antenna=1, scan_ds=0x14, q=15), "0F 00 01 00 00 00 00 80 14"),
        (Inventory(antenna=1, scan_ds=0x14), "04 00 01 00 00 00 00 80 14"),
    ],
)
def test_published_parameters_of_an_inventory(inventory: Inventory, published: str) -> None:
    assert inventory.parameters() == bytes.fromhex(published)


@pytest.mark.parametrize("parameters", ["", "0F 00", "0F 04 01 00 00 00 00 80 14", "0F 00 01 00 00 00 00 7F 14"])
def test_other_parameters_are_refused(parameters: str) -> None:
    with pytest.raises(FrameError, match=r"length|range"):
        Inventory.parse(bytes.fromhex(parameters))


@given(st.lists(TAGS, max_size=3), st.integers(1, 8))
def test_tags_of_a_reader_with_an_antenna_mask(tags: list[Tag], antenna: int) -> None:
    found = parse_tags(tag_data(tags, Form.MASK, antenna), Form.MASK)
    assert [(t.epc, t.tid, t.rssi_raw, t.phase, t.frequency_khz) for t in found] == [
        (t.epc, t.tid, t.rssi_raw, t.phase, t.frequency_khz) for t in tags
    ]
    assert all(tag.antennas == (antenna,) for tag in found)


@given(st.lists(TAGS, min_size=1, max_size=3), st.integers(1, 16))
def test_tags_of_a_reader_with_antenna_numbers(tags: list[Tag], antenna: int) -> None:
    found = parse_tags(tag_data(tags, Form.NUMBER, antenna), Form.NUMBER)
    assert {tag.antennas for tag in found} == {(antenna,)}


@given(st.lists(st.binary(min_size=2, max_size=62).filter(lambda epc: len(epc) % 2 == 0), max_size=3))
def test_tags_of_a_plain_reader(epcs: list[bytes]) -> None:
    found = parse_tags(tag_data([Tag(epc) for epc in epcs], Form.PLAIN, 1), Form.PLAIN)
    assert found == [Tag(epc) for epc in epcs]


@given(st.binary(max_size=80), st.sampled_from(list(Form)))
def test_hostile_data_raise_frame_errors_only(data: bytes, form: Form) -> None:
    for parse in (parse_tags, parse_report):
        try:
            parse(data, form)
        except FrameError as error:
            assert error.reason in ("length", "antenna")  # noqa: PT017 - either outcome is right
    try:
        Heartbeat.parse(data)
    except FrameError as error:
        assert error.reason == "length"  # noqa: PT017 - likewise


@pytest.mark.parametrize(
    ("data", "form", "what"),
    [
        ("01", Form.MASK, "the number of tags is missing"),
        ("01 01", Form.MASK, "a tag is missing"),
        ("00 01 02 11 22 50", Form.MASK, "no bit of the antenna mask"),
        ("10 01 02 11 22 50", Form.NUMBER, "antenna number 10"),
        ("01 01 03 11 22 33 50", Form.MASK, "a tag of 3 bytes"),
        ("01 01 82 11 22 50", Form.MASK, "a tag of 2 bytes"),
        ("01 00", Form.PLAIN, "a tag of 0 bytes"),  # the end of a round of other models
        ("01 01 02 11 22 50 00", Form.MASK, "1 tags take 6 bytes, 7 came"),
        (f"01 {EPC_BYTES_MOST + 2:02X}" + "00" * (EPC_BYTES_MOST + 2), Form.PLAIN, "a tag of 64 bytes"),
    ],
)
def test_what_is_wrong_with_tags_is_said(data: str, form: Form, what: str) -> None:
    with pytest.raises(FrameError, match=what):
        parse_tags(bytes.fromhex(data), form)


@given(TAGS, st.integers(1, 8))
def test_a_report_of_one_tag(tag: Tag, antenna: int) -> None:
    for form in (Form.MASK, Form.NUMBER):
        found = parse_report(antenna_byte(antenna, form) + tag_block(tag, Form.MASK), form)
        assert (found.epc, found.antennas) == (tag.epc, (antenna,))


def test_a_mask_may_name_several_antennas() -> None:
    tag = parse_report(bytes.fromhex("05 04 11 22 33 44 50"), Form.MASK)
    assert tag.antennas == (1, 3)  # the manual's own example of 05


@pytest.mark.parametrize("data", ["", "01", "01 02 11 22 50 00"])
def test_a_report_that_is_not_filled_exactly_is_refused(data: str) -> None:
    with pytest.raises(FrameError, match="length"):
        parse_report(bytes.fromhex(data), Form.MASK)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 8, 16]), st.integers(0, 2**32 - 1))
def test_a_heartbeat(number: int, antennas: int, tags: int) -> None:
    states = tuple([AntennaState.WORKING, AntennaState.DISCONNECTED, AntennaState.IDLE, 1] * 4)[:antennas]
    beat = Heartbeat(number, tuple(int(state) for state in states), tags)
    assert Heartbeat.parse(beat.data()) == beat
    assert next(beat.in_state(AntennaState.WORKING)) == 1
