"""What every driver of polled meters tells of a meter: that it answers, who it is, what it cannot read of it.

Each is told when it begins and when it ends, and not with every poll.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from readers.bus import Ask, NoReplyError
from readers.driver import Report
from readers.errors import FrameError
from readers.observations import Condition, DeviceInfo, Rejected, Severity, Watching

MOST_UNKNOWN: Final = 64
"""Names of values without meaning that are listed for one meter: what it says must not fill a message."""


class MeterTeller:
    """One meter behind a line, as long as a link lasts.

    Attributes:
        answers: None until it has answered or failed to.
    """

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self.answers: bool | None = None
        self._info: DeviceInfo | None = None
        self._unknown: list[str] = []
        self._told: dict[str, str] = {}

    def heard(self) -> bool:
        """It answered; True when it had not before."""
        if self.answers:
            return False
        if self.answers is False:
            self._report(Condition("meter_silent", active=False, source=self._name))
        self.answers = True
        self._report(Watching(source=self._name))
        return True

    def silent(self, detail: str) -> None:
        """It did not answer; `detail` says how, to a person."""
        if self.answers is False:
            return
        self.answers = False
        self._report(Watching(source=self._name, active=False))
        self._report(Condition("meter_silent", active=True, severity=Severity.FAULT, detail=detail, source=self._name))

    def introduce(self, info: DeviceInfo) -> None:
        """Say who it is, when that is new."""
        if info != self._info:
            self._info = info
            self._report(info)

    def spoilt(self, faults: Iterable[FrameError]) -> None:
        """Count values that came and cannot be read."""
        for error in faults:
            self._report(Rejected(f"data_{error.reason}", reads_lost=1, sample=error.frame, source=self._name))

    def unknown(self, names: Iterable[str], detail: str) -> None:
        """List values without a meaning here; `detail` has a place {} for all names until now."""
        new = [name for name in dict.fromkeys(names) if name not in self._unknown]
        if new and len(self._unknown) < MOST_UNKNOWN:
            self._unknown += new[: MOST_UNKNOWN - len(self._unknown)]
            text = detail.format(", ".join(self._unknown))
            self._report(
                Condition("register_unknown", active=True, severity=Severity.INFO, detail=text, source=self._name)
            )

    def state(self, name: str, detail: str) -> None:
        """A condition that lasts as long as there is something to say; the empty text ends it."""
        if detail != self._told.get(name, ""):
            self._told[name] = detail
            self._report(Condition(name, active=bool(detail), detail=detail, source=self._name))


class LineTeller:
    """A line of meters: that none of them answers has one cause for all, and is told once.

    Args:
        meters: how many there are.
    """

    def __init__(self, report: Report, meters: int) -> None:
        self._report = report
        self._meters = meters
        self._is_dead = False

    def heard(self) -> None:
        """One of them answered."""
        if self._is_dead:
            self._is_dead = False
            self._report(Condition("line_silent", active=False))

    def silent(self) -> None:
        """None of them answers any more."""
        self._is_dead = True
        detail = (
            f"none of the {self._meters} meters of this line answers; check the adapter, its power, the two wires, and "
            "speed and parity"
        )
        self._report(Condition("line_silent", active=True, severity=Severity.FAULT, detail=detail))


def noting_silence(ask: Ask, silent: Callable[[str], None]) -> Ask:
    """The same question, and the meter is told of its silence: it may have answered an order while left alone."""

    async def ask_and_note() -> bool | None:
        try:
            return await ask()
        except NoReplyError as error:
            silent(str(error))
            raise

    return ask_and_note
