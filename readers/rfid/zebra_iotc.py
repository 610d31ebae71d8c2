"""The driver `zebra_iotc`: readers of Zebra whose IoT Connector publishes tag data events.

Nothing is asked of the reader: it is set, started and stopped by its own pages or its control interface.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from readers.codecs.iot_messages import parse_zebra
from readers.driver import DriverSpec, Kind
from readers.publishing import SCHEMES, PublishingDriver, PublishingSettings


class ZebraIotcSettings(PublishingSettings):
    """Settings of driver `zebra_iotc`."""


DRIVER: Final = DriverSpec(
    name="zebra_iotc",
    kind=Kind.RFID,
    settings=ZebraIotcSettings,
    make=partial(PublishingDriver, parse_zebra),
    summary="Zebra fixed readers with the IoT Connector (FX7500, FX9600, ATR7000, FXR90): MQTT, or JSON lines over TCP",
    schemes=SCHEMES,
    models=(
        "Zebra FX7500",
        "Zebra FX9600",
        "Zebra ATR7000",
        "Zebra FXR90",
    ),
)
