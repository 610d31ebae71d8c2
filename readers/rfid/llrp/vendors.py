"""What single makers need beyond the standard, as data: chosen by the manufacturer number of the capabilities.

Source: IANA private enterprise numbers; Impinj Octane LLRP extensions; Impinj support article 360010785700 (an Impinj
reader keeps a session whose keepalives go unanswered until its link monitor is switched on, and so locks out every
later client).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from readers.rfid.llrp.framing import encode_custom

IMPINJ: Final = 25882
_IMPINJ_LINK_MONITOR: Final = 38
_IMPINJ_LINK_MONITOR_VALUE: Final = Struct(">HH")  # mode, LinkDownThreshold in unanswered keepalives
_IMPINJ_LINK_MONITOR_REQUESTED: Final = 2005
LINK_DOWN_KEEPALIVES: Final = 3
_DUAL_TARGET: Final = 2
_FIXED_FREQUENCY_AUTO: Final = 1

NAMES: Final[dict[int, str]] = {
    161: "Motorola",  # the number that Zebra's FX readers still send
    10642: "Zebra",
    17996: "Alien",
    24831: "Sirit",
    25882: "Impinj",
    26554: "ThingMagic",
}


@dataclass(frozen=True, slots=True)
class Extensions:
    """What one maker's readers are asked besides.

    Attributes:
        enable: whether IMPINJ_ENABLE_EXTENSIONS must come before any custom parameter.
        configuration: custom parameters for SET_READER_CONFIG; read back by ImpinjRequestedData `read_back`.
        inventory: custom parameters inside C1G2InventoryCommand, by sllurp's names.
        inventory_fixed: the same, only in regions without hopping.
        report: custom parameters inside ROReportSpec.
        largest_mode: mode identifiers above it choose by themselves; their table entries say nothing.
        rate_is_blf: the mode table's data rate is really the backscatter link frequency.
    """

    enable: bool = False
    configuration: bytes = b""
    read_back: int | None = None
    inventory: Mapping[str, Any] | None = None
    inventory_fixed: Mapping[str, Any] | None = None
    report: Mapping[str, Any] | None = None
    largest_mode: int = 0xFFFF
    rate_is_blf: bool = False


_NONE: Final = Extensions()
_BY_MAKER: Final[dict[int, Extensions]] = {
    IMPINJ: Extensions(
        enable=True,
        configuration=encode_custom(
            IMPINJ, _IMPINJ_LINK_MONITOR, _IMPINJ_LINK_MONITOR_VALUE.pack(1, LINK_DOWN_KEEPALIVES)
        ),
        read_back=_IMPINJ_LINK_MONITOR_REQUESTED,
        inventory={"ImpinjInventorySearchMode": {"InventorySearchMode": _DUAL_TARGET}},
        inventory_fixed={"ImpinjFixedFrequencyList": {"FixedFrequencyMode": _FIXED_FREQUENCY_AUTO, "ChannelList": []}},
        report={
            "ImpinjTagReportContentSelector": {
                "ImpinjEnableRFPhaseAngle": {"RFPhaseAngleMode": 1},
                "ImpinjEnablePeakRSSI": {"PeakRSSIMode": 1},
            }
        },
        largest_mode=999,
        rate_is_blf=True,
    ),
}


def extensions(manufacturer: int) -> Extensions:
    """What readers of this maker are asked besides; nothing for most."""
    return _BY_MAKER.get(manufacturer, _NONE)


def name(manufacturer: int) -> str:
    """The maker's name, or its number where the name is not known."""
    return NAMES.get(manufacturer, f"manufacturer {manufacturer}")
