"""What gates with barriers should conclude of their trucks, and the lists that they look things up in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from simulator.world.expected import Expected
from simulator.world.truck_gate import Case, Visit

DECISION_US: Final = 5_500_000  # after the arrival, at the latest
END_US: Final = 2_000_000
WEIGHT_KG: Final = 40.0
TURN_S: Final = 1.5
_REASONS: Final = {
    Case.FINE: ("open", ""),
    Case.NO_APPOINTMENT: ("hold", "No appointment for this container"),
    Case.OVERWEIGHT: ("hold", "Heavier than declared"),
    Case.CUSTOMS_HOLD: ("hold", "Not released by customs"),
    Case.UNREADABLE: ("trouble", "No container number was read"),
}
_US_PER_S: Final = 1_000_000


def expected(visits: Sequence[Visit]) -> Iterator[Expected]:
    """All events of the gates."""
    came: dict[str, Visit] = {}
    for visit in visits:
        yield from _at_the_gate(visit)
        if visit.gate.direction == "in":
            came[visit.truck] = visit
        elif (earlier := came.pop(visit.truck, None)) is not None:
            turn_s = (visit.gone_us - earlier.gone_us) / _US_PER_S
            yield Expected(
                "truck turns", "truck-turn", visit.gone_us, END_US,
                {"subject": visit.truck, "turn_s": turn_s}, {"turn_s": TURN_S},
            )  # fmt: skip


def _at_the_gate(visit: Visit) -> Iterator[Expected]:
    verdict, reasons = _REASONS[visit.case]
    said: dict[str, str | int | float | bool] = {
        "subject": visit.gate.name,
        "direction": visit.gate.direction,
        "truck": visit.truck,
        "verdict": verdict,
        "reasons": reasons,
        "missing": "container" if visit.case is Case.UNREADABLE else "",
    }
    near: dict[str, float] = {}
    if visit.case is not Case.UNREADABLE:
        said |= {"container": visit.container.code, "container_share": 1.0}
    if visit.gate.is_weighed:
        said["weight_kg"], near = visit.gross_kg, {"weight_kg": WEIGHT_KG}
    if visit.gate.has_cards:
        said["driver"] = visit.driver.name
    yield Expected("gate decisions", "gate-decision", visit.arrives_us, DECISION_US, said, near)
    yield Expected("gate transactions", "gate-transaction", visit.gone_us, END_US, said, near)
    if visit.case is Case.CUSTOMS_HOLD:
        container = {"subject": visit.container.code}
        yield Expected("customs holds", "customs-hold", visit.arrives_us, DECISION_US, container)


def tables(visits: Sequence[Visit]) -> dict[str, str]:
    """The lists of the gates, by the names of their files."""
    appointments = ["container,truck,declared_kg"]
    appointments += [
        f"{visit.container.code},{visit.truck},{visit.declared_kg}"
        for visit in visits
        if visit.case is not Case.NO_APPOINTMENT
    ]
    customs = ["container,released"]
    customs += [f"{visit.container.code},{str(visit.case is not Case.CUSTOMS_HOLD).lower()}" for visit in visits]
    vehicles = ["truck,tare_kg", *dict.fromkeys(f"{visit.truck},{visit.tare_kg}" for visit in visits)]
    files = {"appointments.csv": appointments, "customs.csv": customs, "vehicles.csv": vehicles}
    return {name: "\n".join(lines) + "\n" for name, lines in files.items()}
