"""Twins that publish: what a twin sends goes to a topic of an MQTT broker, one message a record, as such readers do."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Self

import aiomqtt

from readers.codecs.iot_json import END, START
from readers.errors import LinkError
from readers.ports.base import HoldingPort
from readers.tasks import end
from simulator.server import Serve

AGAIN_AFTER_S: Final = 1.0
_QOS: Final = 1


class PublishingPort(HoldingPort):
    """The reader's end of a topic; nothing ever comes back."""

    def __init__(self, client: aiomqtt.Client, topic: str) -> None:
        super().__init__(f"mqtt topic {topic} (device)")
        self._client = client
        self._topic = topic

    async def send(self, data: bytes) -> None:
        """Publish each record of `data`.

        Raises:
            LinkError: the broker is lost.
        """
        for record in data.split(END):
            if record:
                try:
                    await self._client.publish(self._topic, record.removeprefix(START), qos=_QOS)
                except aiomqtt.MqttError as error:
                    self._end(str(error), error)
                    raise self._over() from error

    async def close(self) -> None:
        """Nothing more is published."""
        self._end("the port is closed")


class Publisher:
    """One twin at a broker: `async with Publisher(serve, host, port, topic): ...`; it comes back when the broker does.

    Attributes:
        failures: what left the twin's coroutine and is no LinkError: bugs, for tests to look at.
    """

    def __init__(self, serve: Serve, host: str, port: int, topic: str) -> None:
        self.failures: list[BaseException] = []
        self._serve = serve
        self._host = host
        self._port = port
        self._topic = topic
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._task is not None
        await end(self._task)

    async def _run(self) -> None:
        try:
            while True:
                with contextlib.suppress(aiomqtt.MqttError, LinkError):  # the broker is not there yet, or not any more
                    async with aiomqtt.Client(self._host, self._port) as client:
                        await self._serve(PublishingPort(client, self._topic))
                await asyncio.sleep(AGAIN_AFTER_S)
        except Exception as error:  # noqa: BLE001 - a bug in a twin, kept for who looks
            self.failures.append(error)
