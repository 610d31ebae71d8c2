"""Containers: names after ISO 6346 and the tags on them."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Final

from simulator.world import noise

OWNERS: Final = ("TWHU", "JYPU", "CJGU")  # not registered with the BIC at the time of writing: they name nobody's box
_SERIALS: Final = 1_000_000
_MODULUS: Final = 11
_EPC_MARK: Final = b"TW"
_EPC_BYTES: Final = 12


def _letter_values() -> dict[str, int]:
    """10 for A and on, leaving out the multiples of 11 (ISO 6346, annex A)."""
    numbers = [number for number in range(10, 39) if number % _MODULUS]
    return dict(zip(string.ascii_uppercase, numbers, strict=True))


_VALUES: Final = _letter_values() | {digit: int(digit) for digit in string.digits}


@dataclass(frozen=True, slots=True)
class Container:
    """A container: its name, with check digit, and its tag's EPC, 96 bits of no public scheme."""

    code: str
    epc: bytes


def check_digit(code: str) -> int:
    """The check digit of owner code and serial number, ten characters (ISO 6346, annex A)."""
    total = sum(_VALUES[character] << place for place, character in enumerate(code))
    return total % _MODULUS % 10


def container(seed: int, number: int) -> Container:
    """The `number`-th container of a world; two numbers below a million never share a name."""
    owner = OWNERS[noise.bits(seed, 1, number) % len(OWNERS)]
    serial = (number * 7_919 + seed) % _SERIALS  # 7,919 is prime to a million: a permutation
    stem = f"{owner}{serial:06}"
    secret = noise.bits(seed, 2, number) << 64 | noise.bits(seed, 3, number)
    epc = _EPC_MARK + serial.to_bytes(3, "big") + secret.to_bytes(16, "big")[: _EPC_BYTES - 5]
    return Container(f"{stem}{check_digit(stem)}", epc)
