"""A shelf of simulated tags before one antenna, with memory that a reader may work on. Implements WritableRadio."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.device import Sighting, TagMemory

EVERY_US = 20_000


def memory(epc: bytes, tid: bytes = b"", user: bytes = b"", low_bits: int = 0) -> TagMemory:
    """A tag with room for 31 words of EPC."""
    pc_bits = len(epc) // 2 << 11 | low_bits
    return TagMemory(
        bytearray(2) + bytearray(pc_bits.to_bytes(2, "big")) + bytearray(epc.ljust(62, b"\0")), tid, bytearray(user)
    )


class Shelf:
    """The tags that lie there; tests may add and take away."""

    def __init__(self, *tags: TagMemory) -> None:
        self.tags = list(tags)

    @staticmethod
    def epc(tag: TagMemory) -> bytes:
        """What the tag says on the air: as many words as its PC word announces."""
        return bytes(tag.epc_bank[4 : 4 + 2 * (tag.epc_bank[2] >> 3)])

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """Each tag once in 20 ms."""
        slots = range(-(-start_us // EVERY_US) * EVERY_US, until_us, EVERY_US)
        return [
            Sighting(
                at_us,
                antenna_port,
                self.epc(tag),
                -50.0,
                tid=tag.tid,
                pc_bits=int.from_bytes(tag.epc_bank[2:4], "big"),
                user_memory=bytes(tag.user),
            )
            for at_us in slots
            for tag in self.tags
        ]

    def memory(self, epc: bytes) -> TagMemory | None:
        """The memory of the tag with this EPC."""
        return next((tag for tag in self.tags if self.epc(tag) == epc), None)
