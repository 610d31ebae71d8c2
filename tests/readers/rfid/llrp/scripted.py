"""A reader that does exactly what a test tells it, built byte by byte from the standard and not from the driver.

`ScriptedReader` answers each request as a plain LLRP 1.0.1 reader would; a test replaces single answers, and sends what
it likes at any moment. Numbers: LLRP 1.0.1, sections 15 and 16.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Final

from readers.driver import Port
from readers.errors import LinkError
from readers.observations import Observation
from readers.ports.memory import MemoryPort, pair
from readers.rfid.llrp import LlrpDriver, LlrpSettings

RESPONSES: Final = {1: 11, 2: 12, 3: 13, 20: 30, 21: 31, 22: 32, 24: 34, 26: 36, 14: 4, 47: 57, 46: 56} | {
    kind: kind + 10 for kind in (40, 41, 42, 44)
}
OK: Final = bytes.fromhex("011F 0008 0000 0000")
EPOCH_US: Final = 1_767_225_600_000_000

Answer = Callable[["ScriptedReader", int, bytes], None]


def message(kind: int, message_id: int, body: bytes = b"", version: int = 1) -> bytes:
    return struct.pack(">HII", version << 10 | kind, 10 + len(body), message_id) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, 4 + len(value)) + value


def custom(vendor: int, subtype: int, value: bytes) -> bytes:
    return tlv(1023, struct.pack(">II", vendor, subtype) + value)


def status(code: int, text: str = "", inner: bytes = b"") -> bytes:
    raw = text.encode()
    return tlv(287, struct.pack(">HH", code, len(raw)) + raw + inner)


def event(*parameters: bytes, utc_us: int | None = EPOCH_US, uptime_us: int | None = None) -> bytes:
    clock = tlv(128, struct.pack(">Q", utc_us)) if uptime_us is None else tlv(129, struct.pack(">Q", uptime_us))
    return tlv(246, clock + b"".join(parameters))


def attempt(code: int) -> bytes:
    return tlv(256, struct.pack(">H", code))


def antenna_event(port: int, *, connected: bool) -> bytes:
    return tlv(255, struct.pack(">BH", connected, port))


def rospec_event(kind: int, rospec_id: int = 1) -> bytes:
    return tlv(249, struct.pack(">BII", kind, rospec_id, 0))


def capabilities(
    *,
    manufacturer: int = 99,
    antennas: int = 2,
    powers: tuple[int, ...] = (1000, 2000, 3000),
    hopping: bool = True,
    modes: tuple[tuple[int, int, int, int], ...] = ((1, 1, 2, 320_000), (2, 2, 3, 250_000)),
    hold: bool = True,
    utc: bool = True,
    inputs: int = 0,
    outputs: int = 0,
) -> bytes:
    firmware = b"1.0"
    general = tlv(
        137,
        struct.pack(">HHIIH", antennas, utc << 14, manufacturer, 7, len(firmware))
        + firmware
        + tlv(141, struct.pack(">HH", inputs, outputs)),
    )
    llrp = tlv(142, struct.pack(">BBHIIIII", 0x40 | hold << 3, 1, 0, 4, 4, 4, 4, 4))
    table = b"".join(tlv(145, struct.pack(">Hh", index, power)) for index, power in enumerate(powers, 1))
    frequencies = struct.pack(">III", 902_750, 903_250, 903_750)
    hops = tlv(147, struct.pack(">BBH", 5, 0, 3) + frequencies)
    fixed = tlv(148, struct.pack(">H", 3) + frequencies)
    band = table + tlv(146, bytes((hopping << 7,)) + (hops if hopping else fixed))
    if modes:
        entry = struct.Struct(">IBBBBIIIII")
        band += tlv(
            328,
            b"".join(
                tlv(329, entry.pack(number, 0, m_value, 0, mask, rate, 1500, 6250, 25000, 0))
                for number, m_value, mask, rate in modes
            ),
        )
    return OK + general + llrp + tlv(143, struct.pack(">HH", 840, 1) + tlv(144, band)) + tlv(327, bytes(3))


def configuration(
    *, connected: tuple[bool, ...] = (True, True), keepalive_ms: int = 5000, hold: bool = True, more: bytes = b""
) -> bytes:
    antennas = b"".join(tlv(221, struct.pack(">BHh", on << 7, port, 0)) for port, on in enumerate(connected, 1))
    identity = tlv(218, struct.pack(">BH", 0, 8) + bytes.fromhex("001625FFFF001122"))
    keepalive = tlv(220, struct.pack(">BI", 1, keepalive_ms))
    return OK + identity + antennas + keepalive + tlv(226, bytes((hold << 7,))) + more


def tag(
    epc: bytes = bytes(11) + b"\x01",
    *,
    port: int | None = 1,
    rssi_dbm: int | None = -50,
    seen_us: int | None = EPOCH_US,
    uptime_us: int | None = None,
    more: bytes = b"",
) -> bytes:
    body = b"\x8d" + epc if len(epc) == 12 else tlv(241, struct.pack(">H", 8 * len(epc)) + epc)
    if port is not None:
        body += b"\x81" + struct.pack(">H", port)
    if rssi_dbm is not None:
        body += b"\x86" + struct.pack(">b", rssi_dbm)
    if uptime_us is not None:
        body += b"\x83" + struct.pack(">Q", uptime_us) + b"\x85" + struct.pack(">Q", uptime_us)
    elif seen_us is not None:
        body += b"\x82" + struct.pack(">Q", seen_us) + b"\x84" + struct.pack(">Q", seen_us)
    return tlv(240, body + more)


class ScriptedReader:
    """The device's end of a link. `replies` overrides an answer by request type: bytes of the body, or a callable."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.opening = event(attempt(0))
        self.keepalive_s: float | None = 2.0
        self.received: list[tuple[int, int, bytes]] = []
        self.replies: dict[int, bytes | Answer] = {
            1: capabilities(),
            2: configuration(),
            26: lambda reader, message_id, _: reader.say(36, OK + reader.rospec(), message_id),
            46: lambda reader, message_id, _: reader.say(100, status(110), message_id),
            60: lambda *_: None,
            64: lambda *_: None,
            72: lambda *_: None,
        }
        self.state = 2
        self._rospec = b""
        self._out = bytearray()

    def say(self, kind: int, body: bytes = b"", message_id: int = 0, version: int = 1) -> None:
        self._out += message(kind, message_id, body, version)

    def rospec(self) -> bytes:
        """The ROSpec as it was added, in the state that the test wants."""
        return self._rospec[:9] + bytes((self.state,)) + self._rospec[10:]

    def requests(self, kind: int) -> list[bytes]:
        return [body for seen, _, body in self.received if seen == kind]

    async def serve(self) -> None:
        buffer = b""
        self.say(63, self.opening)
        keepalive = asyncio.create_task(self._keep_alive())
        try:
            while True:
                await self.flush()
                buffer += await self.port.receive(3600.0)
                while len(buffer) >= 10 and len(buffer) >= (size := int.from_bytes(buffer[2:6])):
                    self._answer(buffer[:size])
                    buffer = buffer[size:]
        except LinkError:
            pass
        finally:
            keepalive.cancel()

    async def flush(self) -> None:
        if self._out:
            out, self._out = bytes(self._out), bytearray()
            await self.port.send(out)

    async def _keep_alive(self) -> None:
        try:
            while self.keepalive_s is not None:
                await asyncio.sleep(self.keepalive_s)
                self.say(62)
                await self.flush()
        except LinkError:
            pass

    def _answer(self, raw: bytes) -> None:
        kind, message_id, body = int.from_bytes(raw[:2]) & 0x3FF, int.from_bytes(raw[6:10]), raw[10:]
        self.received.append((kind, message_id, body))
        if kind == 20:
            self._rospec = body
        reply = self.replies.get(kind, OK)
        if callable(reply):
            reply(self, message_id, body)
        else:
            self.say(RESPONSES[kind], reply, message_id)


