"""The cargo: seals that are opened where they must not be, and refrigerated containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import AlarmSettings, HoldRule, LookUp, NoData, Rule, Severity
from rules.packs.port.settings import PortSettings, Reefers

SEAL_OPENED: Final = "seal-opened"
REEFER_TEMPERATURE: Final = "reefer-temperature"
REEFER_POWER: Final = "reefer-power"


def rules(name: str, settings: PortSettings) -> list[Rule]:
    """The rules of seals and reefers."""
    return list(_rules(name, settings))


def _rules(name: str, settings: PortSettings) -> Iterator[Rule]:
    if settings.seals is not None:
        allowed = [*settings.seals.allowed_points, *(point for lane in settings.lane for point in lane.read_points)]
        listed = ", ".join(f'"{point}"' for point in dict.fromkeys(allowed))
        elsewhere = f" && !(e.read_point in [{listed}])" if listed else ""
        opened = settings.seals.opened_memory
        yield HoldRule(
            shape="hold", name=f"{name}-seal", emit=SEAL_OPENED, on="read", for_s=0,
            when=f'e.kind == "{settings.seal_kind}" && has(e.user_memory){elsewhere} '
            f'&& e.user_memory.startsWith("{opened}")',
            alarm=AlarmSettings(severity=Severity.CRITICAL, message="A seal was opened", latch=True),
        )  # fmt: skip
    if settings.reefers is not None:
        yield from _reefers(name, settings.reefers)


def _reefers(name: str, settings: Reefers) -> Iterator[Rule]:
    lookup = {"reefer": LookUp(table=settings.table, key="device")}
    on = "signal" if settings.signal is not None else "reading"
    what = f'e.name == "{settings.signal}"' if settings.signal is not None else f'e.quantity == "{settings.quantity}"'
    wanted = f"e.reefer_{settings.set_point_celsius}"
    warm, cold = f"e.value - {wanted} > {settings.above_k:.1f}", f"{wanted} - e.value > {settings.below_k:.1f}"
    yield HoldRule(
        shape="hold", name=f"{name}-reefer-temperature", emit=REEFER_TEMPERATURE, on=on, key="device",
        when=f"{what} && ({warm} || {cold})", for_s=settings.within_s, lookup=lookup, no_data=NoData.HOLD,
        alarm=AlarmSettings(severity=Severity.CRITICAL, message="A reefer is not at its set-point"),
    )  # fmt: skip
    if settings.power_signal is not None:
        yield HoldRule(
            shape="hold", name=f"{name}-reefer-power", emit=REEFER_POWER, on="signal", key="device",
            when=f'e.name == "{settings.power_signal}" && e.value == false', for_s=settings.power_within_s,
            alarm=AlarmSettings(severity=Severity.CRITICAL, message="A reefer has no power"),
        )  # fmt: skip
