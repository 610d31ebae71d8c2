from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.access import AccessFault
from readers.codecs.uhfreader import Command, Frame, encode
from readers.codecs.uhfreader_access import ReadRequest, WriteRequest, antennas_of, antennas_parameters, fault_of
from readers.errors import FrameError

EPCS = st.integers(0, 15).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))
WORDS = st.integers(1, 32).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))
BYTE, PASSWORDS = st.integers(0, 255), st.integers(0, 2**32 - 1)


@given(st.builds(ReadRequest, EPCS, BYTE, BYTE, BYTE, PASSWORDS))
def test_a_read_comes_back(asked: ReadRequest) -> None:
    assert ReadRequest.parse(asked.parameters()) == asked


@given(st.builds(WriteRequest, EPCS, BYTE, BYTE, WORDS, PASSWORDS))
def test_a_write_comes_back_and_fits_into_a_frame(asked: WriteRequest) -> None:
    assert WriteRequest.parse(asked.parameters()) == asked
    assert encode(Frame(0, Command.WRITE, asked.parameters()))


def test_requests_as_the_manual_draws_them() -> None:
    read = ReadRequest(b"\x12\x34\x56\x78", 3, 1, 4, 0x11223344)
    assert read.parameters() == bytes.fromhex("02 12345678 03 01 04 11223344")
    write = WriteRequest(b"\x12\x34", 1, 2, b"\xab\xcd\xef\x01")
    assert write.parameters() == bytes.fromhex("02 01 1234 01 02 ABCDEF01 00000000")


@given(st.binary(max_size=60))
def test_hostile_data_raise_frame_errors_only(data: bytes) -> None:
    for parse in (ReadRequest.parse, WriteRequest.parse, antennas_of):
        try:
            parse(data)
        except FrameError as error:
            assert error.reason == "length"  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("antennas", "raw"), [((1,), "81"), ((2, 4), "8A"), ((5,), "01 00 10"), ((1, 16), "01 80 01"), ((9,), "01 01 00")]
)
def test_antennas(antennas: tuple[int, ...], raw: str) -> None:
    assert antennas_parameters(antennas) == bytes.fromhex(raw)
    assert antennas_of(bytes.fromhex(raw)) == antennas


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("05", AccessFault.WRONG_PASSWORD),
        ("0B", AccessFault.UNSUPPORTED),
        ("FA", AccessFault.LOST),
        ("FB", AccessFault.NO_TAG),
        ("FC 03", AccessFault.OVERRUN),
        ("FC 04", AccessFault.LOCKED),
        ("FC 0B", AccessFault.LOW_POWER),
        ("FC 0F", AccessFault.OTHER),
        ("FC", AccessFault.OTHER),
        ("77", AccessFault.OTHER),
    ],
)
def test_what_a_status_says_of_the_tag(body: str, fault: AccessFault) -> None:
    assert fault_of(Frame(0, Command.READ, bytes.fromhex(body))) is fault
