"""The driver reads and orders modules that somebody else wrote: the servers of pymodbus, on TCP and on RTU over TCP."""

from __future__ import annotations

import asyncio
import socket
from decimal import Decimal
from typing import Final

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from readers.control import Action, Attempt, Controllable, Fate, Order
from readers.errors import ReaderError
from readers.machines.modbus_io import DRIVER
from readers.observations import Observation, Signals
from readers.ports.open import open_port

INPUTS: Final = [
    {"name": "loop", "address": 0},
    {"name": "beam", "address": 5},
    {"name": "level", "table": "input", "address": 2, "scale": "0.1"},
]
OUTPUTS: Final = [{"name": "barrier", "address": 3, "initial": True}, {"name": "red", "address": 4}]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(("framing", "framer"), [("tcp", FramerType.SOCKET), ("rtu", FramerType.RTU)])
def test_inputs_outputs_and_registers_of_a_pymodbus_server(framing: str, framer: FramerType) -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        coils = SimData(0, values=[False] * 16, datatype=DataType.BITS)
        discrete = SimData(0, values=[True] + [False] * 15, datatype=DataType.BITS)
        registers = SimData(0, values=[0, 0, 1234, 0], datatype=DataType.REGISTERS)
        device = SimDevice(1, ([coils], [discrete], [registers], [registers]))
        number = free_port()
        server = ModbusTcpServer(device, framer=framer, address=("127.0.0.1", number))
        await server.serve_forever(background=True)
        settings = DRIVER.settings.model_validate(
            {"framing": framing, "poll_s": 0.05, "modules": [{"inputs": INPUTS, "outputs": OUTPUTS}]}
        )
        port = await open_port(f"tcp://127.0.0.1:{number}", DRIVER)
        running = asyncio.create_task(DRIVER.make(settings).run(port, heard.append))
        await told(heard, "loop")
        assert await server.async_getValues(1, 1, 3, 1) == [True]
        await server.async_setValues(1, 5, 4, [True])
        await told(heard, "red")
        running.cancel()
        (end,) = await asyncio.gather(running, return_exceptions=True)
        assert not isinstance(end, ReaderError), end
        await port.close()
        await server.shutdown()  # type: ignore[no-untyped-call]  # of pymodbus

    asyncio.run(scene())
    values = {signal.name: signal.value for each in heard if isinstance(each, Signals) for signal in each.signals}
    assert str(values.pop("level")) == "123.4"
    assert values == {"loop": True, "beam": False, "barrier": True, "red": True}


@pytest.mark.parametrize(("framing", "framer"), [("tcp", FramerType.SOCKET), ("rtu", FramerType.RTU)])
def test_orders_to_a_pymodbus_server(framing: str, framer: FramerType) -> None:
    setpoint = {"name": "speed", "address": 2, "minimum": 0, "maximum": 60, "scale": "0.1"}
    outputs = [*OUTPUTS, {"name": "horn", "address": 6, "initial": False, "pulse_s": 0.5}]

    async def scene() -> None:
        coils = SimData(0, values=[False] * 16, datatype=DataType.BITS)
        discrete = SimData(0, values=[False] * 16, datatype=DataType.BITS)
        registers = SimData(0, values=[0, 0, 1234, 0], datatype=DataType.REGISTERS)
        device = SimDevice(1, ([coils], [discrete], [registers], [registers]))
        number = free_port()
        server = ModbusTcpServer(device, framer=framer, address=("127.0.0.1", number))
        await server.serve_forever(background=True)
        module = {"outputs": outputs, "setpoints": [setpoint]}
        settings = DRIVER.settings.model_validate({"framing": framing, "poll_s": 0.05, "modules": [module]})
        port = await open_port(f"tcp://127.0.0.1:{number}", DRIVER)
        driver = DRIVER.make(settings)
        heard: list[Observation] = []
        running = asyncio.create_task(driver.run(port, heard.append))
        await told(heard, "barrier")
        assert isinstance(driver, Controllable)

        async def ordered(point: str, action: Action, value: Decimal | None = None) -> bool | None:
            order = Order(point, None, action, 1 << 60, value)
            before = await driver.observe(None, point)
            assert await driver.attempt(order) == Attempt(Fate.ACCEPTED)
            await asyncio.sleep(1.0 if action is Action.PULSE else 0.0)
            return driver.is_done(order, before, await driver.observe(None, point))

        assert await ordered("red", Action.ON)
        assert await server.async_getValues(1, 1, 4, 1) == [True]
        assert await ordered("barrier", Action.OFF)
        assert await server.async_getValues(1, 1, 3, 1) == [False]
        assert await ordered("speed", Action.SET, Decimal("12.5"))
        assert await server.async_getValues(1, 3, 2, 1) == [125]
        assert await ordered("horn", Action.PULSE)
        running.cancel()
        (end,) = await asyncio.gather(running, return_exceptions=True)
        assert not isinstance(end, ReaderError), end
        await port.close()
        await server.shutdown()  # type: ignore[no-untyped-call]  # of pymodbus

    asyncio.run(scene())


async def told(heard: list[Observation], name: str) -> None:
    async with asyncio.timeout(5):
        while not any(
            signal.name == name and signal.value is True
            for each in heard
            if isinstance(each, Signals)
            for signal in each.signals
        ):
            await asyncio.sleep(0.02)
