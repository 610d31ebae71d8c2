import asyncio
from pathlib import Path

import pytest

from gateway.config.models import Line, Login, Reader, Tls
from gateway.links import line_settings, login_of, open_link, tls_settings
from readers.driver import Parity
from readers.errors import ConfigError, LinkError
from readers.ports.open import LineSettings, TlsSettings
from readers.ports.open import Login as PortLogin
from simulator.pty import PtyPort


def test_serial_line_is_opened_as_the_site_file_says() -> None:
    async def go() -> None:
        device = PtyPort.open()
        reader = Reader(name="a", driver="m100", port=device.path, line=Line(baud=9600))
        port = await open_link(reader)
        await device.send(b"hello")
        assert await port.receive(within_s=2) == b"hello"
        await port.close()
        await device.close()

    asyncio.run(go())


def test_closed_port_is_a_link_error() -> None:
    server_gone = Reader(name="a", driver="m100", port="tcp://127.0.0.1:1")
    with pytest.raises(LinkError, match=r"127\.0\.0\.1:1"):
        asyncio.run(open_link(server_gone))


def test_unknown_driver_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="driver 'm10' is unknown"):
        asyncio.run(open_link(Reader(name="a", driver="m10", port="tcp://127.0.0.1:1")))


def test_the_port_is_asked_for_what_the_site_file_says() -> None:
    line = Line(baud=2400, parity=Parity.EVEN, strip_echo=True)
    reader = Reader(
        name="a", driver="llrp", port="tls://h", line=line, tls=Tls(ca_file=Path("/ca.pem"), server_name="n")
    )
    assert line_settings(reader) == LineSettings(baud=2400, parity=Parity.EVEN, stop_bits=None, strip_echo=True)
    assert tls_settings(reader) == TlsSettings(ca_file=Path("/ca.pem"), server_name="n")
    bare = Reader(name="b", driver="llrp", port="tcp://h")
    assert (line_settings(bare), tls_settings(bare), login_of(bare)) == (None, None, None)
    login = Login(user="gate", password_credential="brokers")
    assert login_of(Reader(name="c", driver="zebra_iotc", port="mqtt://h/t", login=login)) == PortLogin(
        "gate", "brokers"
    )


def test_a_password_that_was_not_handed_over_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    reader = Reader(name="a", driver="zebra_iotc", port="mqtt://127.0.0.1/t", login=Login(user="gate"))
    with pytest.raises(ConfigError, match="credential 'reader-password' is needed"):
        asyncio.run(open_link(reader))
