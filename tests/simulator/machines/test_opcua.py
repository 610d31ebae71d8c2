"""The twin as asyncua's own client sees it, without our port or driver."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest
from asyncua.client.client import Client

from readers.errors import ConfigError
from simulator.machines.opcua import NAMESPACE, Controller
from simulator.world.warping import Habits, WarpingMachine


def machine(first_s: float = 0.2) -> WarpingMachine:
    return WarpingMachine(1, time.time_ns() // 1000, Habits(break_after_s=0), first_s)


async def until(what: str, client: Client, wanted: object) -> None:
    index = await client.get_namespace_index(NAMESPACE)
    async with asyncio.timeout(10):
        while await client.get_node(f"ns={index};s=w1.{what}").read_value() != wanted:
            await asyncio.sleep(0.02)


def test_a_client_sees_the_machine_run_and_commands_it() -> None:
    async def play() -> None:
        made = machine()
        async with Controller({"w1": made}) as twin, Client(twin.url) as client:
            await until("State", client, 6)
            index = await client.get_namespace_index(NAMESPACE)
            owner = client.get_node(f"ns={index};s=w1")
            await client.get_node(f"ns={index};s=w1.SpeedSet").write_value(300.0)
            await until("Speed", client, 300.0)
            await owner.call_method(f"{index}:Stop")
            await until("State", client, 2)
            await until("StopReason", client, "remote")
            made.remote_enabled = True
            await owner.call_method(f"{index}:Start")
            await until("State", client, 6)
            await owner.call_method(f"{index}:Reset")

    asyncio.run(play())


def test_it_may_be_stopped_and_started_on_its_port() -> None:
    async def play() -> None:
        twin = Controller({"w1": machine()})
        for _ in range(2):
            await twin.start()
            async with Client(twin.url) as client:
                await until("Mode", client, 1)
            await twin.stop()
            await twin.stop()  # harmless

    asyncio.run(play())


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncua", None)
    with pytest.raises(ConfigError, match=r"pip install 'tagwharf\[opcua\]'"):
        asyncio.run(Controller({}).start())
