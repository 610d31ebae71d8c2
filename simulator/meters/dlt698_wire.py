"""DL/T 698.45 as a meter writes and reads it: frames, values and requests, written apart from the driver's codec.

Nothing here comes from `readers.codecs`, so that a mistake in one of the two does not hide in the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

FRAGMENT: Final = 0x20
SCRAMBLED: Final = 0x08
SINGLE, WILDCARD, GROUP, BROADCAST = range(4)
_MOST_BYTES: Final = 4200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_SHORT: Final = 127


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame from a client; `address` has two digits for each byte, highest first."""

    address: str
    kind: int
    logical: int
    client: int
    control: int
    payload: bytes


def crc16(data: bytes) -> int:
    """CRC-16/X.25, bit by bit."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0x8408 if register & 1 else register >> 1
    return register ^ 0xFFFF


def _two(number: int) -> bytes:
    return bytes([number & 0xFF, number >> 8])


def framed(address: str, logical: int, client: int, control: int, payload: bytes) -> bytes:
    """A frame from a meter."""
    digits = bytes.fromhex(address)[::-1]
    if control & SCRAMBLED:
        payload = bytes((byte + 0x33) & 0xFF for byte in payload)
    length = 2 + 1 + 1 + len(digits) + 1 + 2 + len(payload) + 2
    head = _two(length) + bytes([control, logical << 4 | len(digits) - 1]) + digits + bytes([client])
    checked = head + _two(crc16(head)) + payload
    return b"\x68" + checked + _two(crc16(checked)) + b"\x16"


class Ears:
    """Finds the frames of clients in what comes over the line."""

    def __init__(self) -> None:
        self._held = bytearray()

    def listen(self, data: bytes) -> Iterator[Heard]:
        """The frames that are whole now."""
        self._held += data
        while (start := self._held.find(0x68)) >= 0:
            del self._held[:start]
            frame = self._first()
            if frame is None:
                return
            heard, size = frame
            del self._held[:size]
            if heard is not None:
                yield heard
        self._held.clear()

    def _first(self) -> tuple[Heard | None, int] | None:
        """The frame at the start, or one byte to be dropped; None when it is not whole."""
        held = bytes(self._held)
        if len(held) < 3:  # noqa: PLR2004 - the length ends there
            return None
        size = (held[1] | held[2] << 8) + 2
        if not 12 <= size <= _MOST_BYTES:  # noqa: PLR2004 - the shortest frame
            return None, 1
        if len(held) < size:
            return None
        count = (held[4] & 0x0F) + 1
        head_end = 6 + count
        if head_end + 5 > size:
            return None, 1
        right = (
            _two(crc16(held[1:head_end])) == held[head_end : head_end + 2]
            and _two(crc16(held[1 : size - 3])) == held[size - 3 : size - 1]
            and held[size - 1] == 0x16  # noqa: PLR2004 - the end mark
        )
        if not right:
            return None, 1
        payload = held[head_end + 2 : size - 3]
        if held[3] & SCRAMBLED:
            payload = bytes((byte - 0x33) & 0xFF for byte in payload)
        address = held[5 : 5 + count][::-1].hex().upper()
        return Heard(address, held[4] >> 6, held[4] >> 4 & 3, held[5 + count], held[3], payload), size

    def forget(self) -> None:
        """The line fell silent."""
        self._held.clear()


NULL: Final = b"\x00"


def counted(number: int) -> bytes:
    """A length or a count."""
    if number <= _LONGEST_SHORT:
        return bytes([number])
    return bytes([0x81, number]) if number <= 0xFF else b"\x82" + number.to_bytes(2, "big")  # noqa: PLR2004


def array(items: Sequence[bytes]) -> bytes:
    """An array of encoded values."""
    return b"\x01" + counted(len(items)) + b"".join(items)


def structure(*fields: bytes) -> bytes:
    """A structure of encoded values."""
    return b"\x02" + counted(len(fields)) + b"".join(fields)


def int32(number: int) -> bytes:
    """double-long."""
    return b"\x05" + number.to_bytes(4, "big", signed=True)


def uint32(number: int) -> bytes:
    """double-long-unsigned."""
    return b"\x06" + number.to_bytes(4, "big")


def int16(number: int) -> bytes:
    """Long."""
    return b"\x10" + number.to_bytes(2, "big", signed=True)


def uint16(number: int) -> bytes:
    """long-unsigned."""
    return b"\x12" + number.to_bytes(2, "big")


def octets(raw: bytes) -> bytes:
    """octet-string."""
    return b"\x09" + counted(len(raw)) + raw


def bits16(number: int) -> bytes:
    """A bit string of 16, bit 0 first: it is the highest bit of the first byte."""
    return b"\x04\x10" + int(f"{number:016b}"[::-1], 2).to_bytes(2, "big")


def time(at_us: int, utc_offset_min: int) -> bytes:
    """date_time_s in the meter's local time."""
    zone = timezone(timedelta(minutes=utc_offset_min))
    at = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)
    return b"\x1c" + at.year.to_bytes(2, "big") + bytes([at.month, at.day, at.hour, at.minute, at.second])


