"""Cars through a car park: they stop on a loop, show a card, and the barrier lets them in; seeded, with ground truth.

wait at the entry            stay                 wait at the exit
|- loop ----------|..........................|- loop ----------|
   |- card -|                                   |- card -|
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from readers.tagdata.cards import CardIdentity, Technology
from simulator.world import noise

LOOP_BEFORE_CARD_S: Final = 1.0
CARD_S: Final = 1.2
LOOP_AFTER_CARD_S: Final = 2.0
GAP_S: Final = 1.5  # between two cars at one place
_US_PER_S: Final = 1_000_000
_NXP: Final = 0x04  # manufacturer of ISO/IEC 7816-6: seven-byte UIDs begin with one
ENTRY: Final = "entry"
EXIT: Final = "exit"


@dataclass(frozen=True, slots=True)
class Holder:
    """Someone with a card; `is_enrolled` when the site knows it."""

    name: str
    card: CardIdentity
    is_enrolled: bool


@dataclass(frozen=True, slots=True)
class Presentation:
    """One card that is shown at one place."""

    holder: Holder
    place: str
    at_us: int

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


def holder(seed: int, number: int, technology: Technology, *, is_enrolled: bool = True) -> Holder:
    """The `number`-th card holder of a world."""
    draw = noise.bits(seed, 77, number)
    if technology is Technology.NFC_A:
        uid = bytes([_NXP]) + draw.to_bytes(8, "big")[:6]
    else:
        uid = bytes([0x62]) + draw.to_bytes(8, "big")[:4]
    return Holder(f"citizen-{number:04}", CardIdentity(technology, uid), is_enrolled)


def presentations(
    seed: int,
    start_us: int,
    duration_s: float,
    *,
    every_s: float,
    stay_s: float,
    strangers: float,
    technology: Technology = Technology.NFC_A,
) -> list[Presentation]:
    """All cards that are shown within the duration, in order; a stranger is not let in and turns back."""
    draw = random.Random(seed + 5)
    made: list[Presentation] = []
    busy_until_s = {ENTRY: 0.0, EXIT: 0.0}
    clock_s = LOOP_BEFORE_CARD_S + draw.uniform(0.2, every_s / 2)
    number = 0

    def show(who: Holder, place: str, at_s: float) -> bool:
        at_s = max(at_s, busy_until_s[place])
        if at_s + CARD_S + LOOP_AFTER_CARD_S > duration_s:
            return False
        busy_until_s[place] = at_s + CARD_S + LOOP_AFTER_CARD_S + GAP_S + LOOP_BEFORE_CARD_S
        made.append(Presentation(who, place, start_us + round(at_s * _US_PER_S)))
        return True

    leaving: list[tuple[float, Holder]] = []
    while clock_s < duration_s:
        number += 1
        who = holder(seed, number, technology, is_enrolled=draw.random() >= strangers)
        if show(who, ENTRY, clock_s) and who.is_enrolled:
            leaving.append((max(clock_s, busy_until_s[ENTRY]) + stay_s * draw.uniform(0.5, 1.5), who))
        clock_s += draw.uniform(0.6, 1.4) * every_s
    for at_s, who in sorted(leaving, key=lambda each: each[0]):
        show(who, EXIT, at_s)
    return sorted(made, key=lambda each: each.at_us)


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
        """Free places, of 120."""
        inside = sum(
            (1 if each.place == ENTRY else -1)
            for each in self.shown
            if each.holder.is_enrolled and each.at_us <= now_us
        )
        return [max(0, 120 - inside)]

    def outputs(self) -> Sequence[bool]:
        """The coils."""
        return self.coils

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        """A client raises or lowers a barrier."""
        del now_us
        self.coils[number - 1] = is_on
