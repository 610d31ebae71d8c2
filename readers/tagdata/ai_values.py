"""Values of GS1 Application Identifiers in the bits of a tag of TDS 2, read and written.

Text of any length takes the encoding with the fewest bits that has all its characters:

    EEE LLLLL data        E 0 number, 1 and 2 hexadecimal (upper, lower case), 3 base 64 for URIs, 4 seven bits,
                          5 URN Code 40;  L number of characters, in as many bits as the AI's longest value needs

Source: GS1 TDS 2.3, sections 14.5.2 to 14.5.15 and tables 14-5 to 14-9.
"""

from __future__ import annotations

import re
import string
from typing import Final

from readers.tagdata.ai_table import FORMATS
from readers.tagdata.bits import BitReader, BitWriter, TagDataError, bits_of_digits
from readers.tagdata.characters import SET_82

BASE_64: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
CODE_40: Final = "\0" + string.ascii_uppercase + "-.:" + string.digits
_DIGITS: Final = string.digits
_UPPER_HEX: Final = _DIGITS + "ABCDEF"
_LOWER_HEX: Final = _DIGITS + "abcdef"
_SEVEN_BIT: Final = SET_82 | {"#"}
_ENCODING_BITS: Final = 3
_NUMBER, _HEX_UPPER, _HEX_LOWER, _BASE_64, _SEVEN, _CODE_40 = range(6)
_ALPHABETS: Final = {_HEX_UPPER: (_UPPER_HEX, 4), _HEX_LOWER: (_LOWER_HEX, 4), _BASE_64: (BASE_64, 6)}

_NIBBLE: Final = 4
_NINE: Final = 9
_DELIMITER: Final = 0xE
_TERMINATOR: Final = 0xF
_DATE: Final = re.compile(r"([0-9]{2})(0[1-9]|1[0-2])([0-2][0-9]|3[01])", re.ASCII)
_CLOCK: Final = re.compile(r"(?:(?:[01][0-9]|2[0-3])(?:[0-5][0-9]){0,2})?", re.ASCII)
_PRECISION: Final = {0: 1, 1: 2, 2: 3, 3: 0}
"""How many of hour, minute and second follow a date, by the two bits before it."""


def read_value(reader: BitReader, ai: str) -> str:
    """The value of an AI; TagDataError when the bits are none."""
    codes = FORMATS.get(ai)
    if codes is None:
        raise TagDataError(f"({ai}) is no Application Identifier that a tag can hold")
    return "".join([_read(reader, code) for code in codes])


def write_value(writer: BitWriter, ai: str, value: str) -> None:
    """Append the value of an AI.

    Raises:
        ValueError: it has not the form that the AI wants.
    """
    codes = FORMATS.get(ai)
    if codes is None:
        raise ValueError(f"({ai}) is no Application Identifier that a tag can hold; leave it out")
    try:
        rest = value
        for code in codes:
            rest = _write(writer, code, rest, last=code is codes[-1])
    except ValueError as error:
        raise ValueError(f"({ai}){value}: {error}") from error


