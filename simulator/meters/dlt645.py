"""Plays electricity meters on one DL/T 645 line: the twin of the driver `dlt645`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from readers.codecs.dlt645 import BROADCAST, MAX_FRAME_BYTES, WAKE_UP, Decoder, Frame, encode, matches
from readers.driver import Port
from simulator.device import Load
from simulator.meters.dlt645_behaviour import DAY_SLOTS, Behaviour, Exchange, Slot, Speaks
from simulator.meters.dlt645_meter import CHINA_UTC_OFFSET_MIN, Meter
from simulator.meters.dlt645_requests import Answering

__all__ = ["DAY_SLOTS", "DEVICE", "Behaviour", "Exchange", "Meter", "Slot", "Speaks", "serve"]

DEVICE: Final = "dlt645"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1  # a request that was not whole by then never will be
_BITS_PER_CHARACTER: Final = 11
_BYTES_AT_ONCE: Final = 8  # what an adapter hands on together
_KEPT_BYTES: Final = 2 * MAX_FRAME_BYTES


async def serve(
    port: Port,
    meters: Mapping[str, Load | Meter],
    behaviours: Mapping[str, Behaviour] | None = None,
    *,
    baud: int | None = None,
    utc_offset_min: int = CHINA_UTC_OFFSET_MIN,
) -> None:
    """Speak for all meters of a line, by their 12-digit addresses, until the link ends.

    Args:
        port: the meters' end of the line.
        meters: what each meter measures, or the meter itself, which then keeps its state from one link to the next.
            Meters may come and go while they are served.
        behaviours: by address, of those that are not meters themselves; meters that are not named behave well.
        baud: take the time that each byte needs at that speed, in both directions; None for no time.
        utc_offset_min: the meters' local time, of those that are not meters themselves.

    Raises:
        LinkError: the link ended.
    """
    line = _Line(port, meters, behaviours or {}, baud, utc_offset_min)
    while True:
        await line.step()


class _Line:
    def __init__(
        self,
        port: Port,
        meters: Mapping[str, Load | Meter],
        behaviours: Mapping[str, Behaviour],
        baud: int | None,
        utc_offset_min: int,
    ) -> None:
        self._port = port
        self._meters = meters
        self._behaviours = behaviours
        self._byte_s = _BITS_PER_CHARACTER / baud if baud else 0.0
        self._utc_offset_min = utc_offset_min
        self._usual = Behaviour()
        self._decoder = Decoder()
        self._heard = b""
        self._there: dict[str, tuple[Load | Meter, Meter, Answering]] = {}
        self._look()

    async def step(self) -> None:
        """Wait for requests and answer them."""
        heard = await self._port.receive(_GAP_S if self._decoder.holds else _IDLE_S)
        if self._byte_s and heard:
            await self._port.pause(len(heard) * self._byte_s)
        self._heard = (self._heard + heard)[-_KEPT_BYTES:]
        for frame in self._decoder.feed(heard) if heard else self._decoder.gap():
            if not frame.is_reply:
                await self._answer(frame, self._wake_up_of(frame))

    def _look(self) -> list[tuple[Meter, Answering]]:
        """The meters that are there now, each having looked at the present."""
        now_us = self._port.now_us()
        for address, what in self._meters.items():
            if address not in self._there or self._there[address][0] is not what:
                meter = what if isinstance(what, Meter) else Meter(address, what, None, self._utc_offset_min)
                self._there[address] = (what, meter, Answering(meter))
            _, meter, _ = self._there[address]
            if not isinstance(what, Meter):
                meter.behaviour = self._behaviours.get(address, self._usual)
            meter.look(now_us)
        for address in self._there.keys() - self._meters.keys():
            del self._there[address]
        return [(meter, answering) for _, meter, answering in self._there.values()]

    def _wake_up_of(self, frame: Frame) -> int:
        """How many FE bytes came right before a frame, the latest of its kind."""
        before = self._heard[: max(self._heard.rfind(encode(frame)), 0)]
        return len(before) - len(before.rstrip(bytes([WAKE_UP])))

    async def _answer(self, request: Frame, wake_up_bytes: int) -> None:
        replies: list[tuple[Behaviour, bytes]] = []
        for meter, answering in self._look():
            behaviour = meter.behaviour
            meant = request.address == BROADCAST or matches(request.address, meter.address)
            if not meant or wake_up_bytes < behaviour.needs_wake_up:
                continue
            reply = answering.answer(request)
            if reply is None:
                continue
            raw = encode(reply)
            if behaviour.garbles is not None:
                raw = behaviour.garbles(raw)
            replies.append((behaviour, bytes([WAKE_UP]) * behaviour.preamble + raw))
        if not replies:
            return
        raw = replies[0][1]
        for _, other in replies[1:]:  # two meters at once: each pulls the line down for its zeros
            size = max(len(raw), len(other))
            raw = bytes(a & b for a, b in zip(raw.ljust(size, b"\xff"), other.ljust(size, b"\xff"), strict=True))
        await self._port.pause(max(behaviour.reply_delay_s for behaviour, _ in replies))
        await self._send(raw)

    async def _send(self, raw: bytes) -> None:
        """All at once, or at the pace of the line."""
        step = _BYTES_AT_ONCE if self._byte_s else len(raw)
        for start in range(0, len(raw), step):
            piece = raw[start : start + step]
            await self._port.pause(len(piece) * self._byte_s)
            await self._port.send(piece)
