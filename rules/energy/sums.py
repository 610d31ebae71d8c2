"""Whether the tariff registers of a meter add up to its total, by what one answer of the meter tells of both."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from gateway.contract.events import Scalar

CERTAIN_AFTER: Final = 2
"""Answers in a row that must disagree: a register may have been missing from the first."""


class Group(msgspec.Struct):
    """The registers of one quantity and phase.

    Attributes:
        tariffs_from_us: when a tariff register was read first; from then on tariffs are the meter's own.
        tariffs: those that were ever read.
        compared_us: when the answer came that is being looked at; values: what it told, 0 being the total.
        strikes: answers in a row that disagreed; told: the difference that was told last, in which interval.
    """

    tariffs_from_us: int | None = None
    tariffs: list[int] = []
    compared_us: int = 0
    values: dict[int, Decimal] = {}
    strikes: int = 0
    told: Decimal = Decimal(0)
    told_in: int = 0

    def forget(self) -> None:
        """Another meter stands there now; its tariffs are still its own."""
        self.values.clear()
        self.strikes, self.told = 0, Decimal(0)


def check_sum(
    group: Group, tariff: int, value: Decimal, step: Decimal, received_at_us: int, interval: int
) -> dict[str, Scalar] | None:
    """Note a register of an answer; what is to be told of the answer before, when this one begins another.

    Readings of one answer have one time. The registers cut off what is less than a step, so each may be short by one.
    """
    found = None
    if received_at_us != group.compared_us:
        if group.values:
            found = _judge(group, step, interval)
        group.values.clear()
        group.compared_us = received_at_us
    if tariff and tariff not in group.tariffs:
        group.tariffs = sorted([*group.tariffs, tariff])
    group.values[tariff] = value
    return found


def _judge(group: Group, step: Decimal, interval: int) -> dict[str, Scalar] | None:
    values = group.values
    total = values.get(0)
    if total is None or len(values) <= len(group.tariffs):
        return None
    parts = sum((value for tariff, value in values.items() if tariff), Decimal(0))
    difference = total - parts
    if abs(difference - group.told) <= step * (len(group.tariffs) + 1):
        group.strikes = 0
        return None
    group.strikes += 1
    if group.strikes < CERTAIN_AFTER or group.told_in == interval:
        return None
    group.strikes, group.told, group.told_in = 0, difference, interval
    return {"total": float(total), "sum": float(parts), "difference": float(difference)}
