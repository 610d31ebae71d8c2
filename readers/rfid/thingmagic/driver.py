"""The driver `thingmagic`: identifies the module, sets it, and follows its stream of tags."""

from __future__ import annotations

from typing import Final

from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.rfid.thingmagic.configuration import FACTORY_BAUD, configure, identify
from readers.rfid.thingmagic.conversation import Conversation
from readers.rfid.thingmagic.inventory import Inventory
from readers.rfid.thingmagic.settings import ThingMagicSettings
from readers.rfid.thingmagic.station import ThingMagicStation


class ThingMagicDriver:
    """Talks to one module until cancelled."""

    def __init__(self, settings: ThingMagicSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no answer, or the module fell silent or restarted.
            DeviceRefusedError: it cannot do what the settings ask, or not read continuously.
        """
        talk = Conversation(port, report)
        await identify(talk)
        inventory = Inventory(talk, self._settings, await configure(talk, self._settings))
        while True:
            await inventory.run()


DRIVER: Final = DriverSpec(
    "thingmagic",
    Kind.RFID,
    ThingMagicSettings,
    ThingMagicDriver,
    "UHF modules of ThingMagic (JADAK, Novanta) on a serial line: M6e, M6e Micro, M6e Nano, M7e",
    line=LineDefaults(baud=FACTORY_BAUD),
    station=ThingMagicStation,
    models=("ThingMagic M6e", "ThingMagic M6e Micro", "ThingMagic M6e Nano", "ThingMagic M7e", "SparkFun SEN-14066"),
)
