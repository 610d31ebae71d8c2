"""Messages between the driver and the port of a PC/SC reader.

PC/SC is a library, not a wire. This form of what passes lets it be driven, recorded and played like any other reader:

    P T LL DDDDDD..
    │ │ │  └ data, L bytes
    │ │ └─── length of the data, 2 bytes big-endian
    │ └───── what it is, 1 byte, a letter of `Kind`
    └─────── start, 1 byte: 50

Source: this project; no device speaks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from readers.errors import FrameError

START: Final = 0x50
MOST_BYTES: Final = 1024  # a short command has 261 bytes, its answer 258, an ATR 33; readers' names are short
_HEADER_BYTES: Final = 4


class Kind(IntEnum):
    """What a message is."""

    READER = 0x4E  # N: port to driver, the reader's full name; comes first
    INSERTED = 0x49  # I: port to driver, a card has come; its ATR
    REMOVED = 0x52  # R: port to driver, no card is here
    COMMAND = 0x43  # C: driver to port, an APDU
    ANSWER = 0x41  # A: port to driver, what the card answered: data and two bytes of status
    FAILED = 0x46  # F: port to driver, the card did not answer; why, as text


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    kind: Kind
    data: bytes = b""


def encode(message: Message) -> bytes:
    """The message as bytes.

    Raises:
        FrameError: it is too long.
    """
    size = len(message.data)
    if size > MOST_BYTES:
        raise FrameError("length", f"{size} bytes; at most {MOST_BYTES} go into a message")
    return bytes([START, message.kind]) + size.to_bytes(2, "big") + message.data


def parse(buffer: bytearray, start: int) -> tuple[Message, int] | None:
    """Read the message that starts there, and its length; None when it is not whole yet.

    Raises:
        FrameError: `kind` or `length`.
    """
    header = buffer[start : start + _HEADER_BYTES]
    if len(header) > 1 and header[1] not in tuple(Kind):
        raise FrameError("kind", f"kind {header[1]:02X} does not exist")
    if len(header) < _HEADER_BYTES:
        return None
    size = int.from_bytes(header[2:], "big")
    if size > MOST_BYTES:
        raise FrameError("length", f"{size} bytes; at most {MOST_BYTES} are possible")
    end = start + _HEADER_BYTES + size
    if end > len(buffer):
        return None
    return Message(Kind(header[1]), bytes(buffer[start + _HEADER_BYTES : end])), end - start
