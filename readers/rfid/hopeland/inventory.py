"""Reading until cancelled: such a reader inventories until it is stopped, and says nothing while there are no tags.

So silence is ended by stopping and starting anew: both are confirmed by its radio module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from readers.codecs.hopeland import OK, Kind, Message
from readers.codecs.hopeland_tags import ReadTags, Tag
from readers.errors import DeviceRefusedError
from readers.observations import Rejected, TagRead, TagReads, Watching
from readers.rfid.hopeland.configuration import Setup
from readers.rfid.hopeland.line import Line, RefusedError

RENEW_S: Final = 10.0  # without a tag for so long, the read is proven to run by starting it anew
FINISH_PAUSE_S: Final = 0.1  # a reader that finishes at once is not to be asked without end


class Inventory:
    """Starts reading, again where it ends, and reports the tags."""

    def __init__(self, line: Line, setup: Setup, tid_words: int) -> None:
        self._line = line
        self._setup = setup
        self._plan = ReadTags(setup.antenna_ports, tid_words=tid_words)
        self._watching = False
        self._refused = 0
        self._last_tag_s = 0.0

    async def run(self, within_s: float = math.inf) -> None:
        """Start reading and report tags, until the reader has finished, there were none for long, or time is up.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it refuses to read.
        """
        line = self._line
        line.on_tags = self._hear
        until_s = line.port.monotonic_s() + within_s
        if not await self._start():
            return
        self._last_tag_s = line.port.monotonic_s()
        while not line.has_finished:
            left_s = min(self._last_tag_s + RENEW_S, until_s) - line.port.monotonic_s()
            if left_s <= 0:
                break
            for frame in await line.listen(left_s):
                line.report(Rejected("error" if frame.kind == Kind.ERROR else "answer", sample=frame.data))
        await line.stop()
        if line.has_finished:
            await line.port.pause(FINISH_PAUSE_S)

    async def _start(self) -> bool:
        """Whether the reader reads now; a refusal counts when it is repeated after a stop."""
        self._line.has_finished = False
        self._line.is_reading = True  # tags may overtake the confirmation
        try:
            answer = await self._line.ask(Kind.RFID, Message.READ_EPC, self._plan.data())
            if answer == OK:
                self._refused = 0
                if not self._watching:
                    self._watching = True
                    self._line.report(Watching(frozenset(self._setup.antenna_ports)))
                return True
            why = f"code {answer.hex().upper() or 'none'}"
        except RefusedError as refusal:
            why = str(refusal)
        self._refused += 1
        await self._line.stop()
        if self._refused > 1:
            raise DeviceRefusedError(
                f"{self._line.port.description}: the reader refuses to read at antenna ports "
                f"{', '.join(map(str, self._setup.antenna_ports))}: {why}; check settings.antennas and "
                "settings.read_tid"
            )
        return False

    def _hear(self, tags: Sequence[Tag]) -> None:
        port = self._line.port
        self._last_tag_s = port.monotonic_s()
        reads = [
            TagRead(
                epc=tag.epc,
                antenna_port=tag.antenna_port,
                rssi_dbm=tag.rssi_dbm,
                first_seen_us=tag.reader_time_us,
                last_seen_us=tag.reader_time_us,
                pc_bits=tag.pc_bits,
                tid=tag.tid if not tag.memory_result else None,
            )
            for tag in tags
        ]
        self._line.report(TagReads.of(port.now_us(), *reads, clock_offset_us=self._setup.clock_offset_us))
