"""The driver `impinj_iot`: readers of Impinj that publish the events of their IoT device interface.

Nothing is asked of the reader: it is set, started and stopped by its own pages or its REST interface.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from readers.codecs.iot_listener import Listener
from readers.codecs.iot_messages import parse_impinj
from readers.driver import DriverSettings, DriverSpec, Kind, Port, Report

LOOK_S: Final = 1.0
GAP_S: Final = 5.0  # a record may come in segments that are sent again, but not so late

AntennaPort = Annotated[int, Field(ge=1, le=255)]


class ImpinjIotSettings(DriverSettings):
    """Settings of driver `impinj_iot`."""

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


class ImpinjIotDriver:
    """Listens until cancelled."""

    def __init__(self, settings: ImpinjIotSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Listen until cancelled.

        Raises:
            LinkError: the link ended.
        """
        listener = Listener(parse_impinj, self._settings.antennas or (), self._settings.silent_after_s)
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


DRIVER: Final = DriverSpec(
    name="impinj_iot",
    kind=Kind.RFID,
    settings=ImpinjIotSettings,
    make=ImpinjIotDriver,
    summary="Impinj readers with the IoT device interface (R700): MQTT, or its event lines over TCP",
    schemes=("mqtt",),
    models=("Impinj R700",),
)
