"""An M100 module as a station: work on the memory of single tags."""

from __future__ import annotations

from collections.abc import Sequence

from readers.access import WORD_BYTES, Bank
from readers.codecs.m100 import Command
from readers.codecs.m100_access import MOST_ACCESS_WORDS
from readers.driver import Port
from readers.errors import LinkError
from readers.observations import Observation, TagRead, TagReads
from readers.rfid.m100.conversation import Conversation, RefusedError
from readers.rfid.m100.inventory import Inventory
from readers.rfid.m100.memory import TagMemoryWork
from readers.rfid.m100.settings import M100Settings
from readers.rfid.m100.setup import configure


class M100Station:
    """Implements `readers.access.Station`. Tags are inventoried in session S0, whatever the settings say."""

    def __init__(self, settings: M100Settings, port: Port) -> None:
        plain = settings.model_copy(update={"select": None, "session": None, "target": None})
        self._talk = Conversation(plain, port, self._hear)
        self._port = port
        self._work: TagMemoryWork | None = None
        self._tags: dict[bytes, TagRead] = {}

    async def open(self) -> None:
        """Identify the module, set region and power, and take it to session S0.

        Raises:
            LinkError: it does not answer. DeviceRefusedError: it refuses the region.
        """
        await self._talk.identify()
        self._work = TagMemoryWork(self._talk, await configure(self._talk, needs_query=True))
        await self._work.begin()

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once, with its strongest RSSI.

        Raises:
            LinkError: the module fell silent. DeviceRefusedError: it cannot inventory.
        """
        self._tags = {}
        inventory = Inventory(self._talk)
        until_s = self._port.monotonic_s() + within_s
        while (left_s := until_s - self._port.monotonic_s()) > 0:
            await inventory.run(within_s=left_s)
        return list(self._tags.values())

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
        """Read `words` words from `word` on, of the tag with exactly this EPC.

        Raises:
            AccessError: it could not be read. LinkError: the module does not answer.
        """
        found = b""
        while len(found) < words * WORD_BYTES:
            at = len(found) // WORD_BYTES
            size = min(words - at, MOST_ACCESS_WORDS)
            found += (await self._working().read(epc, bank, word + at, size, password)).data
        return found

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        """Write whole words from `word` on, at most 32, to the tag with exactly this EPC.

        Raises:
            AccessError: it was not written; or, with `is_unknown`, that is not known.
            LinkError: the module does not answer before anything is written.
        """
        await self._working().write(epc, bank, word, data, password)

    async def close(self) -> None:
        """Stop the inventory and put the module's own Query back; harmless when the link is gone."""
        try:
            await self._talk.ask(Command.STOP)
            if self._work is not None:
                await self._work.end()
        except (LinkError, RefusedError):
            pass  # a module that is not there needs nothing

    def _working(self) -> TagMemoryWork:
        assert self._work is not None, "open() comes first"
        return self._work

    def _hear(self, observation: Observation) -> None:
        if isinstance(observation, TagReads):
            for read in observation.rows():
                known = self._tags.get(read.epc)
                if known is None or (read.rssi_dbm or 0.0) > (known.rssi_dbm or 0.0):
                    self._tags[read.epc] = read
