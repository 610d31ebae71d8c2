"""ThingMagic modules: M6e, M6e Micro, M6e Nano, M7e."""

from readers.rfid.thingmagic.driver import DRIVER, ThingMagicDriver
from readers.rfid.thingmagic.settings import Region, ThingMagicSettings
from readers.rfid.thingmagic.station import ThingMagicStation

__all__ = ["DRIVER", "Region", "ThingMagicDriver", "ThingMagicSettings", "ThingMagicStation"]
