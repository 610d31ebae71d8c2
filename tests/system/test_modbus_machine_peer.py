"""A PLC that somebody else wrote, the server of pymodbus, is read and commanded; mbpoll works on our simulated one."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from decimal import Decimal
from typing import Any, Final

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from readers.control import Action, Fate, Order
from readers.machines.modbus_machine.driver import DRIVER, ModbusMachineDriver
from readers.machines.modbus_machine.settings import ModbusMachineSettings
from readers.observations import Observation, Signals
from readers.ports.open import open_port
from simulator.machines.modbus_machine import State, WarpingMachine, serve
from simulator.server import DeviceServer
from tests.readers.machines.modbus_machine.scenes import WARPER
from tests.support.servers import free_port

D = Decimal
COMMAND, WATCHDOG, SPEED, TENSION = 20, 21, 10, 11
READ_HOLDING: Final = 3


def plc() -> SimDevice:
    """Executing, automatic, 300.0 m/min, 70,000 m, remote operation permitted."""
    registers: list[int | float] = [0] * 30
    registers[:6] = [6, 1, 3000, 70_000 >> 16, 70_000 & 0xFFFF, 7]
    registers[SPEED] = 3000
    holding = SimData(0, values=registers, datatype=DataType.REGISTERS)
    discrete = SimData(0, values=[True, False], datatype=DataType.BITS)
    coils = SimData(0, values=[False], datatype=DataType.BITS)
    return SimDevice(1, ([coils], [discrete], [holding], [holding]))


def test_a_pymodbus_plc_is_read_set_and_commanded() -> None:
    heard: list[Observation] = []

    def told(name: str) -> list[Any]:
        return [each.value for one in heard if isinstance(one, Signals) for each in one.signals if each.name == name]

    async def scene() -> None:
        number = free_port()
        server = ModbusTcpServer(plc(), address=("127.0.0.1", number))
        await server.serve_forever(background=True)
        port = await open_port(f"tcp://127.0.0.1:{number}", DRIVER)
        given = {"machines": [{**WARPER, "watchdog": {"address": WATCHDOG, "every_s": 0.1}}], "poll_s": 0.05}
        driver = ModbusMachineDriver(ModbusMachineSettings.model_validate(given))
        running = asyncio.create_task(driver.run(port, heard.append))

        async def ordered(action: Action, point: str = "machine", value: str | None = None) -> None:
            expires_at_us = port.now_us() + 10_000_000
            order = Order(point, None, action, expires_at_us, None if value is None else D(value))
            before = await driver.observe(None, point)
            attempt = await driver.attempt(order)
            assert attempt.fate is Fate.ACCEPTED, attempt.detail
            if action is Action.SET:
                assert driver.is_done(order, before, await driver.observe(None, point)) is True

        async with asyncio.timeout(20):
            while not told("machine_state"):
                await asyncio.sleep(0.02)
            await ordered(Action.SET, "set-speed", "250.5")
            await ordered(Action.SET, "tension", "123.4")
            await ordered(Action.STOP)
            assert await server.async_getValues(1, READ_HOLDING, SPEED, 1) == [2505]
            tension = await server.async_getValues(1, READ_HOLDING, TENSION, 2)
            assert tension == [0x42F6, 0xCCCD]  # 123.4 as binary32
            assert await server.async_getValues(1, READ_HOLDING, COMMAND, 1) == [2]
            await ordered(Action.START)
            assert await server.async_getValues(1, READ_HOLDING, COMMAND, 1) == [1]
            ticks: set[Any] = set()
            while len(ticks) < 2:
                ticks |= set(await server.async_getValues(1, READ_HOLDING, WATCHDOG, 1))
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await port.close()
        await server.shutdown()  # type: ignore[no-untyped-call]  # of pymodbus

    asyncio.run(scene())
    assert told("machine_state") == ["execute"]
    assert told("machine_mode") == ["automatic"]
    assert told("good_count") == [D(70_000)]
    assert told("stop_reason") == ["yarn broken"]
    assert told("remote_enabled") == [True]


@pytest.mark.skipif(
    shutil.which("mbpoll") is None and "CI" not in os.environ,
    reason="run tests/system/peers/libmodbus/install.sh first",
)
def test_mbpoll_sets_and_stops_our_simulated_machine() -> None:
    machine = WarpingMachine()

    async def scene() -> None:
        server = DeviceServer(lambda port: serve(port, {1: machine}, is_tcp=True), port=0)
        await server.start()
        machine.start()
        where = ["mbpoll", "-m", "tcp", "-p", str(server.port), "-a", "1", "-0", "-B", "-q"]
        for arguments in (
            ("-t", "4", "-r", str(SPEED), "127.0.0.1", "2500"),
            ("-t", "4:float", "-r", str(TENSION), "127.0.0.1", "123.4"),
            ("-t", "4", "-r", str(COMMAND), "127.0.0.1", "2"),
        ):
            done = await asyncio.to_thread(
                subprocess.run, [*where, *arguments], capture_output=True, text=True, timeout=20
            )
            assert done.returncode == 0, done.stdout + done.stderr
        await server.close()
        assert not server.failures

    asyncio.run(scene())
    assert machine.set_speed == 2500
    assert machine.tension == [0x42F6, 0xCCCD]
    assert machine.state is State.STOPPED
