"""One meter on the line: what is asked of it, what it does not know, and whether it answers at all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

from readers.bus import NoReplyError
from readers.codecs.dlt645 import ErrorBit
from readers.codecs.dlt645_orders import DATE, TIME
from readers.codecs.dlt645_registers import BLOCKS, registers_of
from readers.codecs.dlt645_status import RELAY_WORD
from readers.driver import Report
from readers.errors import FrameError, ReaderError
from readers.metered import MeterTeller
from readers.meters.dlt645.dialects import EDITION_1997, EDITION_2007, Dialect
from readers.meters.dlt645.items import Item
from readers.meters.dlt645.line import Line, RefusedError
from readers.meters.dlt645.settings import Meter as MeterSettings
from readers.meters.dlt645.settings import Protocol
from readers.observations import Condition, DeviceInfo, Reading, Readings, Rejected, Severity

TRIES: Final = 2
SILENT_STRIKES: Final = 3  # times that an answering meter ignores one request before it is left alone for a while
RETRY_UNSUPPORTED_S: Final = 3600.0  # a bad hour of the line must not cost a register for ever
_TOLD: Final = frozenset({DATE, TIME, RELAY_WORD})  # not registers, and their lack is told all the same


class IgnoredError(ReaderError):
    """A meter answers, but not to this question."""


@dataclass(slots=True)
class Kept:
    """What a driver knows of a meter across links.

    Attributes:
        last_good_us: when it answered last.
        unfilled_since_us: from when on its records are still to be read.
        synced_us: when its clock was set last.
    """

    last_good_us: int | None = None
    unfilled_since_us: int | None = None
    synced_us: int | None = None


class Meter:
    """One meter while a link lasts.

    Args:
        probe: what is asked of it while nothing is known of it; a register that every meter has.

    Attributes:
        watched: None until it answers or fails to.
    """

    def __init__(
        self, settings: MeterSettings, kept: Kept, line: Line, report: Report, *, probe: int, utc_offset_min: int
    ) -> None:
        self.name = settings.name
        self.address = settings.address
        self.kept = kept
        self.line = line
        self.report = report
        self.utc_offset_min = utc_offset_min
        self._teller = MeterTeller(settings.name, report)
        self.silent_since_us: int | None = None
        self._dialects: list[Dialect] = _dialects(settings.protocol)
        self._habits = line.habits()
        self._introduced = False
        self._probe = probe
        self._proven: int | None = None
        self._strikes: dict[int, int] = {}
        self._unsupported: dict[int, float] = {}
        self._refused: set[int] = set()

    async def find_address(self) -> str:
        """The address, asked for where the settings do not say it.

        Raises:
            NoReplyError: it does not tell. LinkError: the line is gone.
        """
        if self.address is None:
            self.address = await self.line.ask_address(self._tries(), self.name, self._habits)
        return self.address

    async def ask(self, identifier: int, more: bytes = b"") -> bytes:
        """The data of an identifier.

        Raises:
            NoReplyError: the meter is silent. RefusedError: it says no. IgnoredError: it keeps silent on this alone.
            LinkError: the line is gone.
        """
        try:
            return await self._ask(identifier, more)
        except NoReplyError:
            # a meter may keep silent on one request that it does not know; on what it has answered is another matter
            if not self.watched or self._proven in (None, identifier):
                raise
            await self.prove()
            self._strikes[identifier] = self._strikes.get(identifier, 0) + 1
            raise IgnoredError(identifier) from None

    async def find(self, identifier: int, more: bytes = b"") -> bytes | None:
        """The data of an identifier that a meter may lack; None: none came, this time or for an hour.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        try:
            return await self.insist(identifier, more)
        except IgnoredError:
            return None

    async def insist(self, identifier: int, more: bytes = b"") -> bytes | None:
        """The data of an identifier that a meter may lack; None: it has none, which is asked again in an hour.

        Raises:
            NoReplyError: the meter is silent. IgnoredError: it may have been bad luck. LinkError: the line is gone.
        """
        if not self.may_ask(identifier):
            return None
        try:
            data = await self.ask(identifier, more)
        except RefusedError:
            self.lacks(identifier)
        except IgnoredError:
            if not self.is_struck(identifier):
                raise
            self.lacks(identifier)
        else:
            self._has(identifier)
            return data
        return None

    async def prove(self) -> bool:
        """Ask once what it has answered before, or what every meter answers; only whether it answers matters.

        Raises:
            NoReplyError: it does not answer. LinkError: the line is gone.
        """
        with contextlib.suppress(RefusedError):  # an answer, too
            await self._ask(self._probe if self._proven is None else self._proven, tries=1)
        return True

    async def read(self, item: Item) -> bool:
        """Read a block, or its single registers where the meter knows no such block. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        asked = False
        if item.block is not None and self.may_ask(item.block):
            asked = True
            if await self._read_block(item.block):
                return True
        for identifier in item.singles:
            if self.may_ask(identifier):
                asked = True
                await self._read_single(identifier)
        return asked

    def tell(self, identifier: int, data: bytes) -> None:
        """Report the readings in a reply."""
        try:
            readings = self.decoded(identifier, data)
        except FrameError as error:
            self.reject(error)
            return
        self.report(Readings(self.line.now_us(), readings, self.name))

    def decoded(self, identifier: int, data: bytes) -> list[Reading]:
        """The readings in a reply.

        Raises:
            FrameError: they are none.
        """
        return self._dialects[0].decode(identifier, data, self.utc_offset_min)

    def reject(self, error: FrameError) -> None:
        """Count a reply that makes no sense."""
        self.report(Rejected(f"data_{error.reason}", reads_lost=1, sample=error.frame, source=self.name))

    def condition(
        self, name: str, key: str, detail: str = "", *, active: bool = True, severity: Severity = Severity.WARNING
    ) -> None:
        """Report a condition of this meter."""
        self.report(Condition(name, active, severity, key, detail, self.name))

    def may_ask(self, identifier: int) -> bool:
        """Whether it is not known to lack this."""
        return self.line.now_s() >= self._unsupported.get(identifier, 0.0)

    def is_struck(self, identifier: int) -> bool:
        """Whether it has ignored this as often as a meter that lacks it."""
        return self._strikes.get(identifier, 0) >= SILENT_STRIKES

    @property
    def watched(self) -> bool | None:
        """Whether it answers; None until it has answered or failed to."""
        return self._teller.answers

    def lacks(self, identifier: int) -> None:
        """Leave this alone for an hour."""
        was_known = identifier in self._unsupported
        self._unsupported[identifier] = self.line.now_s() + RETRY_UNSUPPORTED_S
        if not was_known and _is_told(identifier):
            detail = f"the meter has no register {identifier:08X}; it is asked again every hour"
            self.condition("register_unsupported", f"{identifier:08X}", detail, severity=Severity.INFO)

    def silent(self, detail: str) -> None:
        """It does not answer."""
        self._strikes.clear()
        self._teller.silent(detail)

    async def _ask(self, identifier: int, more: bytes = b"", tries: int | None = None) -> bytes:
        address = await self.find_address()
        dialect = self._dialects[0]
        try:
            data = await self.line.read(
                address, identifier, tries or self._tries(), self.name, self._habits, more=more, dialect=dialect
            )
        except NoReplyError:
            if len(self._dialects) > 1:
                self._dialects.reverse()  # perhaps it speaks the other edition
            raise
        except RefusedError:
            if dialect.question(address, identifier, more) is not None:
                self._answers()
            raise
        self._answers()
        self._strikes.pop(identifier, None)
        if not more:
            self._proven = identifier
        return data

    def _tries(self) -> int:
        return 1 if self.watched is False else TRIES

    def _answers(self) -> None:
        now_us = self.line.now_us()
        if not self._introduced:
            self._introduced = True
            self.report(DeviceInfo(serial=self.address or "", source=self.name))
        if self._teller.heard():
            self.silent_since_us = self.kept.last_good_us
            del self._dialects[1:]
        self.kept.last_good_us = now_us

    async def _read_block(self, block: int) -> bool:
        """Whether it came."""
        try:
            data = await self._ask(block)
        except RefusedError:
            self.lacks(block)  # whatever the error: meters without blocks do not agree on the one that says so
        except NoReplyError:  # ignored, or a silent meter: a register tells which
            self._strikes[block] = self._strikes.get(block, 0) + 1
            if self.watched and self.is_struck(block):
                self.lacks(block)
        else:
            self._has(block)
            self.tell(block, data)
            return True
        return False

    async def _read_single(self, identifier: int) -> None:
        try:
            data = await self.ask(identifier)
        except RefusedError as refusal:
            self._is_refused(identifier, refusal.error)
        except IgnoredError:
            if self.is_struck(identifier):
                self.lacks(identifier)
        else:
            self._has(identifier)
            self.tell(identifier, data)

    def _is_refused(self, identifier: int, error: int) -> None:
        if error & ErrorBit.NO_SUCH_DATA:
            self.lacks(identifier)
        elif identifier not in self._refused:
            self._refused.add(identifier)
            detail = f"{identifier:08X} is refused with error {error:02X} ({words(error)})"
            self.condition("read_refused", f"{identifier:08X}", detail)

    def _has(self, identifier: int) -> None:
        if self._unsupported.pop(identifier, None) is not None and _is_told(identifier):
            self.condition("register_unsupported", f"{identifier:08X}", active=False, severity=Severity.INFO)
        if identifier in self._refused:
            self._refused.remove(identifier)
            self.condition("read_refused", f"{identifier:08X}", active=False)


def words(error: int) -> str:
    """What an error byte says."""
    names = [bit.name or "" for bit in ErrorBit if error & bit]
    return ", ".join(names).lower().replace("_", " ") or "no reason given"


def _is_told(identifier: int) -> bool:
    return identifier in _TOLD or (identifier not in BLOCKS and bool(registers_of(identifier)))


def _dialects(protocol: Protocol) -> list[Dialect]:
    found: list[Dialect] = []
    if protocol is not Protocol.EDITION_1997:
        found.append(EDITION_2007)
    if protocol is not Protocol.EDITION_2007:
        found.append(EDITION_1997)
    return found
