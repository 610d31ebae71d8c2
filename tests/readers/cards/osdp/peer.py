"""A card reader that somebody else wrote: libosdp's peripheral device behind one of our ports, in real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from readers.cards.osdp import DRIVER, OsdpSettings
from readers.driver import Port
from readers.errors import LinkError
from readers.observations import Observation
from readers.ports.memory import pair

osdp = pytest.importorskip("osdp", reason="libosdp has no wheel for this machine")
osdp_sys = pytest.importorskip("osdp_sys")

QUIET = 0
CAPABILITIES = [(1, 1, 8), (3, 1, 1), (9, 1, 1), (8, 1, 0)]
"""Function code, compliance, number: eight inputs, card data as bits, secure channel with AES-128, CRC-16."""


class Wire:
    def __init__(self) -> None:
        self.id = 7
        self.incoming = bytearray()
        self.outgoing = bytearray()

    def read(self, most: int) -> bytes:
        data = bytes(self.incoming[:most])
        del self.incoming[:most]
        return data

    def write(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def flush(self) -> None:
        self.incoming.clear()


class Peer:
    """One device on the line."""

    def __init__(
        self, address: int = 0, key: bytes | None = None, *, asks_security: bool = False, installs: bool = False
    ) -> None:
        self.wire = Wire()
        osdp_sys.set_loglevel(QUIET)
        flags = [osdp.LibFlag.EnforceSecure] if asks_security else []
        flags += [osdp.LibFlag.InstallMode] if installs else []
        identity = osdp.PdId(2, 5, 0x00F3A1B2, 0x12345678, 0x010203)
        info = osdp.PDInfo(address, self.wire, scbk=key, flags=flags, id=identity).get()
        self.device = osdp_sys.PeripheralDevice(info, capabilities=osdp.PDCapabilities(CAPABILITIES).get())
        self.commands: list[dict[str, Any]] = []
        self.device.set_command_callback(self._obey)
        self.mute = False
        self.local_status = b"\x00\x00"

    def _obey(self, command: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        self.commands.append(command)
        return 0, None

    def card(self, data: bytes, bits: int, reader: int = 0) -> None:
        told = {"event": 1, "reader_no": reader, "direction": 0, "format": 1, "data": data, "length": bits}
        assert self.device.submit_event(told) is not False

    def keys(self, data: bytes, reader: int = 0) -> None:
        self.device.submit_event({"event": 2, "reader_no": reader, "data": data})

    def status(self, *, tamper: bool = False, power: bool = False) -> None:
        report = bytes([tamper, power])
        self.device.submit_event({"event": 4, "type": osdp.StatusReportType.Local, "report": report, "nr_entries": 2})

    def others(self) -> None:
        """What a panel may hear and this driver does not use: inputs, and something of the maker's own."""
        report = bytes(8)
        self.device.submit_event({"event": 4, "type": osdp.StatusReportType.Input, "report": report, "nr_entries": 8})
        self.device.submit_event({"event": 3, "vendor_code": 0x00F3A1B2, "command": 1, "data": b"x"})

    def step(self, heard: bytes) -> bytes:
        if self.mute:
            return b""
        self.wire.incoming += heard
        self.device.refresh()
        out = bytes(self.wire.outgoing)
        self.wire.outgoing.clear()
        return out


async def serve(port: Port, peers: Sequence[Peer]) -> None:
    """All of them hear all that the panel sends, as on RS-485."""
    with contextlib.suppress(LinkError):
        while True:
            heard = await port.receive(0.005)
            for peer in peers:
                out = peer.step(heard)
                if out:
                    await port.send(out)


def converse(
    settings: OsdpSettings,
    peers: Sequence[Peer],
    script: Callable[[list[Observation]], Coroutine[Any, Any, None]],
    wrap: Callable[[Port], Port] | None = None,
) -> list[Observation]:
    """What the driver reports while the script runs; an error of the driver is raised."""

    async def scene() -> list[Observation]:
        ours, theirs = pair()
        heard: list[Observation] = []
        driver = DRIVER.make(settings)
        running = asyncio.create_task(driver.run(wrap(ours) if wrap else ours, heard.append))
        serving = asyncio.create_task(serve(theirs, peers))
        acting = asyncio.create_task(script(heard))
        try:
            await asyncio.wait([running, acting], timeout=60, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            assert acting.done(), f"the script waits; heard so far: {heard}"
            acting.result()
        finally:
            for task in (acting, running, serving):
                task.cancel()
            await asyncio.gather(acting, running, serving, return_exceptions=True)
        return heard

    return asyncio.run(scene())


async def until(met: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(within_s):
        while not met():
            await asyncio.sleep(0.005)
