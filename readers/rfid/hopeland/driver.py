"""The driver `hopeland`: readers of Hopeland (CLOU) that speak frames beginning with AA, over TCP or a serial line."""

from __future__ import annotations

from typing import Final

from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.rfid.hopeland.configuration import FACTORY_BAUD, FACTORY_TCP_PORT, prepare
from readers.rfid.hopeland.inventory import Inventory
from readers.rfid.hopeland.line import Line
from readers.rfid.hopeland.settings import HopelandSettings
from readers.rfid.hopeland.station import HopelandStation


class HopelandDriver:
    """Identifies the reader, sets it, and reads until cancelled."""

    def __init__(self, settings: HopelandSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no answer, or the reader fell silent.
            DeviceRefusedError: it lacks a named antenna, does not take the region, or refuses to read.
        """
        line = Line(port, report)
        inventory = Inventory(line, await prepare(line, self._settings), self._settings.read_tid)
        while True:
            await inventory.run()


DRIVER: Final = DriverSpec(
    "hopeland",
    Kind.RFID,
    HopelandSettings,
    HopelandDriver,
    "UHF readers of Hopeland (CLOU) with frames that begin with AA: CL7206C family, HF340; over TCP or a serial line",
    line=LineDefaults(baud=FACTORY_BAUD),
    tcp_port=FACTORY_TCP_PORT,
    station=HopelandStation,
    models=("Hopeland CL7206C2", "Hopeland CL7206C4", "Hopeland HF340"),
)
