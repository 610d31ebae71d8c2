"""Port and driver against the real PC/SC daemon with the virtual reader of the vsmartcard project, through pyscard.

The daemon's socket has a fixed place, so one test at a time can run it, as root; the card on the virtual reader is
played here. pyscard is compiled, so it has a venv of its own (`peers/pcsc/install.sh`) and is taken into this process
from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from readers.cards.pcsc import DRIVER, PcscSettings
from readers.codecs.pcsc import GET_UID, processor_atr, storage_atr
from readers.errors import LinkError
from readers.observations import CardReads, DeviceInfo, Observation, Rejected, Watching
from readers.ports.open import open_port
from readers.ports.pcsc import PcscPort

HOME = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers")) / "pcsc"
LIBRARY = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SOCKET = Path("/run/pcscd/pcscd.comm")
PYSCARD = HOME / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
ENVIRONMENT = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"}
CLONE_NEWNET = 0x40000000
VPCD_PORT = 0x8C7B
OFF, ON, RESET, ASK_ATR = b"\x00", b"\x01", b"\x02", b"\x04"
CLASSIC = storage_atr(3, 1)
CITY = processor_atr(bytes.fromhex("8073C8401300"))
AID = bytes.fromhex("A000000632010105")


@pytest.fixture(autouse=True)
def pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [str(path) for path in (LIBRARY, PYSCARD / "smartcard") if not path.exists()]
    missing += [name for name in ("pcscd", "unshare", "ip") if not shutil.which(name, path=ENVIRONMENT["PATH"])]
    if os.geteuid() != 0:
        missing.append("root")
    if missing:
        if os.environ.get("CI"):
            pytest.fail(f"not there: {', '.join(missing)}; run tests/system/peers/pcsc/install.sh")
        pytest.skip(f"not there: {', '.join(missing)}; run tests/system/peers/pcsc/install.sh as root")
    monkeypatch.syspath_prepend(str(PYSCARD))


def connected_inside(pid: int) -> socket.socket:
    """A connection to the virtual reader, made in the network namespace of that process.

    The virtual reader listens on every address, so it has a namespace of its own, where loopback is all there is.
    """

    def connect() -> socket.socket:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return socket.create_connection(("127.0.0.1", VPCD_PORT), timeout=5)

    with ThreadPoolExecutor(1) as alone:  # a thread of its own: the namespace is one of the thread
        return alone.submit(connect).result()


class VirtualCard:
    """A card in the hand; on the reader it lies while the connection stands."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._serving: asyncio.Task[None] | None = None

    async def put(self, atr: bytes, answers: dict[bytes, bytes]) -> None:
        made = connected_inside(self._pid)
        made.settimeout(0)
        reader, writer = await asyncio.open_connection(sock=made)
        self._serving = asyncio.create_task(self._serve(reader, writer, atr, answers))

    async def take_away(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, atr: bytes, answers: dict[bytes, bytes]
    ) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                asked = await reader.readexactly(size)
                if asked in (OFF, ON, RESET):
                    continue
                answer = atr if asked == ASK_ATR else answers.get(asked, b"\x6d\x00")
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
        finally:
            writer.close()


