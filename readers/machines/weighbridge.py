"""The driver `weighbridge`: indicators that send what they show without being asked, on a serial line.

A truck is weighed when it stands still. Indicators of some makes say whether the weight moves, others do not; so a
weight is stable when it has kept within a tolerance for a time, and the indicator, where it can, agrees.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final, Literal

from pydantic import Field

from readers.codecs.weighbridge import Decoder, Form, Shown
from readers.driver import DriverSettings, DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import LinkError
from readers.observations import Condition, Rejected, Severity, Signal, Signals, Watching

SILENT_AFTER_S: Final = 3.0  # continuous output comes several times a second
GAP_S: Final = 0.25
KG: Final = "kg"
_PER_UNIT: Final = {
    "kg": Decimal(1),
    "t": Decimal(1000),
    "g": Decimal("0.001"),
    "lb": Decimal("0.45359237"),
}
"""Kilograms; the pound is the international one."""


class WeighbridgeSettings(DriverSettings):
    """Settings of driver `weighbridge`."""

    format: Form = Field(
        default=Form.XK3190, description="the indicator's continuous output: `xk3190`, `xk3190_reversed` or `toledo`"
    )
    checksum: Literal["required", "absent"] = Field(
        default="required", description="Toledo output comes with or without its checksum character"
    )
    unit: Literal["kg", "t", "lb"] = Field(
        default="kg", description="the unit of the display, for forms that do not name it (both of XK3190)"
    )
    stable_within_kg: Decimal = Field(
        default=Decimal(20), ge=0, description="a weight that stays within this is stable"
    )
    stable_for_s: float = Field(default=1.5, gt=0, le=60, description="... when it does so for this long")
    empty_below_kg: Decimal = Field(default=Decimal(200), ge=0, description="less than this is an empty bridge")
    report_every_s: float = Field(
        default=1.0, gt=0, le=60, description="a weight that changes is told at most this often; stability at once"
    )


class StableWeight:
    """Finds out whether the weight stands still. Pure; times are of a clock that never jumps."""

    def __init__(self, within_kg: Decimal, for_s: float) -> None:
        self._within_kg = within_kg
        self._for_s = for_s
        self._kept: deque[tuple[float, Decimal]] = deque(maxlen=4_096)

    def take(self, at_s: float, weight_kg: Decimal, *, is_moving: bool) -> Decimal | None:
        """Take a weight; returns the stable one, the newest of them, or None while it moves."""
        if is_moving:
            self._kept.clear()
            return None
        kept = self._kept
        if kept and abs(weight_kg - kept[-1][1]) > self._within_kg:
            kept.clear()
        kept.append((at_s, weight_kg))
        while len(kept) > 1 and kept[1][0] <= at_s - self._for_s:
            kept.popleft()
        if at_s - kept[0][0] < self._for_s:
            return None
        weights = [weight for _, weight in kept]
        return weight_kg if max(weights) - min(weights) <= self._within_kg else None

    def forget(self) -> None:
        """The weight was out of sight for a while."""
        self._kept.clear()


class WeighbridgeDriver:
    """Listens until cancelled."""

    def __init__(self, settings: WeighbridgeSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Listen until cancelled.

        Raises:
            LinkError: the indicator fell silent, or what it sends is no weight of this form.
        """
        listener = _Listener(self._settings, port, report)
        while True:
            await listener.listen()


