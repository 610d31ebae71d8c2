from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.framing import Scanner
from readers.errors import FrameError


def parse(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """A frame of `S`, one digit of length, that many bytes, `E`."""
    if len(buffer) < start + 2:
        return None
    size = buffer[start + 1] - ord("0")
    if not 0 <= size <= 9:
        raise FrameError("length", "no digit")
    end = start + size + 3
    if len(buffer) < end:
        return None
    if buffer[end - 1] != ord("E"):
        raise FrameError("end", "no E")
    return bytes(buffer[start + 2 : end - 1]), end - start


def scanner() -> Scanner[bytes]:
    return Scanner(b"S", parse, padding=b"_")


def test_noise_is_counted_in_bytes_and_padding_is_not_noise() -> None:
    found = scanner()
    assert found.feed(b"xx__S2abEy_") == [b"ab"]
    assert found.take_rejects() == {"noise_bytes": 3}
    assert found.take_rejects() == {}


def test_a_false_start_costs_one_byte_and_hides_nothing() -> None:
    found = scanner()
    assert found.feed(b"S9S2abE") == []
    assert found.feed(b"S1cE") == []
    assert found.feed(b"S0E") == [b"ab", b"c", b""]


def test_a_silent_line_frees_what_a_false_start_holds() -> None:
    found = scanner()
    assert found.feed(b"S9S2abE") == []
    assert found.holds == 7
    assert found.gap() == [b"ab"]
    assert found.holds == 0
    assert found.take_rejects() == {"truncated": 1, "noise_bytes": 1}
    assert found.reject_sample == b"9"


def test_silence_without_anything_held_is_nothing() -> None:
    found = scanner()
    assert found.gap() == []
    assert found.take_rejects() == {}


@given(st.binary(max_size=200), st.lists(st.integers(1, 7), max_size=100))
def test_slicing_never_matters(stream: bytes, sizes: list[int]) -> None:
    stream = stream.replace(b"\x00", b"S").replace(b"\x01", b"S1aE").replace(b"\x02", b"1")
    whole, sliced = scanner(), scanner()
    frames, rest = [], stream
    for size in sizes:
        frames += sliced.feed(rest[:size])
        rest = rest[size:]
    frames += sliced.feed(rest)
    assert whole.feed(stream) == frames
    assert whole.take_rejects() == sliced.take_rejects()
    assert whole.gap() == sliced.gap()


def test_what_is_held_is_bounded_by_the_longest_frame() -> None:
    found = scanner()
    for _ in range(1000):
        found.feed(b"S9")
        assert found.holds <= 12


def test_a_flood_of_false_starts_leaves_nothing_behind() -> None:
    found = scanner()
    assert found.feed(b"S" * 100_000) == []
    assert found.gap() == []
    assert found.holds == 0
    assert sum(found.take_rejects().values()) == 100_000
