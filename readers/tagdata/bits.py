"""Bits of a tag's memory, most significant first, as the standards number them."""

from __future__ import annotations

from typing import Final

BITS_A_WORD: Final = 16
MOST_MEMORY_BYTES: Final = 62
"""An EPC has 31 words at most, because its length has five bits."""


class TagDataError(ValueError):
    """The bits are not what their header announces; the message says what is wrong."""


class BitReader:
    """Reads from the front of a tag's memory.

    Raises:
        TagDataError: the memory is not in whole words, it is longer than a tag's, or more is asked for than there is.
    """

    __slots__ = ("_value", "left")

    def __init__(self, memory: bytes) -> None:
        if len(memory) % 2 or len(memory) > MOST_MEMORY_BYTES:
            raise TagDataError(f"{len(memory)} bytes are not a tag's whole words, of which there are 31 at most")
        self._value = int.from_bytes(memory, "big")
        self.left = len(memory) * 8

    def read(self, width: int) -> int:
        """The next `width` bits as a number."""
        if width > self.left:
            raise TagDataError(f"ends {width - self.left} bits before the value that it announces")
        self.left -= width
        return self._value >> self.left & (1 << width) - 1

    def rest_is_zero(self) -> bool:
        """Whether nothing but fill bits follows."""
        return self._value & (1 << self.left) - 1 == 0


class BitWriter:
    """Collects bits to be written to a tag."""

    __slots__ = ("_value", "width")

    def __init__(self) -> None:
        self._value = 0
        self.width = 0

    def write(self, value: int, width: int) -> None:
        """Append `value` in `width` bits."""
        if value >> width:
            raise ValueError(f"{value} does not fit into {width} bits")
        self._value = self._value << width | value
        self.width += width

    def memory(self) -> bytes:
        """What was written, filled up with zeros to whole words, because tags are written by the word."""
        fill = -self.width % BITS_A_WORD
        return (self._value << fill).to_bytes((self.width + fill) // 8, "big")


def bits_of_digits(count: int) -> int:
    """Bits that a number of so many decimal digits needs."""
    most: int = 10**count - 1
    return most.bit_length()
