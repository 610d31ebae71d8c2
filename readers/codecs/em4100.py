"""Frames of 125 kHz readers that write an EM4100 number with a checksum: RDM6300, and ID-12LA or ID-20LA.

    S DDDDDDDDDD KK [R L] E
    │ │          │   │    └ end, 1 byte: 03
    │ │          │   └───── 0D 0A, of ID-12LA and ID-20LA only
    │ │          └───────── checksum, 2 hex digits: XOR of the 5 bytes that the digits stand for
    │ └──────────────────── the number, 10 hex digits: version 1 byte, number 4 bytes, as the card sends them
    └────────────────────── start, 1 byte: 02

An RDM6300 repeats the frame about every 65 ms while the card is there; an ID-12LA sends it once.

Source: Seeed 125 kHz RFID module (RDM6300 form); ID-2/12/20 LA series datasheet X1, ID Innovations.
Seen on: the examples of these documents only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import xor
from typing import Final

from readers.codecs.framing import Scanner
from readers.errors import FrameError

STX: Final = 0x02
ETX: Final = 0x03
NUMBER_BYTES: Final = 5
_DIGITS: Final = 12
_HEX: Final = frozenset(b"0123456789ABCDEFabcdef")


class Form(Enum):
    """What stands behind the checksum."""

    RDM6300 = bytes([ETX])
    ID12 = bytes([0x0D, 0x0A, ETX])


LONGEST_BYTES: Final = 1 + _DIGITS + len(Form.ID12.value)


@dataclass(frozen=True, slots=True)
class Frame:
    """The number of one card, 5 bytes in the order in which the card sends them."""

    number: bytes


def encode(frame: Frame, form: Form = Form.RDM6300) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: the number has not 5 bytes.
    """
    if len(frame.number) != NUMBER_BYTES:
        raise FrameError("length", f"a number of {len(frame.number)} bytes, not {NUMBER_BYTES}")
    body = frame.number + bytes([reduce(xor, frame.number)])
    return bytes([STX]) + body.hex().upper().encode("ascii") + form.value


class Decoder(Scanner[Frame]):
    """Finds frames of one form, or of either.

    Reject reasons: noise_bytes, digits, delimiter, checksum, truncated.
    """

    def __init__(self, form: Form | None = None) -> None:
        super().__init__(bytes([STX]), self._read)
        self._forms = tuple(Form) if form is None else (form,)
        self.seen: Form | None = None

    def _read(self, buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        digits = bytes(buffer[start + 1 : start + 1 + _DIGITS])
        if not _HEX.issuperset(digits):
            raise FrameError("digits", "a character that is no hex digit")
        if len(digits) < _DIGITS:
            return None
        behind = start + 1 + _DIGITS
        end = bytes(buffer[behind : behind + len(Form.ID12.value)])
        forms = [form for form in self._forms if form.value.startswith(end[: len(form.value)])]
        if not forms:
            raise FrameError("delimiter", f"{end.hex(' ').upper()} behind the checksum")
        whole = [form for form in forms if end.startswith(form.value)]
        if not whole:
            return None
        body = bytes.fromhex(digits.decode("ascii"))
        if reduce(xor, body):
            raise FrameError("checksum", "the XOR of number and checksum is not 0")
        self.seen = whole[0]
        return Frame(body[:-1]), 1 + _DIGITS + len(whole[0].value)
