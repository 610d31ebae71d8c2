"""Rules on the supply: voltage, lost phases, frequency, unbalance, distortion, overload, power factor.

Source of the limits that are defaults: GB/T 12325-2008 (voltage), GB/T 15945-2008 (frequency), GB/T 15543-2008
(unbalance), GB/T 14549-1993 (harmonics), (83) 水电财字 215 (power factor).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import AlarmSettings, HoldRule, Rule, Severity
from rules.packs.power.settings import PowerSettings
from rules.packs.power.words import number, of_meters

PERCENT: Final = 100
BACK_SHARE: Final = 0.25
"""A deviation has ended when a quarter of the limit lies between: else it would come and go with each reading."""
THREE: Final = 3
LITTLE: Final = 0.9
"""What has fallen below this part of its limit has ended."""
FACTOR_BACK: Final = 0.01


def rules(name: str, settings: PowerSettings) -> Iterator[Rule]:
    """The rules of one use."""
    groups: dict[tuple[float, int], list[str]] = {}
    for meter in settings.meter:
        groups.setdefault((meter.nominal_v, meter.phases), []).append(meter.name)
    for (nominal_v, phases), found in groups.items():
        suffix = "" if len(groups) == 1 else f"-{nominal_v:g}v-{phases}p".replace(".", "_").replace("+", "")
        yield from _voltage(name, suffix, nominal_v, phases, found, settings)
    everyone = [meter.name for meter in settings.meter]
    three = [meter.name for meter in settings.meter if meter.phases == THREE]
    yield from _frequency(name, everyone, settings)
    yield from _unbalance(name, three, settings)
    yield _above(name, "voltage-distorted", of_meters(everyone, "voltage_thd"), settings.quality.thd_percent, settings)
    yield from _overload(name, settings)
    yield _power_factor(name, everyone, settings)


def _voltage(
    name: str, suffix: str, nominal_v: float, phases: int, meters: list[str], settings: PowerSettings
) -> Iterator[Rule]:
    limits = settings.quality
    of_voltage = of_meters(meters, "voltage")
    up_v = nominal_v * limits.voltage_high_percent / PERCENT
    down_v = nominal_v * limits.low_percent(phases) / PERCENT
    lost_v = nominal_v * limits.phase_lost_percent / PERCENT
    yield HoldRule(
        shape="hold",
        name=f"{name}-voltage-high{suffix}",
        on="reading",
        when=f"{of_voltage} && e.value > {number(nominal_v + up_v)}",
        clear=f"e.value < {number(nominal_v + up_v * (1 - BACK_SHARE))}",
        for_s=limits.for_s,
        emit="voltage-high",
        figures=["value"],
        alarm=AlarmSettings(message=f"Voltage is more than {limits.voltage_high_percent:g} % too high"),
    )
    back_v = nominal_v - down_v * (1 - BACK_SHARE)
    yield HoldRule(
        shape="hold",
        name=f"{name}-voltage-low{suffix}",
        on="reading",
        when=f"{of_voltage} && e.value < {number(nominal_v - down_v)} && e.value >= {number(lost_v)}",
        clear=f"e.value > {number(back_v)} || e.value < {number(lost_v)}",
        for_s=limits.for_s,
        emit="voltage-low",
        figures=["value"],
        alarm=AlarmSettings(message=f"Voltage is more than {limits.low_percent(phases):g} % too low"),
    )
    if phases == THREE:
        yield HoldRule(
            shape="hold",
            name=f"{name}-phase-lost{suffix}",
            on="reading",
            when=f'{of_voltage} && e.phase in ["a", "b", "c"] && (e.value < {number(lost_v)} || e.quality == "absent")',
            clear=f"e.value > {number(nominal_v - down_v)}",
            for_s=limits.phase_lost_for_s,
            emit="phase-lost",
            figures=["value"],
            alarm=AlarmSettings(severity=Severity.CRITICAL, message="A phase is lost: motors may burn"),
        )


def _frequency(name: str, meters: list[str], settings: PowerSettings) -> Iterator[Rule]:
    limits = settings.quality
    nominal, off = limits.frequency_hz, limits.frequency_off_hz
    near = off * (1 - BACK_SHARE)
    yield HoldRule(
        shape="hold",
        name=f"{name}-frequency-off",
        on="reading",
        when=f"{of_meters(meters, 'frequency')} && (e.value > {number(nominal + off)} || "
        f"e.value < {number(nominal - off)})",
        clear=f"e.value < {number(nominal + near)} && e.value > {number(nominal - near)}",
        for_s=limits.for_s,
        emit="frequency-off",
        figures=["value"],
        alarm=AlarmSettings(message=f"Frequency is more than {off:g} Hz off"),
    )


def _unbalance(name: str, meters: list[str], settings: PowerSettings) -> Iterator[Rule]:
    limits = settings.quality
    if not meters:
        return
    voltage = of_meters(meters, "voltage_unbalance")
    yield _above(name, "voltage-unbalanced", voltage, limits.voltage_unbalance_percent, settings)
    yield _above(name, "voltage-unbalanced-much", voltage, limits.voltage_unbalance_short_percent, settings, for_s=3)
    if limits.current_unbalance_percent is not None:
        current = of_meters(meters, "current_unbalance")
        yield _above(name, "current-unbalanced", current, limits.current_unbalance_percent, settings)


def _overload(name: str, settings: PowerSettings) -> Iterator[Rule]:
    for meter in settings.meter:
        if meter.rated_current_a is not None:
            yield HoldRule(
                shape="hold",
                name=f"{name}-{meter.name}-overload",
                on="reading",
                when=f"{of_meters([meter.name], 'current')} && e.value > {number(meter.rated_current_a)}",
                clear=f"e.value < {number(meter.rated_current_a * LITTLE)}",
                for_s=settings.quality.overload_for_s,
                emit="overload",
                figures=["value"],
                alarm=AlarmSettings(severity=Severity.CRITICAL, message=f"Current above {meter.rated_current_a:g} A"),
            )


def _power_factor(name: str, meters: list[str], settings: PowerSettings) -> Rule:
    least = settings.power_factor.least
    back = min(least + FACTOR_BACK, 1.0)
    return HoldRule(
        shape="hold",
        name=f"{name}-power-factor-low",
        on="reading",
        when=f"{of_meters(meters, 'power_factor')} && !has(e.phase) && "
        f"e.value < {number(least)} && e.value > {number(-least)}",
        clear=f"e.value >= {number(back)} || e.value <= {number(-back)}",
        for_s=settings.power_factor.for_s,
        emit="power-factor-low",
        figures=["value"],
        alarm=AlarmSettings(message=f"Power factor below {least:g}: the supplier adds to the bill"),
    )


def _above(
    name: str, what: str, chosen: str, limit_percent: float, settings: PowerSettings, *, for_s: float | None = None
) -> Rule:
    return HoldRule(
        shape="hold",
        name=f"{name}-{what}",
        on="reading",
        when=f"{chosen} && e.value > {number(limit_percent)}",
        clear=f"e.value < {number(limit_percent * LITTLE)}",
        for_s=settings.quality.for_s if for_s is None else for_s,
        emit=what,
        figures=["value"],
        alarm=AlarmSettings(message=f"{what.replace('-', ' ').capitalize()}: more than {limit_percent:g} %"),
    )
