"""Frames of DLMS/COSEM on TCP: the wrapper.

    00 01 SS SS DD DD LL LL A..A
    │     │     │     │     └ one APDU
    │     │     │     └ its length
    │     │     └ destination: the number of the client or of the logical device
    │     └ source, likewise
    └ version 1

There is no checksum: TCP has one.

Source: IEC 62056-47:2006, section 5; DLMS UA Green Book Ed. 8.1, section 7.3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from readers.codecs.framing import Scanner
from readers.errors import FrameError

HEADER_BYTES: Final = 8
MAX_APDU_BYTES: Final = 4096  # well above what a meter may send to who announced 1024; more is no frame
_VERSION: Final = b"\x00\x01"


@dataclass(frozen=True, slots=True)
class Frame:
    """One APDU on its way between two ports of the wrapper."""

    source: int
    destination: int
    apdu: bytes


def encode(frame: Frame) -> bytes:
    """The frame as it stands on the wire."""
    ends = frame.source.to_bytes(2, "big") + frame.destination.to_bytes(2, "big")
    return _VERSION + ends + len(frame.apdu).to_bytes(2, "big") + frame.apdu


class Decoder(Scanner[Frame]):
    """Cuts a stream into frames."""

    def __init__(self) -> None:
        super().__init__(_VERSION[:1], _parse)


def _parse(buffer: bytearray, at: int) -> tuple[Frame, int] | None:
    if len(buffer) >= at + 2 and buffer[at + 1] != _VERSION[1]:
        raise FrameError("version", f"version {buffer[at + 1]}; must be 1")
    if len(buffer) < at + HEADER_BYTES:
        return None
    source, destination, length = (int.from_bytes(buffer[at + n : at + n + 2], "big") for n in (2, 4, 6))
    if not 0 < length <= MAX_APDU_BYTES:
        raise FrameError("length", f"an APDU of {length} bytes; must be 1 to {MAX_APDU_BYTES}")
    end = at + HEADER_BYTES + length
    if len(buffer) < end:
        return None
    return Frame(source, destination, bytes(buffer[at + HEADER_BYTES : end])), HEADER_BYTES + length
