"""The number on a freight container: owner, category, serial number and check digit.

    C S Q   U   3 0 5 4 3 8   3
    owner   |   serial        check digit
            category

Owner: three letters, registered with the BIC. Category: U freight container, J equipment that can be taken off, Z
trailer or chassis. Check digit: letters count 10, 12, 13 ... without multiples of 11; each position weighs twice the
one before, beginning with 1; the sum modulo 11 is the digit, and 10 is written as 0.

Because of the last rule a 0 stands for two remainders, so it proves less: the standard advises owners against serial
numbers with remainder 10, but such containers exist. `remainder_is_ten` tells them.

Source: ISO 6346:2022, sections 4 and 5 and annex A (check digit); GS1 TDS 2.3, section 6.3 (`urn:epc:id:bic:`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CONTAINER_URN: Final = "urn:epc:id:bic:"
CATEGORIES: Final = {"U": "freight container", "J": "detachable equipment", "Z": "trailer or chassis"}
_FORM: Final = re.compile(r"([A-Z]{3})([UJZ])([0-9]{6})([0-9])", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s./-]")
_VALUES: Final = {c: v for v, c in enumerate("0123456789A?BCDEFGHIJK?LMNOPQRSTU?VWXYZ") if c != "?"}
_MODULUS: Final = 11
_TEN: Final = 10
_MOST_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True)
class ContainerCode:
    """A container number whose check digit is right."""

    owner: str
    category: str
    serial: str
    check_digit: int

    def __str__(self) -> str:
        return f"{self.owner}{self.category}{self.serial}{self.check_digit}"

    @property
    def uri(self) -> str:
        """The container as an EPC pure identity."""
        return CONTAINER_URN + str(self)

    @property
    def remainder_is_ten(self) -> bool:
        """Whether the check digit 0 stands for 10, which a number with remainder 0 would carry as well."""
        return _remainder(f"{self.owner}{self.category}{self.serial}") == _TEN


def check_digit(code: str) -> int:
    """The digit that belongs to owner, category and serial number (ten characters)."""
    if not _FORM.fullmatch(code + "0"):
        raise ValueError(
            f"{code[:_MOST_CHARACTERS]!r}: must be three letters, one of U J Z, and six digits, as CSQU305438"
        )
    return _remainder(code) % _TEN


def container_code(text: str) -> ContainerCode:
    """The container that the text names; spaces, dots, hyphens and lower case are forgiven, as on documents.

    Raises:
        ValueError: it has not the form of a container number, or its check digit is wrong.
    """
    written = _SEPARATORS.sub("", text).upper() if len(text) <= _MOST_CHARACTERS else ""
    parts = _FORM.fullmatch(written)
    if parts is None:
        given = text[:_MOST_CHARACTERS]
        raise ValueError(
            f"container number {given!r}: must be three letters, one of U J Z, and seven digits, as CSQU3054383"
        )
    right, given = _remainder(written[:-1]) % _TEN, written[-1]
    if int(given) != right:
        raise ValueError(f"container number {written}: check digit {given} is wrong, must be {right}; read it again")
    return ContainerCode(parts[1], parts[2], parts[3], right)


def _remainder(code: str) -> int:
    return sum(_VALUES[character] << place for place, character in enumerate(code)) % _MODULUS
