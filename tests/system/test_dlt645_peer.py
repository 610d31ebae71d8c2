"""A meter that somebody else wrote: the server and the tables of the PyPI package dlt645, in a venv of its own.

The driver reads it, the codec asks it for all that both know, and the tables of both are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.codecs import dlt645_events, dlt645_orders, dlt645_status
from readers.codecs.dlt645 import Decoder, Frame, Function, encode, identifier_bytes
from readers.codecs.dlt645_registers import REGISTERS, Register, decode
from readers.driver import Port
from readers.meters.dlt645.driver import DRIVER
from readers.meters.dlt645.settings import Dlt645Settings
from readers.obis_meanings import in_unit
from readers.observations import Condition, DeviceInfo, Observation, Reading, Readings, Rejected, Watching
from readers.ports.open import open_port
from readers.quantities import Phase, Quantity
from simulator.pty import PtyPort

PACKAGE = "dlt645==3.2.0"
ADDRESS = "202611230645"
METER = Path(__file__).parent / "peers" / "dlt645_meter.py"
TABLES = Path(__file__).parent / "peers" / "dlt645_tables.py"
VALUES: dict[str, Any] = {
    "00010000": 1234.56,
    "00010100": 34.56,
    "00010200": 200.0,
    "00010300": 400.0,
    "00010400": 600.0,
    "00020000": 0.26,
    "02010100": 230.3,
    "02010200": 229.8,
    "02010300": 231.4,
    "02020100": 12.345,
    "02020200": -1.5,
    "02020300": 0.001,
    "02030000": -7.1234,
    "02030100": 2.5,
    "02030200": 0.0001,
    "02030300": 79.9999,
    "02060000": 0.995,
    "02060100": -0.5,
    "02060200": 0.999,
    "02060300": 0.0,
    "02800002": 49.98,
    "02800004": 3.25,
    "01010000": [12.3456, "2026-11-02T10:15:00"],
}
UTC_OF_10_15_IN_CHINA_US = 1_793_585_700_000_000


def expected() -> dict[tuple[Quantity, Phase | None, int | None], Decimal]:
    q, a, b, c = Quantity, Phase.A, Phase.B, Phase.C
    texts = {
        (q.ACTIVE_ENERGY_IMPORT, None, None): "1234560",
        (q.ACTIVE_ENERGY_IMPORT, None, 1): "34560",
        (q.ACTIVE_ENERGY_IMPORT, None, 2): "200000",
        (q.ACTIVE_ENERGY_IMPORT, None, 3): "400000",
        (q.ACTIVE_ENERGY_IMPORT, None, 4): "600000",
        (q.ACTIVE_ENERGY_EXPORT, None, None): "260",
        (q.VOLTAGE, a, None): "230.3",
        (q.VOLTAGE, b, None): "229.8",
        (q.VOLTAGE, c, None): "231.4",
        (q.CURRENT, a, None): "12.345",
        (q.CURRENT, b, None): "-1.500",
        (q.CURRENT, c, None): "0.001",
        (q.ACTIVE_POWER, None, None): "-7123.4",
        (q.ACTIVE_POWER, a, None): "2500.0",
        (q.ACTIVE_POWER, b, None): "0.1",
        (q.ACTIVE_POWER, c, None): "79999.9",
        (q.POWER_FACTOR, None, None): "0.995",
        (q.POWER_FACTOR, a, None): "-0.500",
        (q.POWER_FACTOR, b, None): "0.999",
        (q.POWER_FACTOR, c, None): "0.000",
        (q.FREQUENCY, None, None): "49.98",
        (q.ACTIVE_DEMAND, None, None): "3250.0",
        (q.ACTIVE_DEMAND_MAX, None, None): "12345.6",
    }
    return {key: Decimal(text) for key, text in texts.items()}


@pytest.fixture(scope="session")
def peer_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a venv with the package; made once under TAGWHARF_PEERS, or for this run."""
    kept = os.environ.get("TAGWHARF_PEERS")
    folder = (Path(kept) if kept else tmp_path_factory.mktemp("peers")) / "dlt645"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    there = subprocess.run([python, "-c", "import dlt645"], check=False, capture_output=True).returncode == 0
    if not there:
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return python


