"""The devices' side of a Modbus line or connection: requests to units, answers in their time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from readers.codecs.modbus import Frame, Refusal, RtuDecoder, Side, TcpDecoder, encode_rtu, encode_tcp
from readers.driver import Port

_IDLE_S: Final = 1.0
_GAP_S: Final = 0.05
_BITS_PER_CHARACTER: Final = 11
_BYTES_AT_ONCE: Final = 16  # what an adapter hands on together


class Unit(Protocol):
    """One device."""

    @property
    def answer_after_s(self) -> float:
        """How long it thinks."""

    def answer(self, request: Frame, now_us: int) -> Frame | None:
        """What it answers; None for silence."""


async def serve(
    port: Port,
    units: Mapping[int, Unit],
    *,
    is_tcp: bool = False,
    baud: int | None = None,
    is_gateway: bool = False,
) -> None:
    """Speak for all units until the link ends.

    Args:
        port: the devices' end.
        units: by address; they may come and go while they are served.
        is_tcp: frames with a header; RTU frames otherwise.
        baud: take the time that each byte needs at that speed, in both directions; None for no time.
        is_gateway: say that a unit does not answer, as a gateway to a line does, where it is silent.

    Raises:
        LinkError: the link ended.
    """
    decoder = TcpDecoder() if is_tcp else RtuDecoder(range(1, 248), of=Side.CLIENT)
    byte_s = _BITS_PER_CHARACTER / baud if baud else 0.0
    while True:
        data = await port.receive(_GAP_S if decoder.holds else _IDLE_S)
        await _take_time(port, len(data) * byte_s)
        for request in decoder.feed(data) if data else decoder.gap():
            unit = units.get(request.unit)
            answer = None
            if unit is not None:
                await _take_time(port, unit.answer_after_s)
                answer = unit.answer(request, port.now_us())
            if answer is None and is_gateway:
                answer = refused(request, Refusal.GATEWAY_TARGET)
            if answer is not None:
                await _send(port, encode_tcp(answer) if is_tcp else encode_rtu(answer), byte_s)


def answered(request: Frame, data: bytes) -> Frame:
    """The answer to a request."""
    return Frame(request.unit, request.function, data, transaction=request.transaction)


def refused(request: Frame, why: Refusal) -> Frame:
    """The exception to a request."""
    return Frame(request.unit, request.function, refusal=why, transaction=request.transaction)


async def _take_time(port: Port, seconds: float) -> None:
    if seconds > 0:
        await port.pause(seconds)


async def _send(port: Port, raw: bytes, byte_s: float) -> None:
    step = _BYTES_AT_ONCE if byte_s else len(raw)
    for start in range(0, len(raw), step):
        piece = raw[start : start + step]
        await _take_time(port, len(piece) * byte_s)
        await port.send(piece)
