"""A ThingMagic module as a station: work on the memory of single tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from readers.access import AccessError, AccessFault, Bank
from readers.codecs.thingmagic import GEN2, Opcode, explained
from readers.codecs.thingmagic_access import (
    MOST_EPC_BYTES,
    MOST_READ_WORDS,
    MOST_WRITE_WORDS,
    ReadTag,
    WriteTag,
    fault_of,
    words_in,
)
from readers.driver import Port
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.memory_work import PC_WORD, MemoryStation
from readers.observations import TagRead
from readers.rfid.thingmagic.configuration import ANTENNA_LIST, Setup, configure, identify
from readers.rfid.thingmagic.conversation import Conversation, NoAnswerError, RefusedError
from readers.rfid.thingmagic.inventory import Inventory
from readers.rfid.thingmagic.settings import ThingMagicSettings

WORK_WITHIN_MS: Final = 1_000  # as the Mercury API gives it
ANSWER_WITHIN_S: Final = 2.0
READ_TRIES: Final = 2
_SESSION_AND_TARGET: Final = (bytes([GEN2, 0x00]), bytes([GEN2, 0x01]))


class ThingMagicStation(MemoryStation):
    """Implements `readers.access.Station`. Tags are inventoried in session S0, target A, whatever the settings say."""

    most_read_words = MOST_READ_WORDS
    most_write_words = MOST_WRITE_WORDS
    most_epc_bytes = MOST_EPC_BYTES

    def __init__(self, settings: ThingMagicSettings, port: Port) -> None:
        super().__init__()
        self._settings = settings.model_copy(update={"session": 0, "target": "a", "q": None, "read_tid": 0})
        self._port = port
        self._talk = Conversation(port, self._heard)
        self._setup: Setup | None = None
        self._antenna: int | None = None
        self._own: dict[bytes, bytes] = {}
        self._opened: set[tuple[bytes, int]] = set()

    async def open(self) -> None:
        """Identify the module and set what the settings say, the power for writing too, in session S0.

        Raises:
            LinkError: it does not answer. DeviceRefusedError: it cannot do what the settings ask.
        """
        await identify(self._talk)
        for which in _SESSION_AND_TARGET:
            try:
                self._own[which] = await self._talk.ask(Opcode.GET_PROTOCOL_PARAMETER, which, echo=which)
            except RefusedError:
                continue  # it does not say, so nothing can be put back
        self._setup = await configure(self._talk, self._settings, writes=True)

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once, with its strongest RSSI.

        Raises:
            LinkError: the module fell silent. DeviceRefusedError: it cannot inventory.
        """
        assert self._setup is not None, "open() comes first"
        self._begin_inventory()
        self._opened.clear()
        if self._antenna is not None:
            await self._set_antennas(ANTENNA_LIST + b"".join(bytes([port, port]) for port in self._setup.antenna_ports))
            self._antenna = None
        inventory = Inventory(self._talk, self._settings, self._setup)
        until_s = self._port.monotonic_s() + within_s
        while (left_s := until_s - self._port.monotonic_s()) > 0:
            await inventory.run(within_s=left_s)
        return list(self._heard.tags.values())

    async def close(self) -> None:
        """Stop the stream and put the module's own session and target back; harmless when the link is gone."""
        try:
            for which, value in self._own.items():
                await self._talk.ask(Opcode.SET_PROTOCOL_PARAMETER, which + value)
        except (LinkError, RefusedError):
            pass  # a module that is not there needs nothing

    async def read_once(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        """See `readers.memory_work.TagAccess`."""
        await self._use_antenna(tag)
        await self._unlock(tag, password)
        return await self._read(tag, bank, word, words, password)

    async def write_once(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        """See `readers.memory_work.TagAccess`."""
        await self._use_antenna(tag)
        await self._unlock(tag, password)
        asked = WriteTag(tag.epc, bank, word, data, password, WORK_WITHIN_MS)
        try:
            await self._talk.ask(Opcode.WRITE_TAG_DATA, asked.data(), within_s=ANSWER_WITHIN_S, tries=1)
        except NoAnswerError as silence:
            raise AccessError(AccessFault.LOST, f"tag {tag.epc.hex().upper()}: {silence}; read it back") from silence
        except RefusedError as refusal:
            raise self._error(tag, "writing", refusal) from refusal

    async def _read(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        asked = ReadTag(tag.epc, bank, word, words, password, WORK_WITHIN_MS)
        try:
            answer = await self._talk.ask(
                Opcode.READ_TAG_DATA, asked.data(), within_s=ANSWER_WITHIN_S, tries=READ_TRIES
            )
            return words_in(answer)
        except RefusedError as refusal:
            raise self._error(tag, "reading", refusal) from refusal
        except FrameError as error:
            raise AccessError(AccessFault.OTHER, f"tag {tag.epc.hex().upper()}: reading: {error}") from error

    async def _unlock(self, tag: TagRead, password: int) -> None:
        """See that the tag opens for this password: a module does not say that it was the password.

        Raises:
            AccessError: it does not.
        """
        if not password or (tag.epc, password) in self._opened:
            return
        try:
            await self._read(tag, Bank.EPC, PC_WORD, 1, password)
        except AccessError as error:
            await self._read(tag, Bank.EPC, PC_WORD, 1, 0)
            raise AccessError(
                AccessFault.WRONG_PASSWORD,
                f"tag {tag.epc.hex().upper()} answers without a password, and not with this one: {error}",
            ) from error
        self._opened.add((tag.epc, password))

    async def _use_antenna(self, tag: TagRead) -> None:
        assert self._setup is not None, "open() comes first"
        ports = self._setup.antenna_ports
        antenna = tag.antenna_port if tag.antenna_port in ports else ports[0]
        if antenna != self._antenna:
            await self._set_antennas(bytes([antenna, antenna]))
            self._antenna = antenna

    async def _set_antennas(self, data: bytes) -> None:
        try:
            await self._talk.ask(Opcode.SET_ANTENNA, data)
        except RefusedError as refusal:
            raise DeviceRefusedError(
                f"{self._port.description}: the module refuses antenna {data[-1]} for work on tags with status "
                f"{refusal}; name antennas that it has"
            ) from refusal

    @staticmethod
    def _error(tag: TagRead, doing: str, refusal: RefusedError) -> AccessError:
        return AccessError(
            fault_of(refusal.status),
            f"tag {tag.epc.hex().upper()}: {doing} ended with status {explained(refusal.status)}",
        )