@contextlib.contextmanager
def foreign_meter(python: Path, where: str, values: dict[str, Any] | None = None) -> Iterator[int]:
    """Serve the meter; the number of its TCP port where it has one."""
    command = [str(python), str(METER), where, ADDRESS, json.dumps(VALUES if values is None else values)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = ""
        while not line.startswith("ready"):
            line = process.stdout.readline()
            assert line, "the peer ended before it was ready"
        try:
            yield int(line.split()[1]) if where == "tcp" else 0
        finally:
            process.kill()


async def read_once(port: Port, settings: dict[str, Any], enough: int) -> list[Observation]:
    """What the driver reports until it has read `enough` values."""
    heard: list[Observation] = []
    full = asyncio.Event()

    def report(observation: Observation) -> None:
        heard.append(observation)
        if sum(len(o) for o in heard if isinstance(o, Readings)) >= enough:
            full.set()

    talk = asyncio.create_task(DRIVER.make(Dlt645Settings.model_validate(settings)).run(port, report))
    async with asyncio.timeout(60):
        await asyncio.wait([talk, asyncio.create_task(full.wait())], return_when=asyncio.FIRST_COMPLETED)
    if talk.done():
        talk.result()
    talk.cancel()
    await asyncio.gather(talk, return_exceptions=True)
    await port.close()
    return heard


def readings(heard: list[Observation]) -> list[Reading]:
    return [reading for o in heard if isinstance(o, Readings) for reading in o.readings]


READ = ["energy", "energy_export", "voltage", "current", "power", "power_factor", "frequency", "demand", "max_demand"]


@contextlib.asynccontextmanager
async def bridged_lines() -> AsyncIterator[tuple[str, str]]:
    """Two serial lines, their far ends tied together."""
    left, right = PtyPort.open(), PtyPort.open()

    async def carry(source: PtyPort, sink: PtyPort) -> None:
        while True:
            data = await source.receive(1.0)
            if data:
                await sink.send(data)

    carriers = [asyncio.create_task(carry(left, right)), asyncio.create_task(carry(right, left))]
    try:
        yield left.path, right.path
    finally:
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)
        await left.close()
        await right.close()


def test_every_value_of_a_foreign_meter_is_read_exactly_over_tcp(peer_python: Path) -> None:
    async def scene(tcp_port: int) -> list[Observation]:
        port = await open_port(f"socket://127.0.0.1:{tcp_port}", DRIVER)
        settings = {"meters": [{"name": "foreign", "address": ADDRESS}], "read": READ}
        return await read_once(port, settings, len(expected()))

    with foreign_meter(peer_python, "tcp") as tcp_port:
        heard = asyncio.run(scene(tcp_port))
    found = {(r.quantity, r.phase, r.tariff): r.value for r in readings(heard)}
    assert found == expected()
    assert Watching(source="foreign") in heard
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]
    demands = [r for r in readings(heard) if r.quantity is Quantity.ACTIVE_DEMAND_MAX]
    assert [r.meter_time_us for r in demands] == [UTC_OF_10_15_IN_CHINA_US]


def test_every_value_of_a_foreign_meter_is_read_exactly_over_a_serial_line(peer_python: Path) -> None:
    async def scene() -> list[Observation]:
        async with bridged_lines() as (ours, theirs):
            with foreign_meter(peer_python, theirs):
                port = await open_port(ours, DRIVER)
                settings = {"meters": [{"name": "foreign", "address": ADDRESS}], "read": READ}
                return await read_once(port, settings, len(expected()))

    heard = asyncio.run(scene())
    assert {(r.quantity, r.phase, r.tariff): r.value for r in readings(heard)} == expected()


