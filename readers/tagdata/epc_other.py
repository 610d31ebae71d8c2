"""EPCs with a form of their own: components and parts (CPI), GID, US Department of Defense (USDOD), aerospace (ADI).

    CPI-96     3C FFF PPP | prefix | part, a number | serial, 31 bits
    CPI-var    3D FFF PPP | prefix | part, six bits a character | 000000 | serial, 40 bits | fill
    GID-96     35 | manager, 28 bits | object class, 24 | serial, 36
    USDOD-96   2F FFFF | CAGE code or DoDAAC, 48 bits, eight a character, a space before five | serial, 36
    ADI-var    3B FFFFFF | CAGE code or DoDAAC, 36 bits, six a character | part | 000000 | serial | 000000 | fill

H header, 8 bits. F filter. P partition, 3 bits. An ADI part number may be empty; a `#` may stand first in its serial
number only.

Source: GS1 TDS 2.3, section 14.6 and appendix G (six bits).
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Final

from readers.tagdata.bits import BitReader, BitWriter, TagDataError
from readers.tagdata.characters import SET_39, SIX_BITS, digits, number, only, six_bit_text, to_urn, write_six_bit
from readers.tagdata.epc_fixed import LEAST_PREFIX_DIGITS, MOST_PREFIX_DIGITS, PREFIX_BITS, Decoded
from readers.tagdata.gs1_keys import Parts

CPI_96, CPI_VAR, GID_96, USDOD_96, ADI_VAR = 0x3C, 0x3D, 0x35, 0x2F, 0x3B
_CPI_KEY_BITS: Final = 51
_CPI_SERIAL_BITS, _CPI_VAR_SERIAL_BITS = 31, 40
_CPI_VAR_MOST_SERIAL: Final = 10**12 - 1
_CPI_CHARACTERS: Final = 30
_GID_WIDTHS: Final = (28, 24, 36)
_USDOD_SERIAL_BITS: Final = 36
_BYTES_96: Final = 12
_CODE_CHARACTERS: Final = 6
_ADI_PART_CHARACTERS, _ADI_SERIAL_CHARACTERS = 32, 30
_SPACE: Final = 0x20
_CODE: Final = re.compile(r"[0-9A-HJ-NP-Z]{5,6}", re.ASCII)
_FILTER_BITS: Final = {"cpi": 3, "usdod": 4, "adi": 6}

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "gid": ("manager", "object_class", "serial"),
    "usdod": ("cage_or_dodaac", "serial"),
    "adi": ("cage_or_dodaac", "part_number", "serial"),
}
"""What the parts of the URIs are called; those of `cpi` are with the GS1 keys."""
SCHEMES: Final = {"cpi-96": "cpi", "cpi-var": "cpi", "gid-96": "gid", "usdod-96": "usdod", "adi-var": "adi"}
"""The kind of each scheme."""


def _begun(epc: bytes, name: str, size: int | None = None) -> BitReader:
    if size is not None and len(epc) != size:
        raise TagDataError(f"{name} takes {size} bytes, here are {len(epc)}")
    reader = BitReader(epc)
    reader.read(8)
    return reader


def _ended(reader: BitReader, name: str) -> None:
    if not reader.rest_is_zero():
        raise TagDataError(f"{name}: the fill at the end is not zero")
    if reader.left >= 16:  # noqa: PLR2004  # a word, the least that a tag is written by
        raise TagDataError(f"{name}: {reader.left // 16} words more than it takes")


def _decode_cpi_96(epc: bytes) -> Decoded:
    reader = _begun(epc, "cpi-96", _BYTES_96)
    filter_value, prefix, prefix_bits = _prefix(reader, "cpi-96")
    part = reader.read(_CPI_KEY_BITS - prefix_bits)
    if len(str(part)) > _part_digits(len(prefix)):
        raise TagDataError(f"cpi-96: the part {part} has more than {_part_digits(len(prefix))} digits")
    return "cpi-96", f"urn:epc:id:cpi:{prefix}.{part}.{reader.read(_CPI_SERIAL_BITS)}", filter_value


def _decode_cpi_var(epc: bytes) -> Decoded:
    reader = _begun(epc, "cpi-var")
    filter_value, prefix, _ = _prefix(reader, "cpi-var")
    part = six_bit_text(reader, _CPI_CHARACTERS - len(prefix))
    if not part:
        raise TagDataError("cpi-var: the part is empty")
    serial = reader.read(_CPI_VAR_SERIAL_BITS)
    if serial > _CPI_VAR_MOST_SERIAL:
        raise TagDataError(f"cpi-var: the serial number {serial} has more than 12 digits")
    _ended(reader, "cpi-var")
    return "cpi-var", f"urn:epc:id:cpi:{prefix}.{to_urn(part)}.{serial}", filter_value


def _part_digits(prefix_digits: int) -> int:
    """Digits of a numeric part: what the bits left beside the prefix hold in any case."""
    return 15 - prefix_digits


def _prefix(reader: BitReader, name: str) -> tuple[int, str, int]:
    filter_value, partition = reader.read(3), reader.read(3)
    if partition == len(PREFIX_BITS):
        raise TagDataError(f"{name}: partition 7 is reserved")
    count, width = MOST_PREFIX_DIGITS - partition, PREFIX_BITS[partition]
    prefix = f"{reader.read(width):0{count}d}"
    if len(prefix) > count:
        raise TagDataError(f"{name}: the company prefix {prefix} has more than {count} digits")
    return filter_value, prefix, width


def _decode_gid(epc: bytes) -> Decoded:
    reader = _begun(epc, "gid-96", _BYTES_96)
    return "gid-96", "urn:epc:id:gid:" + ".".join([str(reader.read(width)) for width in _GID_WIDTHS]), None


def _decode_usdod(epc: bytes) -> Decoded:
    reader = _begun(epc, "usdod-96", _BYTES_96)
    filter_value = reader.read(4)
    code = "".join([chr(reader.read(8)) for _ in range(_CODE_CHARACTERS)]).removeprefix(" ")
    return "usdod-96", f"urn:epc:id:usdod:{_code_of(code)}.{reader.read(_USDOD_SERIAL_BITS)}", filter_value


def _decode_adi(epc: bytes) -> Decoded:
    reader = _begun(epc, "adi-var")
    filter_value = reader.read(6)
    codes = [reader.read(SIX_BITS) for _ in range(_CODE_CHARACTERS)]
    code = "".join([chr(each if each >= _SPACE else each | 0x40) for each in codes]).removeprefix(" ")
    part = six_bit_text(reader, _ADI_PART_CHARACTERS)
    serial = six_bit_text(reader, _ADI_SERIAL_CHARACTERS)
    if "#" in part or "#" in serial[1:] or serial in {"", "#"}:
        raise TagDataError("adi-var: the serial number is empty, or a # stands where none may")
    _ended(reader, "adi-var")
    return "adi-var", f"urn:epc:id:adi:{_code_of(code)}.{to_urn(part)}.{to_urn(serial)}", filter_value


def _code_of(code: str) -> str:
    if not _CODE.fullmatch(code):
        raise TagDataError(f"{code!r} is no CAGE code or DoDAAC")
    return code


DECODERS: Final[dict[int, Callable[[bytes], Decoded]]] = {
    CPI_96: _decode_cpi_96,
    CPI_VAR: _decode_cpi_var,
    GID_96: _decode_gid,
    USDOD_96: _decode_usdod,
    ADI_VAR: _decode_adi,
}
"""By header; they raise TagDataError."""


def encode(scheme: str, filter_value: int, parts: Parts) -> bytes:
    """The EPC memory for these parts of a pure identity.

    Raises:
        ValueError: a part does not fit into the scheme.
    """
    writer = BitWriter()
    match scheme:
        case "cpi-96" | "cpi-var":
            _write_cpi(writer, scheme, filter_value, parts)
        case "gid-96":
            writer.write(GID_96, 8)
            for part, what, width in zip(parts, NAMES["gid"], _GID_WIDTHS, strict=True):
                writer.write(number(part, what, most=(1 << width) - 1), width)
        case "usdod-96":
            writer.write(USDOD_96, 8)
            writer.write(filter_value, 4)
            for character in _checked_code(parts[0]).rjust(_CODE_CHARACTERS):
                writer.write(ord(character), 8)
            writer.write(number(parts[1], "serial number", most=(1 << _USDOD_SERIAL_BITS) - 1), _USDOD_SERIAL_BITS)
        case _:
            _write_adi(writer, filter_value, parts)
    return writer.memory()


def most_filter(kind: str) -> int:
    """The greatest filter value; 0 where there is none."""
    return (1 << _FILTER_BITS.get(kind, 0)) - 1


def _write_cpi(writer: BitWriter, scheme: str, filter_value: int, parts: Parts) -> None:
    prefix, part, serial = parts
    if not LEAST_PREFIX_DIGITS <= len(prefix) <= MOST_PREFIX_DIGITS:
        raise ValueError(f"company prefix {prefix!r}: must have {LEAST_PREFIX_DIGITS} to {MOST_PREFIX_DIGITS} digits")
    partition = MOST_PREFIX_DIGITS - len(prefix)
    writer.write(CPI_96 if scheme == "cpi-96" else CPI_VAR, 8)
    writer.write(filter_value, 3)
    writer.write(partition, 3)
    writer.write(digits(prefix, "company prefix", len(prefix)), PREFIX_BITS[partition])
    if scheme == "cpi-96":
        width = _CPI_KEY_BITS - PREFIX_BITS[partition]
        most = min((1 << width) - 1, 10 ** _part_digits(len(prefix)) - 1)
        writer.write(number(part, "part of cpi-96", most=most), width)
        writer.write(number(serial, "serial number of cpi-96", most=(1 << _CPI_SERIAL_BITS) - 1), _CPI_SERIAL_BITS)
        return
    only(part, SET_39, "part")
    most = _CPI_CHARACTERS - len(prefix)
    if not 1 <= len(part) <= most:
        raise ValueError(f"part {part!r}: must have 1 to {most} characters")
    write_six_bit(writer, part)
    writer.write(number(serial, "serial number of cpi-var", most=_CPI_VAR_MOST_SERIAL), _CPI_VAR_SERIAL_BITS)


def _write_adi(writer: BitWriter, filter_value: int, parts: Parts) -> None:
    code, part, serial = parts
    writer.write(ADI_VAR, 8)
    writer.write(filter_value, 6)
    for character in _checked_code(code).rjust(_CODE_CHARACTERS):
        writer.write(ord(character) & 0x3F, SIX_BITS)
    only(part, SET_39 - {"#"}, "part number")
    only(serial[:1], SET_39, "serial number")
    only(serial[1:], SET_39 - {"#"}, "serial number after its first character")
    if len(part) > _ADI_PART_CHARACTERS:
        raise ValueError(f"part number {part!r}: must have at most {_ADI_PART_CHARACTERS} characters")
    if serial in {"", "#"} or len(serial) > _ADI_SERIAL_CHARACTERS:
        raise ValueError(f"serial number {serial!r}: must have 1 to {_ADI_SERIAL_CHARACTERS} characters")
    write_six_bit(writer, part)
    write_six_bit(writer, serial)


def _checked_code(code: str) -> str:
    if not _CODE.fullmatch(code):
        letters = "".join(sorted(set(string.ascii_uppercase) - set("IO")))
        raise ValueError(f"{code!r}: a CAGE code has 5, a DoDAAC 6 characters out of digits and {letters}")
    return code
