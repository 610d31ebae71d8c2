"""A machine with its operator: a yarn breaks, and some time later it is mended. What the rules should make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from readers.codecs.modbus import Frame
from simulator.world.expected import Expected

LONGEST_STOP_S: Final = 10.0
"""The site file has longer stops told."""
WITHIN_US: Final = 3_000_000
_US_PER_S: Final = 1_000_000


class Attendable(Protocol):
    """What can be done to a machine, and what it answers."""

    @property
    def answer_after_s(self) -> float:
        """How long it thinks."""

    def start(self) -> None:
        """The operator presses start."""

    def break_yarn(self) -> None:
        """A yarn breaks."""

    def answer(self, request: Frame, now_us: int) -> Frame | None:
        """What it answers; None for silence."""


@dataclass(slots=True)
class Attended:
    """A machine whose yarn breaks once. Implements `simulator.modbus_server.Unit`.

    Attributes:
        breaks_us: when it breaks; mended_us: when the operator starts it again.
    """

    machine: Attendable
    breaks_us: int
    mended_us: int
    _done: int = 0

    @property
    def answer_after_s(self) -> float:
        """How long it thinks."""
        return self.machine.answer_after_s

    def answer(self, request: Frame, now_us: int) -> Frame | None:
        """As the machine, after what was done to it meanwhile."""
        deeds = ((self.breaks_us, self.machine.break_yarn), (self.mended_us, self.machine.start))
        while self._done < len(deeds) and deeds[self._done][0] <= now_us:
            deeds[self._done][1]()
            self._done += 1
        return self.machine.answer(request, now_us)


def expected(machine: str, breaks_us: int, mended_us: int) -> list[Expected]:
    """The stop is told, if it lasts long enough."""
    due_us = breaks_us + round(LONGEST_STOP_S * _US_PER_S)
    if due_us >= mended_us:
        return []
    return [Expected("long stops", "stop-too-long", due_us, WITHIN_US, {"subject": machine})]
