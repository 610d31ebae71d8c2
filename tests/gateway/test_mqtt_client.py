import asyncio
import inspect
from importlib.metadata import version
from pathlib import Path

import aiomqtt
import pytest

from gateway import mqtt_client
from gateway.config.models import Tls
from gateway.mqtt_client import Incoming, Message, tls_context
from readers.errors import ConfigError


def arrived(payload: bytes) -> aiomqtt.Message:
    return aiomqtt.Message("t", payload, 1, retain=False, mid=1, properties=None)


def test_what_came_is_bounded_by_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_client, "INCOMING_BYTES", 100)

    async def main() -> None:
        queue = Incoming(3)
        queue.put_nowait(arrived(b"x" * 60))
        queue.put_nowait(arrived(b"x" * 60))
        assert (len(queue.held), queue.dropped) == (1, 1)
        for _ in range(3):
            queue.put_nowait(arrived(b"y"))
        assert (len(queue.held), queue.dropped, queue.held_bytes) == (3, 2, 62)
        assert queue.take() == Message("t", b"x" * 60, retained=False)
        queue.put_nowait(arrived(b"x" * 60))
        assert (len(queue.held), queue.dropped) == (3, 2)

    asyncio.run(main())


def test_what_we_replace_and_use_inside_aiomqtt_is_there() -> None:
    """Private names of a library: when this fails, read its changes, and `gateway/mqtt_client.py` again."""
    replaced = {"_on_disconnect": ["client", "userdata"], "_on_socket_register_write": ["client", "userdata", "sock"]}
    for name, parameters in replaced.items():
        method = vars(aiomqtt.Client).get(name)
        assert method is not None, f"aiomqtt {version('aiomqtt')} has no Client.{name}"
        assert list(inspect.signature(method).parameters)[1 : len(parameters) + 1] == parameters, name
        assert name in vars(mqtt_client.Client)

    async def main() -> None:
        client = mqtt_client.Client("127.0.0.1", 1, queue_type=Incoming)
        assert client._client.on_disconnect == client._on_disconnect
        assert client._client.on_socket_register_write == client._on_socket_register_write
        assert isinstance(client._queue, Incoming)
        assert client._loop is asyncio.get_running_loop()
        assert client._misc_task is None
        for future in (client._connected, client._disconnected):
            assert isinstance(future, asyncio.Future)
        assert isinstance(client.pending_calls_threshold, int)
        client.abandon()  # nothing is open

    asyncio.run(main())


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (Tls(fingerprint_sha256="00" * 32), "only readers can be pinned"),
        (Tls(ca_file=Path("/nowhere/ca.pem")), "cannot load /nowhere/ca.pem"),
        (Tls(certificate_file=Path("/nowhere/c.pem"), key_file=Path("/nowhere/k.pem")), "/nowhere/c.pem"),
    ],
)
def test_tls_that_cannot_be(tls: Tls, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tls_context(tls)
