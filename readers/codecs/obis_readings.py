"""Readings of values that a meter names by OBIS and sends with a unit: DSMR P1, SML, IEC 62056-21."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from readers.errors import FrameError
from readers.obis import NO_BILLING_PERIOD, ObisCode
from readers.obis_meanings import in_unit, meaning_of
from readers.observations import Reading
from readers.quantities import Quantity

_NUMBER: Final = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,9})?", re.ASCII)
_LARGEST: Final = 255
_POWER_OF_TEN: Final = (1,)
_DIGITS_MOST: Final = 19


def number_of(text: str) -> Decimal | None:
    """The number that a text is, with all its decimals; None when it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def code_of(*groups: int) -> ObisCode | None:
    """The code of five or six groups; None when one of them is above 255."""
    return ObisCode(*groups) if max(groups) <= _LARGEST else None


def exactly(value: Decimal, unit: str, quantity: Quantity) -> Decimal:
    """`value` in the unit of `quantity`, in the register's own resolution: 4.426 kWh are 4426 Wh, not 4426.000.

    Raises:
        FrameError: `unit` is unknown, or of another kind than the quantity; `range` for more than 20 digits.
    """
    factor = in_unit(Decimal(1), unit, quantity).normalize()
    if factor.as_tuple().digits != _POWER_OF_TEN:
        return in_unit(value, unit, quantity)
    if value.adjusted() > _DIGITS_MOST:
        raise FrameError("range", f"{value} {unit} is more than any register holds")
    shifted = value.scaleb(factor.adjusted())
    exponent = shifted.as_tuple().exponent
    return shifted.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else shifted


def reading_of(code: ObisCode, value: Decimal, unit: str, meter_time_us: int | None = None) -> Reading | None:
    """The reading of a register; None when its code has no meaning here, or is of a billing period that is over.

    Raises:
        FrameError: `unit` is not one of this register.
    """
    meaning = meaning_of(code) if code.f == NO_BILLING_PERIOD else None
    if meaning is None:
        return None
    exact = exactly(value, unit, meaning.quantity)
    return Reading(meaning.quantity, code, exact, meaning.phase, meaning.tariff, meter_time_us=meter_time_us)
