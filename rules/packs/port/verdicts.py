"""What a gate asks of a truck, and the words in which it says no.

`trouble` is what the gate cannot judge, for somebody to look: not read, or read differently by two devices. `hold` is
what it can judge, and does not let pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import Verdict
from rules.packs.port.settings import Appointments, Direction, Lane, Needed, PortSettings

TROUBLE: Final = "trouble"
HOLD: Final = "hold"
_US_PER_S: Final = 1_000_000
_NOT_READ: Final = {
    Needed.TRUCK: "No truck was read",
    Needed.CONTAINER: "No container number was read",
    Needed.SEAL: "No seal was read",
    Needed.WEIGHT: "The truck was not weighed",
    Needed.DRIVER: "No known driver's card was shown",
}


def verdicts(settings: PortSettings, lane: Lane) -> Iterator[Verdict]:
    """All verdicts of a lane, trouble first."""
    for each in dict.fromkeys(lane.require):
        yield Verdict(verdict=TROUBLE, when=f"!has(e.{each.value})", reason=_NOT_READ[each])
    if lane.read_points or lane.cameras:
        yield Verdict(
            verdict=TROUBLE, when=f"e.container_share < {settings.least_share!r}",
            reason="The readings of the container number differ",
        )  # fmt: skip
    if lane.read_points and lane.cameras:
        yield Verdict(
            verdict=TROUBLE, when="e.container_tag != e.container",
            reason="Tag and camera tell different container numbers",
        )  # fmt: skip
    if lane.read_points and lane.plate is not None:
        yield Verdict(verdict=TROUBLE, when="e.plate != e.truck", reason="Tag and plate are not of the same truck")
    yield from _appointment(settings, lane)
    yield from _customs(settings, lane)
    yield from _weight(settings, lane)
    if settings.vehicles is not None and settings.vehicles.must_be_listed:
        yield _hold("has(e.truck) && !e.vehicle_found", "The truck is not registered")
    if lane.card_point is not None:
        yield _hold('e.card == "unknown"', "The driver's card is not enrolled")
        if settings.drivers is not None:
            until = f"e.licence_{settings.drivers.valid_until}"
            yield _hold(f"has(e.driver) && !({until} >= e.opened_at_us)", "The driver is not, or no longer, admitted")
    if lane.seal_state is not None or (settings.seals is not None and lane.read_points):
        yield _hold('e.seal_state == "opened"', "The seal is open")


def _appointment(settings: PortSettings, lane: Lane) -> Iterator[Verdict]:
    wanted = settings.appointments
    if wanted is None or (only := _only(wanted.direction, lane)) is None or not _is_told(wanted.key, lane):
        return
    found = f"{only}e.appointment_found"
    yield _hold(f"{only}has(e.{wanted.key}) && !e.appointment_found", f"No appointment for this {wanted.key}")
    other = wanted.truck if wanted.key == "container" else wanted.container
    if other is not None:
        what = "truck" if wanted.key == "container" else "container"
        yield _hold(f"{found} && e.{what} != e.appointment_{other}", f"The appointment is for another {what}")
    if wanted.not_before is not None:
        yield _hold(f"{found} && e.opened_at_us < e.appointment_{wanted.not_before}", "Too early for the appointment")
    if wanted.not_after is not None:
        yield _hold(f"{found} && e.opened_at_us > e.appointment_{wanted.not_after}", "Too late for the appointment")
    if wanted.seal is not None and lane.read_points:
        yield _hold(f"{found} && e.seal != e.appointment_{wanted.seal}", "The seal is not the one that was declared")


def _customs(settings: PortSettings, lane: Lane) -> Iterator[Verdict]:
    wanted = settings.customs
    if wanted is None or (only := _only(wanted.direction, lane)) is None or not _is_told("container", lane):
        return
    yield _hold(f"{only}e.customs_found && !e.customs_{wanted.released}", "Not released by customs")
    if wanted.unlisted == "hold":
        yield _hold(f"{only}has(e.container) && !e.customs_found", "Not known to customs")


def _weight(settings: PortSettings, lane: Lane) -> Iterator[Verdict]:
    if lane.scale is None:
        return
    bounds = settings.weighing
    if bounds.heaviest_kg is not None:
        yield _hold(f"e.weight_kg > {bounds.heaviest_kg:.1f}", f"Heavier than {bounds.heaviest_kg:g} kg")
    wanted = settings.appointments
    if wanted is None or not _has_declared(wanted, lane):
        return
    declared, weighed = "e.declared_kg", "e.weight_kg"
    if settings.vehicles is not None and settings.vehicles.tare_kg is not None:
        tare = f"e.vehicle_{settings.vehicles.tare_kg}"
        yield _hold(f"has(e.declared_kg) && has(e.truck) && !has({tare})", "The tare of the truck is not known")
        weighed = f"e.weight_kg - {tare}"
    kg, share = f"{bounds.tolerance_kg:.1f}", f"{bounds.tolerance_percent / 100!r}"
    for differs, reason in (
        (f"{weighed} - {declared}", "Heavier than declared"),
        (f"{declared} - ({weighed})", "Lighter than declared"),
    ):
        yield _hold(f"{differs} > {kg} && {differs} > {declared} * {share}", reason)


def _has_declared(wanted: Appointments, lane: Lane) -> bool:
    return wanted.declared_kg is not None and _only(wanted.direction, lane) is not None and _is_told(wanted.key, lane)


def _is_told(key: str, lane: Lane) -> bool:
    return bool(lane.read_points) or (lane.plate is not None if key == "truck" else bool(lane.cameras))


def _only(direction: Direction, lane: Lane) -> str | None:
    """The beginning of a condition that concerns this direction only; None when it does not concern the lane."""
    if direction is Direction.BOTH or direction is lane.direction:
        return ""
    return f'e.direction == "{direction.value}" && ' if lane.direction is Direction.BOTH else None


def _hold(when: str, reason: str) -> Verdict:
    return Verdict(verdict=HOLD, when=when, reason=reason)
