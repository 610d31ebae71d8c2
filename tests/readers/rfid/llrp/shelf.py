"""Tags with memory in front of a simulated reader: a radio whose tags a reader may work on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.device import Sighting, TagMemory
from simulator.llrp.reports import gen2_crc
from simulator.llrp.tagmemory import epc_of

GAP_US = 20_000


def memory(
    epc: bytes, tid: bytes = b"", user: bytes = b"", *, access: int = 0, locked: tuple[int, ...] = ()
) -> TagMemory:
    """A tag as it leaves the factory, with this EPC."""
    body = (len(epc) // 2 << 11).to_bytes(2) + epc
    bank = bytearray(gen2_crc(body).to_bytes(2) + body)
    reserved = bytearray(4) + access.to_bytes(4)
    return TagMemory(bank, tid, bytearray(user), reserved, frozenset(locked))


class Shelf:
    """Each tag answers on each antenna every 20 ms with the EPC that its memory holds now.

    Attributes:
        on_memory: called when the reader is about to work on a tag; what it returns is the memory then.
    """

    def __init__(self, *tags: TagMemory) -> None:
        self.tags = list(tags)
        self.on_memory: Callable[[TagMemory], TagMemory | None] = lambda tag: tag
        self.worked_on = 0

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        first = -(-start_us // GAP_US) * GAP_US
        return [
            Sighting(at, antenna_port, epc_of(tag), -50.0 - number, tag.tid, phase_deg=90.0)
            for at in range(first, until_us, GAP_US)
            for number, tag in enumerate(self.tags)
        ]

    def memory(self, epc: bytes) -> TagMemory | None:
        found = next((tag for tag in self.tags if epc_of(tag) == epc), None)
        if found is None:
            return None
        self.worked_on += 1
        return self.on_memory(found)
