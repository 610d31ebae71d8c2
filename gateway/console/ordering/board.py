"""The board of the page of control: what each point shows now, the order that holds it, and how the last one ended.

What stands here goes to everybody who may look: no nonce, no reason, no signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.config.control import ControlledPoint
from gateway.config.models import SiteFile
from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.batches import Reading, ReadingBatch, SignalBatch
from gateway.contract.commands import Outcome
from gateway.control.interlocks import Source

OWN_READINGS: Final = frozenset({"active_power", "current", "voltage"})
"""Quantities of a meter that tell whether its load has power."""
POINT_MOST: Final = 2_000


class OrderTold(msgspec.Struct, frozen=True, kw_only=True):
    """One order, as far as it is.

    Attributes:
        id: of the command that began it.
        user: of the console; empty when it was ordered by other means.
        state: `arming`, `armed`, `confirming`, `sending`, `cancelling`; then how it ended, as an `Outcome` says, or
            `not_sent`: the console could not send it; `unanswered`: nothing was heard of the arming.
        expires_at_us: of an armed one, by the console's clock.
        shows: what the device showed at `shown_at_us`.
        confirmed_by: the person who confirmed it.
        receipt: `SEQUENCE:HASH` of the latest record of it in the audit.
        is_over: nothing follows.
    """

    id: str
    device: str
    point: str
    action: str
    value: str | None = None
    user: str = ""
    by: str
    state: str
    at_us: int
    expires_at_us: int | None = None
    shows: dict[str, bool | str] = {}
    shown_at_us: int | None = None
    confirmed_by: str | None = None
    code: str = ""
    detail: str = ""
    receipt: str = ""
    is_over: bool = False

    @property
    def key(self) -> str:
        """Of the row of its point."""
        return key_of(self.device, self.point)


def key_of(device: str, point: str) -> str:
    """The key of a point's row."""
    return f"{device}/{point}"


def receipt_of(outcome: Outcome) -> str:
    """The receipt of an outcome; empty when it is in no audit."""
    return "" if outcome.audit_sequence is None else f"{outcome.audit_sequence}:{outcome.audit_hash}"


class Board:
    """Rows by `device/point`: `values` by what they are, `order` that holds the point, and `last`."""

    def __init__(self, site: SiteFile) -> None:
        self._rows = Rows(POINT_MOST)
        self._signals: dict[tuple[str, str], list[str]] = {}
        self._readings: dict[tuple[str, str], list[str]] = {}
        for rule in site.control.point:
            self._rows.put(
                key := key_of(rule.device, rule.point),
                {"device": rule.device, "point": rule.point, "values": {}, "order": None, "last": None},
            )
            self._want(rule, key)

    def take(self, heard: Heard) -> None:
        """Take the signals and readings that a point or one of its interlocks is about."""
        if isinstance(heard, SignalBatch):
            for signal in heard.signals:
                for key in self._signals.get((heard.device, signal.name), ()):
                    what = f"signal {heard.device} {signal.name}"
                    self._value(key, what, signal.value, signal.unit, heard.received_at_us)
        elif isinstance(heard, ReadingBatch):
            for reading in heard.readings:
                name = _reading_name(reading)
                for key in self._readings.get((heard.device, name), ()) if reading.tariff is None else ():
                    value = None if reading.value is None else str(reading.value)
                    self._value(key, f"reading {heard.device} {name}", value, reading.unit, heard.received_at_us)

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All points."""
        del query
        return self._rows.follow()

    def show(self, order: OrderTold) -> None:
        """Show how far an order is; one that is over frees its point."""
        row = self._rows.get(order.key)
        if row is None:
            return
        told = msgspec.to_builtins(order)
        change = {"order": None, "last": told} if order.is_over else {"order": told}
        self._rows.put(order.key, {**row, **change})

    def _want(self, rule: ControlledPoint, key: str) -> None:
        self._signals.setdefault((rule.device, rule.point), []).append(key)
        for quantity in OWN_READINGS:
            for phase in ("", ":a", ":b", ":c"):
                self._readings.setdefault((rule.device, f"{quantity}{phase}"), []).append(key)
        for interlock in rule.parsed_interlocks():
            if interlock.source is not Source.POINT:
                wanted = self._signals if interlock.source is Source.SIGNAL else self._readings
                keys = wanted.setdefault((interlock.device, interlock.name), [])
                if key not in keys:
                    keys.append(key)

    def _value(self, key: str, what: str, value: bool | str | None, unit: str | None, at_us: int) -> None:  # noqa: FBT001  # a value, no switch
        row = self._rows.get(key)
        if row is not None:
            told: dict[str, Any] = {"value": value, "unit": unit, "at_us": at_us}
            self._rows.put(key, {**row, "values": {**row["values"], what: told}})


def _reading_name(reading: Reading) -> str:
    return reading.quantity if reading.phase is None else f"{reading.quantity}:{reading.phase}"
