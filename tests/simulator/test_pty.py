from __future__ import annotations

import asyncio
from pathlib import Path

from readers.codecs.dlt645 import Decoder, Frame, Function, encode, identifier_bytes
from readers.driver import LineDefaults
from readers.ports.serial import open_tty
from simulator.meters.dlt645 import serve
from simulator.pty import PtyPort
from tests.readers.meters.dlt645.scenes import A1, meters


def test_a_meter_on_a_real_serial_line() -> None:
    async def scene() -> list[Frame]:
        device = PtyPort.open()
        assert Path(device.path).is_char_device()  # noqa: ASYNC240 - a terminal answers at once
        meter = asyncio.create_task(serve(device, meters([A1])))
        line = open_tty(device.path, LineDefaults(2400))
        await line.send(encode(Frame(A1, Function.READ, identifier_bytes(0x00020000)), 4))
        decoder = Decoder()
        frames: list[Frame] = []
        while not frames:
            frames = decoder.feed(await line.receive(5))
        await line.close()
        meter.cancel()
        await asyncio.gather(meter, return_exceptions=True)
        await device.close()
        return frames

    assert asyncio.run(scene()) == [Frame(A1, 0x91, identifier_bytes(0x00020000) + bytes.fromhex("26000000"))]


def test_the_device_outlives_its_clients() -> None:
    async def scene() -> bytes:
        device = PtyPort.open()
        for _ in range(3):
            line = open_tty(device.path, LineDefaults(2400))
            await line.close()
        line = open_tty(device.path, LineDefaults(2400))
        await line.send(b"x")
        heard = await device.receive(5)
        await line.close()
        await device.close()
        return heard

    assert asyncio.run(scene()) == b"x"
