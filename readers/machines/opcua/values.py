"""From a sample of a node to the value of a signal, or the reason why there is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from readers.codecs.opcua import PACKML
from readers.control import Value
from readers.machine_states import REMOTE_ENABLED, STATE
from readers.machines.opcua.settings import NodeSignal, SetPoint
from readers.opcua_messages import Sample

_TRUTHS: Final = {"true": True, "false": False}


class NoValueError(Exception):
    """A sample that stands for no value of its signal; the message says why."""


def value_of(signal: NodeSignal, sample: Sample) -> Value:
    """The value of a signal.

    Raises:
        NoValueError: the server has none, or it is none of those that are expected.
    """
    text = _text(sample)
    if signal.name == REMOTE_ENABLED:
        truth = _TRUTHS.get(signal.texts.get(text, text) if signal.texts else text)
        if truth is None:
            raise NoValueError(f"{text} is neither true nor false")
        return truth
    if signal.texts:
        if text not in signal.texts:
            raise NoValueError(f"{text} is not among the texts of the site file")
        return signal.texts[text]
    if signal.name == STATE:
        if text not in PACKML:
            raise NoValueError(f"{text} is no number of a PackML state; say what it means with texts")
        return PACKML[text].value
    if isinstance(sample.value, bool) or not sample.is_number:
        assert sample.value is not None
        return sample.value
    return scaled(signal, sample)


def scaled(part: NodeSignal | SetPoint, sample: Sample) -> Decimal:
    """The number of a sample in the unit of the site file.

    Raises:
        NoValueError: it has none.
    """
    text = _text(sample)
    try:
        value = Decimal(text) * part.scale + part.offset if sample.is_number else None
    except ArithmeticError:
        value = None
    if value is None or not value.is_finite():
        raise NoValueError(f"{text} is no number")
    return value


def raw_of(setpoint: SetPoint, value: Decimal) -> str:
    """What is written for a value."""
    return f"{(value - setpoint.offset) / setpoint.scale:f}"


def _text(sample: Sample) -> str:
    if sample.level:
        raise NoValueError(f"the server says {sample.status}")
    if sample.value is None:
        raise NoValueError("the server says that it is good, and tells no value")
    if isinstance(sample.value, bool):
        return "true" if sample.value else "false"
    return sample.value
