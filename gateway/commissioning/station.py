"""Opens a reader of the site file as a station for work on single tags."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.config.load import driver_settings
from gateway.config.models import Reader
from gateway.links import open_link
from readers import registry
from readers.access import KeptReads, Station
from readers.errors import ConfigError, LinkError

OPEN_WITHIN_S: Final = 15.0


@asynccontextmanager
async def opened(reader: Reader, warn: Callable[[str], None] | None = None) -> AsyncIterator[Station]:
    """The reader, ready for work, and quiet again afterwards; `warn` is told at the end what was lost by it.

    Raises:
        ConfigError: its driver cannot work on tags. LinkError, ReaderBusyError, DeviceRefusedError: as the driver.
    """
    spec = registry.driver(reader.driver)
    if spec.station is None:
        able = ", ".join(name for name, each in registry.drivers().items() if each.station is not None)
        raise ConfigError(f"reader {reader.name}: driver {spec.name} cannot work on single tags; these can: {able}")
    try:
        port = await asyncio.wait_for(open_link(reader), OPEN_WITHIN_S)
    except TimeoutError:
        raise LinkError(f"{reader.port} did not open within {OPEN_WITHIN_S:.0f} s; check address and cable") from None
    try:
        station = spec.station(driver_settings(reader), port)
        try:
            await station.open()
            yield station
        finally:
            await station.close()
            if warn is not None and isinstance(station, KeptReads) and station.foreign_reads:
                warn(
                    f"{reader.name}: {station.foreign_reads} reads that it had kept for the gateway were thrown away, "
                    "and stand in no ledger; look by hand for what passed meanwhile"
                )
    finally:
        await port.close()
