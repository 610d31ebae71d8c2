from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.modbus import (
    Frame,
    Function,
    Refusal,
    RtuDecoder,
    Side,
    TcpDecoder,
    bits_of,
    encode_rtu,
    encode_tcp,
    packed_bits,
    packed_registers,
    read_request,
    registers_of,
    write_coil_request,
)
from readers.errors import FrameError

BITS = st.lists(st.booleans(), min_size=1, max_size=200)
REGISTERS = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=100)
TRANSACTIONS = st.integers(0, 0xFFFF)
ANSWERS = st.one_of(
    st.builds(lambda bits, t: Frame(1, 2, packed_bits(bits), transaction=t), BITS, TRANSACTIONS),
    st.builds(lambda values, t: Frame(1, 3, packed_registers(values), transaction=t), REGISTERS, TRANSACTIONS),
    st.builds(lambda data, t: Frame(1, 5, data, transaction=t), st.binary(min_size=4, max_size=4), TRANSACTIONS),
    st.builds(lambda why, t: Frame(1, 4, refusal=why, transaction=t), st.sampled_from(Refusal), TRANSACTIONS),
)


def without_transaction(frame: Frame) -> Frame:
    return Frame(frame.unit, frame.function, frame.data, frame.refusal)


@given(ANSWERS, st.lists(st.integers(1, 9), max_size=40))
def test_an_answer_comes_back_in_any_slicing(frame: Frame, cuts: list[int]) -> None:
    for decoder, stream, wanted in (
        (RtuDecoder([1]), encode_rtu(frame), without_transaction(frame)),
        (TcpDecoder(), encode_tcp(frame), frame),
    ):
        found, start = [], 0
        for size in [*cuts, len(stream)]:
            found += decoder.feed(stream[start : start + size])
            start += size
        assert found == [wanted]
        assert not decoder.take_rejects()


@given(ANSWERS, st.binary(max_size=40))
def test_after_noise_and_a_pause_a_good_frame_is_found(frame: Frame, noise: bytes) -> None:
    for decoder, stream in ((RtuDecoder([1]), encode_rtu(frame)), (TcpDecoder(), encode_tcp(frame))):
        decoder.feed(noise)
        decoder.gap()
        assert [each.pdu for each in decoder.feed(stream)] == [frame.pdu]


@given(ANSWERS, st.integers(0, 300))
def test_a_part_of_a_frame_is_none(frame: Frame, cut: int) -> None:
    stream = encode_rtu(frame)
    decoder = RtuDecoder([1])
    assert decoder.feed(stream[: min(cut, len(stream) - 1)]) == []


@given(BITS, REGISTERS)
def test_bits_and_registers_come_back(bits: list[bool], registers: list[int]) -> None:
    assert bits_of(Frame(1, 1, packed_bits(bits)), len(bits)) == bits
    assert registers_of(Frame(1, 3, packed_registers(registers)), len(registers)) == registers


@pytest.mark.parametrize("data", [b"", b"\x02\x00", b"\x01\x00\x00", b"\x02\x00\x00"])
def test_an_answer_of_another_size_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError, match="1 were asked for"):
        bits_of(Frame(1, 1, data), 3)


def test_requests_are_as_the_specification_prints_them() -> None:
    assert read_request(1, Function.READ_DISCRETE_INPUTS, 196, 22).pdu.hex() == "0200c40016"
    assert write_coil_request(1, 172, is_on=True).pdu.hex() == "0500acff00"
    assert (
        RtuDecoder([1], of=Side.CLIENT).feed(encode_rtu(read_request(1, Function.READ_COILS, 19, 19)))[0].data.hex()
        == "00130013"
    )


@pytest.mark.parametrize(
    ("function", "address", "count"),
    [
        (Function.READ_COILS, 0, 0),
        (Function.READ_COILS, 0, 2001),
        (Function.READ_INPUT_REGISTERS, 0, 126),
        (Function.READ_COILS, 65_535, 2),
        (Function.WRITE_COIL, 0, 1),
    ],
)
def test_what_cannot_be_read_is_not_asked_for(function: Function, address: int, count: int) -> None:
    with pytest.raises(ValueError, match="can be read"):
        read_request(1, function, address, count)


def test_a_frame_that_no_device_takes() -> None:
    with pytest.raises(FrameError, match="at most 253"):
        encode_rtu(Frame(1, 16, bytes(300)))


def test_a_write_of_many_registers_is_cut_by_its_count() -> None:
    request = Frame(1, 16, bytes.fromhex("000100020400 0A0102".replace(" ", "")))
    assert RtuDecoder([1], of=Side.CLIENT).feed(encode_rtu(request)) == [request]
