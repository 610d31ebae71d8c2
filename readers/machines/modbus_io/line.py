"""One line or connection of modules: one request in flight, and what had to be thrown away."""

from __future__ import annotations

import asyncio
from typing import Final

from readers.codecs.modbus import Frame, RtuDecoder, TcpDecoder, encode_rtu, encode_tcp
from readers.driver import Port, Report
from readers.errors import FrameError, LinkError
from readers.machines.modbus_io.settings import ModbusIoSettings
from readers.observations import Rejected

ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3


class SilentError(LinkError):
    """One module did not answer."""


class NotSentError(LinkError):
    """Nothing has left: the link has ended, or the time to send it is over."""


class Line:
    """One request in flight, to one module; who asks meanwhile waits for its end."""

    def __init__(self, settings: ModbusIoSettings, port: Port) -> None:
        self._is_tcp = settings.framing == "tcp"
        self.port = port
        self._transaction = 0
        self._decoder: RtuDecoder | TcpDecoder = TcpDecoder()
        if not self._is_tcp:
            self._decoder = RtuDecoder([module.address for module in settings.modules])
        self._rejects: dict[str, int] = {}
        self._heard_bytes = 0
        self._turn = asyncio.Lock()
        self._is_open = True

    async def ask(self, request: Frame, *, tries: int = TRIES, until_us: int | None = None) -> Frame:
        """The answer to a request, which is sent `tries` times when none comes.

        Raises:
            SilentError: no answer came. NotSentError: the link has ended, or it is `until_us` before the line is free.
        """
        async with self._turn:
            if not self._is_open:
                raise NotSentError(f"{self.port.description}: the link has ended")
            if until_us is not None and self.port.now_us() >= until_us:
                raise NotSentError(f"{self.port.description}: the line became free after the order had expired")
            return await self._ask(request, tries)

    def close(self) -> None:
        """Send nothing any more."""
        self._is_open = False

    async def _ask(self, request: Frame, tries: int) -> Frame:
        for _ in range(tries):
            self._transaction = self._transaction % 0xFFFF + 1
            numbered = Frame(request.unit, request.function, request.data, transaction=self._transaction)
            await self.port.send(encode_tcp(numbered) if self._is_tcp else encode_rtu(numbered))
            deadline_s = self.port.monotonic_s() + ANSWER_WITHIN_S
            while (left_s := deadline_s - self.port.monotonic_s()) > 0:
                data = await self.port.receive(left_s)
                self._heard_bytes += len(data)
                for frame in self._decoder.feed(data) if data else self._decoder.gap():
                    if frame.unit == request.unit and frame.function == request.function and self._is_ours(frame):
                        return frame
                    self._count("foreign_answer")
            self._decoder.gap()
        many = "the request" if tries == 1 else f"{tries} requests"
        each = "" if tries == 1 else " each"
        raise SilentError(f"unit {request.unit} did not answer {many} within {ANSWER_WITHIN_S:g} s{each}")

    def tell_rejects(self, report: Report) -> None:
        """What had to be thrown away since the last time."""
        for reason, count in (*self._decoder.take_rejects().items(), *self._rejects.items()):
            report(Rejected(reason, count, sample=self._decoder.reject_sample))
        self._rejects.clear()

    def reject(self, error: FrameError) -> None:
        """An answer that does not fit its request."""
        self._count(error.reason)

    def silence(self, settings: ModbusIoSettings) -> str:
        """What to do when nobody answers."""
        units = ", ".join(str(module.address) for module in settings.modules)
        came = (
            f"{self._heard_bytes} bytes came, but no answer: check framing = {settings.framing!r}, speed and parity"
            if self._heard_bytes
            else "no byte came: check power, wiring (A and B) and the unit address"
        )
        return f"{self.port.description}: unit {units}: {came}"

    def _is_ours(self, frame: Frame) -> bool:
        return not self._is_tcp or frame.transaction == self._transaction

    def _count(self, reason: str) -> None:
        self._rejects[reason] = self._rejects.get(reason, 0) + 1