class _Listener:
    """One connection to one indicator."""

    def __init__(self, settings: WeighbridgeSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._decoder = Decoder(settings.format, has_checksum=settings.checksum == "required")
        self._stability = StableWeight(settings.stable_within_kg, settings.stable_for_s)
        self._heard_s = port.monotonic_s()
        self._bytes = 0
        self._is_watching = False
        self._told: dict[str, object] = {}
        self._told_s = float("-inf")
        self._conditions: set[str] = set()

    async def listen(self) -> None:
        """Take what comes next."""
        data = await self._port.receive(GAP_S)
        self._bytes += len(data)
        shown = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample))
        now_s = self._port.monotonic_s()
        for each in shown:
            self._take(each, now_s)
        if shown:
            self._heard_s, self._bytes = now_s, 0
        elif now_s - self._heard_s >= SILENT_AFTER_S:
            raise LinkError(self._silence())

    def _silence(self) -> str:
        form = self._settings.format
        where = self._port.description
        if self._bytes:
            return (
                f"{where}: {self._bytes} bytes came in {SILENT_AFTER_S:g} s but no weight of format = {form.value!r}: "
                "check the format, its checksum, and speed and parity of the line"
            )
        return (
            f"{where}: the indicator sent nothing for {SILENT_AFTER_S:g} s: check power and wiring, and that its "
            "continuous output is switched on"
        )

    def _take(self, shown: Shown, now_s: float) -> None:
        if not self._is_watching:
            self._is_watching = True
            self._report(Watching())
        self._condition(
            "out_of_range", bool(shown.is_out_of_range), Severity.FAULT, "more than the scale's capacity, or below zero"
        )
        self._condition(
            "not_zeroed", bool(shown.is_not_zeroed), Severity.WARNING, "not zeroed since it was switched on"
        )
        per_unit = _PER_UNIT[shown.unit or self._settings.unit]
        weight_kg = shown.value * per_unit
        tare_kg = None if shown.tare is None else shown.tare * per_unit
        stable_kg = None
        if shown.is_out_of_range:
            self._stability.forget()  # what the display shows then is no weight
        else:
            stable_kg = self._stability.take(now_s, weight_kg, is_moving=bool(shown.is_moving))
        on_bridge_kg = weight_kg + (tare_kg or 0) if shown.is_net else weight_kg
        self._tell(shown, weight_kg, tare_kg, on_bridge_kg, stable_kg, now_s)

    def _tell(
        self,
        shown: Shown,
        weight_kg: Decimal,
        tare_kg: Decimal | None,
        on_bridge_kg: Decimal,
        stable_kg: Decimal | None,
        now_s: float,
    ) -> None:
        is_stable = stable_kg is not None
        is_empty = on_bridge_kg < self._settings.empty_below_kg
        urgent = [
            *self._changed("is_stable", is_stable),
            *(self._changed("is_empty", is_empty) if is_stable or "is_empty" not in self._told else ()),
        ]
        if is_stable and not is_empty and self._is_other_plateau(on_bridge_kg):
            self._told["stable_weight"] = on_bridge_kg
            urgent.append(Signal("stable_weight", on_bridge_kg, KG))
        elif is_stable and is_empty:
            self._told.pop("stable_weight", None)  # the next truck is weighed anew, even if it weighs the same
        usual = []
        if not shown.is_out_of_range and (urgent or now_s - self._told_s >= self._settings.report_every_s):
            usual = self._changed("net_weight" if shown.is_net else "gross_weight", weight_kg, KG)
            if tare_kg is not None:
                usual += self._changed("tare_weight", tare_kg, KG)
        if urgent or usual:
            self._told_s = now_s
            self._report(Signals(self._port.now_us(), (*usual, *urgent)))

    def _is_other_plateau(self, weight_kg: Decimal) -> bool:
        before = self._told.get("stable_weight")
        return not isinstance(before, Decimal) or abs(weight_kg - before) > self._settings.stable_within_kg

    def _changed(self, name: str, value: bool | Decimal, unit: str | None = None) -> list[Signal]:  # noqa: FBT001 - the value of a signal
        if self._told.get(name) == value and name in self._told:
            return []
        self._told[name] = value
        return [Signal(name, value, unit)]

    def _condition(self, name: str, active: bool, severity: Severity, detail: str) -> None:  # noqa: FBT001 - called twice, above
        if active != (name in self._conditions):
            (self._conditions.add if active else self._conditions.discard)(name)
            self._report(Condition(name, active=active, severity=severity, detail=detail if active else ""))


DRIVER: Final = DriverSpec(
    "weighbridge",
    Kind.MACHINE,
    WeighbridgeSettings,
    WeighbridgeDriver,
    "weighing indicators with continuous output (Yaohua XK3190, Mettler Toledo), with stable-weight detection",
    line=LineDefaults(baud=9600),
    models=("Yaohua XK3190-A9", "XK3190-A1", "XK3190-DS3", "Mettler Toledo IND and Wildcat", "Toledo compatibles"),
)
