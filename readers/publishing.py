"""Readers that publish what they read and are only listened to: the settings and the loop that their drivers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from readers.codecs.iot_json import ParseEvent
from readers.codecs.iot_listener import Listener, StatusMessage
from readers.driver import DriverSettings, Port, Report
from readers.errors import LinkError

SCHEMES: Final = ("mqtt", "mqtts")
LOOK_S: Final = 1.0
GAP_S: Final = 5.0  # a record may come in segments that are sent again, but not so late

AntennaPort = Annotated[int, Field(ge=1, le=255)]


class PublishingSettings(DriverSettings):
    """What may be set for every reader that publishes."""

    antennas: tuple[AntennaPort, ...] | None = Field(
        default=None,
        min_length=1,
        description="antenna ports that the reader is set to read with; default: those that tags have named so far",
    )
    silent_after_s: float = Field(
        default=300.0,
        ge=1,
        le=86_400,
        description="a reader that says nothing for so long, no tag and no sign of life, is taken to read no more",
    )

    @model_validator(mode="after")
    def _each_antenna_once(self) -> Self:
        if self.antennas and len(set(self.antennas)) != len(self.antennas):
            raise ValueError(f"antennas = {list(self.antennas)}: each port may be named once")
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The antenna ports that are read."""
        return self.antennas


class PublishingDriver:
    """Listens until cancelled.

    Args:
        parse: reads one JSON object of that family of readers.
        status_messages: texts of the reader's last will and the like, and what they mean.
    """

    def __init__(
        self,
        parse: ParseEvent,
        settings: PublishingSettings,
        status_messages: Mapping[str, StatusMessage] | None = None,
    ) -> None:
        self._parse = parse
        self._settings = settings
        self._status_messages = status_messages

    async def run(self, port: Port, report: Report) -> None:
        """Listen until cancelled.

        Raises:
            LinkError: the link ended, or the reader has left its broker.
        """
        settings = self._settings
        listener = Listener(self._parse, settings.antennas or (), settings.silent_after_s, self._status_messages)
        came_s = port.monotonic_s()
        while True:
            data = await port.receive(LOOK_S)
            now_s = port.monotonic_s()
            if data:
                came_s = now_s
                said = listener.take(data, port.now_us(), now_s)
            else:
                said = listener.gap() if now_s - came_s >= GAP_S else []
            for observation in [*said, *listener.wait(now_s)]:
                report(observation)
            if listener.is_gone:
                raise LinkError(
                    f"{port.description}: the reader has left its broker, says a status message of it; "
                    "check the reader's power and network"
                )
