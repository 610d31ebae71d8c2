"""One line or connection of modules: one request in flight, and what had to be thrown away."""

from __future__ import annotations

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


class Line:
    """One request in flight, to one module."""

    def __init__(self, settings: ModbusIoSettings, port: Port) -> None:
        self._is_tcp = settings.framing == "tcp"
        self.port = port
        self._transaction = 0
        self._decoder: RtuDecoder | TcpDecoder = TcpDecoder()
        if not self._is_tcp:
            self._decoder = RtuDecoder([module.address for module in settings.modules])
        self._rejects: dict[str, int] = {}
        self._heard_bytes = 0

    async def ask(self, request: Frame) -> Frame:
        """The answer to a request, repeated when none comes.

        Raises:
            SilentError: no answer came.
        """
        for _ in range(TRIES):
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
        raise SilentError(f"unit {request.unit} did not answer {TRIES} requests within {ANSWER_WITHIN_S:g} s each")

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
