"""Modbus meters that somebody else wrote: servers of pymodbus, of the npm package modbus-serial and of libmodbus.

Each encodes its numbers itself, at the addresses of our maps. The other way round, mbpoll reads our simulated meter.
What none of them can tell is whether the addresses are those of the real meters.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from readers.codecs.modbus_map import MapValue
from readers.codecs.modbus_values import ValueType
from readers.driver import Port
from readers.meters.modbus_meter.driver import DRIVER
from readers.meters.modbus_meter.settings import ModbusMeterSettings
from readers.meters.modbus_meter.shipped import load
from readers.observations import Condition, Observation, Readings, Rejected
from readers.ports.open import open_port
from simulator.meters.modbus_meter import serve
from simulator.pty import PtyPort
from simulator.server import DeviceServer
from tests.readers.meters.modbus_meter.scenes import meter
from tests.support.servers import UNPACKED, free_port
from tests.system.test_dlt645_peer import bridged_lines

PEERS: Final = Path(__file__).parent / "peers"
MODBUS_SERIAL: Final = UNPACKED / "modbus-serial" / "node_modules"
LIBMODBUS: Final = UNPACKED / "libmodbus" / "server"
D = Decimal

NUMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    # what stands in the registers, before the map's scale, and what it means
    "sdm630": {
        "voltage phase a": "230.3",
        "voltage phase b": "0.05",
        "active_power": "-1251.5",
        "frequency": "49.98",
        "active_energy_import": "1234.56",
        "active_energy_combined": "99999.99",
        "voltage_thd phase a": "1.25",
    },
    "schneider_pm5000": {
        "current phase a": "5.125",
        "active_power": "12.5",
        "power_factor": "1.2",
        "active_energy_import": "9007199254740993",
        "active_energy_import T4": "7",
        "active_energy_export": "-9223372036854775808",
    },
    "abb_b23": {
        "voltage phase a": "2303",
        "active_power": "-125156",
        "power_factor": "-500",
        "frequency": "4998",
        "active_energy_import": "18446744073709551615",
        "active_energy_export": "9999999999",
        "active_energy_import phase a": "201362",
    },
}
MEANINGS: Final[Mapping[str, Mapping[str, str | None]]] = {
    "sdm630": {
        "voltage phase a": "230.30",
        "voltage phase b": "0.05",
        "active_power": "-1251.5",
        "frequency": "49.98",
        "active_energy_import": "1234560",
        "active_energy_combined": "99999990",
        "voltage_thd phase a": "1.25",
    },
    "schneider_pm5000": {
        "current phase a": "5.125",
        "active_power": "12500.0",
        "power_factor": "0.800",
        "active_energy_import": "9007199254740993",
        "active_energy_import T4": "7",
        "active_energy_export": None,
    },
    "abb_b23": {
        "voltage phase a": "230.3",
        "active_power": "-1251.56",
        "power_factor": "-0.500",
        "frequency": "49.98",
        "active_energy_import": None,
        "active_energy_export": "99999999990",
        "active_energy_import phase a": "2013620",
    },
}
TYPES: Final = {
    ValueType.U16: DataType.UINT16,
    ValueType.I16: DataType.INT16,
    ValueType.U32: DataType.UINT32,
    ValueType.I32: DataType.INT32,
    ValueType.U64: DataType.UINT64,
    ValueType.I64: DataType.INT64,
    ValueType.F32: DataType.FLOAT32,
}


def needs(there: bool, name: str) -> pytest.MarkDecorator:  # noqa: FBT001 - the condition itself
    absent = not there and "CI" not in os.environ
    return pytest.mark.skipif(absent, reason=f"run tests/system/peers/{name}/install.sh first")


def entries(name: str) -> list[tuple[MapValue, str]]:
    return [(value, NUMBERS[name][value.name]) for value in load(name).values if value.name in NUMBERS[name]]


def wanted(name: str) -> dict[str, Decimal | None]:
    return {key: None if text is None else D(text) for key, text in MEANINGS[name].items()}


async def read_from(port: Port, name: str, framing: str) -> tuple[dict[str, Decimal | None], list[Observation]]:
    """What the driver reads of those values, and all that it says besides readings."""
    heard: list[Observation] = []
    found: dict[str, Decimal | None] = {}
    names = {value.obis: value.name for value in load(name).values}
    full = asyncio.Event()

    def report(observation: Observation) -> None:
        if not isinstance(observation, Readings):
            heard.append(observation)
            return
        found.update({names[each.obis]: each.value for each in observation.readings if each.obis in names})
        if found.keys() >= NUMBERS[name].keys():
            full.set()

    settings = {"framing": framing, "meters": [{"name": "foreign", "address": 1, "map": name}]}
    running = asyncio.create_task(DRIVER.make(ModbusMeterSettings.model_validate(settings)).run(port, report))
    waiting = asyncio.create_task(full.wait())
    async with asyncio.timeout(30):
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    await port.close()
    return {key: value for key, value in found.items() if key in NUMBERS[name]}, heard


def pymodbus_device(name: str) -> SimDevice:
    """Only these registers exist: reading along is refused, as strict meters do."""
    blocks = []
    for value, text in entries(name):
        kind = value.place.layout.type
        number = float(text) if kind.is_float else int(text)
        blocks.append(SimData(value.place.span.address, values=number, datatype=TYPES[kind]))
    nothing = [SimData(0, values=[False], datatype=DataType.BITS)]
    return SimDevice(1, (nothing, nothing, blocks, blocks))


def only_what_is_missing(heard: list[Observation]) -> None:
    """Nothing was thrown away, and the only trouble is what the peer does not have."""
    assert not [each for each in heard if isinstance(each, Rejected)]
    assert {each.name for each in heard if isinstance(each, Condition)} <= {"register_unsupported"}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(("framing", "framer"), [("tcp", FramerType.SOCKET), ("rtu", FramerType.RTU)])
def test_every_value_of_a_pymodbus_server(name: str, framing: str, framer: FramerType) -> None:
    async def scene() -> tuple[dict[str, Decimal | None], list[Observation]]:
        number = free_port()
        server = ModbusTcpServer(pymodbus_device(name), framer=framer, address=("127.0.0.1", number))
        await server.serve_forever(background=True)
        try:
            return await read_from(await open_port(f"tcp://127.0.0.1:{number}", DRIVER), name, framing)
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]  # of pymodbus

    found, heard = asyncio.run(scene())
    assert found == wanted(name)
    only_what_is_missing(heard)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_value_of_a_pymodbus_server_on_a_serial_line(name: str) -> None:
    async def scene() -> tuple[dict[str, Decimal | None], list[Observation]]:
        async with bridged_lines() as (ours, theirs):
            server = ModbusSerialServer(pymodbus_device(name), port=theirs, baudrate=9600)
            await server.serve_forever(background=True)
            try:
                return await read_from(await open_port(ours, DRIVER), name, "rtu")
            finally:
                await server.shutdown()  # type: ignore[no-untyped-call]  # of pymodbus

    found, heard = asyncio.run(scene())
    assert found == wanted(name)
    only_what_is_missing(heard)


@contextlib.contextmanager
def program(command: list[str], registers: str) -> Iterator[None]:
    """A server that takes its registers on its input and says that it is ready."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(registers)
        process.stdin.flush()
        try:
            assert process.stdout.readline().strip() == "ready", "the peer ended before it was ready"
            yield
        finally:
            process.kill()


