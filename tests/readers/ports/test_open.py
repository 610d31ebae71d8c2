from __future__ import annotations

import asyncio
import socket
import sys
from types import ModuleType
from typing import Any

import pytest

from readers.driver import DriverSettings, DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import ConfigError, LinkError
from readers.ports.echo import EchoStrippingPort
from readers.ports.open import LineSettings, check_port_url, open_port
from readers.ports.serial import TtyPort
from readers.ports.tcp import TcpPort
from simulator.pty import PtyPort
from tests.support.fake_scard import Daemon, module


class Quiet:
    def __init__(self, settings: DriverSettings) -> None:
        self.settings = settings

    async def run(self, port: Port, report: Report) -> None:
        raise NotImplementedError


NETWORK: DriverSpec[Any] = DriverSpec("netty", Kind.RFID, DriverSettings, Quiet, "", tcp_port=5084, tls_port=5085)
NAMED: DriverSpec[Any] = DriverSpec("cardy", Kind.CARD, DriverSettings, Quiet, "", schemes=("pcsc",))
TOPIC: DriverSpec[Any] = DriverSpec("iotty", Kind.RFID, DriverSettings, Quiet, "", schemes=("mqtt", "mqtts"))
SERVER: DriverSpec[Any] = DriverSpec("uay", Kind.MACHINE, DriverSettings, Quiet, "", schemes=("opc.tcp",))
WEB: DriverSpec[Any] = DriverSpec("weby", Kind.MACHINE, DriverSettings, Quiet, "", schemes=("http", "https"))
SERIAL: DriverSpec[Any] = DriverSpec("liney", Kind.METER, DriverSettings, Quiet, "", line=LineDefaults(2400))


@pytest.mark.parametrize(
    ("url", "spec"),
    [
        ("tcp://10.0.0.7", NETWORK),
        ("tcp://reader-7.example:5084", NETWORK),
        ("tcp://[fe80::1]:5084/", NETWORK),
        ("tls://10.0.0.7", NETWORK),
        ("tcp://10.0.0.7:4001", SERIAL),
        ("socket://10.0.0.7:4001", SERIAL),
        ("rfc2217://10.0.0.7:4001", SERIAL),
        ("/dev/ttyUSB0", SERIAL),
        ("/dev/serial/by-id/usb-FTDI_FT232R_A1-if00-port0", SERIAL),
        ("serial:///dev/ttyUSB0", SERIAL),
        ("pcsc:ACS ACR122U PICC Interface 00 00", NAMED),
        ("mqtt://broker/zebra/+/#", TOPIC),
        ("mqtt://[::1]:1884/impinj?/events", TOPIC),
        ("mqtts://broker/zebra/+/#", TOPIC),
        ("tcp://10.0.0.7:5000", TOPIC),
        ("opc.tcp://10.0.0.7", SERVER),
        ("opc.tcp://[fe80::1]:4841/OPCUA/SimulationServer", SERVER),
        ("http://10.0.0.7:5000/Mill-1", WEB),
        ("https://agent.example", WEB),
        ("gdw376://0.0.0.0:9030/44030004/2", SERIAL),
        ("gdw376://[::1]:9030/4403a9f9/31/", SERIAL),
        ("gdw376://:9030/44030004/1", SERIAL),
    ],
)
def test_a_good_url_has_no_fault(url: str, spec: DriverSpec[Any]) -> None:
    assert check_port_url(url, spec) == []


