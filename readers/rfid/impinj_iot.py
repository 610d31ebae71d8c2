"""The driver `impinj_iot`: readers of Impinj that publish the events of their IoT device interface.

Nothing is asked of the reader: it is set, started and stopped by its own pages or its REST interface.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from readers.codecs.iot_listener import StatusMessage
from readers.codecs.iot_messages import parse_impinj
from readers.driver import DriverSpec, Kind
from readers.publishing import SCHEMES, PublishingDriver, PublishingSettings

StatusText = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class ImpinjIotSettings(PublishingSettings):
    """Settings of driver `impinj_iot`."""

    status_messages: dict[StatusText, StatusMessage] = Field(
        default={},
        max_length=16,
        description="what the texts mean that the reader is set to publish to its `willTopic`, which `port` must "
        "cover: `gone` for its `willMessage` and `disconnectMessage`, `alive` for its `connectMessage`",
    )


def _make(settings: ImpinjIotSettings) -> PublishingDriver:
    return PublishingDriver(parse_impinj, settings, settings.status_messages)


DRIVER: Final = DriverSpec(
    name="impinj_iot",
    kind=Kind.RFID,
    settings=ImpinjIotSettings,
    make=_make,
    summary="Impinj readers with the IoT device interface (R700): MQTT, or its event lines over TCP",
    schemes=SCHEMES,
    models=("Impinj R700",),
)