def test_a_foreign_meter_alone_on_its_line_tells_its_address(peer_python: Path) -> None:
    async def scene(tcp_port: int) -> list[Observation]:
        port = await open_port(f"socket://127.0.0.1:{tcp_port}", DRIVER)
        return await read_once(port, {"meters": [{"name": "foreign"}], "read": ["energy_export"]}, 1)

    with foreign_meter(peer_python, "tcp") as tcp_port:
        heard = asyncio.run(scene(tcp_port))
    assert DeviceInfo(serial=ADDRESS, source="foreign") in heard
    assert [r.value for r in readings(heard)] == [Decimal(260)]


MORE_VALUES: dict[str, Any] = {
    "00000000": -12.34,
    "00030000": -0.5,
    "00050000": 77.07,
    "00080403": 123456.78,
    "00090000": 1.0,
    "0001000C": 9.99,
    "00160000": 0.07,
    "01020200": [3.5, "2026-02-28T23:59:00"],
    "02040100": -0.0123,
    "02070300": 359.9,
    "02080100": 1.52,
    "020A0103": 12.34,
    "020B0315": 0.09,
    "02800001": 1.234,
    "02800005": -1.5,
    "02800007": -5.5,
    "02800008": 3.62,
}
MORE_EXPECTED: dict[str, str] = {
    "00000000": "-12340",
    "00030000": "-500",
    "00050000": "77070",
    "00080403": "123456780",
    "00090000": "1000",
    "0001000C": "9990",
    "00160000": "70",
    "01020200": "3500.0",
    "02040100": "-12.3",
    "02070300": "359.9",
    "02080100": "1.52",
    "020A0103": "12.34",
    "020B0315": "0.09",
    "02800001": "1.234",
    "02800005": "-1500.0",
    "02800007": "-5.5",
    "02800008": "3.62",
}


async def asked(port: Port, requests: list[Frame]) -> list[Frame]:
    """The reply to each request."""
    decoder, replies = Decoder(), []
    for request in requests:
        await port.send(encode(request))
        frames: list[Frame] = []
        async with asyncio.timeout(10):
            while not frames:
                frames = decoder.feed(await port.receive(1.0))
        replies += frames
    assert decoder.take_rejects() == {}
    return replies


def conversation(peer_python: Path, requests: list[Frame], values: dict[str, Any]) -> list[Frame]:
    async def scene(tcp_port: int) -> list[Frame]:
        port = await open_port(f"socket://127.0.0.1:{tcp_port}", DRIVER)
        try:
            return await asked(port, requests)
        finally:
            await port.close()

    with foreign_meter(peer_python, "tcp", values) as tcp_port:
        return asyncio.run(scene(tcp_port))


def test_the_codec_reads_every_kind_of_value_exactly(peer_python: Path) -> None:
    requests = [Frame(ADDRESS, Function.READ, identifier_bytes(int(name, 16))) for name in MORE_EXPECTED]
    replies = conversation(peer_python, requests, MORE_VALUES)
    assert [reply.identifier for reply in replies] == [int(name, 16) for name in MORE_EXPECTED]
    found = {
        name: decode(int(name, 16), reply.data[4:], 480)[0] for name, reply in zip(MORE_EXPECTED, replies, strict=True)
    }
    assert {name: str(reading.value) for name, reading in found.items()} == MORE_EXPECTED
    assert found["01020200"].meter_time_us == 1_772_294_340_000_000  # 2026-02-28 23:59 in China


def test_the_codec_and_a_foreign_meter_agree_on_the_length_of_every_register(peer_python: Path) -> None:
    requests = [Frame(ADDRESS, Function.READ, identifier_bytes(identifier)) for identifier in sorted(REGISTERS)]
    replies = conversation(peer_python, requests, {})
    for identifier, reply in zip(sorted(REGISTERS), replies, strict=True):
        assert not reply.is_error, f"{identifier:08X} is unknown to the foreign meter"
        (reading,) = decode(identifier, reply.data[4:], 480)
        assert reading.value == 0, f"{identifier:08X}"


