"""A reader of the UHFReader family as a station: work on the memory of single tags.

It is the first reader of the line's settings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from readers.access import AccessError, AccessFault, Bank
from readers.codecs.uhfreader import BROADCAST, Command, Frame, Status
from readers.codecs.uhfreader_access import (
    MOST_EPC_BYTES,
    MOST_READ_WORDS,
    MOST_WRITE_WORDS,
    ReadRequest,
    WriteRequest,
    antennas_parameters,
    fault_of,
)
from readers.driver import Port
from readers.errors import DeviceRefusedError, LinkError
from readers.memory_work import MemoryStation
from readers.observations import TagRead, TagReads
from readers.rfid.uhfreader.configure import Configurator
from readers.rfid.uhfreader.line import TRIES, Line, NoAnswerError
from readers.rfid.uhfreader.reader import Reader
from readers.rfid.uhfreader.settings import PROFILES, Mode, Model, Session, UhfReaderSettings
from readers.rfid.uhfreader.told import Told

READ_WITHIN_S: Final = 1.5
READ_TRIES: Final = 2
WRITE_WITHIN_S: Final = 3.0  # a tag takes up to 20 ms a word (Gen2), and the reader tries again by itself


class UhfReaderStation(MemoryStation):
    """Implements `readers.access.Station`. Tags are inventoried in session S0, target A, whatever the settings say."""

    most_read_words = MOST_READ_WORDS
    most_write_words = MOST_WRITE_WORDS
    most_epc_bytes = MOST_EPC_BYTES

    def __init__(self, settings: UhfReaderSettings, port: Port) -> None:
        super().__init__()
        plain = settings.model_copy(
            update={
                "units": settings.line_units()[:1],
                "mode": Mode.ANSWER,
                "session": Session.S0,
                "target": "a",
                "fast_id": False,
                "hop_channel": False,
            }
        )
        self._settings = plain
        self._port = port
        told = Told(self._heard)
        self._line = Line(port, self._heard, plain.gap_s(port), self._hear)
        self._reader = Reader(plain.line_units()[0], plain, self._line, self._heard, told)
        self._configurator = Configurator(self._reader, plain, self._line, told)
        self._antennas: tuple[int, ...] = ()

    async def open(self) -> None:
        """Identify the reader, set it to answer mode if it is in another, and set what the settings say.

        Raises:
            LinkError: it does not answer. DeviceRefusedError: it reports by itself and cannot be changed, or does not
                take the region.
        """
        await self._reader.identify(TRIES)
        await self._configurator.answers()
        await self._configurator.apply()

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once; these readers tell no strength in dBm.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it cannot inventory.
        """
        self._begin_inventory()
        until_s = self._port.monotonic_s() + within_s
        while self._port.monotonic_s() < until_s:
            await self._reader.turn()
        return list(self._heard.tags.values())

    async def close(self) -> None:
        """Let the reader work with its own antennas again; harmless when the link is gone."""
        info = self._reader.info
        own = () if info is None or not info.antennas else _bits(info.antennas)
        if self._antennas and own and self._antennas != own:
            with contextlib.suppress(LinkError):  # a reader that is not there needs nothing
                await self._line.ask(self._reader.address, Command.SET_ANTENNAS, antennas_parameters(own))

    async def read_once(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        """See `readers.memory_work.TagAccess`."""
        await self._use_antenna(tag)
        request = ReadRequest(tag.epc, bank, word, words, password).parameters()
        answer = await self._line.ask(
            self._reader.address, Command.READ, request, tries=READ_TRIES, within_s=READ_WITHIN_S
        )
        if answer.command != Command.READ or answer.status != Status.DONE:
            raise self._error(tag, "reading", answer)
        return answer.data

    async def write_once(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        """See `readers.memory_work.TagAccess`."""
        await self._use_antenna(tag)
        request = WriteRequest(tag.epc, bank, word, data, password).parameters()
        try:
            answer = await self._line.ask(
                self._reader.address, Command.WRITE, request, tries=1, within_s=WRITE_WITHIN_S
            )
        except NoAnswerError as silence:
            raise AccessError(AccessFault.LOST, f"tag {tag.epc.hex().upper()}: {silence}; read it back") from silence
        if answer.command != Command.WRITE or answer.status != Status.DONE:
            raise self._error(tag, "writing", answer)

    async def _use_antenna(self, tag: TagRead) -> None:
        """Reading and writing take the reader's own antenna setting, not one of the command."""
        if self._reader.model is Model.RR18 or PROFILES[self._reader.model].antennas == 1:
            return
        unit = self._reader.unit
        antenna = tag.antenna_port - unit.first_port + 1
        wanted = (antenna if antenna in unit.antennas else unit.antennas[0],)
        if wanted == self._antennas:
            return
        answer = await self._line.ask(self._reader.address, Command.SET_ANTENNAS, antennas_parameters(wanted))
        if answer.status != Status.DONE:
            raise DeviceRefusedError(
                f"{self._reader.where}: antenna {wanted[0]} cannot be chosen for work on tags: status "
                f"{answer.status:02X} to command 3F; name an antenna that the reader has"
            )
        self._antennas = wanted

    def _error(self, tag: TagRead, doing: str, answer: Frame) -> AccessError:
        """What a status says of the tag. FE came before anything was done, whatever was garbled."""
        fault = AccessFault.UNSUPPORTED if answer.command == Command.NOT_UNDERSTOOD else fault_of(answer)
        code = f", error {answer.data[0]:02X} of the tag" if answer.status == Status.TAG_ERROR and answer.data else ""
        known = answer.status in tuple(Status)
        name = f" ({Status(answer.status).name.lower()})" if known else ""
        return AccessError(
            fault,
            f"{self._reader.where}: tag {tag.epc.hex().upper()}: {doing} ended with status {answer.status:02X}"
            f"{name}{code}",
        )

    def _hear(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self._reader.address in (frame.address, BROADCAST):
                reads = self._reader.hear(frame)
                if reads:
                    self._heard(TagReads.of(self._port.now_us(), *reads))


def _bits(mask: int) -> tuple[int, ...]:
    return tuple(bit + 1 for bit in range(8) if mask & 1 << bit)
