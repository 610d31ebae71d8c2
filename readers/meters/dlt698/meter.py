"""One meter on the line: what is asked of it, how much at once, what it does not know, and whether it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from readers.bus import NoReplyError
from readers.codecs.dlt698_apdu import LACKING, Get, GetRecord, Record, Refusal, Reply, Request
from readers.codecs.dlt698_data import Data, Oad
from readers.codecs.dlt698_objects import CLOCK, STATUS, item_of
from readers.driver import Report
from readers.errors import FrameError, ReaderError
from readers.metered import MeterTeller
from readers.meters.dlt698.line import Line, RefusedError
from readers.meters.dlt698.settings import Meter as MeterSettings
from readers.observations import Condition, DeviceInfo, Reading, Readings, Rejected, Severity

TRIES: Final = 2
SILENT_STRIKES: Final = 3  # times that an answering meter ignores one object before it is left alone for a while
LIST_STRIKES: Final = 2  # times that it ignores a list before it is asked for a shorter one
RETRY_UNSUPPORTED_S: Final = 3600.0  # a bad hour of the line must not cost a register for ever
_TOLD: Final = frozenset({CLOCK, STATUS})  # no registers, and their lack is told all the same


class IgnoredError(ReaderError):
    """A meter answers, but not to this question."""


@dataclass(slots=True)
class Kept:
    """What a driver knows of a meter across links.

    Attributes:
        last_good_us: when it answered last.
        unfilled_since_us: from when on its records are still to be read.
    """

    last_good_us: int | None = None
    unfilled_since_us: int | None = None


class Meter:
    """One meter while a link lasts.

    Args:
        probe: what is asked of it while nothing is known of it; an object that every meter has.
        most_at_once: objects in one request.

    Attributes:
        watched: None until it answers or fails to.
    """

    def __init__(
        self,
        settings: MeterSettings,
        kept: Kept,
        line: Line,
        report: Report,
        *,
        probe: Oad,
        most_at_once: int,
        utc_offset_min: int,
    ) -> None:
        self.name = settings.name
        self.address = settings.address
        self.kept = kept
        self.line = line
        self.report = report
        self.utc_offset_min = utc_offset_min
        self._teller = MeterTeller(settings.name, report)
        self.silent_since_us: int | None = None
        self._logical = settings.logical_address
        self._delay = line.delay()
        self._introduced = False
        self._probe = probe
        self._proven: Oad | None = None
        self._most_at_once = most_at_once
        self._at_once = most_at_once
        self._few_until_s = 0.0
        self._list_strikes = 0
        self._strikes: dict[Oad, int] = {}
        self._unsupported: dict[Oad, float] = {}
        self._refused: set[Oad] = set()
        self._mac_told = False

    async def read(self, oads: Sequence[Oad]) -> bool:
        """Read registers and report them. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        values = await self.values(oads)
        if values is None:
            return False
        readings: list[Reading] = []
        for oad, data in values.items():
            item = item_of(oad)
            assert item is not None  # it is in `ITEMS` of the driver
            try:
                readings += item.decode(data, self.utc_offset_min, oad.index)
            except FrameError as error:
                self.reject(error)
        if readings:
            self.report(Readings(self.line.now_us(), readings, self.name))
        return True

    async def values(self, oads: Sequence[Oad]) -> dict[Oad, Data] | None:
        """What the meter has of these objects, in as few requests as it takes; None: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        left = [oad for oad in dict.fromkeys(oads) if self.may_ask(oad)]
        if not left:
            return None
        found: dict[Oad, Data] = {}
        while left:
            some = left[: self._how_many()]
            try:
                reply = await self._ask(Get(tuple(some)))
            except RefusedError as refusal:
                if len(some) > 1:
                    self._take_fewer(len(some))
                    continue
                self._is_refused(some[0], str(refusal))
            except NoReplyError:
                if self.watched is False or some == [self._proven]:
                    raise
                await self.prove()
                if len(some) > 1:
                    self._list_strikes += 1
                    if self._list_strikes >= LIST_STRIKES:
                        self._take_fewer(len(some))
                    continue
                self._strike(some[0])
            else:
                if len(some) > 1:
                    self._list_strikes = 0
                found |= self._taken(reply)
            left = left[len(some) :]
        return found

    async def find(self, oad: Oad) -> Data | None:
        """The value of an object that a meter may lack; None: none came, this time or for an hour.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        values = await self.values((oad,))
        return None if values is None else values.get(oad)

    async def records(self, request: GetRecord) -> Sequence[Record] | None:
        """The records, or None where the meter refuses to give any such.

        Raises:
            NoReplyError: the meter is silent. IgnoredError: it keeps silent on this alone. LinkError: the line is gone.
        """
        try:
            reply = await self._ask(request)
        except RefusedError:
            return None
        except NoReplyError:
            if self.watched is False:
                raise
            await self.prove()
            raise IgnoredError(str(request.oad)) from None
        if any(isinstance(record.rows, Refusal) for record in reply.records):
            return None
        return reply.records

    async def prove(self) -> bool:
        """Ask once what it has answered before, or what every meter answers; only whether it answers matters.

        Raises:
            NoReplyError: it does not answer. LinkError: the line is gone.
        """
        with contextlib.suppress(RefusedError):  # an answer, too
            await self._ask(Get((self._probe if self._proven is None else self._proven,)), tries=1)
        return True

    def reject(self, error: FrameError) -> None:
        """Count a value that makes no sense."""
        self.report(Rejected(f"data_{error.reason}", reads_lost=1, sample=error.frame[:64], source=self.name))

    def condition(
        self, name: str, key: str, detail: str = "", *, active: bool = True, severity: Severity = Severity.WARNING
    ) -> None:
        """Report a condition of this meter."""
        self.report(Condition(name, active, severity, key, detail, self.name))

    @property
    def watched(self) -> bool | None:
        """Whether it answers; None until it has answered or failed to."""
        return self._teller.answers

    def may_ask(self, oad: Oad) -> bool:
        """Whether it is not known to lack this."""
        return self.line.now_s() >= self._unsupported.get(oad, 0.0)

    def silent(self, detail: str) -> None:
        """It does not answer."""
        self._strikes.clear()
        self._list_strikes = 0
        self._teller.silent(detail)

    async def _ask(self, request: Request, tries: int | None = None) -> Reply:
        if self.address is None:
            self.address = await self.line.ask_address(self.name, self._delay)
        to = self.line.to(self.address, self._logical)
        usual = 1 if self.watched is False else TRIES
        try:
            reply = await self.line.get(to, request, tries or usual, self.name, self._delay)
        except RefusedError:
            self._answers()
            raise
        self._answers()
        if isinstance(request, Get) and len(request.oads) == 1:
            self._proven = request.oads[0]
        if reply.is_secured and not self._mac_told:
            self._mac_told = True
            detail = "the meter sends its values with a MAC; without its keys it is not verified, the values are taken"
            self.condition("mac_not_verified", "", detail, severity=Severity.INFO)
        return reply

    def _taken(self, reply: Reply) -> dict[Oad, Data]:
        found = {}
        for result in reply.results:
            if isinstance(result.value, Data):
                self._has(result.oad)
                found[result.oad] = result.value
            elif result.value.dar in LACKING:
                self._lacks(result.oad)
            else:
                self._is_refused(result.oad, str(result.value))
        return found

    def _how_many(self) -> int:
        if self._at_once < self._most_at_once and self.line.now_s() >= self._few_until_s:
            self._at_once = self._most_at_once
        return self._at_once

    def _take_fewer(self, than: int) -> None:
        self._at_once = max(1, than // 2)
        self._few_until_s = self.line.now_s() + RETRY_UNSUPPORTED_S
        self._list_strikes = 0

    def _answers(self) -> None:
        if not self._introduced:
            self._introduced = True
            self.report(DeviceInfo(serial=self.address or "", source=self.name))
        if self._teller.heard():
            self.silent_since_us = self.kept.last_good_us
        self.kept.last_good_us = self.line.now_us()

    def _strike(self, oad: Oad) -> None:
        self._strikes[oad] = self._strikes.get(oad, 0) + 1
        if self._strikes[oad] >= SILENT_STRIKES:
            self._lacks(oad)

    def _lacks(self, oad: Oad) -> None:
        """Leave this alone for an hour."""
        was_known = oad in self._unsupported
        self._unsupported[oad] = self.line.now_s() + RETRY_UNSUPPORTED_S
        if not was_known and _is_told(oad):
            detail = f"the meter has no object {oad}; it is asked again every hour"
            self.condition("register_unsupported", str(oad), detail, severity=Severity.INFO)

    def _is_refused(self, oad: Oad, why: str) -> None:
        if oad not in self._refused:
            self._refused.add(oad)
            self.condition("read_refused", str(oad), f"{oad} is refused: {why}")

    def _has(self, oad: Oad) -> None:
        self._strikes.pop(oad, None)
        if self._unsupported.pop(oad, None) is not None and _is_told(oad):
            self.condition("register_unsupported", str(oad), active=False, severity=Severity.INFO)
        if oad in self._refused:
            self._refused.remove(oad)
            self.condition("read_refused", str(oad), active=False)


def _is_told(oad: Oad) -> bool:
    return oad in _TOLD or item_of(oad) is not None
