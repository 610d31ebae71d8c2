from __future__ import annotations

import asyncio
import os
import termios

import pytest

from readers.driver import LineDefaults, Parity
from readers.errors import ConfigError, LinkError
from readers.ports.serial import HELD_BYTES, LineSettings, open_tty
from simulator.pty import PtyPort

METER_LINE = LineDefaults(baud=2400, parity=Parity.EVEN)


def test_settings_of_the_site_stand_over_those_of_the_driver() -> None:
    assert LineSettings().over(METER_LINE) == METER_LINE
    wanted = LineSettings(baud=9600, parity=Parity.NONE, stop_bits=2)
    assert wanted.over(METER_LINE) == LineDefaults(9600, Parity.NONE, 2)


def test_bytes_go_both_ways_over_a_line() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        port = open_tty(device.path, METER_LINE)
        everything = bytes(range(256))
        await port.send(everything)
        heard = b""
        while len(heard) < 256:
            heard += await device.receive(5)
        assert heard == everything
        await device.send(everything)
        heard = b""
        while len(heard) < 256:
            heard += await port.receive(5)
        assert heard == everything
        assert await port.receive(0.01) == b""
        await port.pause(0.01)
        assert port.monotonic_s() > 0
        assert port.now_us() > 1_700_000_000_000_000
        await port.close()
        await port.close()
        for work in (port.send(b"x"), port.receive(1)):
            with pytest.raises(LinkError, match="the line is closed"):
                await work
        with pytest.raises(LinkError, match="the line is closed"):
            port.set_baud(9600)
        await device.close()

    asyncio.run(scene())


def test_the_speed_of_the_line_is_set_and_changed() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        port = open_tty(device.path, METER_LINE)
        line = os.open(device.path, os.O_RDONLY | os.O_NOCTTY)
        assert termios.tcgetattr(line)[4] == termios.B2400
        port.set_baud(9600)
        assert termios.tcgetattr(line)[4] == termios.B9600
        os.close(line)
        assert port.baud == 9600
        with pytest.raises((ConfigError, LinkError), match="-5 baud"):
            port.set_baud(-5)
        await port.close()
        await device.close()

    asyncio.run(scene())


def test_an_unplugged_adapter_is_a_link_error_after_its_last_bytes() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        port = open_tty(device.path, METER_LINE)
        await device.send(b"last")
        assert await port.receive(5) == b"last"
        waiting = asyncio.create_task(port.receive(5))
        await asyncio.sleep(0.01)
        await device.close()
        with pytest.raises(LinkError, match="is the adapter still plugged in"):
            await waiting
        with pytest.raises(LinkError, match="is the adapter still plugged in"):
            await port.send(b"x")
        await port.close()

    asyncio.run(scene())


def test_a_flood_is_held_back_by_the_kernel_and_not_by_our_memory() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        port = open_tty(device.path, LineDefaults(baud=115_200))
        total = 4 * HELD_BYTES
        sender = asyncio.create_task(device.send(b"x" * total))
        await asyncio.sleep(0.2)
        assert not sender.done()
        heard = 0
        while heard < total:
            piece = await port.receive(5)
            assert len(piece) <= HELD_BYTES + 4096
            heard += len(piece)
        await sender
        await port.close()
        await device.close()

    asyncio.run(scene())


def test_a_line_that_takes_nothing_is_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readers.ports.serial.SEND_WITHIN_S", 0.05)

    async def scene() -> None:
        device = PtyPort.open()
        deaf = open_tty(device.path, METER_LINE)  # nobody reads this end once it holds its share
        with pytest.raises(LinkError, match=r"took nothing for 0\.05 s"):
            await device.send(bytes(4 * HELD_BYTES))
        await deaf.close()
        await device.close()

    asyncio.run(scene())


def test_a_line_that_does_not_exist_says_what_does() -> None:
    with pytest.raises(LinkError, match=r"serial:///dev/tagwharf-none: cannot open: no such line; .*check the plug"):
        asyncio.run(_open("/dev/tagwharf-none"))


def test_a_line_that_another_process_holds_is_refused() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        port = open_tty(device.path, METER_LINE)
        with pytest.raises(LinkError, match="another process holds it"):
            open_tty(device.path, METER_LINE)
        await port.close()
        again = open_tty(device.path, METER_LINE)
        await again.close()
        await device.close()

    asyncio.run(scene())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_line_without_permission_names_the_group() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        os.chmod(device.path, 0)  # noqa: PTH101 - no pathlib in async code
        with pytest.raises(LinkError, match="often dialout"):
            open_tty(device.path, METER_LINE)
        await device.close()

    asyncio.run(scene())


def test_a_setting_that_no_line_has_is_a_config_error() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        with pytest.raises(ConfigError, match="7 stop bits"):
            open_tty(device.path, LineDefaults(baud=2400, stop_bits=7))
        await device.close()

    asyncio.run(scene())


async def _open(path: str) -> None:
    open_tty(path, METER_LINE)
