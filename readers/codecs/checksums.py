"""Checksums of serial protocols, one function each."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import Final

_BYTE: Final = 0xFF
_CRC16_ONES: Final = 0xFFFF


def sum8(data: Iterable[int]) -> int:
    """The sum of all bytes modulo 256: M100, DL/T 645."""
    return sum(data) & _BYTE


def gen2_crc16(data: bytes) -> int:
    """The CRC-16 of the UHF air interface: polynomial 1021, preset FFFF, complemented.

    Source: GS1 EPC Gen2 air interface, annex F (ISO/IEC 13239); checked against tag notifications of two vendors.
    """
    return binascii.crc_hqx(data, _CRC16_ONES) ^ _CRC16_ONES