@pytest.mark.parametrize(
    ("url", "spec", "fault"),
    [
        (
            "tpc://10.0.0.7",
            NETWORK,
            "did you mean tcp://?; allowed for driver netty: tcp://HOST[:PORT] or tls://HOST[:PORT]",
        ),
        ("10.0.0.7", NETWORK, "port '10.0.0.7' has no known scheme; allowed for driver netty"),
        ("", SERIAL, "port '' has no known scheme"),
        ("ttyUSB0", SERIAL, "port 'ttyUSB0' has no known scheme; allowed for driver liney: /dev/serial/by-id/NAME or"),
        ("/dev/ttyUSB0", NETWORK, "driver netty does not speak over a serial line; allowed: tcp://"),
        ("socket://10.0.0.7:4001", NETWORK, "does not speak over a serial line"),
        ("tcp://", NETWORK, "names no host"),
        (
            "gdw376://:9030/4403/2",
            SERIAL,
            "it must be the 4 digits of its region and its number as 4 hex digits; write",
        ),
        ("gdw376://:9030/44030004/0", SERIAL, "names port 0 of the terminal; it must be 1 to 31"),
        ("gdw376://:9030/44030004", SERIAL, "must name the terminal and its port after the port number"),
        ("gdw376://0.0.0.0/44030004/2", SERIAL, "names no port number, and driver liney has no usual one for gdw376"),
        (
            "gdw376://:9030/44030004/2",
            NETWORK,
            "driver netty does not speak over a network connection; allowed: tcp://",
        ),
        ("tcp://10.0.0.7", SERIAL, "names no port number, and driver liney has no usual one for tcp://"),
        ("socket://10.0.0.7", SERIAL, "names no port number"),
        ("tcp://10.0.0.7:70000", NETWORK, "the port number must be 1 to 65535"),
        ("tcp://10.0.0.7:0", NETWORK, "the port number must be 1 to 65535"),
        ("tcp://10.0.0.7:x", NETWORK, "the port number must be 1 to 65535"),
        ("tcp://10.0.0.7:5084/x?y", NETWORK, "nothing may follow the host and the port number"),
        ("tcp://[fe80::1", NETWORK, "is no URL"),
        ("serial://ttyUSB0", SERIAL, "needs three slashes"),
        ("/tmp/line", SERIAL, "a serial line is a path below /dev"),
        ("/dev/", SERIAL, "a serial line is a path below /dev"),
        ("mqtt://broker", TOPIC, "port 'mqtt://broker' names no topic; write mqtt://HOST[:PORT]/TOPIC"),
        ("mqtts://broker/a/#/b", TOPIC, "as the last level; write mqtts://HOST[:PORT]/TOPIC"),
        ("mqtt://gate:secret@broker/a", TOPIC, "no place here; name the user in [reader.login], whose password is a"),
        ("mqtt://gate:[secret@broker/a", TOPIC, "port 'mqtt://...@broker/a' is no URL"),
        ("mqtt:///a", TOPIC, "names no host"),
        ("mqtt://broker:0/a", TOPIC, "the port number must be 1 to 65535"),
        ("mqtt://[::1/a", TOPIC, "is no URL"),
        ("mqtt://broker/a", NETWORK, "driver netty does not speak over a network connection; allowed: tcp://"),
        ("tcp://10.0.0.7", TOPIC, "driver iotty has no usual one for tcp://"),
        (
            "tcp://10.0.0.7:4840",
            SERVER,
            "does not speak over a network connection; allowed: opc.tcp://HOST[:PORT][/PATH]",
        ),
        (
            "opc.tcp://10.0.0.7/a b",
            SERVER,
            "port 'opc.tcp://10.0.0.7/a b': a path holds letters, digits and -._~/% only",
        ),
        (
            "opc.tcp://u:secret@h/",
            SERVER,
            "port 'opc.tcp://...@h/': a user or password has no place here; name the user",
        ),
        ("opc.tcp:///x", SERVER, "names no host"),
        ("http://10.0.0.7:5000/current?path=x", WEB, "nothing may follow"),
        ("htp://10.0.0.7", WEB, "did you mean http://?"),
        ("pcsc: ", NAMED, "port 'pcsc: ' names no reader; write pcsc:READER NAME"),
        ("pcsd:ACR", NAMED, "did you mean pcsc:?; allowed for driver cardy: pcsc:READER NAME"),
        ("/dev/ttyUSB0", NAMED, "driver cardy does not speak over a serial line; allowed: pcsc:READER NAME"),
        ("tcp://10.0.0.7:1", NAMED, "driver cardy does not speak over a network connection"),
        ("pcsc:ACR", SERIAL, "driver liney does not speak over pcsc:READER NAME; allowed: /dev/serial/by-id/NAME or"),
    ],
)
def test_a_wrong_url_is_one_clear_fault(url: str, spec: DriverSpec[Any], fault: str) -> None:
    faults = check_port_url(url, spec)
    assert len(faults) == 1
    assert fault in faults[0]
    with pytest.raises(ConfigError) as raised:
        asyncio.run(open_port(url, spec))
    assert str(raised.value) == faults[0]


def test_several_faults_are_told_together_and_no_password_is_shown() -> None:
    faults = check_port_url("tcp://user:secret@10.0.0.7:0/x", NETWORK)
    assert len(faults) == 3
    assert "tcp://...@10.0.0.7:0/x" in " ".join(faults)
    assert "secret" not in " ".join(faults)
    faults = check_port_url("mqtt://user:secret@broker/", TOPIC)
    assert len(faults) == 2
    assert "secret" not in " ".join(faults)


def test_each_scheme_opens_its_port() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        for url in (device.path, f"serial://{device.path}"):
            line = await open_port(url, SERIAL)
            assert isinstance(line, TtyPort)
            assert line.baud == 2400
            await line.close()
        faster = await open_port(device.path, SERIAL, line=LineSettings(baud=9600))
        assert isinstance(faster, TtyPort)
        assert faster.baud == 9600
        await faster.close()
        echoing = await open_port(device.path, SERIAL, line=LineSettings(strip_echo=True))
        assert isinstance(echoing, EchoStrippingPort)
        assert echoing.baud == 2400
        echoing.set_baud(1200)
        assert echoing.baud == 1200
        await echoing.close()
        await device.close()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
            number = server.sockets[0].getsockname()[1]
            for scheme in ("tcp", "socket"):
                link = await open_port(f"{scheme}://127.0.0.1:{number}", SERIAL)
                assert isinstance(link, TcpPort)
                await link.close()
            await asyncio.sleep(0.01)

    asyncio.run(scene())


def test_a_web_server_is_asked_when_there_is_a_question() -> None:
    async def scene() -> None:
        port = await open_port("http://127.0.0.1:5000/Mill-1/", WEB)
        assert port.description == "http://127.0.0.1:5000/Mill-1"
        await port.close()

    asyncio.run(scene())


def test_a_card_reader_is_opened_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", ModuleType("smartcard"))
    monkeypatch.setitem(sys.modules, "smartcard.scard", module(Daemon()))

    async def scene() -> None:
        port = await open_port("pcsc:ACR122U", NAMED)
        assert port.description == "pcsc:ACS ACR122U PICC Interface 00 00"
        await port.close()

    asyncio.run(scene())


def test_a_network_port_that_nobody_serves_names_its_scheme() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    for scheme, spec in (("tls", NETWORK), ("rfc2217", SERIAL)):
        with pytest.raises(LinkError, match=f"{scheme}://127.0.0.1:{number}: cannot"):
            asyncio.run(open_port(f"{scheme}://127.0.0.1:{number}", spec))
    with pytest.raises(LinkError, match=f"opc.tcp://127.0.0.1:{number}/x: "):
        asyncio.run(open_port(f"opc.tcp://127.0.0.1:{number}/x", SERVER))
    for scheme in ("mqtt", "mqtts"):
        with pytest.raises(LinkError, match=f"{scheme}://127.0.0.1:{number}/t: .*check that the broker runs"):
            asyncio.run(open_port(f"{scheme}://127.0.0.1:{number}/t", TOPIC))
