"""Plays a Zebra reader with the IoT Connector, one JSON line an event: the twin of the driver `zebra_iotc`.

Whether it reads, and which antennas are connected, its heartbeats tell.
"""

from __future__ import annotations

from typing import Final

from readers.codecs.iot_messages import encode_zebra
from readers.driver import Port
from simulator.device import Radio
from simulator.rfid.iot_publisher import Reader, publish

__all__ = ["DEVICE", "Reader", "serve"]

DEVICE: Final = "zebra_iotc"


async def serve(port: Port, radio: Radio, reader: Reader | None = None) -> None:
    """Write what the radio hears, and heartbeats, until the link ends.

    Raises:
        LinkError: the link ended.
    """
    await publish(port, radio, reader or Reader(), encode_zebra, tells_state=False)
