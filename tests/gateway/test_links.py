import asyncio

import pytest

from gateway.config.models import Line, Reader
from gateway.links import open_link
from readers.errors import ConfigError, LinkError
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
