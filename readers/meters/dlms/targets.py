"""What is read of a meter: which objects, which of their attributes, and how their answers become readings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from readers.bus import Rank
from readers.codecs.dlms_data import Denied, Result
from readers.codecs.dlms_objects import Class, CosemObject
from readers.codecs.dlms_values import ScalerUnit, meter_time
from readers.errors import FrameError
from readers.meters.dlms.association import Attribute
from readers.meters.dlms.settings import Deviation
from readers.obis import NO_BILLING_PERIOD, ObisCode
from readers.obis_meanings import Meaning, meaning_of
from readers.observations import Reading
from readers.quantities import Quality, Quantity

VALUE: Final = {Class.DATA: 2, Class.REGISTER: 2, Class.EXTENDED_REGISTER: 2, Class.DEMAND_REGISTER: 3}
SCALER: Final = {Class.REGISTER: 3, Class.EXTENDED_REGISTER: 3, Class.DEMAND_REGISTER: 4}
TIME: Final = {Class.EXTENDED_REGISTER: 5, Class.DEMAND_REGISTER: 6}
"""Attributes by class. Of a demand register the last complete period is read: the current one begins at 0 each time."""
COUNTED: Final = ScalerUnit(0, 255)
_MAX_DEMAND: Final = 6
_DEMAND: Final = (4, 5)
_POWER_UNITS: Final = frozenset({"W", "var", "VA", "V", "A", "Hz", "1", "deg", "m3/h"})
_ENERGY_UNITS: Final = frozenset({"Wh", "varh", "VAh", "m3"})
_POWER_FACTORS: Final = frozenset({Quantity.POWER_FACTOR, Quantity.PHASE_ANGLE})


@dataclass(frozen=True, slots=True)
class Target:
    """One object that is read."""

    class_id: int
    obis: ObisCode
    meaning: Meaning

    @property
    def rank(self) -> Rank:
        """When its turn comes."""
        quantity = self.meaning.quantity
        if self.class_id in TIME or self.obis.d in (_MAX_DEMAND, *_DEMAND):
            return Rank.DEMAND
        if quantity.unit in _ENERGY_UNITS:
            return Rank.ENERGY
        is_power = quantity.unit in _POWER_UNITS and (quantity.unit != "1" or quantity in _POWER_FACTORS)
        return Rank.POWER if is_power else Rank.DEMAND

    @property
    def scaler(self) -> Attribute | None:
        """Where its scaler and unit are; None of a plain count."""
        number = SCALER.get(Class(self.class_id))
        return None if number is None else Attribute(self.class_id, self.obis, number)

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """What is asked for each time: the value, and its time where it has one."""
        numbers = [VALUE[Class(self.class_id)], *filter(None, [TIME.get(Class(self.class_id))])]
        return tuple(Attribute(self.class_id, self.obis, number) for number in numbers)

    def reading(
        self, answers: Mapping[Attribute, Result], scaler: ScalerUnit, utc_offset_min: int, deviation: Deviation
    ) -> Reading:
        """The reading in its answers; the value must be among them and not denied.

        Raises:
            FrameError: it is no number of this quantity, or its time is none.
        """
        value_at, *time_at = self.attributes
        raw = answers[value_at]
        assert not isinstance(raw, Denied)
        value = scaler.value(raw, self.meaning.quantity)
        at_us = None
        for attribute in time_at:
            told = answers.get(attribute)
            if told is not None and not isinstance(told, Denied):
                is_inverted = deviation is Deviation.INVERTED
                at_us = meter_time(told, utc_offset_min, is_deviation_inverted=is_inverted).at_us
        quality = Quality.ABSENT if value is None else Quality.GOOD
        meaning = self.meaning
        return Reading(meaning.quantity, self.obis, value, meaning.phase, meaning.tariff, quality, at_us)


def target_of(each: CosemObject) -> Target | None:
    """What is read of an object; None where nothing is."""
    meaning = meaning_of(each.obis)
    if each.class_id not in VALUE or meaning is None or each.obis.f != NO_BILLING_PERIOD:
        return None
    if each.class_id == Class.DATA and meaning.quantity.unit != "1":
        return None
    return Target(each.class_id, each.obis, meaning)


def found(objects: Iterable[CosemObject]) -> list[Target]:
    """What is read of a meter that has these objects; each code once."""
    by_code = {target.obis: target for each in objects if (target := target_of(each)) is not None}
    return list(by_code.values())


def tries(code: ObisCode) -> Sequence[Target]:
    """The objects that a code from the settings may be, the likeliest first."""
    likely = [Class.REGISTER, Class.EXTENDED_REGISTER, Class.DEMAND_REGISTER, Class.DATA]
    if code.d == _MAX_DEMAND:
        likely.insert(0, likely.pop(1))
    elif code.d in _DEMAND:
        likely.insert(0, likely.pop(2))
    return [target for each in likely if (target := target_of(CosemObject(each, code))) is not None]


def strange(target: Target, error: FrameError) -> FrameError:
    """The same error, which says of which object it is."""
    return FrameError(error.reason, f"{target.obis}: {error.detail}", error.frame)
