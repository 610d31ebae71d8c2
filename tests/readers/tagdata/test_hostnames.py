import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.bits import BitReader, BitWriter, TagDataError
from readers.tagdata.hostnames import _LISTS, read_host, write_host
from tests.support.tag_identities import HOSTS


def bits_of(host: str) -> str:
    writer = BitWriter()
    write_host(writer, host)
    memory = writer.memory()
    return f"{int.from_bytes(memory, 'big'):0{len(memory) * 8}b}"[: writer.width]


def reader(bits: str) -> BitReader:
    bits += "0" * (-len(bits) % 16)
    return BitReader(int(bits, 2).to_bytes(len(bits) // 8, "big"))


@given(HOSTS)
def test_what_is_written_is_read(host: str) -> None:
    assert read_host(reader(bits_of(host))) == host


@pytest.mark.parametrize("host", [f"x{ending}" for endings in _LISTS for ending in endings])
def test_every_ending_is_read_again_and_takes_two_units(host: str) -> None:
    bits = bits_of(host)
    assert read_host(reader(bits)) == host
    assert len(bits) <= 1 + 6 + 3 * 7


def test_the_lists_have_the_sizes_of_the_standard() -> None:
    assert [len(endings) for endings in _LISTS] == [128, 117, 32, 1]
    assert (_LISTS[0][55], _LISTS[2][6], _LISTS[2][29], _LISTS[3][0]) == (".de", ".com.br", ".org.cn", ".tech")


@pytest.mark.parametrize(
    ("host", "bits"),
    [
        (
            "id.example.com",  # out of annex E.3
            "1 001001 0100000 1100101 1111000 1100001 1101101 1110000 1101100 1100101 1011011",
        ),
        ("qr.x.com.br", "1 000100 0011110 1111000 0000010 0000110"),
        ("y.tech", "1 000011 1111001 0000011 0000000"),
    ],
)
def test_the_bits_of_a_host(host: str, bits: str) -> None:
    assert bits_of(host) == bits.replace(" ", "")


def test_a_host_without_short_forms_is_written_in_urn_code_40() -> None:
    bits = bits_of("port-authority-of-nowhere.example")
    assert bits[0] == "0"
    assert len(bits) == 1 + 6 + 11 * 16
    assert read_host(reader(bits)) == "port-authority-of-nowhere.example"


@pytest.mark.parametrize("host", ["", "Example.com", "a..b", "a b", "a/b", "x" * 300])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="must be a host name of lower-case letters"):
        bits_of(host)


def test_a_host_too_long_for_a_tag_is_refused() -> None:
    assert read_host(reader(bits_of("x" * 62 + ".com"))) == "x" * 62 + ".com"
    with pytest.raises(ValueError, match="has 66 characters, too many"):
        bits_of("x" * 66)


@pytest.mark.parametrize(
    ("bits", "why"),
    [
        ("1 000000", "is no host name"),
        ("1 000010 0000010 1111111", "an ending that is not in the tables"),
        ("1 000001 0000000 0000000", "an ending that is not in the tables"),
        ("1 000001 0000100", "unit 0000100, which is reserved"),
        ("1 000001 0101111", "'/' is no host name"),
        ("0 000001 0000000000000000", "no group of URN Code 40"),
    ],
)
def test_bits_that_are_no_host(bits: str, why: str) -> None:
    with pytest.raises(TagDataError, match=why):
        read_host(reader(bits.replace(" ", "")))


@given(st.binary(max_size=62).map(lambda data: data[: len(data) // 2 * 2]))
def test_any_bits_are_a_host_or_an_error(memory: bytes) -> None:
    try:
        host = read_host(BitReader(memory))
    except TagDataError:
        return
    if len(host) <= 60:
        assert read_host(reader(bits_of(host))) == host