def code_40(reader: BitReader, length: int) -> str:
    """Three characters in every 16 bits."""
    characters = []
    for _ in range(-(-length // 3)):
        group = reader.read(16) - 1
        if not 0 <= group < 40**3:
            raise TagDataError(f"{group + 1:04X} is no group of URN Code 40")
        characters += [CODE_40[group // 1600], CODE_40[group // 40 % 40], CODE_40[group % 40]]
    text = "".join(characters)
    if "\0" in text[:length] or text[length:].strip("\0"):
        raise TagDataError("a text in URN Code 40 has another length than announced")
    return text[:length]


def write_code_40(writer: BitWriter, text: str) -> None:
    """Append three characters in every 16 bits."""
    codes = [CODE_40.index(character) for character in text] + [0] * (-len(text) % 3)
    for at in range(0, len(codes), 3):
        writer.write(codes[at] * 1600 + codes[at + 1] * 40 + codes[at + 2] + 1, 16)


def read_date(reader: BitReader) -> str:
    """YYMMDD out of 16 bits; the day may be 00, which is the end of the month."""
    text = f"{reader.read(7):02d}{reader.read(4):02d}{reader.read(5):02d}"
    if not _DATE.fullmatch(text):
        raise TagDataError(f"{text} is no date")
    return text


def write_date(writer: BitWriter, text: str) -> None:
    """Append YYMMDD."""
    parts = _DATE.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no date; it must be YYMMDD")
    for part, width in zip(parts.groups(), (7, 4, 5), strict=True):
        writer.write(int(part), width)


def _sizes(code: str) -> tuple[int, int]:
    length_bits, _, most = code[1:].partition("/")
    return int(length_bits), int(most)


def _read(reader: BitReader, code: str) -> str:
    match code[0], code:
        case "D", _:
            return "".join([_digit(reader.read(_NIBBLE)) for _ in range(int(code[1:]))])
        case "N", _:
            return _read_number(reader, int(code[1:]))
        case "V", _:
            length_bits, most = _sizes(code)
            return _read_number(reader, _length(reader, length_bits, most))
        case "T", _:
            return _read_text(reader, *_sizes(code))
        case "L", _:
            return _read_delimited(reader, *_sizes(code))
        case _, "date":
            return read_date(reader)
        case _, "date_and_minute":
            return read_date(reader) + _read_clock(reader, 2)
        case _, "dates":
            return read_date(reader) if not reader.read(1) else read_date(reader) + read_date(reader)
        case _, "date_and_time":
            precision = _PRECISION[reader.read(2)]
            return read_date(reader) + _read_clock(reader, precision)
        case _, "country":
            return _country(reader.read(6)) + _country(reader.read(6))
        case _, "flag":
            return str(reader.read(1))
        case _, "minus":
            return "-" * reader.read(1)
        case _:  # sequence
            return f"{_counted(reader.read(4))}/{_counted(reader.read(4))}"


def _digit(nibble: int) -> str:
    if nibble > _NINE:
        raise TagDataError(f"{nibble:X} stands where a digit must be")
    return str(nibble)


def _counted(nibble: int) -> str:
    if not 1 <= nibble <= _NINE:
        raise TagDataError(f"{nibble} stands where a digit from 1 to 9 must be")
    return str(nibble)


def _country(code: int) -> str:
    if code >= len(string.ascii_uppercase):
        raise TagDataError(f"{code:06b} stands where a letter of a country must be")
    return BASE_64[code]


def _length(reader: BitReader, width: int, most: int) -> int:
    length = reader.read(width)
    if not 1 <= length <= most:
        raise TagDataError(f"a value has {length} characters, allowed are 1 to {most}")
    return length


def _read_number(reader: BitReader, digits: int) -> str:
    text = f"{reader.read(bits_of_digits(digits)):0{digits}d}"
    if len(text) > digits:
        raise TagDataError(f"the number {text} has more than {digits} digits")
    return text


def _read_clock(reader: BitReader, parts: int) -> str:
    text = "".join([f"{reader.read(width):02d}" for width in (5, 6, 6)[:parts]])
    if not _CLOCK.fullmatch(text):
        raise TagDataError(f"{text} is no time of day")
    return text


def _read_text(reader: BitReader, length_bits: int, most: int) -> str:
    encoding = reader.read(_ENCODING_BITS)
    length = _length(reader, length_bits, most)
    if encoding == _NUMBER:
        return _read_number(reader, length)
    if encoding in _ALPHABETS:
        alphabet, width = _ALPHABETS[encoding]
        return "".join([alphabet[reader.read(width)] for _ in range(length)])
    if encoding == _CODE_40:
        return code_40(reader, length)
    if encoding != _SEVEN:
        raise TagDataError(f"the encoding {encoding} of a text is reserved")
    text = "".join([chr(reader.read(7)) for _ in range(length)])
    if not _SEVEN_BIT.issuperset(text):
        raise TagDataError("a text has characters that GS1 does not allow")
    return text


def _read_delimited(reader: BitReader, length_bits: int, most: int) -> str:
    digits = []
    while (nibble := reader.read(_NIBBLE)) <= _NINE:
        digits.append(str(nibble))
    if nibble not in {_DELIMITER, _TERMINATOR}:
        raise TagDataError(f"{nibble:X} stands where a digit or the end of the digits must be")
    text = "".join(digits)
    if nibble == _DELIMITER:
        text += _read_text(reader, length_bits, most)
    if not 1 <= len(text) <= most:
        raise TagDataError(f"a value has {len(text)} characters, allowed are 1 to {most}")
    return text


def _write(writer: BitWriter, code: str, value: str, *, last: bool) -> str:
    """Write one part of a value; what is left for the next."""
    match code[0], code:
        case "D" | "N", _:
            count = int(code[1:])
            _numeric(value[:count], count, count)
            if last:
                _numeric(value, count, count)
            if code[0] == "D":
                for digit in value[:count]:
                    writer.write(int(digit), _NIBBLE)
            else:
                writer.write(int(value[:count]), bits_of_digits(count))
            return value[count:]
        case "V", _:
            length_bits, most = _sizes(code)
            _numeric(value, 1, most)
            writer.write(len(value), length_bits)
            writer.write(int(value), bits_of_digits(len(value)))
        case "T", _:
            _write_text(writer, value, *_sizes(code))
        case "L", _:
            _write_delimited(writer, value, *_sizes(code))
        case _, "date":
            write_date(writer, value)
        case _, "date_and_minute":
            write_date(writer, value[:6])
            _write_clock(writer, value[6:], (2,))
        case _, "dates":
            writer.write(len(value) > len("YYMMDD"), 1)
            write_date(writer, value[:6])
            if len(value) > len("YYMMDD"):
                write_date(writer, value[6:])
        case _, "date_and_time":
            _write_date_and_time(writer, value)
        case _, "country":
            _letters(value)
            for letter in value:
                writer.write(BASE_64.index(letter), 6)
        case _, "flag":
            _one_of(value, ("0", "1"))
            writer.write(int(value), 1)
        case _, "minus":
            _one_of(value, ("", "-"))
            writer.write(len(value), 1)
        case _:  # sequence
            if not re.fullmatch(r"[1-9]/[1-9]", value):
                raise ValueError("must be two digits from 1 to 9 with a slash between, as 1/2")
            writer.write(int(value[0]), 4)
            writer.write(int(value[2]), 4)
    return ""


def _numeric(value: str, least: int, most: int) -> None:
    if not (value.isascii() and value.isdigit() and least <= len(value) <= most):
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise ValueError(f"must have {wanted} digits")


def _letters(value: str) -> None:
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError("must be the two letters of a country")


def _one_of(value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"ends in {value!r}; allowed: {' or '.join(map(repr, allowed))}")


def _write_clock(writer: BitWriter, value: str, parts: tuple[int, ...]) -> None:
    if len(value) // 2 not in parts or len(value) % 2 or not _CLOCK.fullmatch(value):
        raise ValueError(f"{value!r} is no time of day")
    for at, width in zip(range(0, len(value), 2), (5, 6, 6), strict=False):
        writer.write(int(value[at : at + 2]), width)


def _write_date_and_time(writer: BitWriter, value: str) -> None:
    parts = len(value[6:]) // 2
    precision = next((bits for bits, count in _PRECISION.items() if count == parts), None)
    if precision is None:
        raise ValueError("must be YYMMDD, then hour, minute and second or as many of them as are known")
    writer.write(precision, 2)
    write_date(writer, value[:6])
    _write_clock(writer, value[6:], (parts,))


def _cost(encoding: int, text: str) -> int | None:
    """Bits of the text in an encoding; None when it lacks a character."""
    if encoding == _NUMBER:
        return bits_of_digits(len(text)) if set(text) <= set(_DIGITS) else None
    if encoding == _CODE_40:
        return -(-len(text) // 3) * 16 if set(text) <= set(CODE_40[1:]) else None
    if encoding == _SEVEN:
        return 7 * len(text) if text and _SEVEN_BIT.issuperset(text) else None
    alphabet, width = _ALPHABETS[encoding]
    return width * len(text) if set(text) <= set(alphabet) else None


def _write_text(writer: BitWriter, text: str, length_bits: int, most: int) -> None:
    if not 1 <= len(text) <= most:
        raise ValueError(f"has {len(text)} characters where 1 to {most} are allowed")
    costs = {encoding: cost for encoding in range(6) if (cost := _cost(encoding, text)) is not None}
    if not costs:
        wrong = sorted(set(text) - _SEVEN_BIT)
        raise ValueError(f"has {' '.join(map(repr, wrong))}, which GS1 does not allow")
    encoding = min(costs, key=lambda each: (costs[each], each))
    writer.write(encoding, _ENCODING_BITS)
    writer.write(len(text), length_bits)
    if encoding == _NUMBER:
        writer.write(int(text), costs[encoding])
    elif encoding == _CODE_40:
        write_code_40(writer, text)
    elif encoding == _SEVEN:
        for character in text:
            writer.write(ord(character), 7)
    else:
        alphabet, width = _ALPHABETS[encoding]
        for character in text:
            writer.write(alphabet.index(character), width)


def _write_delimited(writer: BitWriter, value: str, length_bits: int, most: int) -> None:
    if not 1 <= len(value) <= most:
        raise ValueError(f"has {len(value)} characters where 1 to {most} are allowed")
    rest = value.lstrip(_DIGITS)
    for digit in value[: len(value) - len(rest)]:
        writer.write(int(digit), _NIBBLE)
    if not rest:
        writer.write(_TERMINATOR, _NIBBLE)
        return
    writer.write(_DELIMITER, _NIBBLE)
    _write_text(writer, rest, length_bits, most)
