"""Names of the events and rules of the pack, and how its conditions are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.config.rules import LookUp
from rules.packs.parking.settings import By, Contact, Direction, Holders, ParkingSettings

REQUEST: Final = "access-request"
ADMITTED: Final = "access-admitted"
DECISION: Final = "access-decision"
CLOSED: Final = "access-closed"
DURESS: Final = "access-duress"
ENTRY: Final = "parking-entry"
VISIT: Final = "parking-visit"
VIOLATION: Final = "parking-violation"
OVERSTAY: Final = "parking-overstay"
FULL: Final = "parking-full"
BARRIER_UP: Final = "barrier-up"
BARRIER_RAISED: Final = "barrier-raised"
BARRIER_UNMATCHED: Final = "barrier-unmatched"
FIRE: Final = "fire-mode"
FIRE_ENDED: Final = "fire-ended"
RESET: Final = "area-reset"

KNOWN: Final = "known"
UNKNOWN: Final = "unknown"
AMBIGUOUS: Final = "ambiguous"
RESULTS: Final = (KNOWN, UNKNOWN, AMBIGUOUS)
LISTED: Final = "listed"
"""Under this name the row of the table is looked up: e.listed_found, e.listed_COLUMN."""


def request(name: str, direction: Direction, result: str, *, is_late: bool = False) -> str:
    """The rule that tells of cards of this result, shown at lanes of this direction; one of its own for a backlog."""
    return f"{name}-{direction.value}-{result}{'-late' if is_late else ''}"


def requests(name: str, direction: Direction, *results: str) -> list[str]:
    """All of them, of these results or of any."""
    return [
        request(name, direction, result, is_late=is_late) for result in results or RESULTS for is_late in (False, True)
    ]


def inside(name: str) -> str:
    """The rule that counts who is inside."""
    return f"{name}-inside"


def fire(name: str) -> str:
    """The rule that tells of the fire alarm."""
    return f"{name}-fire"


def one_of(field: str, values: Iterable[str]) -> str:
    """A condition: the field is one of these."""
    found = list(values)
    if len(found) == 1:
        return f'e.{field} == "{found[0]}"'
    listed = ", ".join(f'"{value}"' for value in found)
    return f"e.{field} in [{listed}]"


def both(*parts: str) -> str:
    """A condition: all of them."""
    return " && ".join(part for part in parts if part)


def is_on(contact: Contact) -> str:
    """A condition on signals: this one is on."""
    return both(one_of("device", [contact.device]), one_of("name", [contact.signal]), "e.value == true")


def column(name: str) -> str:
    """The field of a column of the table."""
    return f"{LISTED}_{name}"


def lookup(holders: Holders | None, holder: str, card: str) -> dict[str, LookUp]:
    """The look-up, by the field that has the holder's name or that which has the card."""
    if holders is None:
        return {}
    return {LISTED: LookUp(table=holders.table, key=holder if holders.by is By.HOLDER else card)}


def not_yet(settings: ParkingSettings, at: str) -> str:
    """A condition: not valid before later than the field `at`; empty when nobody asks."""
    if settings.holders is None or settings.holders.valid_from is None:
        return ""
    return f"e.{at} < e.{column(settings.holders.valid_from)}"


def expired(settings: ParkingSettings, at: str) -> str:
    """A condition: expired at the field `at`; empty when nobody asks."""
    if settings.holders is None or settings.holders.valid_until is None:
        return ""
    return f"e.{at} >= e.{column(settings.holders.valid_until)}"


def negated(condition: str) -> str:
    """A condition: not that; empty stays empty."""
    return f"!({condition})" if condition else ""