def test_counters_status_words_and_orders_of_a_foreign_meter(peer_python: Path) -> None:
    kinds = [kind for kind in dlt645_events.KINDS.values() if kind.count >> 24 == 3 and kind.count >> 16 != 0x0335]
    words = [dlt645_status.FIRST_WORD + word for word in range(dlt645_status.WORDS)]
    names = [kind.count for kind in kinds] + words
    requests = [Frame(ADDRESS, Function.READ, identifier_bytes(name)) for name in names]
    requests.append(dlt645_orders.freeze(dlt645_orders.FreezeAt(), ADDRESS))
    *reads, frozen = conversation(peer_python, requests, {})
    for kind, reply in zip(kinds, reads, strict=False):
        assert dlt645_events.decode_count(reply.data[4:]) == 0, kind.name
    for name, reply in zip(words, reads[len(kinds) :], strict=True):
        assert dlt645_status.decode(name, reply.data[4:]).words[name - dlt645_status.FIRST_WORD] == 0
    assert frozen == Frame(ADDRESS, 0x96)


@pytest.fixture(scope="session")
def peer_tables(peer_python: Path) -> dict[int, list[tuple[str, str, str]]]:
    """The identifiers of the package: name, format and unit of each item."""
    done = subprocess.run([peer_python, TABLES], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout[done.stdout.index('{"') :])
    return {int(name, 16): [(*item,) for item in items] for name, items in found.items()}


UNITLESS = {
    Quantity.POWER_FACTOR,
    Quantity.PHASE_ANGLE,
    Quantity.VOLTAGE_THD,
    Quantity.CURRENT_THD,
    Quantity.VOLTAGE_HARMONIC,
    Quantity.CURRENT_HARMONIC,
}
"""The package gives them the unit of the line above, kW, V or A: only their digits are compared."""
MISSING_UNITS = {0x02800004: "kW"}


def resolution(register: Register, form: str, unit: str) -> tuple[Decimal, int]:
    """One step of a register in the unit of its quantity, and its bytes, as the package has them."""
    step = Decimal(1).scaleb(-len(form.partition(".")[2]))
    size = (sum(letter in "XN" for letter in form) + 1) // 2
    if register.quantity in UNITLESS:
        return step, size
    return in_unit(step, unit.strip().replace("℃", "°C"), register.quantity), size


def test_the_tables_agree_on_resolution_unit_and_length(peer_tables: dict[int, list[tuple[str, str, str]]]) -> None:
    """An independent table, so that a slip of ours in one line cannot hide behind a twin that has the same slip."""
    differ = []
    for identifier, register in REGISTERS.items():
        ((name, form, unit),) = peer_tables[identifier]
        theirs = resolution(register, form, MISSING_UNITS.get(identifier, unit))
        if theirs != (Decimal(1).scaleb(register.exponent), register.size):
            differ.append(f"{identifier:08X} {name}: {theirs}, ours {register.size} bytes, 10**{register.exponent}")
    assert not differ, "\n".join(differ[:20])


def test_the_tables_agree_on_event_records(peer_tables: dict[int, list[tuple[str, str, str]]]) -> None:
    forms = {
        dlt645_events.Form.SPAN: ["YYMMDDhhmmss", "YYMMDDhhmmss"],
        dlt645_events.Form.BY_OPERATOR: ["YYMMDDhhmmss", "C0C1C2C3"],
        dlt645_events.Form.CLOCK: ["C0C1C2C3", "YYMMDDhhmmss", "YYMMDDhhmmss"],
    }
    compared = set()
    for kind in dlt645_events.KINDS.values():
        if kind.latest not in peer_tables:
            continue
        items = [form for _, listed, _ in peer_tables[kind.latest] for form in listed.split(",")]
        assert items[: len(forms[kind.form])] == forms[kind.form], kind.name
        assert sum(len(item.replace(".", "")) // 2 for item in items) == kind.record_bytes, kind.name
        compared.add(kind.name)
    assert compared >= {"power_failure", "programming", "clock_setting", "cover_opening", "terminal_opening"}
