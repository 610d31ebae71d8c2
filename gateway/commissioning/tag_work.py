"""Work on single tags: reading memory, and writing an EPC so that it is known afterwards what is on the tag.

A write is one attempt on exactly one tag. What is meant is journalled before it, what became of it after it; when the
reader cannot say, the tag is looked for under both EPCs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from readers.access import EPC_FIRST_WORD, WORD_BYTES, AccessError, AccessFault, Bank, Station
from readers.observations import TagRead

INVENTORY_S: Final = 1.0
TID_WORDS: Final = 6
TID_LEAST_WORDS: Final = 2
PC_WORD: Final = 1
LENGTH_SHIFT: Final = 11
LENGTH_MASK: Final = 0xF800
MOST_EPC_WORDS: Final = 31


class Result(StrEnum):
    """What became of a write."""

    VERIFIED = "verified"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Written:
    """One write, as it is told and journalled. Memory is upper-case hex."""

    result: Result
    old_epc: str
    new_epc: str
    pc: str
    tid: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory that was read, or why not."""

    epc: str
    bank: Bank
    word: int
    data: str | None
    trouble: str = ""


class WriteJournal:
    """An append-only file of JSON lines; each is on the disk before the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, entry: dict[str, object]) -> None:
        """Add one line.

        Raises:
            OSError: it cannot be kept; nothing must be written to a tag then.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self._path.exists()
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


async def choose(station: Station, epc: bytes | None) -> TagRead:
    """The tag to work on: the one with that EPC, or the only one that is there.

    Raises:
        AccessError: it is not there, or there are several to choose from.
    """
    seen = {tag.epc: tag for tag in await station.inventory(INVENTORY_S)}
    shown = ", ".join(sorted(_hex(each) or "(empty EPC)" for each in seen))
    if epc is not None:
        if epc not in seen:
            there = f"; there {'is' if len(seen) == 1 else 'are'}: {shown}" if seen else " and no other"
            raise AccessError(AccessFault.NO_TAG, f"no tag with EPC {_hex(epc)} is here{there}")
        return seen[epc]
    if not seen:
        raise AccessError(AccessFault.NO_TAG, "no tag is here; hold one before the antenna")
    if len(seen) > 1:
        raise AccessError(
            AccessFault.SEVERAL_TAGS,
            f"{len(seen)} tags are here: {shown}; name one with --epc, or take the others away",
        )
    return next(iter(seen.values()))


async def read_memory(
    station: Station, epc: bytes, wanted: Sequence[tuple[Bank, int, int]], password: int = 0
) -> list[Memory]:
    """Read parts of the memory of one tag: bank, first word and number of words of each."""
    found = []
    for bank, word, words in wanted:
        try:
            data = await station.read(epc, bank, word, words, password)
        except AccessError as error:
            found.append(Memory(_hex(epc), bank, word, None, f"{error.fault}: {error}"))
        else:
            found.append(Memory(_hex(epc), bank, word, _hex(data)))
    return found


async def read_tid(station: Station, epc: bytes) -> bytes | None:
    """The TID, as long as the tag gives it; None when it does not."""
    for words in (TID_WORDS, TID_LEAST_WORDS):
        try:
            return await station.read(epc, Bank.TID, 0, words)
        except AccessError as error:
            if error.fault in (AccessFault.NO_TAG, AccessFault.UNSUPPORTED):
                return None
    return None


async def write_epc(
    station: Station,
    epc: bytes | None,
    new_epc: bytes,
    *,
    journal: WriteJournal,
    now_us: Callable[[], int],
    reader: str,
    pc_low_bits: int | None = None,
    password: int = 0,
) -> Written:
    """Give one tag another EPC, and see that it has it.

    `epc` is the tag's present EPC, None for the only tag here; `pc_low_bits` are the 11 lower bits of the PC word
    (UMI, XPC, toggle, AFI or attributes), None keeps the tag's own; `password` is the access password, 32 bits.

    Raises:
        ValueError: the new EPC cannot be an EPC. AccessError: nothing was written. OSError: the journal cannot be kept.
    """
    words, rest = divmod(len(new_epc), WORD_BYTES)
    if rest or not 0 < words <= MOST_EPC_WORDS:
        raise ValueError(f"an EPC of {len(new_epc)} bytes; it must be 1 to {MOST_EPC_WORDS} whole words of 2 bytes")
    tag = await choose(station, epc)
    old_epc = tag.epc
    if old_epc != new_epc and any(other.epc == new_epc for other in await station.inventory(INVENTORY_S)):
        raise AccessError(
            AccessFault.SEVERAL_TAGS,
            f"another tag with EPC {_hex(new_epc)} is here already; take it away",
        )
    tid = await read_tid(station, old_epc)
    old_pc = int.from_bytes(await station.read(old_epc, Bank.EPC, PC_WORD, 1, password), "big")
    low = old_pc & ~LENGTH_MASK if pc_low_bits is None else pc_low_bits
    new_pc = words << LENGTH_SHIFT | low
    first, data = (EPC_FIRST_WORD, new_epc) if new_pc == old_pc else (PC_WORD, new_pc.to_bytes(2, "big") + new_epc)
    meant: dict[str, object] = {
        "reader": reader,
        "old_epc": _hex(old_epc),
        "new_epc": _hex(new_epc),
        "pc": f"{new_pc:04X}",
        "tid": None if tid is None else _hex(tid),
    }
    journal.append({"at_us": now_us(), "step": "meant", **meant})
    trouble = ""
    try:
        await station.write(old_epc, Bank.EPC, first, data, password)
    except AccessError as error:
        trouble = f"{error.fault}: {error}"
    result, detail = await _verify(station, old_epc, new_epc, new_pc, tid)
    written = Written(
        result, _hex(old_epc), _hex(new_epc), f"{new_pc:04X}", None if tid is None else _hex(tid), trouble or detail
    )
    journal.append({"at_us": now_us(), "step": "outcome", "reader": reader, **asdict(written)})
    return written


async def _verify(
    station: Station, old_epc: bytes, new_epc: bytes, new_pc: int, tid: bytes | None
) -> tuple[Result, str]:
    """Look for the tag under its new EPC, then under the old one."""
    try:
        seen = {tag.epc for tag in await station.inventory(INVENTORY_S)}
        if new_epc in seen:
            bank = await station.read(new_epc, Bank.EPC, PC_WORD, 1 + len(new_epc) // WORD_BYTES)
            same_tag = tid is None or await read_tid(station, new_epc) == tid
            if bank == new_pc.to_bytes(2, "big") + new_epc and same_tag:
                return Result.VERIFIED, "read back" + ("" if tid is None else ", the TID is the same")
            if not same_tag:
                return Result.UNKNOWN, "a tag with the new EPC is here, but its TID is another"
            return Result.UNKNOWN, f"read back {_hex(bank)}"
        if old_epc in seen:
            return Result.FAILED, "the tag still has its old EPC"
    except AccessError as error:
        return Result.UNKNOWN, f"could not be read back: {error}"
    return Result.UNKNOWN, "the tag is not heard any more, neither under its old EPC nor under the new one"


def _hex(data: bytes) -> str:
    return data.hex().upper()
