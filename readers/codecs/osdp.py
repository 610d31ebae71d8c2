"""Packets of OSDP, the protocol between access control panels and card readers on an RS-485 line.

    M S A LL C BB.. K DDDD.. XXXX VV
    │ │ │ │  │ │    │ │      │    └ check, 2 bytes little-endian: CRC-16 (1021, preset 1D0F) of S to X; or 1 byte: the
    │ │ │ │  │ │    │ │      │      two's complement of their sum; bit 2 of C tells which
    │ │ │ │  │ │    │ │      └───── message authentication code, 4 bytes, in packets of a secure channel
    │ │ │ │  │ │    │ └──────────── data, encrypted in security blocks 17 and 18
    │ │ │ │  │ │    └────────────── command or reply, 1 byte
    │ │ │ │  │ └─────────────────── security block, where bit 3 of C is set: its length, its type, its data
    │ │ │ │  └───────────────────── control, 1 byte: sequence 0 to 3, bit 2 CRC, bit 3 security block, rest 0
    │ │ │ └──────────────────────── length of S to V, 2 bytes little-endian
    │ │ └────────────────────────── address, 1 byte: 0 to 7E, 7F for all; a reply sets bit 7
    │ └──────────────────────────── start, 1 byte: 53
    └────────────────────────────── mark, 1 byte, FF; may be left out

Source: IEC 60839-11-5 (SIA OSDP 2.2) as two public implementations speak it; bits 4 to 7 of C from memory.
Seen on: traces of those implementations (`tests/vectors/cards/osdp.toml`), no reader in our hands.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from readers.codecs.framing import Scanner
from readers.errors import FrameError

MARK: Final = 0xFF
START: Final = 0x53
REPLY: Final = 0x80
BROADCAST: Final = 0x7F
MOST_FRAME_BYTES: Final = 128  # what every device must take; card reads and keys stay far below it
_SEQUENCE: Final = 0x03
_CRC: Final = 0x04
_SECURITY: Final = 0x08
_CRC_PRESET: Final = 0x1D0F
_HEADER_BYTES: Final = 5
_CRC_BYTES: Final = 2
_MAC_BYTES: Final = 4
_MAC_TYPES: Final = range(0x15, 0x19)
"""Security blocks whose packets end with an authentication code."""
_BYTE: Final = 0xFF
_LEAST_BLOCK_BYTES: Final = 2


class Command(IntEnum):
    """What a control panel asks."""

    POLL = 0x60
    ID = 0x61
    CAPABILITIES = 0x62
    LOCAL_STATUS = 0x64
    LED = 0x69
    BUZZER = 0x6A
    KEY_SET = 0x75
    CHALLENGE = 0x76
    SERVER_CRYPTOGRAM = 0x77


class Reply(IntEnum):
    """What a reader answers."""

    ACK = 0x40
    NAK = 0x41
    ID = 0x45
    CAPABILITIES = 0x46
    LOCAL_STATUS = 0x48
    RAW_CARD = 0x50
    KEYPAD = 0x53
    CLIENT_CRYPTOGRAM = 0x76
    INITIAL_MAC = 0x78
    BUSY = 0x79


class NakCode(IntEnum):
    """First data byte of a NAK."""

    CHECK = 0x01
    LENGTH = 0x02
    UNKNOWN_COMMAND = 0x03
    SEQUENCE = 0x04
    SECURITY_BLOCK = 0x05
    SECURITY_NEEDED = 0x06


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet.

    Attributes:
        address: of the reader, 0 to 127, without the reply bit.
        code: a `Command` or `Reply`, or a number that is neither.
        security: type and data of the security block; empty when there is none.
        mac: of a packet inside a secure channel, else empty.
    """

    address: int
    code: int
    data: bytes = b""
    is_reply: bool = False
    sequence: int = 0
    has_crc: bool = True
    security: bytes = b""
    mac: bytes = b""


@dataclass(frozen=True, slots=True)
class RawCard:
    """The data of `Reply.RAW_CARD`.

    Attributes:
        reader: number of the reader within the device, from 0.
        format: 0 not specified, 1 Wiegand.
        bits: the first bit is the most significant of the first byte; the last byte is filled up with zeros.
    """

    reader: int
    format: int
    size_bits: int
    bits: bytes

    def data(self) -> bytes:
        """As it stands in a reply."""
        return bytes([self.reader, self.format]) + self.size_bits.to_bytes(2, "little") + self.bits


