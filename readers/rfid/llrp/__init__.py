"""LLRP readers."""

from readers.rfid.llrp.driver import DRIVER, LlrpDriver
from readers.rfid.llrp.settings import LlrpSettings, Profile, ProtocolVersion

__all__ = ["DRIVER", "LlrpDriver", "LlrpSettings", "Profile", "ProtocolVersion"]
