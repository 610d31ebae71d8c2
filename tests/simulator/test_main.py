import argparse
import asyncio
import json
import sys
import tomllib
from pathlib import Path

import aiomqtt
import pytest

from gateway.config.load import load_site
from simulator.__main__ import _options, _play, fill, main, seconds
from simulator.scenario_file import load
from tests.support.broker import running_broker


@pytest.mark.parametrize(("text", "expected"), [("30s", 30), ("2.5", 2.5), ("5m", 300), ("2h", 7200)])
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "s", "-1s", "0", "1d", "30 seconds"])
def test_what_is_no_time_says_what_is(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be a time such as 30s"):
        seconds(text)


def test_places_are_filled_and_a_missing_value_is_named() -> None:
    assert fill("a ${x-1} ${Y}", {"x-1": "1", "Y": "2"}) == "a 1 2"
    with pytest.raises(ValueError, match="no value for B, C: give each as --fill NAME=VALUE"):
        fill("${B} ${C} ${A}", {"A": ""})


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["moon"]) == 2
    assert (
        "there are: car_park, clones, factory_line, port_gate, showcase, switchboard, truck_gate"
        in capsys.readouterr().err
    )


def test_a_scenario_listens_and_leaves_a_site_file_that_passes_the_check(tmp_path: Path) -> None:
    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulator", "port_gate", "--out", tmp_path, "--for", "20s", stdout=-1
        )
        try:
            async with asyncio.timeout(20):
                while not (tmp_path / "site.toml").exists():
                    await asyncio.sleep(0.05)
            site = await asyncio.to_thread(load_site, tmp_path / "site.toml")
            assert [reader.driver for reader in site.reader] == ["llrp", "llrp", "m100", "dlt645"]
            for reader in site.reader:
                host, _, port = reader.port.rpartition("://")[2].rpartition(":")
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
            assert json.loads((tmp_path / "truth.json").read_text())["passages"]
        finally:
            process.terminate()
            assert await process.wait() == 0

    asyncio.run(scenario())


def test_the_tables_of_a_site_file_stand_beside_it(tmp_path: Path) -> None:
    async def scene() -> None:
        playing = asyncio.create_task(_play(_options(["truck_gate", "--out", str(tmp_path)]), load("truck_gate")))
        async with asyncio.timeout(20):
            while not (tmp_path / "site.toml").exists():
                await asyncio.sleep(0.05)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)

    asyncio.run(scene())
    tables = tomllib.loads((tmp_path / "site.toml").read_text())["table"]
    for table in tables:
        header = (tmp_path / table["file"]).read_text().partition("\n")[0].split(",")
        assert {table["key"], *table["columns"]} == set(header)


def test_a_reader_with_a_topic_publishes_at_the_broker_that_is_filled_in(tmp_path: Path) -> None:
    async def scene(port: int) -> None:
        gate = load("port_gate")
        desk = gate.reader[-1].model_copy(update={"twin": "impinj_iot", "topic": "impinj/desk"})
        file = gate.model_copy(update={"reader": [*gate.reader[:-1], desk]})
        options = _options(["port_gate", "--out", str(tmp_path), "--for", "20s", "--fill", f"MQTT_PORT={port}"])
        async with aiomqtt.Client("127.0.0.1", port) as listener:
            await listener.subscribe("impinj/desk", qos=1)
            playing = asyncio.create_task(_play(options, file))
            async with asyncio.timeout(20):
                first = await anext(listener.messages)
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        assert json.loads(first.payload)["inventoryStatusEvent"] == {"status": "running"}
        assert f"127.0.0.1:{port}/impinj/desk" in (tmp_path / "site.toml").read_text()

    with running_broker(tmp_path / "broker") as broker:
        asyncio.run(scene(broker.port))
