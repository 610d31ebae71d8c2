"""The driver: meets the readers of the line, sets them, and gives each its turn."""

from __future__ import annotations

from typing import Final

from readers.codecs.a0 import BROADCAST, TagReport
from readers.driver import Port, Report
from readers.errors import LinkError
from readers.observations import DeviceInfo, InForce, Severity, TagRead
from readers.rfid.a0.line import TRIES, Line, NoAnswerError
from readers.rfid.a0.reader import Reader
from readers.rfid.a0.rounds import Rounds
from readers.rfid.a0.settings import A0Settings
from readers.rfid.a0.told import Told

IDLE_S: Final = 0.1  # no antenna is due
RETRY_S: Final = 10.0  # a reader that fell silent beside others that did not
RETRY_TRIES: Final = 1  # the others wait meanwhile


class _Member:
    """One reader of the line.

    Attributes:
        info: who it is; None before it was met, and again when it fell silent.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.rounds = Rounds(reader)
        self.info: DeviceInfo | None = None
        self.retry_s = 0.0


class A0Driver:
    """Inventories with the readers of one line until cancelled."""

    def __init__(self, settings: A0Settings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no reader answers, or the only one fell silent.
            DeviceRefusedError: a reader refuses the band or the inventory.
        """
        session = _Session(self._settings, port, report)
        await session.meet_all()
        while True:
            await session.turn()


class _Session:
    """One conversation with the readers of one line."""

    def __init__(self, settings: A0Settings, port: Port, report: Report) -> None:
        self._port = port
        self._told = Told(report)
        self._members = [_Member(Reader(unit, settings, self._told)) for unit in settings.units]
        self._line = Line(port, report, self._take)
        for member in self._members:
            member.reader.join(self._line)

    async def meet_all(self) -> None:
        """Find out who is there.

        Raises:
            LinkError: nobody.
        """
        for member in self._members:
            await self._meet(member, TRIES)
        if not any(member.info for member in self._members):
            heard = self._line.heard_bytes
            if heard:
                what = f"{heard} bytes came but no answer to 'get firmware version': another speed or protocol"
            else:
                what = "no byte came in answer to 'get firmware version': check power, wiring and the address"
            raise LinkError(
                f"{self._port.description}: {what}; R2000 readers leave the factory at 115200 8N1, some at 38400"
            )

    async def turn(self) -> None:
        """One turn of every reader.

        Raises:
            LinkError: none is left.
        """
        was_busy = False
        for member in self._members:
            if member.info is None and (
                self._port.monotonic_s() < member.retry_s or not await self._meet(member, RETRY_TRIES)
            ):
                continue
            try:
                was_busy |= await member.rounds.turn()
                await member.reader.tell_temperature_when_due()
            except NoAnswerError as silence:
                if len(self._members) == 1:
                    raise
                self._lose(member, str(silence))
        self._told.watch(
            frozenset(
                member.reader.unit.port_of(antenna) for member in self._members for antenna in member.rounds.proven
            )
        )
        if not any(member.info for member in self._members):
            raise LinkError(f"{self._port.description}: none of the {len(self._members)} readers of the line answers")
        if not was_busy:
            await self._port.pause(IDLE_S)

    async def _meet(self, member: _Member, tries: int) -> bool:
        """Identify and set a reader; False when it does not answer.

        Raises:
            NoAnswerError: the only reader fell silent while it was set.
        """
        reader = member.reader
        try:
            info = await reader.identify(tries)
        except NoAnswerError as silence:
            self._lose(member, str(silence))
            return False
        try:
            in_force = await reader.configure()
        except NoAnswerError as silence:
            if len(self._members) == 1:
                raise
            self._lose(member, str(silence))
            return False
        member.info = info
        self._told.end("reader_silent", str(reader.address))
        self._told.report(self._who())
        if in_force:
            self._told.report(InForce(in_force))
        return True

    def _lose(self, member: _Member, why: str) -> None:
        member.info = None
        member.retry_s = self._port.monotonic_s() + RETRY_S
        member.rounds.stop()
        if len(self._members) > 1:
            self._told.begin("reader_silent", str(member.reader.address), why, Severity.FAULT)

    def _who(self) -> DeviceInfo:
        """The readers of the line as one device."""
        met = [(member.reader.address, member.info) for member in self._members if member.info]
        if len(self._members) == 1:
            return met[0][1]
        return DeviceInfo(
            model=", ".join(dict.fromkeys(info.model for _, info in met)),
            firmware=", ".join(f"{address}: {info.firmware}" for address, info in met),
            serial=", ".join(f"{address}: {info.serial}" for address, info in met if info.serial),
        )

    def _take(self, address: int, tag: TagReport) -> TagRead | None:
        for member in self._members:
            if member.reader.address in (address, BROADCAST):
                return member.reader.take(tag)
        return None
