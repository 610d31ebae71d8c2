from __future__ import annotations

import asyncio
import os
import random
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from gateway.init.adapters import adapters
from gateway.init.answers import SearchAnswers
from gateway.init.devices import Devices
from gateway.init.finding import busy, find, recognise, told
from gateway.init.half_open import OpenPort
from gateway.init.llrp_greeting import Answer, Greeting
from gateway.init.networks import Neighbour
from gateway.init.steps import Root
from readers.ports.tcp import open_tcp
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.pty import PtyPort
from simulator.rfid import m100
from simulator.server import DeviceServer
from tests.gateway.init.machine import add_adapter, machine
from tests.support.field import EchoRadio

LLRP = 5084
NO_RAW = os.geteuid() != 0 and "CI" not in os.environ
needs_raw = pytest.mark.skipif(NO_RAW, reason="needs CAP_NET_RAW")


def loopback_network() -> tuple[str, str]:
    """A network of two addresses that no other test listens at, and one of them."""
    start = f"127.{random.randrange(16, 250)}.{random.randrange(250)}"
    return f"{start}.4/30", f"{start}.6"


async def looked(root: Root, said: list[str], **search: object) -> Devices:
    return await find(root, SearchAnswers.model_validate({"mdns": False, **search}), said.append)


def test_nothing_is_searched_unasked(tmp_path: Path) -> None:
    said: list[str] = []
    root = machine(tmp_path / "root")
    add_adapter(root, "usb-1", "../../ttyUSB0", "FTDI", "FT232R")
    found = asyncio.run(looked(root, said))
    assert said == []
    assert told(found) == ["  serial adapter /dev/serial/by-id/usb-1: FTDI FT232R (ttyUSB0)"]
    assert told(Devices()) == ["  nothing"]


@needs_raw
@pytest.mark.parametrize("greets", [False, True])
def test_a_reader_is_found_and_its_client_keeps_it(tmp_path: Path, *, greets: bool) -> None:
    device = SimulatedReader(IDENTITIES["zebra"], EchoRadio([]))
    network, host = loopback_network()
    said: list[str] = []

    async def meanwhile() -> tuple[Devices, bool]:
        async with DeviceServer(device.serve, host=host, port=LLRP):
            client = await open_tcp(host, LLRP)
            assert await client.receive(10)
            found = await looked(machine(tmp_path / "root"), said, networks=[network], greet_readers=greets)
            is_still = device.connected
            await client.close()
            return found, is_still

    found, is_still = asyncio.run(meanwhile())
    port = OpenPort(IPv4Address(host), LLRP)
    assert (found.ports, is_still) == ([port], True)
    assert said[0].startswith("Looking at ports 502, ")
    assert "of 2 addresses, 0 s" in said[0]
    if greets:
        assert device.connections == {"accepted": 1, "refused": 1}
        assert told(found) == [f"  {host}:5084: llrp, busy"]
        assert busy(found) == [host]
    else:  # the reader has not heard of us
        assert device.connections == {"accepted": 1}
        assert told(found) == [f"  {host}:5084: llrp"]
        assert busy(found) == []


def test_a_machine_of_a_maker_of_readers_is_told() -> None:
    devices = Devices(neighbours=[Neighbour(IPv4Address("10.0.0.7"), "00:16:25:10:45:6b")])
    assert told(devices) == ["  10.0.0.7: a machine of Impinj (00:16:25:10:45:6b), not searched"]


def test_who_is_busy() -> None:
    port, other = OpenPort(IPv4Address("10.0.0.7"), LLRP), OpenPort(IPv4Address("10.0.0.8"), LLRP)
    greetings = {port: Greeting(Answer.BUSY), other: Greeting(Answer.FREE)}
    assert busy(Devices(ports=[port, other], greetings=greetings)) == ["10.0.0.7"]


def test_the_driver_of_a_line_is_recognised(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")

    async def meanwhile() -> str | None:
        device = PtyPort.open()
        link = add_adapter(root, "usb-1", device.path)
        (adapter,) = adapters(root.directory)
        assert adapter.device == link
        serving = asyncio.create_task(m100.serve(device, EchoRadio([b"\x30\x00" + bytes(10)])))
        try:
            return await recognise(adapter, try_s=2.0)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await device.close()

    assert asyncio.run(meanwhile()) == "m100"


def test_a_line_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    add_adapter(root, "usb-1", "../../ttyUSB-none")
    (adapter,) = adapters(root.directory)
    assert asyncio.run(recognise(adapter)) is None