@contextlib.contextmanager
def daemon(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The PC/SC daemon with that one virtual reader."""
    if SOCKET.exists():
        pytest.fail(f"{SOCKET} is there: another PC/SC daemon runs on this machine; stop it for this test")
    config = tmp_path / "reader.conf"
    place = f"DEVICENAME /dev/null:0x{VPCD_PORT:X}\nCHANNELID 0x{VPCD_PORT:X}\n"
    config.write_text(f'FRIENDLYNAME "Virtual PCD"\n{place}LIBPATH {LIBRARY}\n')
    SOCKET.parent.mkdir(exist_ok=True)
    command = f"ip link set lo up && exec pcscd --foreground --info --config {shlex.quote(str(config))}"
    with (tmp_path / "pcscd.log").open("wb") as log:
        process = subprocess.Popen(["unshare", "--net", "sh", "-c", command], stdout=log, stderr=log, env=ENVIRONMENT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


async def until(met: Callable[[], object], what: str, within_s: float = 20.0) -> None:
    try:
        async with asyncio.timeout(within_s):
            while not met():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"{what}: not within {within_s:g} s")


@contextlib.asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[tuple[PcscPort, VirtualCard, subprocess.Popen[bytes]]]:
    """A port on the virtual reader, found by a part of its name."""
    with daemon(tmp_path) as process:
        card = VirtualCard(process.pid)
        async with asyncio.timeout(20):
            while True:
                assert process.poll() is None, (tmp_path / "pcscd.log").read_text()
                with contextlib.suppress(LinkError):
                    port = await open_port("pcsc:Virtual PCD 00 00", DRIVER)
                    break
                await asyncio.sleep(0.1)
        assert isinstance(port, PcscPort)
        try:
            yield port, card, process
        finally:
            await card.take_away()
            await port.close()


def drive(
    tmp_path: Path,
    settings: dict[str, Any],
    act: Callable[[VirtualCard, list[Observation], subprocess.Popen[bytes]], Coroutine[Any, Any, None]],
) -> tuple[list[Observation], BaseException | None]:
    """What the driver reports while `act` runs, and how it ended by itself."""

    async def scene() -> tuple[list[Observation], BaseException | None]:
        heard: list[Observation] = []
        async with opened(tmp_path) as (port, card, process):
            running = asyncio.create_task(DRIVER.make(PcscSettings.model_validate(settings)).run(port, heard.append))
            await until(lambda: Watching(frozenset({1})) in heard, "the reader is watched")
            await act(card, heard, process)
            running.cancel()
            [end] = await asyncio.gather(running, return_exceptions=True)
        return heard, end if not isinstance(end, asyncio.CancelledError) else None

    return asyncio.run(scene())


def told(heard: list[Observation]) -> list[str]:
    return [card.identity.text for o in heard if isinstance(o, CardReads) for card in o.cards]


def rejected(heard: list[Observation]) -> list[str]:
    return [o.reason for o in heard if isinstance(o, Rejected)]


def test_cards_come_and_go_on_a_real_daemon(tmp_path: Path) -> None:
    async def act(card: VirtualCard, heard: list[Observation], _: subprocess.Popen[bytes]) -> None:
        for number, (atr, uid) in enumerate([(CLASSIC, "1EA68671"), (CITY, "04A1B2C3D4E5F6"), (CLASSIC, "1EA68671")]):
            await card.put(atr, {GET_UID: bytes.fromhex(uid) + b"\x90\x00"})
            await until(lambda number=number: len(told(heard)) > number, f"card {number + 1}")  # type: ignore[misc]  # the default binds
            await card.take_away()
            await asyncio.sleep(2.5)

    heard, end = drive(tmp_path, {}, act)
    assert end is None
    assert told(heard) == ["nfca:1EA68671", "nfca:04A1B2C3D4E5F6", "nfca:1EA68671"]
    assert [o.model for o in heard if isinstance(o, DeviceInfo)] == ["Virtual PCD 00 00"]
    assert rejected(heard) == []


def test_the_number_of_an_application_on_a_real_daemon(tmp_path: Path) -> None:
    number = bytes.fromhex("12345678901234567890")
    answers = {
        bytes.fromhex("00A4040008A00000063201010500"): bytes.fromhex("6F009000"),
        bytes.fromhex("00B0950A0A"): number + b"\x90\x00",
    }

    async def act(card: VirtualCard, heard: list[Observation], _: subprocess.Popen[bytes]) -> None:
        await card.put(CITY, answers)
        await until(lambda: told(heard), "the card with the application")
        await card.take_away()
        await asyncio.sleep(2.5)
        await card.put(CLASSIC, {GET_UID: bytes.fromhex("1EA686719000")})
        await until(lambda: rejected(heard), "the card without")

    settings = {"application": {"aid": AID.hex(), "sfi": 21, "offset": 10, "length": 10}}
    heard, end = drive(tmp_path, settings, act)
    assert end is None
    assert told(heard) == [f"app:{number.hex()}"]
    assert rejected(heard) == ["status_6d00"]


def test_a_daemon_that_is_stopped_is_a_link_error(tmp_path: Path) -> None:
    async def act(_card: VirtualCard, _heard: list[Observation], process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(10)
        await asyncio.sleep(3)

    _, end = drive(tmp_path, {}, act)
    assert isinstance(end, LinkError)
    assert "the reader is gone" in str(end)


def test_no_daemon_and_no_such_reader(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"the PC/SC daemon does not answer: .*install pcscd"):
        asyncio.run(open_port("pcsc:Virtual PCD", DRIVER))

    async def scene() -> None:
        async with opened(tmp_path):
            with pytest.raises(LinkError, match=r"no such reader; readers that are there: Virtual PCD 00 00"):
                await open_port("pcsc:Omnikey", DRIVER)
            with pytest.raises(LinkError, match=r"several readers have that in their names \(2\)"):
                await open_port("pcsc:Virtual", DRIVER)

    asyncio.run(scene())
