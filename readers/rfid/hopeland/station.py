"""A Hopeland reader as a station: work on the memory of single tags."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from readers.access import WORD_BYTES, AccessError, AccessFault, Bank
from readers.codecs.hopeland import OK, Kind, Message
from readers.codecs.hopeland_access import (
    MOST_EPC_BYTES,
    MOST_READ_WORDS,
    MOST_WRITE_WORDS,
    WriteTag,
    read_fault,
    reading,
    words_of,
    write_fault,
)
from readers.codecs.hopeland_tags import Tag
from readers.driver import Port
from readers.errors import LinkError
from readers.memory_work import MemoryStation
from readers.observations import TagRead
from readers.rfid.hopeland.configuration import Setup, prepare
from readers.rfid.hopeland.inventory import Inventory
from readers.rfid.hopeland.line import Line, NoAnswerError, RefusedError
from readers.rfid.hopeland.settings import HopelandSettings

READ_WITHIN_S: Final = 2.0  # one round of one antenna
READ_TRIES: Final = 3
WRITE_WITHIN_S: Final = 3.0  # as the maker's own library waits


class HopelandStation(MemoryStation):
    """Implements `readers.access.Station`."""

    most_read_words = MOST_READ_WORDS
    most_write_words = MOST_WRITE_WORDS
    most_epc_bytes = MOST_EPC_BYTES

    def __init__(self, settings: HopelandSettings, port: Port) -> None:
        super().__init__()
        self._settings = settings
        self._port = port
        self._line = Line(port, self._heard)
        self._setup: Setup | None = None

    async def open(self) -> None:
        """End what a former client left running, identify the reader, and set what the settings say.

        Raises:
            LinkError: it does not answer. DeviceRefusedError: it cannot do what the settings ask.
        """
        self._setup = await prepare(self._line, self._settings)

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once, with its strongest RSSI.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it refuses to read.
        """
        assert self._setup is not None, "open() comes first"
        self._begin_inventory()
        inventory = Inventory(self._line, self._setup, 0)
        until_s = self._port.monotonic_s() + within_s
        while (left_s := until_s - self._port.monotonic_s()) > 0:
            await inventory.run(within_s=left_s)
        return list(self._heard.tags.values())

    async def close(self) -> None:
        """Stop reading; harmless when the link is gone."""
        with contextlib.suppress(LinkError, RefusedError):  # a reader that is not there needs nothing
            await self._line.ask(Kind.RFID, Message.STOP, tries=1)

    async def read_once(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        """See `readers.memory_work.TagAccess`."""
        who = f"{self._port.description}: tag {tag.epc.hex().upper()}: reading"
        told: list[Tag] = []
        for _ in range(READ_TRIES):
            told = await self._told(tag, bank, word, words, password)
            if told and not any(each.memory_result for each in told):
                break
        others = {each.epc for each in told} - {tag.epc}
        if others:
            named = ", ".join(sorted(each.hex().upper() for each in others))
            raise AccessError(AccessFault.SEVERAL_TAGS, f"{who}: tag {named} answers to the same mask; take it away")
        if not told:
            raise AccessError(AccessFault.NO_TAG, f"{who}: no tag answered")
        found = told[-1]
        if found.memory_result:
            raise AccessError(read_fault(found.memory_result), f"{who} ended with result {found.memory_result:02X}")
        data = words_of(found, bank, word, words)
        if data is None:
            raise AccessError(AccessFault.UNSUPPORTED, f"{who}: the reader told no such memory; newer firmware may")
        if bank is Bank.TID and len(data) < words * WORD_BYTES:
            raise AccessError(AccessFault.OVERRUN, f"{who}: the TID ends before word {word + words}")
        return data

    async def write_once(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        """See `readers.memory_work.TagAccess`."""
        who = f"{self._port.description}: tag {tag.epc.hex().upper()}: writing"
        asked = WriteTag(self._antenna(tag), tag.epc, bank, word, data, password).data()
        try:
            answer = await self._line.ask(Kind.RFID, Message.WRITE_EPC, asked, tries=1, within_s=WRITE_WITHIN_S)
        except NoAnswerError as silence:
            raise AccessError(AccessFault.LOST, f"{who}: {silence}; read it back") from silence
        except RefusedError as refusal:
            raise AccessError(AccessFault.UNSUPPORTED, f"{who}: {refusal}") from refusal
        if answer[:1] != OK:
            raise AccessError(write_fault(answer), f"{who} ended with code {answer.hex().upper() or 'none'}")

    async def _told(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> list[Tag]:
        """What comes of one round for this tag.

        Raises:
            AccessError: the reader refuses to read so. LinkError: it does not answer.
        """
        told: list[Tag] = []
        line = self._line
        line.on_tags = told.extend
        line.is_reading, line.has_finished = True, False
        asked = reading(self._antenna(tag), tag.epc, bank, word, words, password)
        try:
            answer = await line.ask(Kind.RFID, Message.READ_EPC, asked.data())
            why = "" if answer == OK else f"code {answer.hex().upper() or 'none'}"
        except RefusedError as refusal:
            why = str(refusal)
        if why:
            await line.stop()
            raise AccessError(
                AccessFault.UNSUPPORTED, f"{self._port.description}: the reader refuses to read {bank.name} so: {why}"
            )
        until_s = self._port.monotonic_s() + READ_WITHIN_S
        while not line.has_finished and (left_s := until_s - self._port.monotonic_s()) > 0:
            await line.listen(left_s)
        if not line.has_finished:
            await line.stop()
        line.is_reading = False
        return told

    def _antenna(self, tag: TagRead) -> int:
        assert self._setup is not None, "open() comes first"
        ports = self._setup.antenna_ports
        return tag.antenna_port if tag.antenna_port in ports else ports[0]
