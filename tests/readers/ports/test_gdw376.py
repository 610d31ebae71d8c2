"""The tunnel over real loopback TCP: a driver, this port, a terminal that dials in, and the meters behind it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from readers.driver import LineDefaults, Parity
from readers.errors import LinkError
from readers.observations import Condition, Observation, Readings, Rejected, Watching
from readers.ports import gdw376, gdw376_terminals
from readers.ports.gdw376 import TerminalPort, open_gdw376, path_fault, read_path
from readers.ports.memory import MemoryPort, pair
from readers.ports.open import open_port
from readers.quantities import Quantity
from readers.registry import driver
from simulator.meters import dlt645, dlt698
from simulator.meters.gdw376 import Behaviour, Terminal, dial
from tests.simulator.meters.loads import Steady

NAME = "44030004"
LINE = LineDefaults(2400, Parity.EVEN)
METER = "000000000161"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextlib.asynccontextmanager
async def dialling(number: int, terminal: Terminal, *serving: Any) -> AsyncIterator[None]:
    """A terminal that dials in, with what is behind it."""
    tasks = [asyncio.ensure_future(each) for each in (dial("127.0.0.1", number, terminal, again_s=0.05), *serving)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gdw376_terminals.stop_listening()


async def drive(url: str, name: str, settings: dict[str, Any], enough: int) -> list[Observation]:
    """What a driver reports through the tunnel until it has read so many values."""
    spec = driver(name)
    heard: list[Observation] = []
    full = asyncio.Event()

    def report(observation: Observation) -> None:
        heard.append(observation)
        if sum(len(o) for o in heard if isinstance(o, Readings)) >= enough:
            full.set()

    port = await open_port(url, spec)
    running = asyncio.create_task(spec.make(spec.settings.model_validate(settings)).run(port, report))
    async with asyncio.timeout(30):
        await asyncio.wait([running, asyncio.create_task(full.wait())], return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await port.close()
    return heard


def values(heard: list[Observation], source: str) -> dict[tuple[Quantity, str | None], Decimal | None]:
    return {
        (r.quantity, r.phase): r.value
        for o in heard
        if isinstance(o, Readings) and o.source == source
        for r in o.readings
        if not r.tariff
    }


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(confirms_first=True, has_events=True, delay_s=1.0)])
def test_a_driver_reads_meters_behind_a_terminal(behaviour: Behaviour) -> None:
    async def scene() -> list[Observation]:
        number = free_port()
        near, far = pair()
        terminal = Terminal(NAME, {2: near}, behaviour)
        meters = {METER: Steady(), "202611230645": Steady()}
        async with dialling(number, terminal, dlt645.serve(far, meters)):
            given = {
                "meters": [{"name": "a", "address": "161"}, {"name": "b", "address": "202611230645"}],
                "read": ["energy_export", "voltage"],
                "backfill_days": 0,
            }
            heard = await drive(f"gdw376://127.0.0.1:{number}/{NAME}/2", "dlt645", given, 8)
        assert set(terminal.line_words) == {0x6B}  # 2400 baud, even parity: the driver's own
        assert terminal.confirmed
        return heard

    heard = asyncio.run(scene())
    for source in ("a", "b"):
        found = values(heard, source)
        assert found[Quantity.ACTIVE_ENERGY_EXPORT, None] == Decimal(260)
        assert found[Quantity.VOLTAGE, "a"] == Decimal("230.3")
    assert {o.source for o in heard if isinstance(o, Watching) and o.active} == {"a", "b"}
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_two_readers_share_the_socket_and_two_lines_of_a_terminal() -> None:
    async def scene() -> tuple[list[Observation], list[Observation]]:
        number = free_port()
        (near_2, far_2), (near_3, far_3) = pair(), pair()
        terminal = Terminal(NAME, {2: near_2, 3: near_3})
        serving = dlt645.serve(far_2, {METER: Steady()}), dlt698.serve(far_3, {METER: Steady()})
        async with dialling(number, terminal, *serving):
            given = {"meters": [{"name": "a", "address": "161"}], "read": ["voltage"], "backfill_days": 0}
            url = f"gdw376://127.0.0.1:{number}/{NAME}"
            return await asyncio.gather(drive(f"{url}/2", "dlt645", given, 3), drive(f"{url}/3", "dlt698", given, 2))

    for heard in asyncio.run(scene()):
        assert values(heard, "a")[Quantity.VOLTAGE, "a"] == Decimal("230.3")


async def echo(port: MemoryPort) -> None:
    while True:
        if data := await port.receive(10.0):
            await port.send(data[::-1])


async def opened(number: int, name: str = NAME, measuring_port: int = 2) -> TerminalPort:
    return await open_gdw376("127.0.0.1", number, f"/{name}/{measuring_port}", LINE)


def test_what_is_sent_comes_back() -> None:
    async def scene() -> None:
        number = free_port()
        near, far = pair()
        async with dialling(number, Terminal(NAME, {2: near}), echo(far)):
            port = await opened(number)
            assert port.description == f"gdw376://127.0.0.1:{number}/{NAME}/2"
            assert port.baud == 2400
            for round_ in range(20):  # more than there are numbers
                await port.send(bytes([round_, 1, 2]))
                assert await port.receive(0) == bytes([2, 1, round_])
            await port.close()
            with pytest.raises(LinkError, match="the link is closed"):
                await port.send(b"x")

    asyncio.run(scene())


def test_a_denial_and_an_empty_answer_are_silence() -> None:
    async def scene() -> None:
        number = free_port()
        near, _ = pair()
        async with dialling(number, Terminal(NAME, {2: near}, Behaviour(denies=True))):
            port = await opened(number)
            await port.send(b"x")
            assert await port.receive(0.05) == b""
            await port.close()

    asyncio.run(scene())


def test_the_terminal_stays_connected_for_the_next_reader() -> None:
    async def scene() -> None:
        number = free_port()
        near, far = pair()
        terminal = Terminal(NAME, {2: near})
        async with dialling(number, terminal, echo(far)):
            for _ in range(3):
                port = await opened(number)
                await port.send(b"ab")
                assert await port.receive(0) == b"ba"
                await port.close()
            assert terminal.confirmed == 1  # one login

    asyncio.run(scene())


def test_a_terminal_that_does_not_dial_in_is_a_clear_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdw376_terminals, "DIALS_IN_WITHIN_S", 0.1)
    monkeypatch.setattr(gdw376, "DIALS_IN_WITHIN_S", 0.1)

    async def scene() -> None:
        with pytest.raises(LinkError, match=r"terminal 44030004 has not dialled in within 0\.1 s; set this host's"):
            await opened(free_port())
        await gdw376_terminals.stop_listening()

    asyncio.run(scene())


def test_a_place_that_is_taken_is_a_clear_fault() -> None:
    async def scene() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(LinkError, match="cannot listen"):
                await opened(taken.getsockname()[1])
        await gdw376_terminals.stop_listening()

    asyncio.run(scene())


def test_a_speed_that_terminals_do_not_have_is_a_clear_fault() -> None:
    async def scene() -> None:
        with pytest.raises(LinkError, match="115200 baud; a terminal can do 300, 600"):
            await open_gdw376("127.0.0.1", 9, f"/{NAME}/2", LineDefaults(115_200))

    asyncio.run(scene())


def test_paths() -> None:
    assert path_fault("/4403a9f9/31") is None
    assert read_path("/4403a9f9/31") == ("4403A9F9", 31)
    assert path_fault("") is not None
    assert path_fault("/44030004/32") is not None
    assert path_fault("/44A30004/2") is not None