def over_tcp(name: str, number: int) -> tuple[dict[str, Decimal | None], list[Observation]]:
    async def scene() -> tuple[dict[str, Decimal | None], list[Observation]]:
        return await read_from(await open_port(f"tcp://127.0.0.1:{number}", DRIVER), name, "tcp")

    return asyncio.run(scene())


@needs(MODBUS_SERIAL.is_dir(), "modbus-serial")
@pytest.mark.parametrize("name", NUMBERS)
def test_every_value_of_a_modbus_serial_server(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_PATH", str(MODBUS_SERIAL))
    number = free_port()
    registers: list[dict[str, Any]] = [
        {"address": value.place.span.address, "type": value.place.layout.type.value, "number": text}
        for value, text in entries(name)
    ]
    command = ["node", str(PEERS / "modbus-serial" / "server.cjs"), str(number)]
    with program(command, json.dumps(registers) + "\n"):
        found, heard = over_tcp(name, number)
    assert found == wanted(name)
    only_what_is_missing(heard)


@needs(LIBMODBUS.is_file(), "libmodbus")
@pytest.mark.parametrize("name", NUMBERS)
def test_every_value_of_a_libmodbus_server(name: str) -> None:
    """All other registers of it read as 0: nothing is refused."""
    number = free_port()
    lines = [f"{value.place.span.address} {value.place.layout.type.value} {text}" for value, text in entries(name)]
    with program([str(LIBMODBUS), str(number)], "\n".join([*lines, ".", ""])):
        found, heard = over_tcp(name, number)
    assert found == wanted(name)
    assert not [each for each in heard if isinstance(each, Rejected | Condition)]


async def mbpoll(*arguments: str) -> list[str]:
    """The values that mbpoll prints."""
    done = await asyncio.to_thread(
        subprocess.run, ["mbpoll", "-1", "-q", "-0", "-B", *arguments], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^\[\d+\]:\s*(\S+)", done.stdout, re.MULTILINE)


@contextlib.asynccontextmanager
async def played_over_tcp(name: str) -> AsyncIterator[int]:
    server = DeviceServer(lambda port: serve(port, {1: meter(name)}, is_tcp=True), port=0)
    await server.start()
    try:
        yield server.port
    finally:
        await server.close()
        assert not server.failures


@needs(shutil.which("mbpoll") is not None, "libmodbus")
def test_mbpoll_reads_our_simulated_meters_over_tcp() -> None:
    async def scene() -> None:
        async with played_over_tcp("sdm630") as number:
            where = ("-m", "tcp", "-p", str(number), "-a", "1")
            assert await mbpoll(*where, "-t", "3:float", "-r", "0", "-c", "3", "127.0.0.1") == [
                "230.3",
                "229.8",
                "231.4",
            ]
            assert await mbpoll(*where, "-t", "3:float", "-r", "72", "127.0.0.1") == ["1234.56"]
        async with played_over_tcp("abb_b23") as number:
            where = ("-m", "tcp", "-p", str(number), "-a", "1")
            volts = await mbpoll(*where, "-t", "4:int", "-r", str(0x5B00), "-c", "3", "127.0.0.1")
            assert volts == ["2303", "2298", "2314"]
            assert await mbpoll(*where, "-t", "4", "-r", str(0x5B2C), "127.0.0.1") == ["4998"]

    asyncio.run(scene())


@needs(shutil.which("mbpoll") is not None, "libmodbus")
def test_mbpoll_reads_our_simulated_meter_on_a_serial_line() -> None:
    async def scene() -> None:
        device = PtyPort.open()
        playing = asyncio.create_task(serve(device, {1: meter("abb_b23")}))
        try:
            line = ("-m", "rtu", "-b", "9600", "-P", "none", "-a", "1")
            assert await mbpoll(*line, "-t", "4:int", "-r", str(0x5B14), device.path) == ["284600"]
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            await device.close()

    asyncio.run(scene())


@needs(shutil.which("mbpoll") is not None, "libmodbus")
def test_mbpoll_understands_our_exceptions() -> None:
    async def scene() -> None:
        async with played_over_tcp("sdm630") as number:
            with pytest.raises(AssertionError, match="Illegal data address"):
                await mbpoll("-m", "tcp", "-p", str(number), "-a", "1", "-t", "4", "-r", "1", "127.0.0.1")

    asyncio.run(scene())
