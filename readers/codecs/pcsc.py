"""What PC/SC says of contactless cards, and the messages that it is said in (`readers.pcsc_messages`).

    3B 8N 80 01 HHHHHHHH.. X                                  the ATR that a reader makes for a contactless card
        │       │          └ check, 1 byte: XOR of all but the first byte
        │       └─────────── historical bytes, N of them
        └─────────────────── their number, 4 bits
    80 4F 0C A000000306 S NN 00000000                         those of a storage card
                        │ └ name, 2 bytes: 0001 MIFARE Classic 1K, 003B FeliCa ...
                        └── standard, 1 byte: 01 to 03 ISO 14443 A, 05 to 07 B, 09 to 0C ISO 15693, 11 FeliCa

Source: PC/SC 2.01.14 part 3 (ATR of contactless cards, GET DATA) and its supplement (storage cards); ISO/IEC 7816-4
(SELECT, READ BINARY). Names F011 and F012 for FeliCa from memory.
Seen on: the virtual reader of the vsmartcard project (`tests/system/test_pcsc.py`), no reader in our hands.
"""

from __future__ import annotations

from typing import Final

from readers.codecs.framing import Scanner
from readers.pcsc_messages import START, Message, parse
from readers.tagdata.cards import Technology


class Decoder(Scanner[Message]):
    """Finds messages of both directions.

    Reject reasons: noise_bytes, kind, length, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([START]), parse)


GET_UID: Final = bytes.fromhex("FFCA000000")
_STORAGE: Final = bytes.fromhex("804F0CA000000306")
"""Historical bytes of a storage card: category, application identifier of 12 bytes, the PC/SC workgroup."""
_SELECT_NAME: Final = bytes.fromhex("00A40400")
_READ_BINARY: Final = bytes.fromhex("00B0")
_SHORT_FILE: Final = 0x80
_STANDARDS: Final = {
    0x01: Technology.NFC_A,
    0x02: Technology.NFC_A,
    0x03: Technology.NFC_A,
    0x05: Technology.NFC_B,
    0x06: Technology.NFC_B,
    0x07: Technology.NFC_B,
    0x09: Technology.NFC_V,
    0x0A: Technology.NFC_V,
    0x0B: Technology.NFC_V,
    0x0C: Technology.NFC_V,
    0x11: Technology.NFC_F,
}
_FELICA_NAMES: Final = (0x003B, 0xF011, 0xF012)
_HISTORICAL_TYPE_B: Final = 8  # application data 4, protocol information 3, MBLI 1
_SHORT_UID_BYTES: Final = 4
_FELICA_BYTES: Final = 8


def historical_bytes(atr: bytes) -> bytes | None:
    """The historical bytes of a contactless card's ATR; None for another card.

    PC/SC makes it for them: 3B, 8n for n historical bytes, 80 01, the bytes, and the XOR of all but the first.
    """
    if len(atr) < 5 or atr[0] != 0x3B or atr[1] & 0xF0 != 0x80 or atr[2:4] != b"\x80\x01":  # noqa: PLR2004 - as drawn
        return None
    count = atr[1] & 0x0F
    check = 0
    for byte in atr[1:]:
        check ^= byte
    return atr[4 : 4 + count] if len(atr) == 5 + count and not check else None


def technology_of(atr: bytes, uid: bytes) -> Technology | None:
    """What a contactless card speaks; None for a contact card.

    A card of ISO/IEC 14443-4 does not say whether it is of type A or B. One of type B has 8 historical bytes and a PUPI
    of 4; a card of type A that looks so is taken for type B, whose PUPI is no identity: refused rather than mistaken.
    """
    historical = historical_bytes(atr)
    if historical is None:
        return None
    if historical.startswith(_STORAGE) and len(historical) >= len(_STORAGE) + 3:
        standard, name = historical[8], int.from_bytes(historical[9:11], "big")
        if name in _FELICA_NAMES and len(uid) == _FELICA_BYTES:
            return Technology.NFC_F
        return _STANDARDS.get(standard)
    if len(uid) == _FELICA_BYTES:
        return None
    is_type_b = len(historical) == _HISTORICAL_TYPE_B and len(uid) == _SHORT_UID_BYTES
    return Technology.NFC_B if is_type_b else Technology.NFC_A


def storage_atr(standard: int, name: int) -> bytes:
    """The ATR of a storage card, as a reader makes it."""
    return _with_check(_STORAGE + bytes([standard]) + name.to_bytes(2, "big") + bytes(4))


def processor_atr(historical: bytes) -> bytes:
    """The ATR of a card of ISO/IEC 14443-4, as a reader makes it."""
    return _with_check(historical)


def _with_check(historical: bytes) -> bytes:
    body = bytes([0x80 | len(historical), 0x80, 0x01]) + historical
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes([check])


def select(aid: bytes) -> bytes:
    """SELECT an application by its identifier."""
    return _SELECT_NAME + bytes([len(aid)]) + aid + b"\x00"


def read_binary(sfi: int | None, offset: int, size: int) -> bytes:
    """READ BINARY of `size` bytes: from the file with that short identifier, or from the selected one.

    With a short identifier the offset has one byte, else 15 bits.
    """
    place = bytes([_SHORT_FILE | sfi, offset]) if sfi is not None else offset.to_bytes(2, "big")
    return _READ_BINARY + place + bytes([size])
