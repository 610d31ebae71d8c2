"""Frames of the NXP PN532 on its high-speed serial line (HSU), and what it says of cards.

    Z SS L C T K DDDDDDDD.. X Z             normal
    Z SS FF FF MM C T K DDDDDDDD.. X Z      extended
    │ │  │  │  │  │ │ │            │ └ postamble, 1 byte: 00
    │ │  │  │  │  │ │ │            └── checksum, 1 byte: T to X sum up to 0, modulo 256
    │ │  │  │  │  │ │ └─────────────── data
    │ │  │  │  │  │ └───────────────── code, 1 byte: of the command, or one more in its answer
    │ │  │  │  │  └─────────────────── direction, 1 byte: D4 to the PN532, D5 from it, 7F error without more
    │ │  │  │  └────────────────────── checksum of the length, 1 byte: they sum up to 0, modulo 256
    │ │  │  └───────────────────────── extended: length of T to the last D, 2 bytes big-endian
    │ │  └──────────────────────────── normal: length of T to the last D, 1 byte
    │ └─────────────────────────────── start, 2 bytes: 00 FF
    └───────────────────────────────── preamble, 1 byte: 00
    Z SS 00 FF Z  acknowledged          Z SS FF 00 Z  say it again

Zeros between frames are no noise, and a frame is found by the second byte of its start. The postamble is required: the
checksum does not notice a zero that was lost, as UIDs hold them, but then the frame ends one byte too early.

Source: NXP UM0701-02, 6.2.1 (frames), 7 (commands); published captures.
Seen on: published frames only (`tests/vectors/cards/pn532.toml`), no module in our hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from readers.codecs.framing import Scanner
from readers.errors import FrameError
from readers.tagdata.cards import Technology

START: Final = 0xFF
WAKE: Final = bytes([0x55, 0x55]) + bytes(14)  # the line's activity wakes it, the zeros are its time to do so
MOST_BYTES: Final = 265  # T to the last D (UM0701-02, 6.2.1.1 and 6.2.1.2)
_MOST_NORMAL: Final = 255
_FF: Final = 0xFF
_NORMAL_HEADER: Final = 3
_TAIL_BYTES: Final = 2
_EXTENDED_HEADER: Final = 6


class Kind(Enum):
    """What a frame is; the value of those with data is their direction byte."""

    COMMAND = 0xD4
    ANSWER = 0xD5
    ERROR = 0x7F
    ACK = "ack"
    NACK = "nack"


_SHORT: Final = {(0x00, 0xFF): Kind.ACK, (0xFF, 0x00): Kind.NACK}
_KINDS: Final = {kind.value: kind for kind in (Kind.COMMAND, Kind.ANSWER, Kind.ERROR)}


class Command(IntEnum):
    """The commands that driver and simulated module use. An answer has the next number."""

    FIRMWARE = 0x02
    SAM_CONFIGURATION = 0x14
    RF_CONFIGURATION = 0x32
    LIST_PASSIVE_TARGETS = 0x4A


SAM_NORMAL: Final = bytes([0x01, 0x14, 0x01])  # no secure access module; its time-out of 1 s; the IRQ line is used
FIELD_OFF: Final = bytes([0x01, 0x00])  # RF_CONFIGURATION of the field: listing switches it on again
RETRIES: Final = bytes([0x05, 0xFF, 0x01])  # RF_CONFIGURATION of retries; how often a card is called follows


class Modulation(IntEnum):
    """How LIST_PASSIVE_TARGETS calls the cards: bit rate and type."""

    A_106 = 0x00
    F_212 = 0x01
    B_106 = 0x03


CALLS: Final = {Modulation.A_106: b"", Modulation.F_212: bytes.fromhex("00FFFF0000"), Modulation.B_106: b"\x00"}
"""Initiator data: every FeliCa system; every type B application family."""

_TYPE_B_BYTES: Final = 12  # ATQB: 50, PUPI, application data, protocol information
_TYPE_B_CODE: Final = 0x50
_TYPE_F_CODE: Final = 0x01
_TYPE_F_SIZES: Final = (18, 20)
_ISO_14443_4: Final = 0x20  # bit of SEL_RES
_ID_BYTES_F: Final = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `code` and `data` are empty in those that have none."""

    kind: Kind
    code: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Target:
    """One card that was listed.

    Attributes:
        uid: NFCID1, PUPI or NFCID2 in air order.
        sel_res: of type A, what the card is able to.
        extra: what follows the UID: ATS, the rest of ATQB and ATTRIB, the pad and system code.
    """

    number: int
    technology: Technology
    uid: bytes
    sens_res: bytes = b""
    sel_res: int = 0
    extra: bytes = b""


def encode(frame: Frame, *, extended: bool = False) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: it is longer than the PN532 takes.
    """
    if frame.kind is Kind.ACK:
        return bytes.fromhex("0000FF00FF00")
    if frame.kind is Kind.NACK:
        return bytes.fromhex("0000FFFF0000")
    has_code = frame.kind is not Kind.ERROR
    body = bytes([int(frame.kind.value), *([frame.code] if has_code else [])]) + frame.data
    size = len(body)
    if size > MOST_BYTES:
        raise FrameError("length", f"{size} bytes; at most {MOST_BYTES} go into a frame")
    if extended or size > _MOST_NORMAL:
        length = size.to_bytes(2, "big")
        head = b"\xff\xff" + length + bytes([-sum(length) & _FF])
    else:
        head = bytes([size, -size & _FF])
    return b"\x00\x00\xff" + head + body + bytes([-sum(body) & _FF, 0])


class Decoder(Scanner[Frame]):
    """Finds frames of both directions.

    Reject reasons: noise_bytes, length, checksum, delimiter, direction, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([START]), _parse, padding=b"\x00")


