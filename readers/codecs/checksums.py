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


_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def mcrf4xx_crc16(data: bytes) -> int:
    """CRC-16/MCRF4XX: polynomial 8408 from the low end, preset FFFF, not complemented: UHFReader, CF.

    It is the mirror image of the CRC that `binascii` has. Source: catalogue of parametrised CRC algorithms.
    """
    mirrored = binascii.crc_hqx(data.translate(_MIRRORED), _CRC16_ONES)
    return _MIRRORED[mirrored >> 8] | _MIRRORED[mirrored & _BYTE] << 8


def _reflected_table(polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_MODBUS: Final = _reflected_table(0xA001)


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial A001 from the low end, preset FFFF, sent low byte first.

    Source: MODBUS over Serial Line V1.02, 6.2.2.
    """
    crc = _CRC16_ONES
    for byte in data:
        crc = crc >> 8 ^ _MODBUS[(crc ^ byte) & _BYTE]
    return crc


def crc16_arc(data: bytes) -> int:
    """CRC-16/ARC: polynomial A001 from the low end, preset 0: DSMR P1.

    Source: DSMR P1 Companion Standard 5.0.2, 6.2; catalogue of parametrised CRC algorithms.
    """
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _MODBUS[(crc ^ byte) & _BYTE]
    return crc


def x25_crc16(data: bytes) -> int:
    """CRC-16/X-25, the check sequence of HDLC: MCRF4XX complemented, sent low byte first: SML, DL/T 698.45, DLMS.

    Source: ISO/IEC 13239; catalogue of parametrised CRC algorithms.
    """
    return mcrf4xx_crc16(data) ^ _CRC16_ONES


def kermit_crc16(data: bytes) -> int:
    """CRC-16/KERMIT: polynomial 8408 from the low end, preset 0: some SML meters in place of X-25.

    Source: catalogue of parametrised CRC algorithms.
    """
    mirrored = binascii.crc_hqx(data.translate(_MIRRORED), 0)
    return _MIRRORED[mirrored >> 8] | _MIRRORED[mirrored & _BYTE] << 8
