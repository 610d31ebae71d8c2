"""Plays DLMS/COSEM meters, on one HDLC line or behind the wrapper on TCP: the twin of the driver `dlms`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from readers.codecs import dlms_hdlc, dlms_wrapper
from readers.driver import Port
from simulator.meters.dlms_meter import Behaviour, Client, Meter
from simulator.meters.dlms_server import Server
from simulator.meters.dlms_station import Station

__all__ = ["DEVICE", "Behaviour", "Client", "Framing", "Meter", "serve"]

DEVICE: Final = "dlms"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.2
_BITS_PER_CHARACTER: Final = 10
_BYTES_AT_ONCE: Final = 8  # what an adapter hands on together


class Framing(StrEnum):
    """How APDUs stand on the wire."""

    HDLC = "hdlc"
    WRAPPER = "wrapper"


async def serve(
    port: Port, meters: Sequence[Meter], framing: Framing = Framing.HDLC, *, baud: int | None = None
) -> None:
    """Speak for all meters of a line, or for the logical devices behind one connection, until the link ends.

    Args:
        port: the meters' end of the line.
        meters: they keep their counters, relays and profiles from one link to the next.
        framing: of the line.
        baud: take the time that each byte needs at that speed; None for no time.

    Raises:
        LinkError: the link ended.
    """
    if framing is Framing.WRAPPER:
        await _serve_wrapper(port, meters)
    else:
        await _serve_line(port, meters, baud)


async def _serve_wrapper(port: Port, meters: Sequence[Meter]) -> None:
    decoder = dlms_wrapper.Decoder()
    servers = {meter.logical: Server(meter, port.now_us, meter.logical) for meter in meters}
    replies = dict.fromkeys(servers, 0)
    while True:
        heard = await port.receive(_IDLE_S)
        for frame in decoder.feed(heard) if heard else decoder.gap():
            server = servers.get(frame.destination)
            if server is None or server.meter.behaviour.silent:
                continue
            answer = server.answer(frame.source, frame.apdu)
            given = server.meter.behaviour
            replies[frame.destination] += 1
            if answer is None or (given.loses_reply and given.loses_reply(replies[frame.destination])):
                continue
            await port.pause(given.reply_delay_s)
            await port.send(dlms_wrapper.encode(dlms_wrapper.Frame(frame.destination, frame.source, answer)))


async def _serve_line(port: Port, meters: Sequence[Meter], baud: int | None) -> None:
    decoder = dlms_hdlc.Decoder()
    byte_s = _BITS_PER_CHARACTER / baud if baud else 0.0
    stations = [Station(Server(meter, port.now_us, meter.logical), port.monotonic_s) for meter in meters]
    while True:
        heard = await port.receive(_GAP_S if decoder.holds else _IDLE_S)
        await port.pause(len(heard) * byte_s)
        for frame in decoder.feed(heard) if heard else decoder.gap():
            for station in stations:
                reply = station.answer(frame)
                if reply is None:
                    continue
                await port.pause(station.behaviour.reply_delay_s)
                raw = dlms_hdlc.encode(reply)
                step = _BYTES_AT_ONCE if byte_s else len(raw)
                for start in range(0, len(raw), step):
                    piece = raw[start : start + step]
                    await port.pause(len(piece) * byte_s)
                    await port.send(piece)