def encode(frame: Frame) -> bytes:
    """The packet on the wire, without the mark.

    Raises:
        FrameError: it is longer than every device takes.
    """
    control = frame.sequence & _SEQUENCE | (_CRC if frame.has_crc else 0) | (_SECURITY if frame.security else 0)
    block = bytes([len(frame.security) + 1]) + frame.security if frame.security else b""
    body = bytes([control]) + block + bytes([frame.code]) + frame.data + frame.mac
    size = _HEADER_BYTES - 1 + len(body) + (_CRC_BYTES if frame.has_crc else 1)
    if size > MOST_FRAME_BYTES:
        raise FrameError("length", f"{size} bytes of packet; at most {MOST_FRAME_BYTES} go to every device")
    address = frame.address | (REPLY if frame.is_reply else 0)
    packet = bytes([START, address]) + size.to_bytes(2, "little") + body
    return packet + check_of(packet, has_crc=frame.has_crc)


def check_of(packet: bytes, *, has_crc: bool) -> bytes:
    """The check bytes that follow a packet."""
    if has_crc:
        return binascii.crc_hqx(packet, _CRC_PRESET).to_bytes(_CRC_BYTES, "little")
    return bytes([-sum(packet) & _BYTE])


class Decoder(Scanner[Frame]):
    """Finds packets of both directions.

    Reject reasons: noise_bytes, length, control, security, checksum, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([START]), _parse, padding=bytes([MARK]))


def _parse(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    header = buffer[start : start + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES:
        return None
    control = header[4]
    if control & ~(_SEQUENCE | _CRC | _SECURITY):
        raise FrameError("control", f"control {control:02X}; its bits 4 to 7 are 0")
    has_crc = bool(control & _CRC)
    check_bytes = _CRC_BYTES if has_crc else 1
    size = int.from_bytes(header[2:4], "little")
    least = _HEADER_BYTES + 1 + check_bytes + (_LEAST_BLOCK_BYTES if control & _SECURITY else 0)
    if not least <= size <= MOST_FRAME_BYTES:
        raise FrameError("length", f"a packet of {size} bytes; {least} to {MOST_FRAME_BYTES} are possible")
    if len(buffer) - start < size:
        return None
    packet = bytes(buffer[start : start + size])
    inside, check = packet[:-check_bytes], packet[-check_bytes:]
    if check_of(inside, has_crc=has_crc) != check:
        raise FrameError("checksum", f"check {check.hex().upper()} is wrong")
    at = _HEADER_BYTES
    security = mac = b""
    if control & _SECURITY:
        block_bytes = inside[at]
        if not _LEAST_BLOCK_BYTES <= block_bytes <= len(inside) - at - 1:
            raise FrameError("security", f"a security block of {block_bytes} bytes in a packet of {size}")
        security = inside[at + 1 : at + block_bytes]
        at += block_bytes
    if security and security[0] in _MAC_TYPES:
        if len(inside) - at - 1 < _MAC_BYTES:
            raise FrameError("security", "no room for the authentication code of a secure channel")
        inside, mac = inside[:-_MAC_BYTES], inside[-_MAC_BYTES:]
    address = header[1]
    return Frame(
        address=address & ~REPLY,
        code=inside[at],
        data=inside[at + 1 :],
        is_reply=bool(address & REPLY),
        sequence=control & _SEQUENCE,
        has_crc=has_crc,
        security=security,
        mac=mac,
    ), size


def parse_raw_card(data: bytes) -> RawCard:
    """Read the data of `Reply.RAW_CARD`.

    Raises:
        FrameError: `length` when the number of bits contradicts the number of bytes.
    """
    size_bits = int.from_bytes(data[2:4], "little")
    bits = data[4:]
    if len(data) < 4 or len(bits) != -(-size_bits // 8) or not bits:  # noqa: PLR2004 - reader, format, two of length
        raise FrameError("length", f"{size_bits} bits announced, {max(0, len(data) - 4)} bytes came")
    return RawCard(data[0], data[1], size_bits, bits)
