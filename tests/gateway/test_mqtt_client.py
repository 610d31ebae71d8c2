import asyncio
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
