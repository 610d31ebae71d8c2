"""Work on the memory of one tag, over whatever a reader's protocol can do at once: what most stations share.

A reader finds a tag by a mask of its EPC, and a mask fits longer EPCs too: so the PC word is looked at first, which
tells the length. What was written is read back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Protocol

from readers.access import EPC_FIRST_WORD, WORD_BYTES, AccessError, AccessFault, Bank
from readers.errors import LinkError
from readers.observations import Observation, TagRead, TagReads

PC_WORD: Final = 1
_LENGTH_SHIFT: Final = 11
_PC_XPC: Final = 0x0200  # whether the length counts the XPC words has changed between editions of Gen2
_WEAKEST_DBM: Final = -1_000.0


class TagAccess(Protocol):
    """What a reader's protocol can do to the tag with an EPC, with one command; addresses count words.

    Attributes:
        most_read_words, most_write_words: how many words one command takes.
        most_epc_bytes: how long an EPC it can find a tag by.
    """

    most_read_words: int
    most_write_words: int
    most_epc_bytes: int

    async def read_once(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        """Read so many words of a tag, where it was heard.

        Raises:
            AccessError: they could not be read. LinkError: the reader does not answer.
        """

    async def write_once(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        """Write whole words to a tag; the command is never repeated.

        Raises:
            AccessError: they were not written, or that is not known.
            LinkError: the reader does not answer before anything is written.
        """


class TagsHeard:
    """The tags of an inventory, each once, with its strongest read; takes what a driver reports."""

    def __init__(self) -> None:
        self.tags: dict[bytes, TagRead] = {}

    def __call__(self, observation: Observation) -> None:
        """Keep the reads of one report."""
        if isinstance(observation, TagReads):
            for read in observation.rows():
                known = self.tags.get(read.epc)
                if known is None or _strength(read) > _strength(known):
                    self.tags[read.epc] = read


def _strength(read: TagRead) -> float:
    return _WEAKEST_DBM if read.rssi_dbm is None else read.rssi_dbm


def epc_after(epc: bytes, word: int, data: bytes) -> bytes | None:
    """The EPC of a tag after words of its EPC bank were written; None where it grows into what is not known."""
    pc_bits = len(epc) // WORD_BYTES << _LENGTH_SHIFT
    bank = bytearray(WORD_BYTES) + pc_bits.to_bytes(WORD_BYTES, "big") + epc
    at = word * WORD_BYTES
    if at <= len(bank):
        bank[at : at + len(data)] = data
    end = (EPC_FIRST_WORD + (bank[WORD_BYTES] >> 3)) * WORD_BYTES
    return bytes(bank[EPC_FIRST_WORD * WORD_BYTES : end]) if end <= len(bank) else None


class MemoryWork:
    """`read` and `write` of a `readers.access.Station`, made of what the reader's protocol can do at once."""

    def __init__(self, access: TagAccess, heard: TagsHeard) -> None:
        self._access = access
        self._heard = heard
        self._known: bytes | None = None

    def forget(self) -> None:
        """Other tags may be there now."""
        self._known = None

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
        """See `readers.access.Station.read`."""
        return await self._parts(await self._find(epc), bank, word, words, password)

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        """See `readers.access.Station.write`; what was written is read back, but for passwords."""
        most = self._access.most_write_words
        if not data or len(data) % WORD_BYTES or len(data) > most * WORD_BYTES:
            raise AccessError(
                AccessFault.UNSUPPORTED,
                f"{len(data)} bytes cannot be written at once: 1 to {most} whole words can",
            )
        tag = await self._find(epc)
        self._known = None
        await self._access.write_once(tag, bank, word, data, password)
        if bank is not Bank.RESERVED:
            await self._read_back(tag, bank, word, data, password)

    async def _parts(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        """Read words in as many commands as it takes."""
        found = b""
        while len(found) < words * WORD_BYTES:
            at = len(found) // WORD_BYTES
            found += await self._part(tag, bank, word + at, min(words - at, self._access.most_read_words), password)
        return found

    async def _part(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        try:
            found = await self._access.read_once(tag, bank, word, words, password)
        except AccessError as error:
            if error.is_unknown:  # a read changes nothing, whatever was lost
                raise AccessError(AccessFault.OTHER, str(error)) from error
            raise
        if len(found) != words * WORD_BYTES:
            raise AccessError(
                AccessFault.OTHER,
                f"tag {tag.epc.hex().upper()}: {words} words were asked, {len(found)} bytes came: try again",
            )
        return found

    async def _find(self, epc: bytes) -> TagRead:
        """The tag as it was heard, after a look whether exactly this one answers to its EPC."""
        most = self._access.most_epc_bytes
        if not 0 < len(epc) <= most:
            raise AccessError(
                AccessFault.UNSUPPORTED,
                f"an EPC of {len(epc)} bytes: the reader finds tags by an EPC of 1 to {most}",
            )
        longer = next((each for each in self._heard.tags if each != epc and each.startswith(epc)), None)
        if longer is not None:
            raise _several(epc, f"tag {longer.hex().upper()} is here too, and answers to the same mask")
        tag = self._heard.tags.get(epc) or TagRead(epc)
        if epc != self._known:
            pc_bits = int.from_bytes(await self._part(tag, Bank.EPC, PC_WORD, 1, 0), "big")
            announced = (pc_bits >> _LENGTH_SHIFT) * WORD_BYTES
            if announced != len(epc) and not pc_bits & _PC_XPC:
                raise _several(epc, f"a tag with an EPC of {announced} bytes answers to the same mask")
            self._known = epc
        return tag

    async def _read_back(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        """See that the tag has what was written.

        Raises:
            AccessError: it has not, or that is not known.
        """
        first = max(word, PC_WORD) if bank is Bank.EPC else word  # a tag makes the CRC before the PC word itself
        wanted = data[(first - word) * WORD_BYTES :]
        epc = epc_after(tag.epc, word, data) if bank is Bank.EPC else tag.epc
        if not epc or not wanted:  # nothing to look for, or nothing to find it by
            return
        now = TagRead(epc, tag.antenna_port)
        where = f"tag {epc.hex().upper()}: the reader says that {len(data)} bytes were written, but"
        try:
            found = await self._parts(now, bank, first, len(wanted) // WORD_BYTES, password)
        except (AccessError, LinkError) as error:
            raise AccessError(AccessFault.LOST, f"{where} they cannot be read back: {error}") from error
        if found != wanted:
            raise AccessError(AccessFault.LOST, f"{where} it reads back as {found.hex().upper()}")


class MemoryStation(ABC):
    """A `readers.access.Station` that works on memory so; the rest of it is the reader's own.

    What was written is read back, but for passwords.
    """

    most_read_words: int
    most_write_words: int
    most_epc_bytes: int

    def __init__(self) -> None:
        self._heard = TagsHeard()
        self._work = MemoryWork(self, self._heard)

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
        """Read `words` words from `word` on, of the tag with exactly this EPC.

        Raises:
            AccessError: it could not be read. LinkError: the reader does not answer.
        """
        return await self._work.read(epc, bank, word, words, password)

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        """Write whole words from `word` on, to the tag with exactly this EPC, and read them back.

        Raises:
            AccessError: it was not written; or, with `is_unknown`, that is not known.
            LinkError: the reader does not answer before anything is written.
        """
        await self._work.write(epc, bank, word, data, password)

    def _begin_inventory(self) -> None:
        self._heard.tags.clear()
        self._work.forget()

    @abstractmethod
    async def read_once(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        """See `TagAccess`."""

    @abstractmethod
    async def write_once(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        """See `TagAccess`."""


def _several(epc: bytes, why: str) -> AccessError:
    return AccessError(AccessFault.SEVERAL_TAGS, f"tag {epc.hex().upper()}: {why}; take it away")