class Wrong(Exception):  # noqa: N818 - it is not an error of the twin
    """A request that this meter cannot read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        choice: 1 one attribute, 2 a list, 3 records, 5 the next block.
        oads: the attributes, of 4 bytes; of records the one.
        since_us, until_us: which rows; both None for the latest `latest`.
        columns: of records.
        block: the block that came before.
    """

    choice: int
    number: int
    oads: tuple[bytes, ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    step_min: int | None = None
    latest: int = 0
    columns: tuple[bytes, ...] = ()
    block: int = 0


class _Hand:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def next(self, size: int = 1) -> bytes:
        taken, self.raw = self.raw[:size], self.raw[size:]
        if len(taken) < size:
            raise Wrong
        return taken

    def time_us(self, utc_offset_min: int) -> int:
        if self.next() != b"\x1c":
            raise Wrong
        raw = self.next(7)
        try:
            at = datetime(raw[0] << 8 | raw[1], *raw[2:], tzinfo=timezone(timedelta(minutes=utc_offset_min)))  # type: ignore[misc]  # five numbers
        except ValueError as error:
            raise Wrong from error
        return (at - _EPOCH) // timedelta(microseconds=1)


def read_request(apdu: bytes, utc_offset_min: int) -> Asked:
    """A GET.

    Raises:
        Wrong: it is none that this meter knows.
    """
    hand = _Hand(apdu)
    if hand.next() != b"\x05":
        raise Wrong
    choice, number = hand.next()[0], hand.next()[0]
    if choice in (1, 2):
        count = 1 if choice == 1 else hand.next()[0]
        return Asked(choice, number, tuple(hand.next(4) for _ in range(count)))
    if choice == 5:  # noqa: PLR2004 - the next block
        return Asked(choice, number, block=int.from_bytes(hand.next(2), "big"))
    if choice != 3:  # noqa: PLR2004 - records
        raise Wrong
    oad = hand.next(4)
    since_us = until_us = step_min = None
    latest = 0
    selector = hand.next()[0]
    if selector == 1:
        hand.next(4)
        since_us = hand.time_us(utc_offset_min)
        until_us = since_us + 1
    elif selector == 2:  # noqa: PLR2004 - from, to before
        hand.next(4)
        since_us, until_us = hand.time_us(utc_offset_min), hand.time_us(utc_offset_min)
        step = hand.next()
        if step == b"\x54":
            unit, *value = hand.next(3)
            if unit != 1:
                raise Wrong
            step_min = value[0] << 8 | value[1]
        elif step != NULL:
            raise Wrong
    elif selector == 9:  # noqa: PLR2004 - the latest
        latest = hand.next()[0]
    else:
        raise Wrong
    columns = []
    for _ in range(hand.next()[0]):
        if hand.next() != NULL:
            raise Wrong
        columns.append(hand.next(4))
    return Asked(choice, number, (oad,), since_us, until_us, step_min, latest, tuple(columns))
