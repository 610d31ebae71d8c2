"""Which data items of a device are told as which signals, and what their words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from readers.codecs.mtconnect import CONTROLLER_MODE, EXECUTION, UNAVAILABLE, DataItem, Device
from readers.control import Value
from readers.errors import DeviceRefusedError
from readers.machine_states import BAD_COUNT, GOOD_COUNT, MODE, PROGRAM, STATE, TOTAL_COUNT
from readers.machines.mtconnect.settings import ItemSignal

EMERGENCY_STOP: Final = "emergency_stop"
_TRIGGERED: Final = {"TRIGGERED": "true", "ARMED": "false"}
_TRUTHS: Final = {"true": True, "false": False}
_COUNTS: Final = {"": TOTAL_COUNT, "ALL": TOTAL_COUNT, "GOOD": GOOD_COUNT, "BAD": BAD_COUNT}
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Told:
    """How a data item is told."""

    name: str
    unit: str | None = None
    texts: Mapping[str, str] | None = None
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    is_number: bool = False


class NoValueError(Exception):
    """An observation that stands for no value; the message says why."""


def items_of(device: Device, signals: Sequence[ItemSignal]) -> dict[str, Told]:
    """What is told, by the id of the data item: what the settings name, and what is known by its type.

    Raises:
        DeviceRefusedError: the device does not have an item that is named.
    """
    found: dict[str, Told] = {}
    taken = {signal.name for signal in signals}
    by_name = {name: item for item in reversed(device.items) for name in (item.name, item.id) if name}
    for signal in signals:
        item = by_name.get(signal.item)
        if item is None:
            known = ", ".join(item.name or item.id for item in device.items[:_MOST_SHOWN])
            raise DeviceRefusedError(f"device {device.name} has no data item {signal.item}; it has {known} ...")
        is_number = signal.unit is not None or item.category == "SAMPLE"
        texts = signal.texts or _words(signal.name, item)
        found[item.id] = Told(
            signal.name, signal.unit, texts, signal.scale, signal.offset, is_number=is_number and not texts
        )
    for item in device.items:
        told = _by_type(item)
        if told is not None and told.name not in taken and item.id not in found:
            taken.add(told.name)
            found[item.id] = told
    return found


def value_of(told: Told, text: str) -> Value:
    """The value of a signal.

    Raises:
        NoValueError: there is none now, or it is none of those that are expected.
    """
    if text == UNAVAILABLE:
        raise NoValueError("the agent says UNAVAILABLE")
    if told.texts is not None:
        word = told.texts.get(text)
        if word is None:
            raise NoValueError(f"{text} is not known for {told.name}")
        return _TRUTHS.get(word, word) if told.name == EMERGENCY_STOP else word
    if not told.is_number:
        return text
    try:
        value = Decimal(text) * told.scale + told.offset
    except ArithmeticError:
        raise NoValueError(f"{text} is no number") from None
    if not value.is_finite():
        raise NoValueError(f"{text} is no number")
    return value


def _by_type(item: DataItem) -> Told | None:
    kind = item.type.upper()
    if item.category == "EVENT":
        if kind == "EXECUTION":
            return Told(STATE, texts=EXECUTION)
        if kind == "CONTROLLER_MODE":
            return Told(MODE, texts=CONTROLLER_MODE)
        if kind == "EMERGENCY_STOP":
            return Told(EMERGENCY_STOP, texts=_TRIGGERED)
        if kind == "PROGRAM" and item.sub_type in ("", "MAIN"):
            return Told(PROGRAM)
        if kind == "PART_COUNT" and item.sub_type in _COUNTS:
            return Told(_COUNTS[item.sub_type], is_number=True)
    return None


def _words(name: str, item: DataItem) -> Mapping[str, str] | None:
    """What is known of the words of a type, where a signal of that meaning names another of its items."""
    known = _by_type(item)
    return known.texts if known is not None and known.name == name else None
