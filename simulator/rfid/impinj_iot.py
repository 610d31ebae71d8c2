"""Plays an Impinj reader that writes its IoT events, one JSON line each: the twin of the driver `impinj_iot`.

Its sign of life is an event of a type that is made up.
"""

from __future__ import annotations

from typing import Final

from readers.codecs.iot_messages import encode_impinj
from readers.driver import Port
from simulator.device import Radio
from simulator.rfid.iot_publisher import Reader, publish

__all__ = ["DEVICE", "Reader", "serve"]

DEVICE: Final = "impinj_iot"


async def serve(port: Port, radio: Radio, reader: Reader | None = None) -> None:
    """Write what the radio hears, and when the inventory starts and stops, until the link ends.

    Raises:
        LinkError: the link ended.
    """
    await publish(port, radio, reader or Reader(), encode_impinj, tells_state=True)
