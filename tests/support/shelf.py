"""Tags with memory in front of a simulated reader: a radio whose tags a reader may work on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from readers.codecs.checksums import gen2_crc16
from readers.ports.memory import START_US
from simulator.device import Sighting, TagMemory
from simulator.gen2_memory import epc_of, pc_bits_of

US_PER_S = 1_000_000


def memory(
    epc: bytes,
    tid: bytes = b"",
    user: bytes = b"",
    *,
    access: int = 0,
    locked: Collection[int] = (),
    room_bytes: int = 0,
    pc_low_bits: int = 0,
    least_write_dbm: float = 0.0,
) -> TagMemory:
    """A tag with this EPC, and room for one of `room_bytes`."""
    body = (len(epc) // 2 << 11 | pc_low_bits).to_bytes(2, "big") + epc
    bank = gen2_crc16(body).to_bytes(2, "big") + body.ljust(2 + room_bytes, b"\x00")
    reserved = bytearray(4) + access.to_bytes(4, "big")
    return TagMemory(bytearray(bank), tid, bytearray(user), reserved, frozenset(locked), least_write_dbm)


class Shelf:
    """Each tag answers on the antennas every `step_s` with the EPC that its memory holds now. A `WritableRadio`.

    The first is heard with `rssi_dbm`, each further one with 1 dB less.

    Attributes:
        on_memory: called when the reader is about to work on a tag; what it returns is the memory then.
        worked_on: how often that was.
    """

    def __init__(
        self,
        *tags: TagMemory,
        step_s: float = 0.02,
        rssi_dbm: float = -50.0,
        antennas: Collection[int] | None = None,
        is_here: Callable[[float, TagMemory], bool] = lambda _at_s, _tag: True,
    ) -> None:
        self.tags = list(tags)
        self.on_memory: Callable[[TagMemory], TagMemory | None] = lambda tag: tag
        self.worked_on = 0
        self._step_us = round(step_s * US_PER_S)
        self._rssi_dbm = rssi_dbm
        self._antennas = antennas
        self._is_here = is_here

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        if self._antennas is not None and antenna_port not in self._antennas:
            return []
        return [
            Sighting(
                at_us,
                antenna_port,
                epc_of(tag),
                self._rssi_dbm - number,
                tag.tid,
                phase_deg=90.0,
                pc_bits=pc_bits_of(tag),
                user_memory=bytes(tag.user),
            )
            for at_us in range(-(-start_us // self._step_us) * self._step_us, until_us, self._step_us)
            for number, tag in enumerate(self.tags)
            if self._is_here((at_us - START_US) / US_PER_S, tag)
        ]

    def memory(self, epc: bytes) -> TagMemory | None:
        """See `simulator.device.WritableRadio`."""
        found = next((tag for tag in self.tags if epc_of(tag) == epc), None)
        if found is None:
            return None
        self.worked_on += 1
        return self.on_memory(found)
