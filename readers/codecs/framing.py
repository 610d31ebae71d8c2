"""Finds frames in a stream of bytes that may hold anything: noise, halves of frames, lookalikes of a start byte.

A start byte occurs inside frames too, so a frame that fails a check costs one byte, not its length: what follows that
byte is looked at again. No frame is lost because of noise before it; it may only come later, see `gap`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from readers.errors import SHOWN_FRAME_BYTES, FrameError

FrameT = TypeVar("FrameT")
Parse = Callable[[bytearray, int], tuple[FrameT, int] | None]
"""Read the frame that starts at that index: the frame and its length; None when it is not whole yet.

Raises FrameError as soon as the bytes can be no frame. It must bound the length that a header may announce: that is
what bounds the memory of the scanner.
"""

NOISE: Final = "noise_bytes"
TRUNCATED: Final = "truncated"


class Scanner(Generic[FrameT]):
    """Cuts a stream into frames; holds at most one unfinished frame.

    Args:
        starts: the bytes that a frame may begin with.
        parse: reads one frame.
        padding: bytes that may stand between frames and are no noise.
    """

    def __init__(self, starts: bytes, parse: Parse[FrameT], padding: bytes = b"") -> None:
        self._start = re.compile(b"[" + re.escape(starts) + b"]")
        self._parse = parse
        self._padding = padding
        self._buffer = bytearray()
        self._rejects: Counter[str] = Counter()
        self.reject_sample = b""

    @property
    def holds(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[FrameT]:
        """Take bytes in any slicing and return the frames that are whole now. Never raises."""
        buffer = self._buffer
        buffer += data
        frames: list[FrameT] = []
        at = 0
        while at < len(buffer):
            match = self._start.search(buffer, at)
            start = match.start() if match else len(buffer)
            self._count_noise(buffer[at:start])
            at = start
            if at == len(buffer):
                break
            try:
                found = self._parse(buffer, at)
            except FrameError as error:
                self._reject(error.reason, bytes(buffer[at : at + SHOWN_FRAME_BYTES]))
                at += 1
                continue
            if found is None:
                break
            frame, length = found
            frames.append(frame)
            at += length
        del buffer[:at]
        return frames

    def gap(self) -> list[FrameT]:
        """The line was silent for longer than any gap inside a frame: what is held can be no frame from its first byte.

        Returns the frames that were hidden behind a false start.
        """
        frames: list[FrameT] = []
        while self._buffer:
            self._reject(TRUNCATED, bytes(self._buffer[:SHOWN_FRAME_BYTES]))
            del self._buffer[0]
            frames += self.feed(b"")
        return frames

    def take_rejects(self) -> dict[str, int]:
        """Rejects by reason since the last call; `noise_bytes` counts bytes, all others count frame starts."""
        rejects = dict(self._rejects)
        self._rejects.clear()
        return rejects

    def _count_noise(self, run: bytearray) -> None:
        noise = len(run) - sum(run.count(byte) for byte in self._padding)
        if noise:
            self._reject(NOISE, bytes(run[:SHOWN_FRAME_BYTES]), noise)

    def _reject(self, reason: str, sample: bytes, count: int = 1) -> None:
        self._rejects[reason] += count
        self.reject_sample = sample
