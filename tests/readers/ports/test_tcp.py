from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from readers.errors import ConfigError, LinkError
from readers.ports.tcp import HELD_BYTES, UNACKNOWLEDGED_MS, TlsSettings, open_tcp, tls_context

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass  # the scene is over
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def answer_in_capitals(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data.upper())


def test_bytes_go_both_ways() -> None:
    async def scene() -> None:
        async with server(answer_in_capitals) as number:
            port = await open_tcp("127.0.0.1", number)
            assert port.description == f"tcp://127.0.0.1:{number}"
            assert port.peer_certificate() is None
            await port.send(b"abc")
            assert await port.receive(5) == b"ABC"
            before_s, before_us = port.monotonic_s(), port.now_us()
            assert await port.receive(0.02) == b""
            await port.pause(0.02)
            assert port.monotonic_s() - before_s > 0.03
            assert port.now_us() > before_us > 1_700_000_000_000_000
            await port.close()
            await port.close()
            with pytest.raises(LinkError, match="the link is closed"):
                await port.send(b"x")

    asyncio.run(scene())


def test_a_device_that_closes_is_a_link_error_after_its_last_bytes() -> None:
    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(b"bye")

    async def scene() -> None:
        async with server(farewell) as number:
            port = await open_tcp("127.0.0.1", number)
            await port.send(b"?")
            assert await port.receive(5) == b"bye"
            with pytest.raises(LinkError, match="the device closed the link"):
                await port.receive(5)

    asyncio.run(scene())


def test_a_flood_is_held_back_by_the_kernel_and_not_by_our_memory() -> None:
    total = 4 * HELD_BYTES

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(total // 65_536):
            writer.write(b"x" * 65_536)
            await writer.drain()

    async def scene() -> None:
        async with server(flood) as number:
            port = await open_tcp("127.0.0.1", number)
            await port.pause(0.3)
            first = await port.receive(5)
            assert len(first) <= 2 * HELD_BYTES
            heard = len(first)
            while heard < total:
                heard += len(await port.receive(5))
            assert heard == total
            await port.close()

    asyncio.run(scene())


def test_a_closed_door_says_which() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]

    with pytest.raises(LinkError, match=f"tcp://127.0.0.1:{number}: cannot connect"):
        asyncio.run(open_tcp("127.0.0.1", number))


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a device `localhost` with a certificate of it."""
    folder = tmp_path_factory.mktemp("certificates")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    ca, ca_key, key = folder / "ca.pem", folder / "ca.key", folder / "device.key"
    openssl("req", "-x509", *curve, "-keyout", str(ca_key), "-out", str(ca), "-days", "2", "-subj", "/CN=authority")
    request = folder / "device.csr"
    openssl("req", *curve, "-keyout", str(key), "-out", str(request), "-subj", "/CN=localhost")
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,DNS:reader-7\n", encoding="ascii")
    out = ("-out", str(folder / "device.pem"), "-days", "2", "-CAcreateserial", "-extfile", str(names))
    openssl("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), *out)
    return folder


def server_context(certificates: Path, *, ask: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "device.pem", certificates / "device.key")
    if ask:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / "ca.pem")
    return context


def talk_over_tls(certificates: Path, tls: TlsSettings, host: str = "localhost", *, ask: bool = False) -> bytes:
    async def scene() -> bytes:
        async with server(answer_in_capitals, server_context(certificates, ask=ask)) as number:
            port = await open_tcp(host, number, tls)
            await port.send(b"abc")
            heard = await port.receive(5)
            await port.close()
            await asyncio.sleep(0.01)  # the other side sees the end before the loop closes
            return heard

    return asyncio.run(scene())


def fingerprint(certificates: Path) -> str:
    pem = (certificates / "device.pem").read_text(encoding="ascii")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_tls_by_authority_and_name(certificates: Path) -> None:
    authority = TlsSettings(ca_file=certificates / "ca.pem")
    assert talk_over_tls(certificates, authority) == b"ABC"
    named = TlsSettings(ca_file=certificates / "ca.pem", server_name="reader-7")
    assert talk_over_tls(certificates, named, "127.0.0.1") == b"ABC"


def test_tls_by_a_pinned_certificate(certificates: Path) -> None:
    pin = fingerprint(certificates)
    colons = ":".join(pin[at : at + 2] for at in range(0, len(pin), 2)).upper()
    for form in (pin, colons):
        assert talk_over_tls(certificates, TlsSettings(fingerprint_sha256=form), "127.0.0.1") == b"ABC"


def test_tls_with_a_certificate_of_the_gateway(certificates: Path) -> None:
    tls = TlsSettings(
        ca_file=certificates / "ca.pem",
        certificate_file=certificates / "device.pem",
        key_file=certificates / "device.key",
    )
    assert talk_over_tls(certificates, tls, ask=True) == b"ABC"


@pytest.mark.parametrize(
    ("tls", "host", "message"),
    [
        (TlsSettings(), "localhost", "certificate verify failed"),
        (TlsSettings(ca_file=Path("ca.pem")), "127.0.0.1", "certificate is not valid for '127.0.0.1'"),
        (TlsSettings(fingerprint_sha256="00" * 32), "localhost", "make sure that it is the right device"),
    ],
    ids=["unknown authority", "another name", "another certificate"],
)
def test_a_device_that_cannot_prove_itself_is_refused(
    certificates: Path, tls: TlsSettings, host: str, message: str
) -> None:
    if tls.ca_file:
        tls = TlsSettings(ca_file=certificates / tls.ca_file)
    with pytest.raises(LinkError, match=message):
        talk_over_tls(certificates, tls, host)


def test_a_certificate_file_that_is_none_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tls: cannot load .*missing\.pem"):
        tls_context(TlsSettings(ca_file=tmp_path / "missing.pem"))
    empty = tmp_path / "empty.pem"
    empty.write_text("", encoding="ascii")
    with pytest.raises(ConfigError, match=r"empty\.pem"):
        tls_context(TlsSettings(certificate_file=empty))


async def deaf(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads nothing, until it is gone."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport is a reading one too
    await asyncio.sleep(0.5)
    writer.transport.abort()


def test_a_device_that_takes_nothing_is_a_link_error() -> None:
    async def scene() -> None:
        async with server(deaf) as number:
            port = await open_tcp("127.0.0.1", number)
            port.send_within_s = 0.1
            with pytest.raises(LinkError, match=r"nothing was taken for 0\.1 s; the other side hangs"):
                await port.send(bytes(32 << 20))
            await port.close()

    asyncio.run(scene())


def test_a_link_that_breaks_while_bytes_wait_to_be_taken_is_a_link_error() -> None:
    async def scene() -> None:
        async with server(deaf) as number:
            port = await open_tcp("127.0.0.1", number)
            with pytest.raises(LinkError, match="the device closed the link"):
                await port.send(bytes(32 << 20))
            await port.close()

    asyncio.run(scene())


def test_the_kernel_gives_up_what_nobody_acknowledges() -> None:
    async def scene() -> None:
        async with server(answer_in_capitals) as number:
            port = await open_tcp("127.0.0.1", number)
            assert port._transport is not None
            sock = port._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED_MS
            await port.close()

    asyncio.run(scene())
