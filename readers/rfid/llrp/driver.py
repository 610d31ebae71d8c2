"""The driver `llrp`: fixed UHF readers by the Low Level Reader Protocol, LLRP 1.0.1 and 1.1."""

from __future__ import annotations

import asyncio
from typing import Final

from readers.driver import DriverSpec, Kind, Port, Report
from readers.rfid.llrp.session import Session
from readers.rfid.llrp.settings import LlrpSettings
from readers.rfid.llrp.station import LlrpStation


class LlrpDriver:
    """Speaks to one reader. Everything learnt of it ends with the connection."""

    def __init__(self, settings: LlrpSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled; see `readers.driver.Driver`."""
        session = Session(self._settings, port, report)
        try:
            await session.run()
        except asyncio.CancelledError:
            await session.close()
            raise
        finally:
            session.settle()


DRIVER: Final = DriverSpec(
    name="llrp",
    kind=Kind.RFID,
    settings=LlrpSettings,
    make=LlrpDriver,
    summary="fixed UHF RFID readers by LLRP: Impinj, Zebra, and every other that follows the standard",
    tcp_port=5084,
    tls_port=5085,
    models=("Impinj Speedway R120, R220, R420", "Impinj R700 (LLRP mode)", "Zebra FX7500, FX9600"),
    station=LlrpStation,
)