class Talk:
    """A driver and a scripted reader, back to back."""

    def __init__(self, **settings: object) -> None:
        self.ours, theirs = pair("memory")
        self.theirs: MemoryPort = theirs
        self.reader = ScriptedReader(theirs)
        self.reports: list[Observation] = []
        self._settings = LlrpSettings.model_validate(settings)
        self.driver: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._serving = asyncio.create_task(self.reader.serve())
        self.driver = asyncio.create_task(LlrpDriver(self._settings).run(self.ours, self.reports.append))

    async def run_for(self, seconds: float) -> None:
        """Start if need be, and let time pass; the driver must still run afterwards."""
        if self.driver is None:
            await self.start()
        assert self.driver is not None
        await asyncio.wait({self.driver}, timeout=seconds)
        if self.driver.done():
            self.driver.result()
            raise AssertionError("the driver returned")

    async def failure(self, within_s: float = 600.0) -> BaseException:
        """Start if need be, and wait until the driver fails."""
        if self.driver is None:
            await self.start()
        assert self.driver is not None
        await asyncio.wait({self.driver}, timeout=within_s)
        assert self.driver.done(), "the driver still runs"
        error = self.driver.exception()
        assert error is not None
        await self.stop()
        return error

    async def stop(self) -> None:
        for task in (self.driver, self._serving):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def of(self, kind: type[Observation]) -> list[Observation]:
        return [report for report in self.reports if isinstance(report, kind)]
