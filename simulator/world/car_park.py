"""Cars through a car park: they stop on a loop, show a card, and the barrier lets them in; seeded, with ground truth.

wait at the entry            stay                 wait at the exit
|- loop ----------|..........................|- loop ----------|
   |- card -|                                   |- card -|

Who comes is a guest who leaves in time, one who lingers, somebody with the card of one who lingers, somebody whose
card has expired, or a stranger. The last three are not let in, and turn back.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from readers.tagdata.cards import CardIdentity, Technology
from simulator.world import noise

LOOP_BEFORE_CARD_S: Final = 0.8
CARD_S: Final = 1.2
LOOP_AFTER_CARD_S: Final = 1.2
GAP_S: Final = 0.8  # between two cars at one place
PLACES: Final = 120
CLEAR_S: Final = 1.5
"""How far apart two things are of which one must be seen before the other."""
_LINGERS: Final = 1.35  # times the longest stay
_ROUND: Final = 10  # cars
_US_PER_S: Final = 1_000_000
_NXP: Final = 0x04  # manufacturer of ISO/IEC 7816-6: seven-byte UIDs begin with one
ENTRY: Final = "entry"
EXIT: Final = "exit"


class Visitor(StrEnum):
    """Why somebody comes to the entry, and whether the barrier opens for it."""

    GUEST = "guest"
    LINGERS = "lingers"
    AGAIN = "again"
    EXPIRED = "expired"
    STRANGER = "stranger"

    @property
    def enters(self) -> bool:
        """Whether the barrier opens."""
        return self in (Visitor.GUEST, Visitor.LINGERS)


_FIRST: Final = (Visitor.LINGERS, Visitor.AGAIN, Visitor.EXPIRED, Visitor.GUEST, Visitor.STRANGER)
_EVERY_ROUND: Final = (Visitor.LINGERS, Visitor.AGAIN)


@dataclass(frozen=True, slots=True)
class Holder:
    """Someone with a card; `is_enrolled` when the site knows it, `is_valid` when it may enter still."""

    name: str
    card: CardIdentity
    is_enrolled: bool
    is_valid: bool = True


@dataclass(frozen=True, slots=True)
class Presentation:
    """One card that is shown at one place."""

    holder: Holder
    place: str
    at_us: int
    visitor: Visitor = Visitor.GUEST

    @property
    def is_granted(self) -> bool:
        """Whether the barrier opens."""
        return self.visitor.enters

    @property
    def gone_us(self) -> int:
        """When the card is taken away."""
        return self.at_us + round(CARD_S * _US_PER_S)

    @property
    def arrives_us(self) -> int:
        """When the car comes onto the loop."""
        return self.at_us - round(LOOP_BEFORE_CARD_S * _US_PER_S)

    @property
    def leaves_us(self) -> int:
        """When the car has left the loop."""
        return self.gone_us + round(LOOP_AFTER_CARD_S * _US_PER_S)


def holder(
    seed: int, number: int, technology: Technology, *, is_enrolled: bool = True, is_valid: bool = True
) -> Holder:
    """The `number`-th card holder of a world."""
    draw = noise.bits(seed, 77, number)
    if technology is Technology.NFC_A:
        uid = bytes([_NXP]) + draw.to_bytes(8, "big")[:6]
    else:
        uid = bytes([0x62]) + draw.to_bytes(8, "big")[:4]
    return Holder(f"citizen-{number:04}", CardIdentity(technology, uid), is_enrolled, is_valid)


@dataclass(slots=True)
class _Coming:
    """Somebody at the entry; `leaves_s` when they want to be at the exit."""

    who: Holder
    visitor: Visitor
    at_s: float
    leaves_s: float = 0.0


def presentations(
    seed: int,
    start_us: int,
    duration_s: float,
    *,
    every_s: float,
    stay_s: float,
    longest_s: float,
    strangers: float,
    expired: float,
    technology: Technology = Technology.NFC_A,
) -> list[Presentation]:
    """All cards that are shown within the duration, in order; who enters leaves within it, too."""
    coming = _coming(seed, duration_s, every_s, stay_s, longest_s, (strangers, expired), technology)
    while (leaving := _leaving(coming, duration_s, longest_s)) is None:
        last = max(range(len(coming)), key=lambda number: coming[number].leaves_s)
        who = coming.pop(last).who
        coming = [each for each in coming if each.who != who]  # nobody comes with a card of who is not there
    made = [(each, ENTRY, each.at_s) for each in coming] + leaving
    shown = [
        Presentation(each.who, place, start_us + round(at_s * _US_PER_S), each.visitor) for each, place, at_s in made
    ]
    return sorted(shown, key=lambda each: each.at_us)


def _coming(
    seed: int,
    duration_s: float,
    every_s: float,
    stay_s: float,
    longest_s: float,
    shares: tuple[float, float],
    technology: Technology,
) -> list[_Coming]:
    """Everybody at the entry, one after the other; `shares` of strangers and of expired cards."""
    draw = random.Random(seed + 5)
    made: list[_Coming] = []
    lingers: _Coming | None = None
    at_s = LOOP_BEFORE_CARD_S + draw.uniform(0.2, 1.0)
    number = 0
    while at_s + CARD_S + LOOP_AFTER_CARD_S <= duration_s:
        visitor = _visitor(number, draw.random(), *shares)
        number += 1
        who = holder(
            seed,
            number,
            technology,
            is_enrolled=visitor is not Visitor.STRANGER,
            is_valid=visitor is not Visitor.EXPIRED,
        )
        each = _Coming(who, visitor, at_s)
        if visitor is Visitor.GUEST:
            each.leaves_s = at_s + stay_s * draw.uniform(0.8, 1.2)
        elif visitor is Visitor.LINGERS:
            each.leaves_s = at_s + longest_s * _LINGERS
            lingers = each
        elif visitor is Visitor.AGAIN and lingers is not None:
            each.who = lingers.who
        if visitor is not Visitor.AGAIN or (lingers is not None and at_s + CLEAR_S < lingers.leaves_s):
            made.append(each)
        at_s += max(draw.uniform(0.9, 1.2) * every_s, CARD_S + LOOP_AFTER_CARD_S + GAP_S + LOOP_BEFORE_CARD_S)
    return made


def _visitor(number: int, drawn: float, strangers: float, expired: float) -> Visitor:
    if number < len(_FIRST):
        return _FIRST[number]
    if number % _ROUND < len(_EVERY_ROUND):
        return _EVERY_ROUND[number % _ROUND]
    if drawn < strangers:
        return Visitor.STRANGER
    return Visitor.EXPIRED if drawn < strangers + expired else Visitor.GUEST


def _leaving(coming: Sequence[_Coming], duration_s: float, longest_s: float) -> list[tuple[_Coming, str, float]] | None:
    """Who shows a card at the exit when; None when not all can leave in time."""
    free_s = 0.0
    made: list[tuple[_Coming, str, float]] = []
    for each in sorted(coming, key=lambda each: each.leaves_s):
        if not each.visitor.enters:
            continue
        at_s = max(each.leaves_s, free_s)
        if abs(at_s - each.at_s - longest_s) < CLEAR_S:
            at_s = each.at_s + longest_s + CLEAR_S
        if at_s + CARD_S + LOOP_AFTER_CARD_S > duration_s:
            return None
        free_s = at_s + CARD_S + LOOP_AFTER_CARD_S + GAP_S + LOOP_BEFORE_CARD_S
        made.append((each, EXIT, at_s))
    return made


@dataclass(frozen=True, slots=True)
class ReaderField:
    """The cards before one reader. Implements `simulator.device.CardField`."""

    shown: Sequence[Presentation]

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        """The card that lies there now."""
        del antenna_port
        return [each.holder.card for each in self.shown if each.at_us <= now_us < each.gone_us]


@dataclass(slots=True)
class BarrierWires:
    """The loops of both lanes and the coils of their barriers. Implements `simulator.device.Terminals`.

    Inputs: entry loop, exit loop, entry barrier up, exit barrier up. Outputs: the coils that raise them.
    """

    shown: Sequence[Presentation]
    coils: list[bool] = field(default_factory=lambda: [False, False])

    def inputs(self, now_us: int) -> Sequence[bool]:
        """Who stands on a loop, and which barrier is up."""
        loops = [
            any(each.place == place and each.arrives_us <= now_us < each.leaves_us for each in self.shown)
            for place in (ENTRY, EXIT)
        ]
        return [*loops, *self.coils]

    def analogue_inputs(self, now_us: int) -> Sequence[int]:
        """Free places."""
        inside = sum(
            (1 if each.place == ENTRY else -1) for each in self.shown if each.is_granted and each.at_us <= now_us
        )
        return [max(0, PLACES - inside)]

    def outputs(self) -> Sequence[bool]:
        """The coils."""
        return self.coils

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        """A client raises or lowers a barrier."""
        del now_us
        self.coils[number - 1] = is_on
