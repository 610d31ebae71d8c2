from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from readers.driver import Port
from readers.errors import ConfigError, LinkError
from readers.ports.tcp import TlsSettings, open_tcp
from simulator.server import LOOPBACK, DeviceServer, server_tls


async def echo(port: Port) -> None:
    while True:
        data = await port.receive(1.0)
        if data:
            await port.send(data)


async def talk(server: DeviceServer, text: bytes, tls: TlsSettings | None = None) -> bytes:
    link = await open_tcp("localhost" if tls else LOOPBACK, server.port, tls)
    await link.send(text)
    answer = b""
    while len(answer) < len(text):
        answer += await link.receive(5.0)
    await link.close()
    return answer


def test_each_connection_is_served_on_a_port_the_system_chose() -> None:
    async def scene() -> None:
        async with DeviceServer(echo) as server:
            assert server.port > 0
            big = bytes(range(256)) * 8192
            assert tuple(await asyncio.gather(talk(server, b"one"), talk(server, big))) == (b"one", big)
        assert server.failures == []

    asyncio.run(scene())


def test_the_client_that_leaves_ends_its_own_connection_only() -> None:
    async def scene() -> None:
        async with DeviceServer(echo) as server:
            stays = await open_tcp(LOOPBACK, server.port)
            assert await talk(server, b"x") == b"x"
            async with asyncio.timeout(5):
                while server.connections > 1:
                    await asyncio.sleep(0.01)
            await stays.send(b"y")
            assert await stays.receive(5.0) == b"y"
            await stays.close()

    asyncio.run(scene())


def test_closing_ends_every_connection() -> None:
    async def scene() -> None:
        server = DeviceServer(echo)
        await server.close()
        await server.start()
        link = await open_tcp(LOOPBACK, server.port)
        await link.send(b"x")
        assert await link.receive(5.0) == b"x"
        await server.close()
        assert server.connections == 0
        with pytest.raises(LinkError, match="closed the link"):
            await link.receive(5.0)
        with pytest.raises(LinkError, match="cannot connect"):
            await open_tcp(LOOPBACK, server.port)
        await link.close()

    asyncio.run(scene())


def test_a_bug_in_a_twin_is_kept_and_the_server_goes_on() -> None:
    async def broken(port: Port) -> None:
        if await port.receive(5.0) == b"bug":
            raise RuntimeError("bug")

    async def scene() -> None:
        async with DeviceServer(broken) as server:
            for text in (b"bug", b"fine"):
                link = await open_tcp(LOOPBACK, server.port)
                await link.send(text)
                with pytest.raises(LinkError):
                    await link.receive(5.0)
                await link.close()
            assert [str(failure) for failure in server.failures] == ["bug"]

    asyncio.run(scene())


def test_a_port_in_use_is_named() -> None:
    async def scene() -> None:
        async with DeviceServer(echo) as server:
            with pytest.raises(ConfigError, match=rf"cannot listen on 127.0.0.1:{server.port}: .*; choose another"):
                await DeviceServer(echo, port=server.port).start()

    asyncio.run(scene())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_tls_with_and_without_a_client_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "device.pem", tmp_path / "device.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subprocess.run([*command, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)

    async def scene() -> None:
        async with DeviceServer(echo, tls=server_tls(certificate, key)) as server:
            assert await talk(server, b"secret", TlsSettings(ca_file=certificate)) == b"secret"
        async with DeviceServer(echo, tls=server_tls(certificate, key, certificate)) as server:
            both = TlsSettings(ca_file=certificate, certificate_file=certificate, key_file=key)
            assert await talk(server, b"mutual", both) == b"mutual"
            with pytest.raises(LinkError):
                await talk(server, b"alone", TlsSettings(ca_file=certificate))

    asyncio.run(scene())
    with pytest.raises(ConfigError, match=r"tls: cannot load .*missing\.pem"):
        server_tls(tmp_path / "missing.pem", key)
    assert server_tls(certificate, key).minimum_version is ssl.TLSVersion.TLSv1_2
