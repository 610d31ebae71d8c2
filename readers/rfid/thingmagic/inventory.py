"""Reading until cancelled: the stream of tags, and whether it really runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from readers.codecs.thingmagic import Frame, Opcode, Status, explained
from readers.codecs.thingmagic_tags import START, ReadPlan, Response, StreamedTag, response_type
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import Rejected, Severity, TagRead, TagReads, Watching
from readers.rfid.thingmagic.configuration import Setup
from readers.rfid.thingmagic.conversation import Conversation, NoAnswerError, RefusedError
from readers.rfid.thingmagic.settings import ThingMagicSettings

CYCLE_MS: Final = 1_000
SILENCE_S: Final = 3.0  # the module tells the end of each read cycle: three of them are missing
SILENT_STARTS: Final = 3
TROUBLE_PAUSE_S: Final = 1.0
_US_PER_MS: Final = 1_000
_TROUBLES: Final = {
    Status.NO_ANTENNA: ("antenna_disconnected", "the module finds no antenna: check its cable"),
    Status.HIGH_RETURN_LOSS: (
        "high_return_loss",
        "the antenna sends the power back: check antenna, cable and connectors",
    ),
    Status.TOO_HOT: ("over_temperature", "the module is too hot and does not transmit: cool it, or lower the power"),
    Status.CHANNEL_BUSY: ("no_free_channel", "the channel is occupied: look for another reader nearby"),
}


class Inventory:
    """Starts the stream, again where it ends, and reports what it says."""

    def __init__(self, talk: Conversation, settings: ThingMagicSettings, setup: Setup) -> None:
        self._talk = talk
        self._setup = setup
        self._plan = ReadPlan(CYCLE_MS, settings.read_tid)
        self._air_crc = settings.air_crc == "required"
        self._watching = False
        self._silent_starts = 0
        self._signs = 0
        self._ended = False
        self._refused = 0
        self._troubles: set[int] = set()
        self._cycle_began_us: int | None = None
        talk.on_stream = self._hear

    async def run(self, within_s: float = math.inf) -> None:
        """Start the stream and follow it until it ends or falls silent, or for so long.

        Raises:
            LinkError: the module fell silent, or restarted. DeviceRefusedError: it cannot read.
        """
        self._signs, self._ended = 0, False
        until_s = self._talk.port.monotonic_s() + within_s
        if not await self._start():
            return
        signs, last_s = self._signs, self._talk.port.monotonic_s()
        while not self._ended and (left_s := until_s - self._talk.port.monotonic_s()) > 0:
            for frame in await self._talk.listen(min(SILENCE_S, left_s)):
                self._talk.expect_no_restart(frame)
            now_s = self._talk.port.monotonic_s()
            if self._signs != signs:
                signs, last_s = self._signs, now_s
            elif now_s - last_s >= SILENCE_S:
                break
        if not self._signs:
            self._silent()
        await self._talk.stop()  # also the proof of life

    async def _start(self) -> bool:
        """Whether the stream was started; a refusal counts when it is repeated after a stop."""
        self._cycle_began_us = None
        try:
            await self._talk.ask(Opcode.MULTI_PROTOCOL, self._plan.data(), echo=bytes([START]), tries=1)
        except RefusedError as refusal:
            await self._start_refused(refusal)
            return False
        except NoAnswerError:
            if not self._signs:
                self._silent()
                await self._talk.stop()
                return False
        else:
            self._cycle_began_us = self._talk.port.now_us()
        self._refused = 0
        return True

    async def _start_refused(self, refusal: RefusedError) -> None:
        if refusal.status in _TROUBLES:
            self._trouble(refusal.status)
            await self._talk.port.pause(TROUBLE_PAUSE_S)
            return
        self._refused += 1
        await self._talk.stop()
        if self._refused > 1:
            raise DeviceRefusedError(
                f"{self._talk.port.description}: the module refuses to read continuously with status {refusal}; "
                "another driver may fit it, or newer firmware"
            ) from refusal

    def _hear(self, frames: Sequence[Frame]) -> None:
        """Take what the stream says.

        Raises:
            LinkError: the module is broken inside.
        """
        reads = []
        now_us = self._talk.port.now_us()
        for frame in frames:
            self._signs += 1
            if frame.status == Status.NO_TAGS or (frame.status == Status.SUCCESS and not frame.data):
                self._cycle_ended(now_us)
            elif frame.status == Status.SUCCESS:
                try:
                    read = self._read(frame.data, now_us)
                except FrameError as error:
                    self._talk.report(Rejected(error.reason, reads_lost=1, sample=frame.data))
                    continue
                if read is not None:
                    reads.append(read)
            else:
                self._failed(frame.status or 0, frame.data)
        if reads:
            if not self._troubles:
                self._runs()
            self._talk.report(TagReads.of(now_us, *reads))

    def _read(self, data: bytes, now_us: int) -> TagRead | None:
        """One read; None where the frame is none.

        Raises:
            FrameError: it cannot be read, or the tag's own CRC is wrong.
        """
        kind = response_type(data)
        if kind == Response.END:
            self._ended = True
        if kind in (Response.END, Response.FIGURES):
            return None
        tag = StreamedTag.parse(data)
        if self._air_crc and not tag.has_right_crc:
            raise FrameError("air_crc", f"the tag's CRC is {tag.air_crc:04X}", data)
        seen_us = self._seen_us(tag.since_cycle_ms, now_us)
        return TagRead(
            epc=tag.epc,
            antenna_port=self._setup.antenna_ports[0] if tag.transmitter is None else tag.transmitter,
            rssi_dbm=None if tag.rssi_dbm is None else float(tag.rssi_dbm),
            first_seen_us=seen_us,
            last_seen_us=seen_us,
            count=max(1, tag.count or 1),
            pc_bits=tag.pc_bits,
            tid=tag.data or None,
            phase_deg=None if tag.phase_deg is None else float(tag.phase_deg),
            channel_index=self._setup.channels.get(tag.frequency_khz or 0),
        )

    def _seen_us(self, since_cycle_ms: int | None, now_us: int) -> int | None:
        """The module counts from the beginning of the read cycle, which is set by the earliest word of it here."""
        if since_cycle_ms is None or self._cycle_began_us is None:
            return None
        self._cycle_began_us = min(self._cycle_began_us, now_us - since_cycle_ms * _US_PER_MS)
        return self._cycle_began_us + since_cycle_ms * _US_PER_MS

    def _cycle_ended(self, now_us: int) -> None:
        self._cycle_began_us = now_us
        if self._troubles:  # it is over when a whole cycle passes without it
            self._troubles.clear()
            return
        for name, _ in _TROUBLES.values():
            self._talk.end(name, self._trouble_key(name))
        self._runs()

    def _failed(self, status: int, data: bytes) -> None:
        if status in (Status.INTERNAL, Status.ASSERTION):
            raise LinkError(
                f"{self._talk.port.description}: the module reports status {explained(status)}; switch it off and on "
                "if that comes back"
            )
        if status in _TROUBLES:
            self._trouble(status)
        else:
            self._talk.report(Rejected(f"status_{status:04x}", sample=data))

    def _trouble(self, status: int) -> None:
        name, detail = _TROUBLES[Status(status)]
        self._troubles.add(status)
        self._talk.begin(name, detail, self._trouble_key(name), Severity.FAULT)
        # the module does not say which antenna it is: of several, others may still read
        if status == Status.TOO_HOT or len(self._setup.antenna_ports) == 1:
            self._rests()

    def _trouble_key(self, name: str) -> str:
        """The antenna port, where only one can be meant."""
        ports = self._setup.antenna_ports
        return str(ports[0]) if name in ("antenna_disconnected", "high_return_loss") and len(ports) == 1 else ""

    def _runs(self) -> None:
        self._silent_starts = 0
        self._talk.end("rounds_unconfirmed")
        if not self._watching:
            self._watching = True
            self._talk.report(Watching(frozenset(self._setup.antenna_ports)))

    def _rests(self) -> None:
        if self._watching:
            self._watching = False
            self._talk.report(Watching())

    def _silent(self) -> None:
        """The module may live, but nothing shows that it reads."""
        self._silent_starts += 1
        if self._silent_starts >= SILENT_STARTS:
            detail = "the module answers, but reports neither tags nor the end of a read cycle"
            self._talk.begin("rounds_unconfirmed", detail)
            self._rests()