def _parse(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    head = buffer[start : start + _EXTENDED_HEADER]
    if len(head) < _NORMAL_HEADER:
        return None
    size, check = head[1], head[2]
    header = _NORMAL_HEADER
    if (size, check) in _SHORT:
        if len(head) == header:
            return None
        if head[header]:
            raise FrameError("delimiter", f"{head[header]:02X} behind an acknowledgement, not 00")
        return Frame(_SHORT[size, check]), header + 1
    if (size, check) == (_FF, _FF):
        header = _EXTENDED_HEADER
        if len(head) < header:
            return None
        size, check = int.from_bytes(head[3:5], "big"), head[3] + head[4] + head[5] & _FF
    else:
        check = size + check & _FF
    if check or not 0 < size <= MOST_BYTES:
        raise FrameError("length", f"a length of {size}, or its checksum, is wrong; 1 to {MOST_BYTES} are possible")
    end = start + header + size + _TAIL_BYTES
    if end > len(buffer):
        return None
    body = bytes(buffer[start + header : end - _TAIL_BYTES])
    check, postamble = buffer[end - _TAIL_BYTES : end]
    if sum(body) + check & _FF:
        raise FrameError("checksum", f"checksum {check:02X} is wrong")
    if postamble:
        raise FrameError("delimiter", f"postamble {postamble:02X}, not 00")
    kind = _KINDS.get(body[0])
    has_code = kind is not Kind.ERROR
    if kind is None or (has_code and size == 1) or (kind is Kind.ERROR and size > 1):
        raise FrameError("direction", f"{size} bytes from {body[0]:02X}; D4 and D5 with a code, 7F alone exist")
    return Frame(kind, body[1] if has_code else 0, body[2:]), end - start


def parse_targets(modulation: Modulation, data: bytes) -> list[Target]:
    """Read the answer to LIST_PASSIVE_TARGETS.

    Raises:
        FrameError: `length` when it ends too early or holds too much, `target` when it is no answer of such a card.
    """
    if not data:
        raise FrameError("length", "the answer to a listing is empty")
    read = {Modulation.A_106: _type_a, Modulation.B_106: _type_b, Modulation.F_212: _type_f}[modulation]
    targets, rest = [], data[1:]
    for index in range(data[0]):
        if not rest:
            raise FrameError("length", f"{data[0]} cards announced, {index} came", data)
        target, size = read(rest)
        targets.append(target)
        rest = rest[size:]
    if rest:
        raise FrameError("length", f"{len(rest)} bytes too many behind {data[0]} cards", data)
    return targets


def encode_targets(targets: list[Target]) -> bytes:
    """The answer to LIST_PASSIVE_TARGETS, as the PN532 makes it."""
    out = bytes([len(targets)])
    for target in targets:
        out += bytes([target.number])
        if target.technology is Technology.NFC_A:
            out += target.sens_res + bytes([target.sel_res, len(target.uid)]) + target.uid + target.extra
        elif target.technology is Technology.NFC_B:
            out += bytes([_TYPE_B_CODE]) + target.uid + target.extra
        else:
            answer = bytes([_TYPE_F_CODE]) + target.uid + target.extra
            out += bytes([len(answer) + 1]) + answer
    return out


def _type_a(data: bytes) -> tuple[Target, int]:
    if len(data) < 5 or len(data) < 5 + data[4]:  # noqa: PLR2004 - number, SENS_RES, SEL_RES, length
        raise FrameError("length", "a type A card that ends too early", data)
    end = 5 + data[4]
    if data[4] not in (4, 7, 10):
        raise FrameError("target", f"an NFCID1 of {data[4]} bytes; 4, 7 and 10 exist", data)
    # the PN532 asks such cards for their ATS by itself, and its first byte is its length
    ats_bytes = data[end] if data[3] & _ISO_14443_4 and len(data) > end else 0
    if len(data) < end + ats_bytes:
        raise FrameError("length", f"an ATS of {ats_bytes} bytes that ends too early", data)
    extra = data[end : end + ats_bytes]
    return Target(data[0], Technology.NFC_A, data[5:end], data[1:3], data[3], extra), end + ats_bytes


def _type_b(data: bytes) -> tuple[Target, int]:
    end = 1 + _TYPE_B_BYTES
    if len(data) <= end or len(data) < end + 1 + data[end]:
        raise FrameError("length", "a type B card that ends too early", data)
    if data[1] != _TYPE_B_CODE:
        raise FrameError("target", f"ATQB begins with {data[1]:02X}, not 50", data)
    end += 1 + data[end]
    return Target(data[0], Technology.NFC_B, data[2:6], extra=data[6:end]), end


def _type_f(data: bytes) -> tuple[Target, int]:
    if len(data) < 2 or len(data) < 1 + data[1]:  # noqa: PLR2004 - number, length
        raise FrameError("length", "a FeliCa card that ends too early", data)
    if data[1] not in _TYPE_F_SIZES or data[2] != _TYPE_F_CODE:
        raise FrameError("target", f"a FeliCa answer of {data[1]} bytes and code {data[2]:02X}; 18 or 20 and 01", data)
    end = 1 + data[1]
    return Target(data[0], Technology.NFC_F, data[3 : 3 + _ID_BYTES_F], extra=data[3 + _ID_BYTES_F : end]), end
