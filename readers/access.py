"""A reader used as a station: reading and writing the memory of one tag, on request and not in passing.

Addresses and lengths count 16-bit words, as Gen2 does.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import Final, Protocol, runtime_checkable

from readers.errors import ReaderError
from readers.observations import TagRead

WORD_BYTES: Final = 2
EPC_FIRST_WORD: Final = 2
"""Where the EPC begins in bank 1: behind the CRC and the PC word."""


class Bank(IntEnum):
    """The memory banks of a Gen2 tag, as numbered on the air."""

    RESERVED = 0
    EPC = 1
    TID = 2
    USER = 3


class AccessFault(StrEnum):
    """Why a tag's memory was not read or written."""

    NO_TAG = "no_tag"
    SEVERAL_TAGS = "several_tags"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - names a fault
    LOCKED = "locked"
    OVERRUN = "overrun"
    LOW_POWER = "low_power"
    UNSUPPORTED = "unsupported"
    LOST = "lost"
    """The tag did not answer to the end: whether it was written is not known."""
    OTHER = "other"


class AccessError(ReaderError):
    """The operation on the tag did not succeed; the reader itself is well.

    Attributes:
        is_unknown: the tag may have been changed all the same: read it back.
    """

    def __init__(self, fault: AccessFault, message: str) -> None:
        self.fault = fault
        self.is_unknown = fault is AccessFault.LOST
        super().__init__(message)


class Station(Protocol):
    """One reader, opened for work on single tags. Made by `DriverSpec.station`, over an open port.

    Every method may raise LinkError, ReaderBusyError, FrameError or DeviceRefusedError as a driver does.
    """

    async def open(self) -> None:
        """Make the reader ready; to be called once, before all else."""

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        """The tags that are here, each once, with its strongest RSSI; nothing else runs on the reader afterwards."""

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
        """Read `words` words from `word` on, of the tag with exactly this EPC.

        Raises:
            AccessError: it could not be read.
        """

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        """Write whole words from `word` on, to the tag with exactly this EPC; one attempt, never repeated by itself.

        Raises:
            AccessError: it was not written; or, with `is_unknown`, that is not known.
        """

    async def close(self) -> None:
        """Leave the reader as quiet as it was found; harmless when the link is gone."""


@runtime_checkable
class KeptReads(Protocol):
    """What a station has besides whose reader keeps reads while nobody listens, for a gateway that comes back."""

    @property
    def foreign_reads(self) -> int:
        """Reads that the reader had kept, and that were thrown away."""
