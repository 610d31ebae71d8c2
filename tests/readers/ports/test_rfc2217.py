from __future__ import annotations

import asyncio
import contextlib
import socket
import termios
import threading
import time
from collections.abc import Iterator

import pytest
import serial
from serial import rfc2217

from readers.driver import LineDefaults, Parity
from readers.errors import LinkError
from readers.ports.rfc2217 import open_rfc2217
from simulator.pty import PtyPort

METER_LINE = LineDefaults(baud=2400, parity=Parity.EVEN)


class LoopLine(serial.Serial):
    """A terminal without modem lines, as a pseudo-terminal is one."""

    cts = dsr = ri = cd = True

    def _reconfigure_port(self, force_update: bool = False) -> None:  # noqa: FBT001, FBT002 - pyserial's signature
        with contextlib.suppress(termios.error):  # nor has it parity
            super()._reconfigure_port(force_update)  # type: ignore[misc]  # not in the stubs

    def _update_dtr_state(self) -> None: ...

    def _update_rts_state(self) -> None: ...


class DeviceServer:
    """A device server by pyserial's own RFC 2217 implementation, in threads; not ours, as the peer should be."""

    def __init__(self, path: str) -> None:
        self.line = LoopLine(path, 9600, timeout=0.05)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.bauds: list[int] = []
        self._over = threading.Event()
        self._link: socket.socket | None = None
        self._manager: rfc2217.PortManager | None = None
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def write(self, data: bytes) -> None:
        """To the network, as PortManager wants it."""
        if self._link is not None:
            self._link.sendall(data)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self._link, _ = self._listener.accept()
            self._manager = rfc2217.PortManager(self.line, self)  # type: ignore[arg-type]  # the stubs want more than it uses
            forward = threading.Thread(target=self._forward, daemon=True)
            self._threads.append(forward)
            forward.start()
            while data := self._link.recv(1024):
                for byte in self._manager.filter(data):
                    self.line.write(byte)
                self.bauds.append(int(self.line.baudrate))

    def _forward(self) -> None:
        assert self._manager is not None
        with contextlib.suppress(OSError, serial.SerialException):
            while not self._over.is_set():
                data = self.line.read(256)
                if data:
                    self.write(b"".join(self._manager.escape(data)))

    def hang_up(self) -> None:
        self._over.set()
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.shutdown(socket.SHUT_RDWR)
            self._link.close()
        self._listener.close()

    def close(self) -> None:
        self.hang_up()
        for thread in self._threads:
            thread.join(5)
        self.line.close()


@contextlib.contextmanager
def device_server(path: str) -> Iterator[DeviceServer]:
    server = DeviceServer(path)
    try:
        yield server
    finally:
        server.close()


PYSERIAL_IS_OLD = pytest.mark.filterwarnings(
    "ignore:set(Daemon|Name):DeprecationWarning"
)  # its last release is of 2020


@PYSERIAL_IS_OLD
def test_a_remote_line_by_rfc_2217() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        with device_server(device.path) as server:
            port = await open_rfc2217("127.0.0.1", server.port, METER_LINE)
            assert port.description == f"rfc2217://127.0.0.1:{server.port}"
            everything = bytes(range(256))  # FF is escaped on the way
            await port.send(everything)
            heard = b""
            while len(heard) < 256:
                heard += await device.receive(5)
            assert heard == everything
            assert server.line.baudrate == 2400
            assert server.line.parity == serial.PARITY_EVEN
            await device.send(everything)
            heard = b""
            while len(heard) < 256:
                heard += await port.receive(5)
            assert heard == everything
            port.set_baud(9600)
            assert port.baud == 9600
            await port.send(b"x")
            assert await device.receive(5) == b"x"
            assert server.line.baudrate == 9600
            assert await port.receive(0.01) == b""
            await port.pause(0.01)
            assert port.monotonic_s() > 0
            assert port.now_us() > 1_700_000_000_000_000
            await port.close()
            with pytest.raises(LinkError, match="the link is closed"):
                await port.send(b"x")
        await device.close()

    asyncio.run(scene())


@PYSERIAL_IS_OLD
def test_a_device_server_that_hangs_up_is_a_link_error() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        with device_server(device.path) as server:
            port = await open_rfc2217("127.0.0.1", server.port, METER_LINE)
            server.hang_up()
            with pytest.raises(LinkError, match="rfc2217://"):
                await port.receive(5)
            with pytest.raises(LinkError, match="rfc2217://"):
                await port.send(b"x")
            await port.close()
        await device.close()

    asyncio.run(scene())


@PYSERIAL_IS_OLD
def test_a_device_server_that_is_not_there_is_a_link_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    began_s = time.monotonic()
    with pytest.raises(LinkError, match=f"rfc2217://127.0.0.1:{number}: cannot open with 2400 baud, parity even"):
        asyncio.run(open_rfc2217("127.0.0.1", number, METER_LINE))
    assert time.monotonic() - began_s < 9


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and never says a word, as a device server with a wedged firmware."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@PYSERIAL_IS_OLD
def test_a_device_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readers.ports.rfc2217.OPEN_WITHIN_S", 0.1)
    with silent_server() as number, pytest.raises(LinkError, match=r"no answer within 0\.1 s; check address"):
        asyncio.run(open_rfc2217("127.0.0.1", number, METER_LINE))


@PYSERIAL_IS_OLD
def test_opening_can_be_cancelled() -> None:
    async def scene(number: int) -> None:
        opening = asyncio.create_task(open_rfc2217("127.0.0.1", number, METER_LINE))
        await asyncio.sleep(0.1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    with silent_server() as number:
        asyncio.run(scene(number))


@PYSERIAL_IS_OLD
def test_a_device_server_that_takes_nothing_is_a_link_error_and_close_frees_the_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("readers.ports.rfc2217.SEND_WITHIN_S", 0.2)

    async def scene() -> None:
        device = PtyPort.open()  # nobody reads it, so that the device server stops reading from the network
        with device_server(device.path) as server:
            port = await open_rfc2217("127.0.0.1", server.port, METER_LINE)
            with pytest.raises(LinkError, match=r"nothing was taken for 0\.2 s"):
                await port.send(bytes(32 << 20))
            await port.close()
            await device.close()

    began_s = time.monotonic()
    asyncio.run(scene())  # which waits for its worker threads
    assert time.monotonic() - began_s < 9
