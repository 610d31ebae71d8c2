"""What holds of every codec whose decoder is a `Scanner`: to be called with examples that Hypothesis makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol


class Decoding(Protocol):
    """A decoder of frames."""

    def feed(self, data: bytes) -> list[Any]: ...

    def gap(self) -> list[Any]: ...

    def take_rejects(self) -> dict[str, int]: ...


def comes_back(decoder: Decoding, raw: bytes, frame: object) -> None:
    """A good frame is found, and nothing is thrown away."""
    assert decoder.feed(raw) == [frame]
    assert not decoder.take_rejects()


def slicing_never_matters(made: Callable[[], Decoding], raws: Iterable[bytes], noise: bytes, size: int) -> None:
    """Frames with noise around them are the same however the bytes come."""
    stream = noise + b"".join(raw + noise for raw in raws)
    whole, sliced = made(), made()
    found = [frame for at in range(0, len(stream), size) for frame in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


def noise_hides_no_frame(decoder: Decoding, noise: bytes, raw: bytes, frame: object) -> None:
    """Noise, then the line falls silent, then the frame comes: it is found."""
    decoder.feed(noise)
    held = decoder.gap()
    assert decoder.feed(raw)[-1:] == [frame]
    assert all(isinstance(found, type(frame)) for found in held)


def truncated_is_no_frame(decoder: Decoding, part: bytes) -> None:
    """The beginning of a frame, and then nothing, is none."""
    assert decoder.feed(part) == []
    assert decoder.gap() == []


def is_counted_as(decoder: Decoding, raw: str, reason: str, *, once: bool = True) -> None:
    """These bytes are no frame, for this reason."""
    assert decoder.feed(bytes.fromhex(raw)) == []
    count = decoder.take_rejects()[reason]
    assert count == 1 if once else count
